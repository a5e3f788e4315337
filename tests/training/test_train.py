"""`oncoraft train` on a tiny fold: what each strategy leaves, resumption bit by bit, bad input in one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from oncoraft.answers import content_digest
from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.models.base import load_base, load_tokenizer
from oncoraft.models.cases import encode, prompt_text
from oncoraft.models.export import adapted
from oncoraft.models.fold_model import HEAD_FILE
from oncoraft.models.model_folder import read_score_head
from oncoraft.training import loop, train
from oncoraft.training.checkpoints import States
from tests.models.tiny_models import ARCHITECTURES
from tests.prompts.referring import refer
from tests.training.fold import command, environment, learned, logged, rows, run_training, settings, write_fold_inputs

ALWAYS = {"training_log.jsonl", "training_patients.txt", "manifest.json"}
ADAPTER, HEAD = {"adapter_config.json", "adapter_model.safetensors"}, {"score_head.pt"}
STRATEGIES = {
    "raft": ({}, ADAPTER | HEAD),
    "raft-mse": ({"score_loss": "mse"}, ADAPTER | HEAD),
    "lm-only": ({"score_weight": 0}, ADAPTER),
    "head-only": ({"language_model_weight": 0}, ADAPTER | HEAD),
    "frozen": ({"adapter": False, "language_model_weight": 0}, HEAD),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def work(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    write_fold_inputs(folder, request.param)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    write_fold_inputs(folder)
    return folder


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_leaves_what_it_trained(plain: Path, name: str) -> None:
    strategy, files = STRATEGIES[name]
    out = run_training(plain, name, settings(strategy))
    assert {file.name for file in out.iterdir()} == ALWAYS | files
    entries = logged(out)
    assert [entry["step"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert all((entry["language_model_loss"] is None) == (strategy.get("language_model_weight") == 0) for entry in entries)
    assert all((entry["score_loss"] is None) == (strategy.get("score_weight") == 0) for entry in entries)
    assert all(entry["gradient_norm"] > 0 and entry["tokens_per_second"] > 0 and entry["memory_gib"] > 0 for entry in entries)
    # Where the base is frozen its prompts are read before the first step, and a step hardly computes anything.
    assert all(entry["share_of_roof"] == 0 if name == "frozen" else 0 < entry["share_of_roof"] < 2 for entry in entries)
    assert (out / "training_patients.txt").read_text().split() == [f"p{n:02d}" for n in range(5)]
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    assert counts["cases"] == 10
    assert counts["steps"] == 6
    assert [path.name for path in (plain / f"state-{name}").rglob("*.pt")] == ["step-00000006.pt"]
    model = adapted(load_base(plain / "base", torch.device("cpu")), out)
    assert (out / HEAD_FILE).is_file() == (files >= HEAD)
    if files >= HEAD:
        assert not read_score_head(out / HEAD_FILE, model.config.hidden_size).training
    assert hasattr(model, "peft_config") == (files >= ADAPTER)


def test_every_loss_falls_when_it_is_trained(plain: Path) -> None:
    out = run_training(plain, "long", settings(epochs=20))
    entries = logged(out)
    for part in ("language_model_loss", "score_loss"):
        assert sum(entry[part] for entry in entries[-3:]) < 0.8 * sum(entry[part] for entry in entries[:3])


def test_a_file_that_refers_to_its_prompts_trains_the_same_weights(plain: Path, tmp_path: Path) -> None:
    whole = run_training(plain, "held")
    other = shutil.copytree(plain / "base", tmp_path / "base").parent
    refer(Path(shutil.copy(plain / "train.jsonl", other)))
    referred = run_training(other, "referred")
    assert learned(whole).keys() == learned(referred).keys() != set()
    assert all(torch.equal(value, learned(referred)[name]) for name, value in learned(whole).items())
    assert (whole / "training_patients.txt").read_text() == (referred / "training_patients.txt").read_text()


def test_a_killed_and_resumed_run_ends_bitwise_equal(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_training(work, "whole")
    save, saves = States.save, []

    def kill_after_the_second_save(self, step, state):
        save(self, step, state)
        saves.append(step)
        if len(saves) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(States, "save", kill_after_the_second_save)
    with pytest.raises(RetryLater, match=r"stopped after step 5 of 6; its state is saved") as caught:
        run_training(work, "killed")
    assert caught.value.status == 75
    assert not (work / "killed").exists()
    monkeypatch.setattr(States, "save", save)
    torch.manual_seed(99)  # the state of torch's generator does not matter
    resumed = run_training(work, "killed")
    assert learned(whole).keys() == learned(resumed).keys()
    assert all(torch.equal(value, learned(resumed)[name]) for name, value in learned(whole).items())
    assert {"0.weight", "0.bias", "3.weight", "3.bias"} <= learned(whole).keys()
    timed = {"tokens_per_second", "share_of_roof", "memory_gib"}
    for a, b in zip(logged(whole), logged(resumed), strict=True):
        assert {name: a[name] for name in a.keys() - timed} == {name: b[name] for name in b.keys() - timed}


def test_a_run_with_other_settings_does_not_go_on_from_this_state(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "train", lambda trainer, cases, save: (loop.take_step(trainer, cases[:4]), save(trainer.state()), 1 / 0))
    for chosen in (settings(), settings(seed=2)):
        with pytest.raises(ZeroDivisionError):
            train.main(command(plain, "mixed", chosen))
    monkeypatch.undo()
    assert len(list((plain / "state-mixed").glob("*/*.pt"))) == 2
    clean, mixed = run_training(plain, "clean", settings(seed=3)), run_training(plain, "mixed", settings(seed=3))
    assert all(torch.equal(value, learned(mixed)[name]) for name, value in learned(clean).items())


def test_a_damaged_state_costs_steps_not_the_result(plain: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    whole = run_training(plain, "undamaged")
    finish = States.finish
    monkeypatch.setattr(States, "finish", lambda self, step, state: None)
    run_training(plain, "damaged")
    monkeypatch.setattr(States, "finish", finish)
    newest = max((plain / "state-damaged").glob("*/*.pt"))
    newest.write_bytes(newest.read_bytes()[:100])
    again = run_training(plain, "damaged")
    assert "step-00000006.pt cannot be used" in caplog.text
    assert all(torch.equal(value, learned(again)[name]) for name, value in learned(whole).items())


@pytest.mark.slow
def test_sigterm_from_outside_saves_and_ends_with_75(plain: Path) -> None:
    start = [sys.executable, "-m", "oncoraft.training.train", *command(plain, "outside", settings(epochs=4000, checkpoint_every_steps=20))]
    process = subprocess.Popen(start, env=environment(), stderr=subprocess.PIPE, text=True)
    state = plain / "state-outside"
    deadline = time.monotonic() + 120
    while not list(state.glob("*/*.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75
    assert said.splitlines()[-1].startswith("error: stopped after step ")
    assert not (plain / "outside").exists()
    assert list(state.glob("*/*.pt"))


def test_accumulation_changes_nothing(plain: Path) -> None:
    """One micro-batch a step of ten cases against several, dropout on."""
    whole = run_training(plain, "at-once", settings(global_batch_size=10, tokens_per_micro_batch=16_384))
    parts = run_training(plain, "in-parts", settings(global_batch_size=10, tokens_per_micro_batch=256))
    assert sum(case.length for case in encode(rows(10), load_tokenizer(plain / "base"), 256, 99)) > 256  # so that steps are really cut
    for name, value in learned(whole).items():
        torch.testing.assert_close(learned(parts)[name], value, rtol=1e-3, atol=1e-5)


def test_activation_checkpointing_changes_nothing(plain: Path) -> None:
    whole = run_training(plain, "kept", settings(activation_checkpointing="never"))
    again = run_training(plain, "recomputed", settings(activation_checkpointing="always"))
    for name, value in learned(whole).items():
        torch.testing.assert_close(learned(again)[name], value, rtol=1e-4, atol=1e-6)


def write_tokens(folder: Path, **change: str) -> Path:
    data, tokenizer = rows(10), load_tokenizer(folder / "base")
    cases = encode(data, tokenizer, 256, 200)
    columns = {
        "case_id": [case.case_id for case in cases],
        "prompt_digest": [content_digest(prompt_text(row) + change.get("prompt", "")) for row in data],
        "prompt_tokens": pa.array([list(case.prompt) for case in cases], pa.list_(pa.int32())),
        "answer_digest": [content_digest(row["output"] + change.get("answer", "")) for row in data],
        "answer_tokens": pa.array([list(case.answer) for case in cases], pa.list_(pa.int32())),
    }
    table = pa.table(columns)
    path = folder / "tokens.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return path


def test_stored_tokens_train_as_the_text_does(plain: Path) -> None:
    by_text = run_training(plain, "text")
    stored = run_training(plain, "stored", None, "--tokens", str(write_tokens(plain)))
    assert all(torch.equal(value, learned(stored)[name]) for name, value in learned(by_text).items())


@pytest.mark.parametrize("kind", ["prompt", "answer"])
def test_stored_tokens_of_another_text_are_refused(plain: Path, kind: str) -> None:
    path = write_tokens(plain, **{kind: "!"})
    with pytest.raises(InputError, match=rf"tokens.arrow, column {kind}_digest: case c00: expected tokens of this {kind}"):
        run_training(plain, "refused", None, "--tokens", str(path))
    assert not (plain / "refused").exists()
