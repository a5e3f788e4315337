"""From raw tables to prompts, this checkout beside another one, side by side in one run: `--other SRC`.

`git worktree add /tmp/before COMMIT; python benchmarks/tables_to_prompts.py --other /tmp/before/src --patients 24950 --rounds 2`

Both read the same synthetic study, made by this checkout unless `--study` names one. The steps are processes of their own; told are their
CPU seconds (user and system, children included), the median over rounds, and the ratio. The two checkouts take turns, so that a machine
that slows down slows down both.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
STEPS = {
    "ingest": ["ingest", "{study}", "--out", "{out}/tables"],
    "cases": ["cases", "{out}/tables", "--out", "{out}/cases"],
    "prompts": ["prompts", "{out}/tables", "{out}/cases", "--out", "{out}/prompts.jsonl"],
}


STEP = (sys.executable, "-m", "oncoraft")


def cpu_seconds(words: list[str], source: Path, program: Sequence[str] = STEP) -> float:
    """CPU seconds of one step of the package that lies in `source`, or of another program that imports it."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*program, *words], env=environment, check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(study: Path, sources: dict[str, Path], rounds: int) -> dict[str, dict[str, list[float]]]:
    """CPU seconds by checkout and step, a number a round."""
    found: dict[str, dict[str, list[float]]] = {name: {step: [] for step in STEPS} for name in sources}
    for _ in range(rounds):
        folders = {name: Path(tempfile.mkdtemp()) for name in sources}
        for step, words in STEPS.items():
            for name, source in sources.items():
                filled = [word.format(study=study, out=folders[name]) for word in words]
                found[name][step].append(cpu_seconds(filled, source))
        for folder in folders.values():
            shutil.rmtree(folder)
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, metavar="SRC", help="the `src` folder of the other checkout")
    parser.add_argument("--study", type=Path, metavar="STUDY", help="a study folder that both read; left out: a twin is made")
    parser.add_argument("--patients", type=int, default=24_950, help="patients of the twin")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = given.study or Path(folder) / "study"
        if given.study is None:
            cpu_seconds(["twin", "--patients", str(given.patients), "--seed", "1", "--out", str(study)], ROOT / "src")
        found = measure(study, {"this": ROOT / "src", "other": given.other}, given.rounds)
    print(f"{'step':<10} {'this':>8} {'other':>8} {'ratio':>6}   CPU seconds, median of {given.rounds}")
    totals = {name: 0.0 for name in found}
    for step in STEPS:
        here = {name: median(found[name][step]) for name in found}
        totals = {name: totals[name] + here[name] for name in found}
        print(f"{step:<10} {here['this']:8.1f} {here['other']:8.1f} {here['this'] / here['other']:6.2f}")
    print(f"{'all':<10} {totals['this']:8.1f} {totals['other']:8.1f} {totals['this'] / totals['other']:6.2f}")


if __name__ == "__main__":
    main()
