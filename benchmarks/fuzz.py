"""Corrupt a synthetic study in random ways, and see that the edge gives a result whose counts add up or one line with status 2.

`python benchmarks/fuzz.py [--count 2000] [--seed S] [--patients 60] [--steps ingest,cases,evidence,prompts] [--first 0] [--only N]`.
Every failure is printed with its number: `--only N` with the same seed replays it. Status 1 where there is any.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.hostile.corruptions import corrupted_copy  # noqa: E402
from tests.hostile.judging import FAILURE, STEPS, judged  # noqa: E402

from oncoraft.cli import main as oncoraft  # noqa: E402


def main() -> int:
    """Make the study, corrupt copies of it, judge what the steps make of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="corrupted studies")
    parser.add_argument("--first", type=int, default=0, help="number of the first, to run in parts")
    parser.add_argument("--only", type=int, help="this one alone; its folder is kept")
    parser.add_argument("--seed", type=int, default=1, help="of the corruptions")
    parser.add_argument("--patients", type=int, default=60, help="of the twin that is corrupted")
    parser.add_argument("--steps", default=",".join(STEPS), help="run in this order, until one refuses")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    work = Path(tempfile.mkdtemp(prefix="fuzz-"))
    clean, folder = work / "clean", work / "one"
    assert oncoraft(["twin", "--patients", str(given.patients), "--seed", "5", "--processes", "1", "--out", str(clean)]) == 0
    counted: Counter[str] = Counter()
    started = time.monotonic()
    numbers = range(given.first, given.first + given.count) if given.only is None else [given.only]
    for number in numbers:
        told = corrupted_copy(clean, folder / "study", given.seed, number)
        outcome = judged(folder, given.steps.split(","))
        counted[outcome.kind] += 1
        if outcome.kind == FAILURE or given.only is not None:
            print(f"--only {number}: {outcome.kind} at {outcome.step}\n  " + "\n  ".join(told), flush=True)
            print(f"  {outcome.said}", flush=True)
        if given.only is None:
            shutil.rmtree(folder)
        if (number + 1) % 100 == 0:
            print(f"{number + 1 - numbers[0]} of {len(numbers)} studies, {time.monotonic() - started:.0f} s", flush=True)
    where = f"; {folder} is kept" if given.only is not None else ""
    print(", ".join(f"{count} {kind}s" for kind, count in sorted(counted.items())) + f" in {time.monotonic() - started:.0f} s{where}")
    if given.only is None:
        shutil.rmtree(work)
    return 1 if counted[FAILURE] else 0


if __name__ == "__main__":
    raise SystemExit(main())
