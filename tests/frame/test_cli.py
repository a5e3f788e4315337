"""The command: help that teaches, one line for a mistake, a status for each kind of end."""

import subprocess
import sys

import pytest

from oncoraft.cli import main, usage
from oncoraft.planning.steps import STEPS
from tests.forked import oncoraft


def test_usage_lists_every_step_in_the_order_of_the_data() -> None:
    text = usage()
    places = [text.index(f"  {name} ") for name in STEPS]
    assert places == sorted(places)


def test_an_unknown_step_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingst"]) == 2
    error = capsys.readouterr().err
    assert "no step named 'ingst'; did you mean 'ingest'?" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("step", STEPS)
def test_every_step_explains_itself(step: str) -> None:
    done = oncoraft(step, "--help")
    assert done.returncode == 0, done.stderr
    assert STEPS[step].summary.split()[0] in done.stdout
    assert len(done.stdout.splitlines()) >= 6


@pytest.mark.parametrize("settings", ["{", '{"nonsense": {}}', '{"labels": {"window_days": 0}}'])
def test_bad_settings_are_one_line_and_status_2(settings: str, tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oncoraft", "labels", str(tmp_path), str(tmp_path), "--settings", settings], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
