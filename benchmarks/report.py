"""Time to write the report of a finished demo, this checkout beside another one, each on the results that it made itself.

    git worktree add /tmp/before COMMIT; (cd /tmp/before && make reproduce)
    python benchmarks/report.py --results results/demo --other /tmp/before/src --other-results /tmp/before/results/demo

Told are the CPU seconds (user and system) of the step as a process of its own, start and imports included, the median over rounds, the ratio, and
how large the page is and how many figures it holds. The two take turns, so that a machine that slows down slows down both.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

from tables_to_prompts import cpu_seconds

SOURCE = Path(__file__).parents[1] / "src"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of a cohort's results, made by this checkout")
    parser.add_argument("--other", type=Path, required=True, metavar="SRC", help="the `src` folder of the other checkout")
    parser.add_argument("--other-results", type=Path, required=True, help="folder of a cohort's results, made by the other checkout")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    sides = {"this": (SOURCE, given.results.resolve()), "other": (given.other.resolve(), given.other_results.resolve())}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    pages: dict[str, str] = {}
    for _ in range(given.rounds):
        for name, (source, results) in sides.items():
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "index.html"
                seconds[name].append(cpu_seconds(["report", str(results), "--out", str(out)], source))
                pages[name] = out.read_text(encoding="utf-8")
    for name, values in seconds.items():
        print(
            f"{name}: {median(values):.2f} s of processor time, a page of {len(pages[name].encode()) / 1e6:.1f} MB with {pages[name].count('<svg')} figures"
        )
    print(f"{median(seconds['this']) / median(seconds['other']):.2f} times")


if __name__ == "__main__":
    main()
