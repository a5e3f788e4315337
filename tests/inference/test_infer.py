"""One shard after another: independent of their number, resumed after a kill, with and without a head; bad input in one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file

from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.foundation.provenance import text_digest
from oncoraft.inference import gather, infer
from oncoraft.inference.engine import Engine
from oncoraft.inference.opening import open_fold
from oncoraft.models.base import load_tokenizer
from oncoraft.models.cases import prompt_text
from oncoraft.models.compiling import Fallbacks
from oncoraft.planning.config import Inference, Strategy
from tests.models.tiny_folds import rows, write_rows
from tests.prompts.referring import refer

LM_ONLY = {"score_weight": 0.0}
UNTRAINED = {"adapter": False, "language_model_weight": 0.0, "score_weight": 0.0}
FEW = {"max_new_tokens": 8, "batch_tokens": 256, "cache_tokens": 512, "temperature": 1.0}


def settings(inference: dict[str, Any], strategy: dict[str, Any]) -> str:
    return json.dumps({"inference": Inference(**inference).model_dump(), "strategy": Strategy(**strategy).model_dump()})


def inferred(
    work: Path, out: Path, *more: str, inference: dict[str, Any] | None = None, strategy: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Run one shard; a trained strategy reads `work`/fold."""
    chosen = strategy or {}
    fold = ["--fold-model", str(work / "fold")] if Strategy(**chosen).is_trained else []
    given = ["--settings", settings(FEW | (inference or {}), chosen), "--threads", "1"]
    command = [str(work / "rows.jsonl"), "--base", str(work / "base"), *fold, "--out", str(out), *given, *more]
    assert infer.main(command) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_predictions_do_not_depend_on_the_number_of_shards(fold: Path, tmp_path: Path) -> None:
    found = []
    for shards in (1, 3):
        files = [tmp_path / f"{shard}-of-{shards}.jsonl" for shard in range(shards)]
        counts = [len(inferred(fold, file, "--shard", str(shard), "--shards", str(shards))) for shard, file in enumerate(files)]
        assert sum(counts) == 20
        out = tmp_path / f"{shards}.jsonl"
        assert gather.main([*map(str, files), "--heldout", str(fold / "rows.jsonl"), "--out", str(out)]) == 0
        found.append([json.loads(line) for line in out.read_text().splitlines()])
    assert [row["rationale"] for row in found[0]] == [row["rationale"] for row in found[1]]
    assert [row["logit"] for row in found[0]] == pytest.approx([row["logit"] for row in found[1]], abs=1e-5)
    assert len({row["rationale"] for row in found[0]}) > 10
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("strategy", [{}, UNTRAINED | {"examples": 1}])
def test_rows_that_refer_to_their_prompts_are_answered_as_those_that_hold_them(
    qwen3: Path, tmp_path: Path, strategy: dict[str, Any]
) -> None:
    work = shutil.copytree(qwen3, tmp_path / "work")
    (tmp_path / "shown").mkdir()
    shown = write_rows(tmp_path / "shown" / "train.jsonl", [row | {"patient_id": f"other {row['patient_id']}"} for row in rows(6)])
    more = ["--examples", str(shown)] if strategy else []
    before = inferred(work, tmp_path / "held.jsonl", *more, strategy=strategy)
    refer(work / "rows.jsonl")
    refer(shown)
    after = inferred(work, tmp_path / "referred.jsonl", *more, strategy=strategy)
    assert after == before
    assert len(after) == 20


@pytest.mark.parametrize(
    ("device", "asked", "told"),
    [
        ("cuda", {}, {"acts_run_unrecorded": 0}),
        ("cuda", {"decoding": "compiled"}, {"layers_run_uncompiled": 2, "acts_run_unrecorded": 0}),
        ("cuda", {"decoding": "eager"}, {}),
        ("cpu", {"decoding": "compiled"}, {}),
    ],
)
def test_tokens_are_recorded_on_a_gpu_and_what_did_not_work_stands_in_the_manifest(
    qwen3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, asked: dict[str, Any], told: dict[str, int]
) -> None:
    def compile_none(engine: Engine) -> None:
        engine.fallbacks = Fallbacks("infer")
        engine.fallbacks.reasons += ["no compiler", "no compiler"]
        engine.record()

    # A machine with a GPU as far as the step asks; the model lies on the CPU.
    monkeypatch.setattr(infer, "device_for", lambda gpus: torch.device(device))
    monkeypatch.setattr(infer, "open_fold", lambda base, folder, strategy, _: open_fold(base, folder, strategy, torch.device("cpu")))
    monkeypatch.setattr(Engine, "compile", compile_none)
    inferred(qwen3, tmp_path / "shard.jsonl", inference=asked)
    counts = json.loads((tmp_path / "shard.jsonl.manifest.json").read_text())["counts"]
    assert {name: counts[name] for name in counts if name.endswith(("_uncompiled", "_unrecorded"))} == told
    assert counts["cases"] == 20


