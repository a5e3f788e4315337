"""One small run of the whole workflow, shared by the tests of this folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..forked import LIBRARIES
from ..python_server import PythonServer
from .finished_run import FinishedRun, copy_checkout

ROOT = Path(__file__).parents[2]
SMALL = Path(__file__).parent / "small.yaml"
Snakemake = Callable[..., subprocess.CompletedProcess[str]]


def snakemake(
    *arguments: str | Path, directory: Path, snakefile: Path = ROOT / "workflow" / "Snakefile", python: Path = Path(sys.executable)
) -> subprocess.CompletedProcess[str]:
    """Run the engine of this environment, with `directory` as the working folder; `python` runs it and its jobs."""
    command = [python, "-m", "snakemake", "--snakefile", snakefile, "--directory", directory, "--cores", "2", *arguments]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, check=False)
    # A dry run speaks on standard output, a real one on standard error: the tests ask what was said, not where.
    done.stderr = done.stdout + done.stderr
    return done


def planned(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Job counts by rule of a dry run, the target rule and the total left out."""
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    table = re.search(r"Job stats:\n(.*?)\n\n", text, re.S)
    if table is None:
        assert "Nothing to be done" in text, text
        return {}
    rows = dict(line.split() for line in table.group(1).splitlines()[2:])
    return {name: int(count) for name, count in rows.items() if name not in {"all", "total"}}


@pytest.fixture(scope="session")
def fast_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An interpreter that has imported the libraries: of many short processes each would take seconds to."""
    with PythonServer(tmp_path_factory.mktemp("python"), [*LIBRARIES, "snakemake.cli"]) as server:
        yield server.python


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, fast_python: Path) -> FinishedRun:
    """A finished small run with a copy of the checkout that made it. Read it; change only a copy of it.

    It is made by processes as a user's are; what is asked of it and of its copies later, by forked ones.
    """
    run = FinishedRun(tmp_path_factory.mktemp("small"))
    copy_checkout(ROOT, run.code)
    run.run.mkdir()
    done = run.execute()
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    run.python = fast_python
    return run


@pytest.fixture(scope="session")
def small_run(finished_run: FinishedRun) -> Path:
    """The working folder of a finished small run."""
    return finished_run.run
