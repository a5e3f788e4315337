"""The workflow's plan as data: every job with its files and settings, and which of them the engine would run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from oncoraft.foundation.errors import InputError
from oncoraft.reruns.manifests import is_manifest

LISTING = Path(__file__).with_name("listing.py")


class Job(NamedTuple):
    """A planned job.

    Attributes:
        rule: its rule.
        step: the command that it calls.
        wildcards: cohort, model, strategy, design, fold, shard, as far as it has them.
        inputs, outputs: paths from the working folder.
        settings: blocks and `code`, as the rule hands them to the step.
        benchmark: where its run time is recorded, if anywhere.
        reason: why the engine would run it.
    """

    rule: str
    step: str
    wildcards: dict[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[str, Any]
    benchmark: str | None
    reason: str

    @property
    def name(self) -> str:
        """The job in words: `train demo tiny-qwen3 raft kfold 0`."""
        return " ".join([self.rule, *self.wildcards.values()])

    @property
    def manifest(self) -> str | None:
        """The manifest among its outputs."""
        return next((path for path in self.outputs if is_manifest(Path(path))), None)


def job_of(record: dict[str, Any]) -> Job:
    """A job from one line of the listing."""
    words = shlex.split(record["shellcmd"])
    step = words[words.index("oncoraft") + 1]
    settings = json.loads(words[words.index("--settings") + 1]) if "--settings" in words else {}
    files = tuple(record["input"]), tuple(record["output"])
    return Job(record["rule_name"], step, record["wildcards"], *files, settings, record["benchmark"], record["reason"])


def planned_jobs(arguments: Sequence[str], *, everything: bool) -> list[Job]:
    """Ask the engine: the jobs that it would run, or all of the plan, in an order in which they can run.

    Args:
        arguments: the engine's own (`--snakefile`, `--directory`, `--configfile`, `--config`).
        everything: all jobs of the plan.

    Raises:
        InputError: the engine refuses; its last line is passed on.
    """
    # -P keeps the script's folder, whose modules bear common names, off the import path.
    command = [sys.executable, "-P", str(LISTING), *(["--all"] if everything else []), *arguments]
    # A look at the plan writes nothing, not even bytecode.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        # The engine may close with where in the rules it stood; the reason stands before.
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and not line.strip().startswith('File "')]
        raise InputError(f"expected a workflow that can be planned: {lines[-1] if lines else 'the engine ended without a word'}")
    # json.dumps escapes all but ASCII, so that `splitlines` parts rows alone.
    return in_order([job_of(json.loads(line)) for line in done.stdout.splitlines()])


def in_order(jobs: list[Job]) -> list[Job]:
    """Jobs sorted so that each comes after those whose files it reads; otherwise as they came."""
    producer = {path: number for number, job in enumerate(jobs) for path in job.outputs}
    ordered: list[Job] = []
    done: set[int] = set()

    def visit(number: int) -> None:
        if number not in done:
            done.add(number)
            for path in jobs[number].inputs:
                if path in producer:
                    visit(producer[path])
            ordered.append(jobs[number])

    for number in range(len(jobs)):
        visit(number)
    return ordered
