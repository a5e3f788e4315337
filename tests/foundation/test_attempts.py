"""The log of a failed attempt is still there after the engine has deleted it and tried again."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

STEP = """
import sys
from oncoraft.foundation.attempts import keeping_log

@keeping_log
def main(arguments=None):
    print("what went wrong", sys.argv[1], file=sys.stderr, flush=True)
    if sys.argv[1] == "raises":
        raise RuntimeError("a defect")
    if sys.argv[1] == "killed":
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    return int(sys.argv[1])

raise SystemExit(main())
"""


def attempt(log: Path, how: str) -> int:
    """As the engine does it: the old log goes, the shell makes a new one."""
    log.unlink(missing_ok=True)
    with log.open("w") as stream:
        return subprocess.run([sys.executable, "-c", STEP, how], stderr=stream, check=False).returncode


@pytest.mark.parametrize(("how", "status"), [("75", 75), ("raises", 1), ("killed", -signal.SIGKILL)])
def test_the_log_of_a_failed_attempt_survives_the_next(tmp_path: Path, how: str, status: int) -> None:
    log = tmp_path / "train-0.log"
    assert attempt(log, how) == status
    assert attempt(log, "0") == 0
    assert log.read_text() == "what went wrong 0\n"
    kept = tmp_path / "train-0.log.attempt-1"
    assert kept.read_text().startswith(f"what went wrong {how}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train-0.log", "train-0.log.attempt-1"]


def test_every_failed_attempt_has_its_own(tmp_path: Path) -> None:
    log = tmp_path / "train-0.log"
    for status in (75, 3, 0):
        assert attempt(log, str(status)) == status
    assert [(tmp_path / f"train-0.log.attempt-{n}").read_text() for n in (1, 2)] == ["what went wrong 75\n", "what went wrong 3\n"]


def test_where_errors_go_to_a_pipe_nothing_is_kept(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", STEP, "3"], capture_output=True, cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert list(tmp_path.iterdir()) == []
