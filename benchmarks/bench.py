"""Every ratio that is promised, in one run, a table out: `make bench`, or `python benchmarks/bench.py [--only NAME ...] [--record]`.

A row is a script of this folder, the place of its figure in what that prints, and what is wanted. Where a row stands beside an earlier build, a
checkout of that commit is made from the repository's history in a scratch folder, or `--other` names one. The rows that measure a finished run
read this checkout's demo (`make reproduce`); without one they are told as not measured. A record keeps what each script printed, too. All of it
takes an hour of two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
EARLIER = "1073922"  # the build of 2026-11-28
LIBRARIES = ("torch", "transformers", "pyarrow", "pandas", "snakemake", "lifelines")


@dataclass(frozen=True)
class Row:
    """A figure: where it comes from and what is wanted of it."""

    name: str
    what: str
    command: str  # {study}, {other}, {results}, {work} are filled in
    pattern: str  # whose first group in the printed text is the figure; the last match counts
    wanted: float
    is_most: bool = True  # wanted is the most, or the least

    def holds(self, figure: float) -> bool:
        """Whether a figure is what is wanted."""
        return figure <= self.wanted if self.is_most else figure >= self.wanted


ROWS = (
    Row("ingest", "ingest / plain pyarrow read-and-write, CPU", "ingest.py {study} --repeats 1", r"^all\s.*?([\d.]+)\s+[\d.]+$", 0.5),
    Row("prompts", "raw tables to prompts / earlier, CPU", "tables_to_prompts.py --other {other}/src --study {study} --rounds 1", r"^all\s+\S+\s+\S+\s+([\d.]+)", 0.6),
    Row("rationales", "template rationales / earlier, CPU", "rationales.py --other {other}/src --study {study}", r"^CPU ratio: ([\d.]+)", 0.5),
    Row("rationales-wall", "template rationales, two processes / earlier, wall", "rationales.py --other {other}/src --study {study}", r"^wall ratio: ([\d.]+)", 0.3),
    Row("metrics", "metrics / earlier, CPU; tells more", "evaluation.py --other {other}/src --results {results} --rounds 1", r"^metrics: .*?([\d.]+) times", 0.7),
    Row("survival", "survival / earlier, CPU; tells more", "evaluation.py --other {other}/src --results {results} --rounds 1", r"^survival: .*?([\d.]+) times", 1),
    Row("same-metrics", "the earlier numbers of metrics / earlier, CPU", "evaluation.py --other {other}/src --results {results} --rounds 1 --same-numbers", r"^metrics: .*?([\d.]+) times", 0.3),
    Row("same-survival", "the earlier numbers of survival / earlier, CPU", "evaluation.py --other {other}/src --results {results} --rounds 1 --same-numbers", r"^survival: .*?([\d.]+) times", 0.2),
    Row("inference", "cases a second / batched generate and forward", "inference.py --vocabulary 16384 --rounds 1", r'"ours_over_batched": ([\d.]+)', 3, False),
    Row("training", "tokens a CPU second / transformers' Trainer", "training.py --steps 3 --rounds 1", r'"trainer": ([\d.]+)', 4.2, False),
    Row("roof", "share of the fp32 roof in training", "training.py --steps 3 --rounds 1", r'^engine .*"share_of_roof": ([\d.]+)', 0.68, False),
    Row("plan", "plan of three models, seven strategies / earlier, CPU", "plan.py --other {other}", r"^ratio: ([\d.]+)", 0.7),
    Row("report", "the demo's report / earlier, CPU", "report.py --results {results} --other {other}/src --other-results {other}/results/demo", r"([\d.]+) times", 1),
    Row("demo", "the demo / earlier, CPU", "demo.py --other {other}", r"^ratio: ([\d.]+)", 0.6),
    Row("memory", "largest stage, 99,800 / 24,950 patients, peak", "memory.py --work {work}", r"^largest: ([\d.]+) of the memory", 1.2),
    Row("time", "dearest stage, 99,800 / 24,950 patients, CPU", "memory.py --work {work}", r"^largest: .*? ([\d.]+) of the time", 4.2),
)  # fmt: skip


@contextlib.contextmanager
def checkout(given: Path | None) -> Iterator[Path]:
    """A checkout of the earlier build."""
    if given is not None:
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "earlier"
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", place, EARLIER], check=True)
        try:
            yield place
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", place], check=True)


def said_by(command: str, known: dict[str, str]) -> str:
    """What a script of this folder prints; a command that several rows share runs once."""
    if command not in known:
        words = command.split()
        print(f"... python benchmarks/{command}", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, HERE / words[0], *words[1:]], stdout=subprocess.PIPE, text=True, check=False)
        known[command] = done.stdout if done.returncode in (0, 1) else f"ended with {done.returncode}"
    return known[command]


def measured(rows: list[Row], places: dict[str, Path], known: dict[str, str]) -> Iterator[tuple[Row, float | None]]:
    """Each row's figure, None where there is none; what is printed is put into `known`, by command."""
    for row in rows:
        finished = {"{results}": places["results"], "{other}/results": places["other"] / "results/demo"}
        if any(name in row.command and not path.is_dir() for name, path in finished.items()):
            yield row, None
            continue
        found = re.findall(row.pattern, said_by(row.command.format(**places), known), re.M)
        yield row, float(found[-1]) if found else None


