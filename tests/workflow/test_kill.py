"""Killed at random points, by TERM and KILL, the workflow finishes with the results of an undisturbed run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .finished_run import FinishedRun
from .killing import blows, differences, hurt, unlock

# Minutes of killing and waiting: asked for by name, as benchmarks/kill.py is for twenty kills of the demo.
asked = pytest.mark.skipif(os.environ.get("ONCORAFT_KILL") != "1", reason="takes minutes; run with ONCORAFT_KILL=1")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run"), asked]


def test_killed_six_times_it_leaves_what_an_undisturbed_run_leaves(finished_run: FinishedRun, tmp_path: Path) -> None:
    """Trainer, controller and all processes, each by TERM and by KILL, while it trains and scores again."""
    run = finished_run.copy(tmp_path / "copy")
    shutil.rmtree(run.results / "tiny" / "raft")
    shutil.rmtree(run.results / "report")
    command = [sys.executable, "-m", "snakemake", *run.engine_arguments()]
    told = []
    for blow in blows(seed=11, count=6, earliest=3.0, latest=9.0):
        told.append(hurt(command, run.environment(), run.folder, blow))
        unlock(command, run.environment(), run.folder)
    assert sum("nothing to strike" in line for line in told) <= 2, told
    for _ in range(5):  # a trainer that outlived its controller keeps a second one out of its fold until it has ended
        done = subprocess.run(command, env=run.environment(), cwd=run.folder, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        assert "another training run is at work" in done.stdout + done.stderr, done.stderr[-3000:]
        time.sleep(5)
    assert done.returncode == 0, done.stderr[-3000:]
    assert differences(run.run / "results", finished_run.run / "results") == [], told
    assert run.jobs() == []
    assert not list(run.run.rglob(".partial-*"))
    shutil.rmtree(run.folder)
