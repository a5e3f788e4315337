"""A job that was given several GPUs starts a process for each, and they begin, stop and fail as one. The GPUs are pretended."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from oncoraft.training.launch import killed_by
from tests.training.fold import command, environment, learned, logged, run_training, settings, write_fold_inputs

pytestmark = pytest.mark.slow


def on_two(folder: Path, name: str, given: str | None = None) -> subprocess.Popen[str]:
    """`oncoraft train … --gpus 2`, begun."""
    words = [sys.executable, "-m", "oncoraft", "train", *command(folder, name, given, "--gpus", "2")]
    env = environment() | {"ONCORAFT_FAKE_GPUS": "2", "ONCORAFT_LEASES": str(folder / "leases")}
    return subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True)


def children_of(process: int) -> list[int]:
    """The training processes that a process has started."""
    numbers = [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [number for number in numbers if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes()]


def begun(folder: Path, name: str, process: subprocess.Popen[str]) -> None:
    """Wait until a state has been saved."""
    while not any((folder / f"state-{name}").rglob("step-*.json")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("strategy", "shard"),
    [({}, False), ({}, True), ({"adapter": False, "language_model_weight": 0}, False)],
    ids=["raft", "shard", "frozen"],
)
def test_two_gpus_take_the_steps_of_one(tmp_path, strategy: dict[str, object], shard: bool) -> None:
    write_fold_inputs(tmp_path)
    one = run_training(tmp_path, "one", settings(strategy))
    process = on_two(tmp_path, "two", settings(strategy, shard=shard))
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    assert json.loads((tmp_path / "two/manifest.json").read_text())["counts"]["processes"] == 2
    for name, value in learned(one).items():
        torch.testing.assert_close(learned(tmp_path / "two")[name], value, rtol=1e-4, atol=1e-5)
    assert [entry["loss"] for entry in logged(tmp_path / "two")] == pytest.approx([entry["loss"] for entry in logged(one)], rel=1e-4)


def test_stopped_they_save_end_with_75_and_go_on(tmp_path) -> None:
    """Each process gets the signal twice, as where a batch system signals all of a job and the first hands it on.

    On a model in parts, whose state is gathered from both, the harder case.
    """
    write_fold_inputs(tmp_path)
    long = settings(epochs=400, shard=True)
    process = on_two(tmp_path, "out", long)
    begun(tmp_path, "out", process)
    for number in (process.pid, *children_of(process.pid)):
        os.kill(number, signal.SIGTERM)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 75, said
    assert said.splitlines()[-1].startswith("error: stopped after step ")
    assert said.count("error:") == 1
    step = int(said.splitlines()[-1].split()[4])
    states = [json.loads(path.read_text()) for path in (tmp_path / "state-out").rglob("step-*.json")]
    assert states, "no state was kept"
    again = on_two(tmp_path, "out", long)
    while f"going on after step {step}" not in (line := again.stderr.readline()):
        assert line, "it did not go on from the state that the stop had saved"
    again.kill()
    again.communicate(timeout=120)


def test_where_one_is_killed_all_end_and_a_retry_is_asked_for(tmp_path) -> None:
    write_fold_inputs(tmp_path)
    process = on_two(tmp_path, "out", settings(epochs=400))
    begun(tmp_path, "out", process)
    both = children_of(process.pid)
    assert len(both) == 2
    os.kill(both[1], signal.SIGKILL)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 75, said
    assert "one of 2 processes was ended by SIGKILL" in said.splitlines()[-1]
    assert not any(Path(f"/proc/{number}").exists() for number in both)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("first", "codes", "by"),
    [
        (-9, [75, -9], signal.SIGKILL),  # the other was told to stop, and has done so
        (75, [75, -9], signal.SIGKILL),  # the other missed the one that was killed, and ended before that was seen
        (75, [75, -15], 0),  # one failed by itself, and the other was ended for that
        (-15, [-15, 75], signal.SIGTERM),
        (0, [1, -15], 0),
    ],
)
def test_a_killed_process_is_told_from_those_that_end_with_it(first: int, codes: list[int], by: int) -> None:
    assert killed_by([SimpleNamespace(exitcode=code) for code in codes], first) == by


def test_bad_input_is_told_once(tmp_path) -> None:
    write_fold_inputs(tmp_path)
    rows = (tmp_path / "train.jsonl").read_text().splitlines()
    (tmp_path / "train.jsonl").write_text("\n".join([*rows[:3], rows[3].replace('"responder"', '"respond"'), *rows[4:]]) + "\n")
    process = on_two(tmp_path, "out")
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    assert said.count("error:") == 1
    assert "line 4" in said
    assert not (tmp_path / "out").exists()