def unplaced(text: str, places: dict[str, Path]) -> str:
    """A text without the paths of this machine, longest first."""
    for name, path in sorted(places.items(), key=lambda one: -len(str(one[1]))):
        text = text.replace(str(path), f"{{{name}}}")
    return text


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=[row.name for row in ROWS], metavar="NAME", help=f"of {', '.join(row.name for row in ROWS)}"
    )
    parser.add_argument("--other", type=Path, metavar="CHECKOUT", help=f"a checkout of {EARLIER} that is there, best with its demo made")
    parser.add_argument("--study", type=Path, help="a twin of 24,950 patients that is there")
    parser.add_argument("--record", action="store_true", help="keep a dated file in benchmarks/records")
    given = parser.parse_args()
    rows = [row for row in ROWS if given.only is None or row.name in given.only]
    record: list[dict[str, object]] = []
    said: dict[str, str] = {}
    with checkout(given.other) as other, tempfile.TemporaryDirectory() as folder:
        study = given.study or Path(folder) / "study"
        if not study.is_dir() and any("{study}" in row.command for row in rows):
            words = ["twin", "--patients", "24950", "--seed", "1", "--out", str(study)]
            subprocess.run([sys.executable, "-m", "oncoraft", *words], check=True, stderr=subprocess.DEVNULL)
        places = {"study": study, "other": other, "results": ROOT / "results/demo", "work": Path(folder) / "sizes"}
        for row, figure in measured(rows, places, said):
            sign = "≤" if row.is_most else "≥"
            verdict = "not measured" if figure is None else "held" if row.holds(figure) else "missed"
            shown = "" if figure is None else f"{figure:.2f}"
            print(f"{row.name:<16} {shown:>7}  {sign} {row.wanted:<5g} {verdict:<13} {row.what}", flush=True)
            record.append(asdict(row) | {"figure": figure, "verdict": verdict})
    if given.record:
        day = datetime.now(UTC).date().isoformat()
        about = {"day": day, "machine": platform.machine(), "versions": {name: version(name) for name in LIBRARIES}, "earlier": EARLIER}
        (HERE / "records").mkdir(exist_ok=True)
        path = HERE / "records" / f"{day}-bench.json"
        known = {**places, "root": ROOT}
        printed = {unplaced(command, known): unplaced(text, known).splitlines() for command, text in said.items()}
        path.write_text(json.dumps(about | {"rows": record, "printed": printed}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
