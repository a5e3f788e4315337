"""Peak memory and processor time of every stage from raw tables to training files, at two sizes of one cohort, and their ratios.

    python benchmarks/memory.py [--patients 24950 99800] [--steps ingest cases evidence render rationales split] [--source SRC]

A twin of each size is made first, outside the measurement. Each stage is a process of its own; told are its peak resident memory and its
CPU seconds (user and system). A stage that works by patient ranges keeps its peak while the cohort grows: wanted are at most 1.2 times the
peak for four times the patients, and 4.2 times the processor time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_MEMORY, MOST_TIME = 1.2, 4.2
STEPS = {
    "ingest": "ingest {0}/study --out {0}/tables",
    "regimens": "regimens {0}/tables --out {0}/cases",
    "labels": "labels {0}/tables {0}/cases",
    "followup": "followup {0}/tables {0}/cases",
    "folds": "folds {0}/cases",
    "flow": "flow {0}/tables {0}/cases",
    "evidence": "evidence {0}/tables {0}/cases --out {0}/evidence.parquet",
    "audit": "audit {0}/tables {0}/cases --out {0}/audit.json",
    "render": "render {0}/evidence.parquet {0}/cases --out {0}/prompts.jsonl",
    "rationales": "rationales {0}/evidence.parquet {0}/cases --out {0}/rationales.jsonl",
    "split": "split {0}/prompts.jsonl {0}/rationales.jsonl {0}/cases --fold 0 --train {0}/fold/train.jsonl"
    " --heldout {0}/fold/heldout.jsonl --tuning {0}/fold/tuning.jsonl",
    "leakage": "leakage {0}/prompts.jsonl {0}/rationales.jsonl {0}/cases --out {0}/leakage.json",
}


def measure(words: list[str], source: Path) -> tuple[float, float]:
    """Run a step of the package that lies in `source`: peak megabytes of its process, and its CPU seconds.

    Raises:
        SystemExit: the step failed.
    """
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen([sys.executable, "-m", "oncoraft", *words], env=environment, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"{words[0]} ended with {child.returncode}: {said.read()}")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[24_950, 99_800], help="sizes of the cohort")
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=list(STEPS), help="stages, in their order")
    parser.add_argument("--source", type=Path, nargs="+", default=[ROOT / "src"], metavar="SRC", help="`src` folders measured in turn")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder of twins and results that is kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found: dict[tuple[int, str, Path], tuple[float, float]] = {}
        for patients in given.patients:
            work = (given.work or Path(scratch)) / str(patients)
            if not (work / "study").is_dir():
                work.mkdir(parents=True, exist_ok=True)
                measure(["twin", "--patients", str(patients), "--seed", "1", "--out", str(work / "study")], ROOT / "src")
            for step in given.steps:
                for source in given.source:
                    megabytes, seconds = found[patients, step, source] = measure(STEPS[step].format(work).split(), source)
                    print(f"{patients:>7,} {step:<10} {megabytes:7,.0f} MB {seconds:7.1f} CPU s   {source}", flush=True)
    first, last = given.patients[0], given.patients[-1]
    if first == last:
        return
    print(
        f"\n{'stage':<10} {'memory':>7} {'time':>6}   {last:,} against {first:,} patients; at most {MOST_MEMORY} and {MOST_TIME} are wanted"
    )
    worst = [0.0, 0.0]
    for step in given.steps:
        for source in given.source:
            memory, time = (large / small for large, small in zip(found[last, step, source], found[first, step, source], strict=True))
            missed = [what for what, is_so in (("memory", memory > MOST_MEMORY), ("time", time > MOST_TIME)) if is_so]
            print(f"{step:<10} {memory:6.2f}x {time:5.2f}x   {' and '.join(missed)}{' missed' if missed else ''}")
            worst = [max(pair) for pair in zip(worst, (memory, time), strict=True)]
    print(f"largest: {worst[0]:.2f} of the memory, {worst[1]:.2f} of the time")


if __name__ == "__main__":
    main()
