"""What the jobs behind a results folder took, and of how many it is not known."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from oncoraft.report.tables import Rows, count, decimals, text

NOT_MEASURED = "not measured"

JOBS = [
    text("job", "kind"),
    count("jobs", "jobs"),
    decimals("minutes", "minutes", 2),
    decimals("processor minutes", "processor_minutes", 2),
    decimals("largest memory (GiB)", "memory_gib", 2),
]


def job_rows(results: Path) -> Rows:
    """What each kind of job took: how many, wall and processor time, the largest memory.

    Each finished job leaves a manifest beside its result, and the engine writes a benchmark when it sees the job end. A job that outlived
    its engine (killed, or its machine lost) leaves the first and not the second. Such jobs are counted in a row of their own, the last,
    without a cost; it is absent where there are none. A benchmark whose result was removed since stands for one of them unseen.

    Args:
        results: folder of one cohort's results.

    Returns:
        A row a kind (the report's own job is none), the dearest first.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in _shown(results, "benchmarks/*.tsv"):
        kind = path.stem.partition("-")[0]
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                seconds, processor, memory = (_number(row.get(name)) for name in ("s", "cpu_time", "max_rss"))
                one = found.setdefault(kind, {"kind": kind, "jobs": 0, "minutes": 0.0, "processor_minutes": 0.0, "memory_gib": 0.0})
                one["jobs"] += 1
                one["minutes"] += seconds / 60
                one["processor_minutes"] += processor / 60
                one["memory_gib"] = max(one["memory_gib"], memory / 1024)
    rows = sorted(found.values(), key=lambda row: -row["processor_minutes"])
    unseen = len(_shown(results, "*manifest.json")) - sum(row["jobs"] for row in rows)
    if unseen > 0:
        rows.append({"kind": NOT_MEASURED, "jobs": unseen, "minutes": None, "processor_minutes": None, "memory_gib": None})
    return rows


def _shown(results: Path, pattern: str) -> list[Path]:
    """Files of finished jobs, in order: neither the report's own nor those of hidden folders, half-written or the engine's."""
    found = ((path, path.relative_to(results)) for path in results.rglob(pattern))
    return sorted(path for path, own in found if not str(own).startswith((".", "report/", "benchmarks/report.")) and "/." not in str(own))


def _number(cell: str | None) -> float:
    """A cell of a benchmark; Snakemake writes NA and - where a job was too short to be measured."""
    return 0.0 if cell in (None, "", "NA", "-") else float(cell)
