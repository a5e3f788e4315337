"""What a run of steps over a corrupted study came to: a result whose counts add up, one line with status 2, or a failure."""

from __future__ import annotations

import contextlib
import io
import signal
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from oncoraft.cli import main

from .adding_up import check_cases, check_evidence, check_ledger, check_prompts

STEPS = ("ingest", "cases", "evidence", "prompts")
COMPUTES, WAITS = 60, 300  # most seconds of a step: of processor time, and by the clock
RESULT, REFUSAL, FAILURE = "result", "refusal", "failure"


class Outcome(NamedTuple):
    """`result`, `refusal` or `failure`; the step at which it ended; the line of a refusal, or what was wrong."""

    kind: str
    step: str
    said: str


class Hang(Exception):
    """A step took longer than it may."""


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """Within the block an alarm ends what computes or waits for ever; a busy machine alone rings none."""

    def ring(*_: object) -> None:
        raise Hang(f"no end after {COMPUTES} s of processor time or {WAITS} s of waiting")

    before = {kind: signal.signal(kind, ring) for kind in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, COMPUTES)
    signal.setitimer(signal.ITIMER_REAL, WAITS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for kind, handler in before.items():
            signal.signal(kind, handler)


def words_of(step: str, work: Path) -> list[str]:
    """The arguments of a step in a working folder that holds `study`."""
    tables, cases, evidence = str(work / "tables"), str(work / "cases"), work / "evidence.parquet"
    rendered = ["render", str(evidence), cases] if evidence.exists() else [step, tables, cases]
    return {
        "ingest": [step, str(work / "study"), "--out", tables],
        "cases": [step, tables, "--out", cases],
        "evidence": [step, tables, cases, "--out", str(evidence)],
        "prompts": [*rendered, "--out", str(work / "prompts.jsonl")],
    }[step]


def called(step: str, work: Path) -> tuple[int, list[str]]:
    """Status and lines on standard error of a step run in this process, but for its log."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told), warnings.catch_warnings(), time_limit():
        warnings.simplefilter("always")
        status = main(words_of(step, work))
    if status in (128 + signal.SIGTERM, 128 + signal.SIGINT):
        raise SystemExit(status)  # whoever stops a fuzz means all of it
    return status, told.getvalue().removesuffix("\n").split("\n") if told.getvalue() else []


def judged(work: Path, steps: Sequence[str] = STEPS) -> Outcome:
    """Run the steps over `work/study` until one refuses, and look at what each leaves."""
    for step in steps:
        before = files_of(work)
        try:
            status, lines = called(step, work)
        except Exception:
            return Outcome(FAILURE, step, traceback.format_exc())
        if partial := [name for name in files_of(work) if "/.p" in f"/{name}"]:
            return Outcome(FAILURE, step, f"half-written: {partial}")
        if status == 2:
            wrong = odd_refusal(lines) or left_behind(step, before, files_of(work))
            return Outcome(FAILURE, step, f"{wrong}: {lines}") if wrong else Outcome(REFUSAL, step, lines[0])
        if status or lines:
            return Outcome(FAILURE, step, f"status {status}: {lines[:20]}")
        try:
            check(step, work)
        except AssertionError as error:
            return Outcome(FAILURE, step, f"does not add up: {error}")
    return Outcome(RESULT, steps[-1], "")


def files_of(work: Path) -> set[str]:
    """Every path below the working folder but for the study."""
    return {name for path in work.rglob("*") if not (name := path.relative_to(work).as_posix()).startswith("study")}


def odd_refusal(lines: list[str]) -> str:
    """What is wrong with the words of a refusal; empty if it is one plain line that blames no step of ours."""
    if len(lines) != 1 or not lines[0].startswith("error: "):
        return "not one line"
    if len(lines[0]) > 1000 or not lines[0].isprintable():
        return "a line that no terminal shows well"
    return "blames the parts of one run" if "must be of one run" in lines[0] else ""


def left_behind(step: str, before: set[str], after: set[str]) -> str:
    """Files of a step that refused; `cases` is five steps, of which those before the refusal stand whole."""
    new = after - before
    if step == "cases":
        new = {name for name in new if not name.endswith(".manifest.json") and f"{name}.manifest.json" not in new and name != "cases"}
    return f"left behind {sorted(new)[:5]}" if new else ""


def check(step: str, work: Path) -> None:
    """What the step wrote adds up."""
    match step:
        case "ingest":
            check_ledger(work / "study", work / "tables")
        case "cases":
            check_cases(work / "tables", work / "cases")
        case "evidence":
            check_evidence(work / "evidence.parquet", work / "cases")
        case "prompts":
            check_prompts(work / "prompts.jsonl", work / "cases")
