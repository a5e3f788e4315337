"""Several processes take the same steps as one, launched as a user launches them, and stop together."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from oncoraft.training.processes import Processes, joined
from tests.training.fold import command, environment, learned, logged, run_training, settings, write_fold_inputs

LAUNCHERS = {
    "accelerate": [
        "accelerate",
        "launch",
        "--multi_gpu",  # several processes, GPU or not; with --cpu accelerate starts one alone unless there is MPI
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
    ],
    "torchrun": ["torchrun", "--standalone", "--nproc-per-node", "2"],
}


@pytest.mark.slow
def test_two_processes_end_where_one_does(tmp_path) -> None:
    """Dropout on, ten cases in global batches of 4 (the last of an epoch has 2): weights and losses agree to rounding."""
    write_fold_inputs(tmp_path)
    one = run_training(tmp_path, "one")
    done = subprocess.run(
        [*LAUNCHERS["accelerate"], "-m", "oncoraft.training.train", *command(tmp_path, "two")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    two = tmp_path / "two"
    assert '"processes": 2' in (two / "manifest.json").read_text()
    for name, value in learned(one).items():
        torch.testing.assert_close(learned(two)[name], value, rtol=1e-4, atol=1e-5)
    for a, b in zip(logged(one), logged(two), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["gradient_norm"] == pytest.approx(b["gradient_norm"], rel=1e-3)
        assert a["tokens"] == b["tokens"]


def test_alone_nothing_is_exchanged() -> None:
    with joined(on_gpu=False) as processes:
        assert processes == Processes(0, 1)
        weight = nn.Parameter(torch.ones(2))
        processes.sum_gradients([weight])
        assert weight.grad is None
        assert processes.any(True, torch.device("cpu"))
        assert not processes.any(False, torch.device("cpu"))


SUMS = """
import torch
from torch import nn
from oncoraft.training.processes import joined
with joined(False) as processes:
    mine, idle = nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(4))
    mine.grad = torch.full((2, 3), float(processes.rank + 1))
    if processes.is_first:
        idle.grad = torch.full((4,), 5.0)  # the other process had no work for it
    processes.sum_gradients([mine, idle])
    assert mine.grad.tolist() == [[3.0] * 3] * 2 and idle.grad.tolist() == [5.0] * 4
    assert processes.any(processes.rank == 1, torch.device("cpu"))
"""


@pytest.mark.slow
def test_gradients_are_summed_also_where_a_process_has_none(tmp_path) -> None:
    (tmp_path / "sums.py").write_text(SUMS)
    done = subprocess.run(
        [*LAUNCHERS["torchrun"], str(tmp_path / "sums.py")], env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_second_trainer_is_kept_out_while_the_first_is_at_work(tmp_path) -> None:
    write_fold_inputs(tmp_path)
    holder = "import sys, time; from pathlib import Path; from oncoraft.training.checkpoints import locked\nwith locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    first = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "state-out")], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        second = [sys.executable, "-m", "oncoraft.training.train", *command(tmp_path, "out", settings())]
        done = subprocess.run(second, env=environment(), capture_output=True, text=True, timeout=120)
        assert done.returncode == 75
        assert "another training run is at work on this fold" in done.stderr.splitlines()[-1]
        assert not (tmp_path / "out").exists()
    finally:
        first.kill()
        first.wait()
    run_training(tmp_path, "out")  # the lock ended with its holder