def test_predictions_of_before_decoding_could_be_chosen_stand() -> None:
    assert "decoding" not in Inference().model_dump()
    assert Inference(decoding="eager").model_dump()["decoding"] == "eager"


@pytest.mark.parametrize("strategy", [{}, LM_ONLY])
def test_a_killed_shard_goes_on_and_ends_bytewise_equal(
    qwen3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any]
) -> None:
    # One row at once, so that there are more groups than are kept before the kill.
    some = {"rationales": 16, "cache_tokens": 256, "max_new_tokens": 160}
    inferred(qwen3, tmp_path / "whole.jsonl", inference=some, strategy=strategy)
    original, groups = infer.Progress.add, []

    def kill_after_three(self: infer.Progress, rows: list[dict[str, Any]]) -> None:
        original(self, rows)
        groups.append(len(rows))
        if len(groups) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(infer.Progress, "add", kill_after_three)
    out = tmp_path / "killed.jsonl"
    with pytest.raises(RetryLater, match="the next call goes on from them"):
        inferred(qwen3, out, inference=some, strategy=strategy)
    assert not out.exists()
    kept = tmp_path / ".progress-killed.jsonl"
    assert len(kept.read_text().splitlines()) == 1 + sum(groups)
    with kept.open("a") as stream:
        stream.write('{"case_id": "c0')  # a kill that no handler sees may tear a line
    before = sum(groups)
    groups.append(0)  # past the kill
    inferred(qwen3, out, inference=some, strategy=strategy)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sum(groups) == 20
    assert before < 20
    assert not kept.exists()


def test_progress_of_another_run_is_not_taken_over(qwen3: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    false = {"key": "other"}, {"case_id": "c00", "logit": 9.0}
    (tmp_path / ".progress-out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in false))
    assert inferred(qwen3, out)[0]["logit"] != 9.0


def test_a_shard_that_is_being_worked_on_is_left_alone(qwen3: Path, tmp_path: Path) -> None:
    held = infer.Progress(tmp_path / ".progress-out.jsonl", "key")
    with pytest.raises(RetryLater, match="another process works on this shard"):
        inferred(qwen3, tmp_path / "out.jsonl")
    held.close(is_spent=True)


def test_a_sample_of_the_fold_is_written_and_scores_are_the_same_without_text(qwen3: Path, tmp_path: Path) -> None:
    written = inferred(qwen3, tmp_path / "some.jsonl", inference={"rationales": 5})
    silent = inferred(qwen3, tmp_path / "none.jsonl", inference={"score_only": True})
    assert sum(row["rationale"] is not None for row in written) == 5
    assert {row["finish_reason"] for row in silent} == {"not_sampled"}
    assert [row["logit"] for row in written] == pytest.approx([row["logit"] for row in silent], abs=1e-5)
    for row in written:
        if row["rationale"] is not None:
            assert row["rationale"].startswith(f"Score: {row['score']:.4f}\nReasoning:\n")
            assert row["score_from_text"] is None


def test_a_strategy_without_a_head_reads_its_score_from_text_of_every_case(fold: Path, tmp_path: Path) -> None:
    forced = {"temperature": 0}
    found = inferred(fold, tmp_path / "lm.jsonl", inference={"rationales": 3} | forced, strategy=LM_ONLY)
    base = inferred(fold, tmp_path / "base.jsonl", inference={"rationales": 3} | forced, strategy=UNTRAINED)
    assert sum(row["rationale"] is not None for row in found) == 3
    assert len({row["score"] for row in found}) > 10
    assert max(abs(one["logit"] - other["logit"]) for one, other in zip(found, base)) > 1e-3  # the adapter counts
    silent = inferred(fold, tmp_path / "silent.jsonl", inference={"score_only": True}, strategy=LM_ONLY)
    assert [row["logit"] for row in found] == pytest.approx([row["logit"] for row in silent], abs=1e-4)
    assert all(row["score_from_text"] is None for row in silent)


def test_few_shot_shows_examples_of_other_patients_alone(qwen3: Path, tmp_path: Path) -> None:
    examples = write_rows(tmp_path / "train.jsonl", [row | {"case_id": f"t{row['case_id']}", "patient_id": "q"} for row in rows(12)])
    strategy = UNTRAINED | {"examples": 2}
    shown = inferred(qwen3, tmp_path / "few.jsonl", "--examples", str(examples), strategy=strategy)
    zero = inferred(qwen3, tmp_path / "zero.jsonl", strategy=UNTRAINED)
    assert max(abs(one["logit"] - other["logit"]) for one, other in zip(shown, zero)) > 1e-3
    with pytest.raises(InputError, match=r"p\d\d is in both"):
        inferred(qwen3, tmp_path / "leak.jsonl", "--examples", str(qwen3 / "rows.jsonl"), strategy=strategy)
    assert not (tmp_path / "leak.jsonl").exists()


def tokens_file(path: Path, work: Path, change: Callable[[dict[str, Any]], Any] = lambda columns: None) -> Path:
    tokenizer, given = load_tokenizer(work / "base"), rows(20)
    texts = [prompt_text(row) for row in given]
    columns: dict[str, Any] = {
        "case_id": [row["case_id"] for row in given],
        "prompt_digest": [text_digest(text)[:16] for text in texts],
        "prompt_tokens": [tokenizer(text)["input_ids"] for text in texts],
    }
    change(columns)
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return path


def test_prompts_tokenised_before_give_the_same_predictions(qwen3: Path, tmp_path: Path) -> None:
    tokens = tokens_file(tmp_path / "tokens.arrow", qwen3)
    assert inferred(qwen3, tmp_path / "a.jsonl", "--tokens", str(tokens)) == inferred(qwen3, tmp_path / "b.jsonl")


def drop_last(columns: dict[str, Any]) -> None:
    for values in columns.values():
        values.pop()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda columns: columns["prompt_digest"].__setitem__(3, "0" * 16), "case c03: expected tokens of this prompt"),
        (lambda columns: columns.pop("prompt_tokens"), "column prompt_tokens: expected this column"),
        (drop_last, "expected tokens of case c19"),
        (lambda columns: columns["prompt_tokens"].__setitem__(2, [5] * 600), "case c02: expected at most 511 tokens"),
    ],
)
def test_tokens_that_do_not_fit_are_refused(qwen3: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], said: str) -> None:
    tokens = tokens_file(tmp_path / "tokens.arrow", qwen3, change)
    with pytest.raises(InputError) as caught:
        inferred(qwen3, tmp_path / "out.jsonl", "--tokens", str(tokens))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("more", "strategy", "said"),
    [
        (("--shard", "2", "--shards", "2"), {}, "--shard: expected 0 to 1, found 2"),
        (("--examples", "none.jsonl"), {}, "none.jsonl: --examples: expected none"),
        ((), UNTRAINED | {"examples": 2}, "expected a training file to take 2 examples from"),
        (("--fold-model", "somewhere"), UNTRAINED, "--fold-model: expected none; this strategy trains nothing"),
        (("--settings", settings(FEW | {"engine": "vllm"}, {})), {}, "inference.engine: expected vllm to be installed"),
        (("--tokens", "none.arrow"), {}, "none.arrow: expected an Arrow file written by `oncoraft tokens`"),
        (("--gpus", "1"), {}, "1 GPU asked for, 0 visible"),
    ],
)
def test_a_wrong_call_is_one_line(qwen3: Path, tmp_path: Path, more: tuple[str, ...], strategy: dict[str, Any], said: str) -> None:
    if "--gpus" in more and torch.cuda.is_available():
        pytest.skip("a GPU is here")
    with pytest.raises((InputError, RetryLater)) as caught:
        inferred(qwen3, tmp_path / "out.jsonl", *more, strategy=strategy)
    assert said in str(caught.value)
    assert not list(tmp_path.iterdir())


