"""Template rationales, this checkout beside another one, side by side in one run: `--other SRC`.

    git worktree add /tmp/before COMMIT
    python benchmarks/rationales.py --other /tmp/before/src --study STUDY

STUDY is a twin; without one a twin is made. Both write rationales of the same evidence, made by this checkout: the other in one process, this one in one and in several. Told are CPU
seconds (user and system, workers included), wall seconds and the largest peak of a process, medians over rounds, and the ratios to the
other; last the CPU of one process and the wall time of several. They take turns, so that a machine that slows down slows down all. Wanted
are at most 0.5 times the CPU and 0.3 times the wall time of commit 1073922, on two free cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from memory import measure as peak_and_seconds

ROOT = Path(__file__).parents[1]
MADE = {
    "tables": "ingest {study} --out {work}/tables",
    "cases": "cases {work}/tables --out {work}/cases",
    "evidence.parquet": "evidence {work}/tables {work}/cases --out {work}/evidence.parquet",
}


def measure(words: list[str], source: Path) -> tuple[float, float, float]:
    """CPU seconds (of workers that the step has waited for too), wall seconds and peak megabytes of one step of the package in `source`."""
    start = time.perf_counter()
    megabytes, seconds = peak_and_seconds(words, source)
    return seconds, time.perf_counter() - start, megabytes


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, metavar="SRC", help="the `src` folder of the other checkout")
    parser.add_argument("--study", type=Path, help="study folder to read; without one a twin is made")
    parser.add_argument("--patients", type=int, default=24_950, help="patients of the twin that is made")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder of what is made of the study, which is kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = given.work or Path(scratch)
        study = given.study or work / "study"
        if not study.is_dir():
            if given.study:
                parser.error(f"--study: no such folder: {study}")
            measure(["twin", "--patients", str(given.patients), "--seed", "1", "--out", str(study)], ROOT / "src")
        for name, command in MADE.items():
            if not (work / name).exists():
                measure([word.format(study=study, work=work) for word in command.split()], ROOT / "src")
        step = ["rationales", str(work / "evidence.parquet"), str(work / "cases"), "--out", f"{scratch}/rationales.jsonl"]
        several = f"this, {given.processes} processes"
        asked = {"other": (step, given.other), "this": (step, ROOT / "src")}
        asked[several] = ([*step, "--processes", str(given.processes)], ROOT / "src")
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in asked}
        for _ in range(given.rounds):
            for name, (words, source) in asked.items():
                found[name].append(measure(words, source))
    print(f"{'':<20} {'CPU s':>8} {'wall s':>8} {'peak MB':>8}   ratios   median of {given.rounds}")
    middle = {name: [median(values) for values in zip(*rounds)] for name, rounds in found.items()}
    base = middle["other"]
    for name, here in middle.items():
        ratios = " ".join(f"{one / other:5.2f}" for one, other in zip(here, base))
        print(f"{name:<20} {here[0]:8.1f} {here[1]:8.1f} {here[2]:8.0f}   {ratios}")
    print(f"CPU ratio: {middle['this'][0] / base[0]:.2f}")
    print(f"wall ratio: {middle[several][1] / base[1]:.2f}")


if __name__ == "__main__":
    main()
