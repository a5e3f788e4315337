"""Kill parts of a running workflow at random points, run it to its end, and compare what it leaves with an undisturbed run."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# What differs between any two runs, and the page about the tree that a checkout holds.
ASIDE = {"logs", "benchmarks", "state", ".snakemake", ".sources", "README.md"}
# What of a training log, and of the report's tables of compute, is measured and not computed.
CLOCK = {"tokens_per_second", "share_of_roof", "memory_gib", "seconds", "minutes", "hours"}
CLOCK |= {"processor_minutes", "processor_hours", "training_hours"}
CLOCK |= {"measured_jobs"}
LOG = "training_log.jsonl"
# Tables of the report that hold such numbers.
TIMED = {"compute-total.csv", "training.csv"}
PAGE = "index.html"
COMPUTE = re.compile(r'<details class="section"><summary><h2>Compute and cost</h2>.*?(?=\n<details class="section">|\n</main>)', re.DOTALL)
MEASURED = re.compile(r"[\d.,]+(?= (?:minutes|hours|GiB))")  # as sentences of the report say it


class Blow(NamedTuple):
    """What is killed, with which signal, how many seconds after the start."""

    target: str
    how: signal.Signals
    after: float


def blows(seed: int, count: int, earliest: float, latest: float) -> list[Blow]:
    """Random blows; every pair of target and signal comes up once before any comes up twice."""
    draw = random.Random(seed)
    kinds: list[tuple[str, signal.Signals]] = []
    found = []
    for _ in range(count):
        if not kinds:
            kinds = [(target, how) for target in ("trainer", "workflow", "everything") for how in (signal.SIGTERM, signal.SIGKILL)]
            draw.shuffle(kinds)
        target, how = kinds.pop()
        found.append(Blow(target, how, draw.uniform(earliest, latest)))
    return found


def processes() -> Iterator[tuple[int, int, list[str]]]:
    """(number, session, words of the command line) of every process."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            session = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3])
        except (OSError, IndexError, ValueError):
            continue
        yield int(entry.name), session, words


def members(session: int) -> list[tuple[int, list[str]]]:
    """Processes of a session."""
    return [(number, words) for number, of, words in processes() if of == session]


def strike(engine: subprocess.Popen[bytes], blow: Blow) -> bool:
    """Kill what the blow is for; False where there is no such process."""
    found = members(engine.pid)
    if blow.target == "trainer":
        found = [(number, words) for number, words in found if words[1:4] == ["-m", "oncoraft", "train"]]
    elif blow.target == "workflow":
        found = [(number, words) for number, words in found if number == engine.pid]
    for number, _ in found:
        try:
            os.kill(number, blow.how)
        except ProcessLookupError:
            continue
    return bool(found)


def hurt(command: Sequence[str], environment: dict[str, str], folder: Path, blow: Blow) -> str:
    """Start the workflow, strike once, and let what is left of it come to its end. Says what happened.

    A blow at a trainer waits for one to be there. A workflow that is killed outright leaves its jobs running, as a
    machine would; the next start has to live with them.
    """
    with (folder / "killed.log").open("ab") as log:
        engine = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    time.sleep(blow.after)
    struck = strike(engine, blow)
    while not struck and engine.poll() is None:
        time.sleep(0.1)
        struck = strike(engine, blow)
    try:
        status = engine.wait(timeout=180)
    except subprocess.TimeoutExpired:  # told to end while it planned, the engine may sleep for ever: what a user does then
        for number, _ in members(engine.pid):
            os.kill(number, signal.SIGKILL)
        status = engine.wait(timeout=60)
    return f"{blow.target} {blow.how.name} after {blow.after:.1f} s: {'struck' if struck else 'nothing to strike'}, status {status}"


def unlock(command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
    """What the engine asks of a user whose controller was killed."""
    subprocess.run([*command, "--unlock"], env=environment, cwd=folder, check=True, capture_output=True)


def is_measured(file: Path) -> bool:
    """Whether a file may hold a time or a memory, so that its digest says nothing; it is compared itself."""
    return file.name in {LOG, PAGE, "manifest.json"} or file.parent.name == "data"


def comparable(file: Path) -> Any:
    """The content of a file as far as two runs must agree on it: all of it, but for the clock."""
    if file.name == LOG:
        return [{key: value for key, value in json.loads(line).items() if key not in CLOCK} for line in file.read_text().splitlines()]
    if file.name.endswith("manifest.json"):
        record = json.loads(file.read_text())
        for part in ("inputs", "outputs"):
            record[part] = {path: digest for path, digest in record[part].items() if not is_measured(Path(path))}
        record.pop("digest", None)
        record["counts"] = {key: value for key, value in record["counts"].items() if key not in {*CLOCK, "resumed_from"}}
        return record
    if file.name == "jobs.csv":  # a job that outlives its engine ends with its result and without a measurement; it is counted all the same
        with file.open(encoding="utf-8", newline="") as stream:
            return sum(int(row["jobs"]) for row in csv.DictReader(stream))
    if file.name in TIMED and file.parent.name == "data":
        with file.open(encoding="utf-8", newline="") as stream:
            rows = [{key: value for key, value in row.items() if key not in CLOCK} for row in csv.DictReader(stream)]
        return sorted(rows, key=str)
    if file.name == PAGE or file.parent.name == "data":
        return MEASURED.sub("#", COMPUTE.sub("", file.read_text(encoding="utf-8")))
    return file.read_bytes()


def differences(one: Path, other: Path) -> list[str]:
    """Files of two results trees that are not the same, by name; empty where they agree."""
    trees = []
    for root in (one, other):
        files = (file.relative_to(root) for file in root.rglob("*") if file.is_file())
        trees.append({file for file in files if not ASIDE & set(file.parts)})
    odd = [f"only once: {file}" for file in sorted(trees[0] ^ trees[1])]
    return odd + [f"differs: {file}" for file in sorted(trees[0] & trees[1]) if comparable(one / file) != comparable(other / file)]
