"""A finished small run with the checkout that made it, to be changed at will: what would the engine run now?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
CHECKOUT = ("Snakefile", "workflow", "src", "config", "envs")
NO_CACHES = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")


def copy_checkout(source: Path, destination: Path) -> Path:
    """Copy what a clone holds of the workflow, times kept."""
    destination.mkdir(parents=True)
    for name in CHECKOUT:
        if (source / name).is_dir():
            shutil.copytree(source / name, destination / name, ignore=NO_CACHES)
        else:
            shutil.copy2(source / name, destination / name)
    shutil.copy2(Path(__file__).with_name("small.yaml"), destination / "small.yaml")
    return destination


class Job(NamedTuple):
    """A planned job: its rule, its wildcards as text, and the whole record of it."""

    rule: str
    of: str
    record: dict[str, Any]


class FinishedRun:
    """A checkout beside the results that it made: `folder/code` and `folder/run`; `python` runs the engine, its jobs and the package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = folder / "code"
        self.run = folder / "run"
        self.overlays: list[Path] = []
        self.arguments: list[str] = []
        self.python = Path(sys.executable)

    @property
    def results(self) -> Path:
        """The results of the small cohort."""
        return self.run / "results" / "small"

    def copy(self, folder: Path) -> FinishedRun:
        """Another copy of the whole, times kept, which may be changed."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copied = FinishedRun(folder)
        copied.python = self.python
        return copied

    def setting(self, **blocks: object) -> None:
        """Change the configuration by one more file."""
        overlay = self.folder / f"overlay-{len(self.overlays)}.yaml"
        overlay.write_text(json.dumps(blocks))
        self.overlays.append(overlay)

    def edit(self, file: str, text: str = "\nEDITED = True\n") -> None:
        """Add a line to a source file of the package."""
        path = self.code / "src" / "oncoraft" / file
        path.write_text(path.read_text() + text)

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace text in a source file of the package; it has to be there."""
        path = self.code / "src" / "oncoraft" / file
        assert old in path.read_text(), f"{file}: {old!r} is not there"
        path.write_text(path.read_text().replace(old, new, 1))

    def engine_arguments(self, *more: str | Path, directory: Path | None = None) -> list[str]:
        """Arguments of the engine for this run."""
        files = [self.code / "small.yaml", *self.overlays]
        words = ["--snakefile", self.code / "workflow" / "Snakefile", "--directory", directory or self.run, "--cores", "2"]
        return [str(word) for word in [*words, *more, "--configfile", *files, *self.arguments]]

    def environment(self) -> dict[str, str]:
        """The environment in which this checkout's own package is the one that is imported."""
        return os.environ | {
            "PYTHONPATH": str(self.code / "src"),
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def jobs(self, *more: str, everything: bool = False, directory: Path | None = None) -> list[Job]:
        """The jobs that the engine would run now (or all of the plan)."""
        listing = self.code / "src" / "oncoraft" / "reruns" / "listing.py"
        words = [str(self.python), "-P", str(listing), *(["--all"] if everything else [])]
        done = subprocess.run(
            [*words, *self.engine_arguments(*more, directory=directory)],
            capture_output=True,
            text=True,
            env=self.environment(),
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        records = [json.loads(line) for line in done.stdout.splitlines()]
        return [Job(record["rule_name"], " ".join(record["wildcards"].values()), record) for record in records]

    def execute(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run the workflow for real."""
        return subprocess.run(
            [str(self.python), "-m", "snakemake", *self.engine_arguments(*more)],
            capture_output=True,
            text=True,
            env=self.environment(),
            cwd=self.folder,
            check=False,
        )

    def oncoraft(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one command of this checkout's package in the folder of the run."""
        return subprocess.run(
            [str(self.python), "-m", "oncoraft", *map(str, words)],
            capture_output=True,
            text=True,
            env=self.environment(),
            cwd=self.run,
            check=False,
        )


def count(jobs: Iterable[Job]) -> dict[str, int]:
    """Jobs by rule."""
    return dict(Counter(job.rule for job in jobs))


def changed(run: FinishedRun, folder: Path, **blocks: object) -> dict[str, int]:
    """The jobs that a change of these settings asks for."""
    file = folder / "change.yaml"
    file.write_text(yaml.safe_dump(blocks))
    run.overlays.append(file)
    try:
        return count(run.jobs())
    finally:
        run.overlays.pop()


def downstream(plan: list[Job], starts: Callable[[Job], bool]) -> set[tuple[str, str]]:
    """The jobs that satisfy `starts` and all that read, directly or not, what those write."""
    found = {(job.rule, job.of) for job in plan if starts(job)}
    written = {path for job in plan if starts(job) for path in job.record["output"]}
    grown = True
    while grown:
        grown = False
        for job in plan:
            if (job.rule, job.of) not in found and written & set(job.record["input"]):
                found.add((job.rule, job.of))
                written.update(job.record["output"])
                grown = True
    return found