def not_a_number(work: Path) -> None:
    path = work / "base" / "model.safetensors"
    weights = load_file(path)
    weights["model.norm.weight"][:] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})


def long_prompt(work: Path) -> None:
    write_rows(work / "rows.jsonl", [rows(1)[0] | {"input": "word " * 900}])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda work: (work / "fold" / "score_head.pt").unlink(), "score_head.pt: expected this file of a fold"),
        (lambda work: (work / "fold" / "adapter_model.safetensors").unlink(), "adapter_model.safetensors: expected this file"),
        (lambda work: (work / "fold" / "adapter_model.safetensors").write_bytes(b"torn"), "expected an adapter of this base model"),
        (lambda work: (work / "base" / "config.json").unlink(), "expected config.json in a base-model folder"),
        (lambda work: (work / "rows.jsonl").write_text("{}\n"), "rows.jsonl, line 1, column instruction: expected this key"),
        (lambda work: write_rows(work / "rows.jsonl", [*rows(3), rows(2)[1]]), "rows.jsonl, line 4: expected every case once; case c01"),
        (not_a_number, "expected a finite score of the model, found 'nan'"),
        (long_prompt, "case c00: expected at most 511 tokens, the model's context"),
    ],
)
def test_spoilt_input_is_one_line_and_nothing_is_written(qwen3: Path, tmp_path: Path, spoil: Callable[[Path], Any], said: str) -> None:
    work = shutil.copytree(qwen3, tmp_path / "work")
    spoil(work)
    with pytest.raises(InputError) as caught:
        inferred(work, tmp_path / "out.jsonl")
    assert said in str(caught.value)
    assert not (tmp_path / "out.jsonl").exists()
    assert not list(tmp_path.glob(".partial-*"))


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_out_of_memory_names_the_settings_to_lower(qwen3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(infer, "answer_group", fail)
    with pytest.raises(InputError, match=r"lower inference.batch_tokens or inference.cache_tokens"):
        inferred(qwen3, tmp_path / "out.jsonl")
    monkeypatch.setattr(infer, "answer_group", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # a defect keeps its traceback
        inferred(qwen3, tmp_path / "out.jsonl")
