"""Metrics and survival of a finished run, this checkout beside another one, side by side: `--other SRC --results results/demo`.

`git worktree add /tmp/before COMMIT; python benchmarks/evaluation.py --other /tmp/before/src --results results/demo --run tiny-qwen3/raft/kfold`

`--same-numbers` measures instead what it costs to tell the numbers that the other tells, no more, by the functions of this checkout (`same_numbers.py`, written for
commit 1073922), and prints which of them agree in every record and how far the others lie apart.

Both read the same predictions, baselines, cases and evidence, as far as each knows the option. The steps are processes of their own; told are their CPU seconds (user and
system), the median over rounds, and the ratio. The two checkouts take turns, so that a machine that slows down slows down both.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from alike import compared, sentences
from tables_to_prompts import cpu_seconds

SOURCE, SAME_NUMBERS = Path(__file__).parents[1] / "src", Path(__file__).parent / "same_numbers.py"
STEPS = ("metrics", "survival")


def options_of(step: str, source: Path) -> set[str]:
    """The options that a checkout's step knows: an earlier one reads fewer files."""
    environment = os.environ | {"PYTHONPATH": str(source)}
    told = subprocess.run([sys.executable, "-m", "oncoraft", step, "--help"], env=environment, check=True, capture_output=True, text=True)
    return set(re.findall(r"--[a-z]+", told.stdout))


def words_of(step: str, results: Path, run: str, out: Path, known: set[str]) -> list[str]:
    """The command line of a step."""
    baselines = baselines_of(results, run)
    evidence, predictions = results / "prompts" / "evidence.parquet", results / run / "predictions.jsonl"
    before = [predictions, results / "cases"] + ([evidence] if step == "survival" else [])
    after = {"--baselines": baselines} | ({"--evidence": evidence} if step == "metrics" else {}) | {"--out": out / step}
    return [step, *map(str, before), *(str(word) for pair in after.items() if pair[0] in known for word in pair)]


def baselines_of(results: Path, run: str) -> Path:
    """Scores of the baselines of a run's design."""
    return results / "baselines" / run.rpartition("/")[2] / "predictions.parquet"


def steps_of_both(given: argparse.Namespace) -> None:
    """Each checkout's steps as they are, by turns."""
    seconds: dict[tuple[str, str], list[float]] = {}
    sources = {"this": SOURCE, "other": given.other.resolve()}
    known = {(step, name): options_of(step, source) for name, source in sources.items() for step in STEPS}
    for _ in range(given.rounds):
        for step, name in known:
            with tempfile.TemporaryDirectory() as out:
                words = words_of(step, given.results.resolve(), given.run, Path(out), known[step, name])
                seconds.setdefault((step, name), []).append(cpu_seconds(words, sources[name]))
    tell({key: median(values) for key, values in seconds.items()})


def same_numbers(given: argparse.Namespace) -> None:
    """The numbers of the other checkout: by this one's functions, and by the other's own steps."""
    other, results, run = given.other.resolve(), given.results.resolve(), given.run
    known = {step: options_of(step, other) for step in STEPS}
    last = {"metrics": baselines_of(results, run), "survival": results / "prompts" / "evidence.parquet"}
    seconds: dict[tuple[str, str], list[float]] = {}
    for place in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder:
            mine, theirs = Path(folder) / "this", Path(folder) / "other"
            for step in STEPS:
                words = [
                    str(SAME_NUMBERS),
                    step,
                    *map(str, (results / run / "predictions.jsonl", results / "cases", last[step], mine / step)),
                ]
                seconds.setdefault((step, "this"), []).append(cpu_seconds(words, SOURCE, program=[sys.executable]))
                seconds.setdefault((step, "other"), []).append(cpu_seconds(words_of(step, results, run, theirs, known[step]), other))
                if place == 0:
                    print(f"{step}:", *sentences(compared(step, mine / step, theirs / step)), sep="\n  ")
    tell({key: median(values) for key, values in seconds.items()})


def tell(middle: dict[tuple[str, str], float]) -> None:
    """CPU seconds by step and checkout, and the ratios."""
    for step in STEPS:
        own, theirs = middle[step, "this"], middle[step, "other"]
        print(f"{step}: {own:.1f} s of processor time, the other {theirs:.1f} s: {own / theirs:.2f} times")
    own, theirs = (sum(middle[step, name] for step in STEPS) for name in ("this", "other"))
    print(f"both: {own:.1f} s, the other {theirs:.1f} s: {own / theirs:.2f} times")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, help="folder src of the other checkout")
    parser.add_argument("--results", type=Path, required=True, help="folder of a cohort's results")
    parser.add_argument("--run", default="tiny-qwen3/raft/kfold", help="model/strategy/design")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--same-numbers", action="store_true", help="only the numbers that the other checkout tells")
    given = parser.parse_args()
    (same_numbers if given.same_numbers else steps_of_both)(given)


if __name__ == "__main__":
    main()
