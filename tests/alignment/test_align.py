"""A fold is aligned, resumed to the same bytes, and refuses what it cannot use in one line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from oncoraft.alignment import dpo, grpo, pairs
from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.models.cases import read_rows
from oncoraft.planning.config import Config
from tests.alignment.fold import align_command, entry_of, make_pairs, preferences_command, run_alignment, run_in_two, settings, trained
from tests.training.fold import learned, logged


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("aligned")
    trained(folder)
    make_pairs(folder)
    return folder


def same(one: Path, other: Path) -> bool:
    first, second = learned(one), learned(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_pairs_hold_the_better_answer_first_and_what_the_starting_model_thinks_of_both(fold: Path) -> None:
    rows = [json.loads(line) for line in (fold / "pairs.jsonl").read_text().splitlines()]
    note = json.loads((fold / "pairs.jsonl.manifest.json").read_text())["counts"]
    assert note["prompts"] == 10
    assert note["answers"] == 40
    assert note["pairs"] == len(rows) == 10 - note["too_close"]
    assert rows
    assert all(row["chosen_reward"] > row["rejected_reward"] and row["by"] == "verifiers" for row in rows)
    assert all(len(row["reference"]) == 2 and max(row["reference"]) < 0 for row in rows)


def test_several_pairs_of_a_prompt_share_no_answer_and_each_has_its_own_references(fold: Path) -> None:
    given = settings("preferences", pairs_per_prompt=2)
    command = [word if word != str(fold / "pairs.jsonl") else str(fold / "more.jsonl") for word in preferences_command(fold, given)]
    assert pairs.main(command) == 0
    rows, single = read_lines(fold / "more.jsonl"), read_lines(fold / "pairs.jsonl")
    assert len(rows) > len(single)
    answers = [
        (row["case_id"], tuple(row[side]), row["reference"][place]) for row in rows for place, side in enumerate(("chosen", "rejected"))
    ]
    assert len({(case, tokens) for case, tokens, _ in answers}) >= len(answers) - 2  # two samples may happen to be the same text
    known = {(row["case_id"], tuple(row["chosen"])): row["reference"] for row in single}
    for row in rows:
        if (key := (row["case_id"], tuple(row["chosen"]))) in known:
            assert row["reference"] == pytest.approx(known[key], abs=1e-3)
    out = run_alignment(fold, "more", settings("dpo"), "--pairs", str(fold / "more.jsonl"))
    assert logged(out)[0]["margin"] == pytest.approx(0, abs=1e-4)  # every pair is held against its own reference


@pytest.mark.parametrize("method", ["dpo", "grpo"])
def test_two_processes_end_where_one_does(fold: Path, method: str) -> None:
    more = ("--pairs", str(fold / "pairs.jsonl")) if method == "dpo" else ()
    given = settings(method)
    one = run_alignment(fold, f"{method}-one", given, *more)
    run_in_two(method, align_command(fold, f"{method}-two", given, *more))
    two = fold / f"{method}-two"
    assert '"processes": 2' in (two / "manifest.json").read_text()
    for name, value in learned(one).items():
        torch.testing.assert_close(learned(two)[name], value, rtol=1e-3, atol=1e-4)
    for alone, shared in zip(logged(one), logged(two), strict=True):
        assert alone["loss"] == pytest.approx(shared["loss"], rel=1e-3, abs=1e-5)
        assert alone["tokens"] == shared["tokens"]


def test_dpo_moves_the_adapter_towards_the_chosen_answers_and_leaves_the_head_to_its_refit(fold: Path) -> None:
    out = run_alignment(fold, "dpo", settings("dpo", epochs=4), "--pairs", str(fold / "pairs.jsonl"))
    entries = logged(out)
    assert entries[0]["margin"] == pytest.approx(0, abs=1e-5)  # before the first step model and reference are one
    assert entries[0]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert sum(entry["margin"] for entry in entries[-3:]) > 0
    assert not same(out, fold / "raft")
    told = json.loads((out / "alignment.json").read_text())["score_head"]
    assert told["refitted_mean_difference"] <= told["unrefitted_mean_difference"] + 1e-4


def test_grpo_logs_rewards_by_name_and_starts_from_a_ratio_of_one(fold: Path) -> None:
    out = run_alignment(fold, "grpo", settings(updates_per_batch=1))
    for entry in logged(out):
        assert entry["clipped_share"] == 0  # one update: the model that learns is the one that wrote
        assert {"reward", "reward_factual", "reward_calibration", "reward_length", "kl", "entropy", "zero_variance_share"} <= entry.keys()
        assert entry["answers"] == 4 * entry["prompts"]
    assert logged(out)[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert (out / "score_head.pt").is_file()
    assert (out / "training_patients.txt").read_text() == (fold / "raft/training_patients.txt").read_text()


class Stop(Exception):
    pass


@pytest.mark.parametrize("method", ["dpo", "grpo"])
def test_a_stopped_run_goes_on_to_the_same_bytes(fold: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    more = ("--pairs", str(fold / "pairs.jsonl")) if method == "dpo" else ()
    given = settings(method, epochs=4 if method == "dpo" else 1)
    whole = run_alignment(fold, f"{method}-whole", given, *more)
    step = f"{'preference' if method == 'dpo' else 'policy'}_step"
    module = {"dpo": dpo, "grpo": grpo}[method]
    real, taken = getattr(module, step), [0]

    def failing(*given: Any, **named: Any) -> Any:
        taken[0] += 1
        if taken[0] == 4:
            raise Stop
        return real(*given, **named)

    monkeypatch.setattr(module, step, failing)
    with pytest.raises(Stop):
        entry_of(given)(align_command(fold, f"{method}-killed", given, *more))
    assert not (fold / f"{method}-killed").exists()
    monkeypatch.setattr(module, step, real)
    resumed = run_alignment(fold, f"{method}-killed", given, *more)
    assert same(whole, resumed)
    assert len(logged(resumed)) == len(logged(whole))


def test_the_size_of_a_row_changes_nothing_but_rounding(fold: Path) -> None:
    changed = json.loads(settings())
    changed["training"]["tokens_per_micro_batch"] = 256
    one, other = run_alignment(fold, "large", settings()), run_alignment(fold, "small", json.dumps(changed))
    for name, value in learned(one).items():
        torch.testing.assert_close(value, learned(other)[name], rtol=1e-3, atol=1e-4)


def test_answers_that_are_all_alike_teach_nothing_and_are_counted(fold: Path) -> None:
    out = run_alignment(fold, "alike", settings(rewards={"length": 1.0}, max_new_tokens=4))
    entries = [entry for entry in logged(out) if entry["zero_variance_share"] == 1]
    assert all(entry["gradient_norm"] == 0 and entry["loss"] == 0 for entry in entries)


def test_clinicians_choices_of_other_folds_are_left_out_and_told(fold: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "oncoraft")
    choices = fold / "choices.jsonl"
    rows = [{"case_id": name, "chosen": "ECOG 1 matters", "rejected": "liver"} for name in ("c00", "c03", "elsewhere")]
    choices.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = fold / "by-hand.jsonl"
    given = preferences_command(fold, settings("preferences", file=str(choices)))
    assert pairs.main([word if word != str(fold / "pairs.jsonl") else str(out) for word in given]) == 0
    written = read_lines(out)
    assert [row["case_id"] for row in written] == ["c00", "c03"]
    assert {row["by"] for row in written} == {"clinicians"}
    assert "1 of 3 choices" in caplog.text
    run_alignment(fold, "by-hand", settings("dpo"), "--pairs", str(out))


def test_pairs_whose_references_are_of_other_prompts_are_refused(fold: Path, tmp_path: Path) -> None:
    prompts, copied = tmp_path / "train.jsonl", tmp_path / "pairs.jsonl"
    prompts.write_text("".join(json.dumps(row | {"input": row["input"] + " ECOG 1"}) + "\n" for row in read_lines(fold / "train.jsonl")))
    for name in ("pairs.jsonl", "pairs.jsonl.manifest.json"):
        shutil.copy(fold / name, tmp_path / name)
    command = align_command(fold, "other-prompts", settings("dpo"), "--pairs", str(copied))
    command[0] = str(prompts)
    with pytest.raises(
        InputError, match=r"pairs\.jsonl: expected pairs made from .*train\.jsonl as it stands; run `oncoraft preferences` again"
    ):
        dpo.main(command)
    assert not (fold / "other-prompts").exists()
    (tmp_path / "pairs.jsonl.manifest.json").unlink()  # pairs that were made elsewhere are whoever's they are
    assert dpo.main(command) == 0


def test_pairs_are_made_anew_for_another_start(fold: Path, tmp_path: Path) -> None:
    other = tmp_path / "adapter_model.safetensors"
    other.write_bytes(b"of a training that went on")
    dpo.check_origin(fold / "pairs.jsonl", [fold / "train.jsonl", fold / "raft" / "adapter_model.safetensors"])
    with pytest.raises(InputError, match="adapter_model"):
        dpo.check_origin(fold / "pairs.jsonl", [fold / "train.jsonl", other])
    (tmp_path / "pairs.jsonl.manifest.json").write_text("[]")
    with pytest.raises(InputError, match="expected a manifest written by"):
        dpo.check_origin(tmp_path / "pairs.jsonl", [])


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"strategies": {"raft": {}, "dpo": {"method": "dpo"}}}, "strategies.dpo: method dpo: expected `from`"),
        (
            {"strategies": {"raft": {}, "dpo": {"method": "dpo", "from": "rft"}}},
            "strategies.dpo.from: expected one of raft, dpo, found 'rft'",
        ),
        (
            {"strategies": {"z": {"adapter": False, "language_model_weight": 0.0}, "dpo": {"method": "dpo", "from": "z"}}},
            "trains an adapter",
        ),
        ({"strategies": {"a": {"method": "dpo", "from": "b"}, "b": {"method": "dpo", "from": "a"}}}, "does not itself go on from"),
        ({"alignment": {"rewards": {"kindness": 1.0}}}, "alignment.rewards.kindness"),
        ({"alignment": {"rewards": {"factual": 0.0}}}, "one weight above 0"),
        ({"alignment": {"samples": 1}}, "alignment.samples: expected greater than or equal to 2"),
        ({"strategies": {"raft": {"from": "raft"}}}, "expected method dpo or grpo beside it"),
        (
            {
                "strategies": {
                    "raft": {},
                    "lent": {"model_of": "raft", "control": "swapped_drugs"},
                    "g": {"method": "grpo", "from": "lent"},
                }
            },
            "strategies.g.from: expected a strategy with models of its own",
        ),
        (
            {"training": {"shard": True}, "strategies": {"raft": {}, "d": {"method": "dpo", "from": "raft"}}},
            "training.shard: expected supervised strategies alone, found strategies.d (dpo); run it by a configuration of its own",
        ),
        ({"alignment": {"own_rewards": {"reward": {"function": "m:f"}}}}, "'reward' is the name of a reward that is there already"),
    ],
)
def test_a_wrong_configuration_is_told_in_one_line(given: dict[str, Any], told: str) -> None:
    from oncoraft.planning.config_files import check_config

    with pytest.raises(InputError) as caught:
        check_config(given)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["dpo", "grpo"])
def test_a_base_model_in_parts_is_refused(fold: Path, method: str) -> None:
    given = json.loads(settings(method))
    given["training"]["shard"] = True
    more = ("--pairs", str(fold / "pairs.jsonl")) if method == "dpo" else ()
    with pytest.raises(InputError, match=rf"training.shard: expected false: {method} does not work on a base model in parts"):
        entry_of(json.dumps(given))(align_command(fold, "parts", json.dumps(given), *more))
    assert not (fold / "parts").exists()


def test_a_pair_of_another_fold_is_refused(fold: Path, tmp_path: Path) -> None:
    rows = read_lines(fold / "pairs.jsonl")
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row | {"case_id": "elsewhere"}) + "\n" for row in rows[:1]))
    with pytest.raises(InputError, match=r"line 1.*case of this fold's training file.*elsewhere"):
        dpo.main(align_command(fold, "refused", settings("dpo"), "--pairs", str(path)))
    assert not (fold / "refused").exists()


def test_sigterm_saves_the_state_and_asks_for_a_retry(fold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    real = grpo.policy_step

    def interrupted(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        os.kill(os.getpid(), signal.SIGTERM)
        return found

    monkeypatch.setattr(grpo, "policy_step", interrupted)
    with pytest.raises(RetryLater, match="stopped after step 1 of 5"):
        grpo.main(align_command(fold, "stopped", settings()))
    assert list((fold / "state-stopped").glob("*/step-00000001.pt"))


def test_the_training_cases_of_the_fold_are_all_that_is_answered(fold: Path) -> None:
    rows = {row["case_id"] for row in read_rows(fold / "train.jsonl")}
    assert {row["case_id"] for row in read_lines(fold / "pairs.jsonl")} <= rows
    assert Config().alignment.samples == 8
