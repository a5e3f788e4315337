"""What the report shows of the runs beside one another: their differences, and what each took to make."""

from __future__ import annotations

import csv
from typing import Any

from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.report.collect import Run, read_json
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Data, Rows, count, decimals, interval, tabulate, text

COMPARISON = [
    text("design", "design"),
    text("first", "first"),
    text("second", "second"),
    text("measure", "metric"),
    interval("first less second (95 % interval)", "difference"),
    decimals("p (bootstrap)", "bootstrap_p"),
    count("responders", "events"),
    count("cases", "n"),
]


def comparison_rows(sources: Sources) -> Rows:
    """Runs against one another, pair by pair, from comparisons/; a pair of which nothing could be estimated has a row that says why."""
    nothing = dict.fromkeys(("difference", "lower", "upper", "bootstrap_p", "events", "patients"))
    keep = ("metric", "difference", "lower", "upper", "bootstrap_p", "n", "events", "patients")
    return [
        {"design": design, "first": pair["first"], "second": pair["second"]}
        | sources.guard.rows([{name: row[name] for name in keep}], [("n", "events"), ("patients",)])[0]
        for design in sources.designs
        for pair in read_json(sources.results / "comparisons" / design / "comparison.json") or []
        for row in pair["differences"] or [nothing | {"metric": f"not estimated: {pair['not_estimated']}", "n": pair["n"]}]
    ]


def comparison(sources: Sources) -> dict[str, Any]:
    """Runs compared."""
    rows = comparison_rows(sources)
    brief = f"{len(sources.runs)} run{'s' if len(sources.runs) > 1 else ''}"
    return {"brief": brief, "table": tabulate(Data("comparison", rows), COMPARISON, "Differences of runs on the same cases")}


def training_rows(sources: Sources, run: Run) -> Rows:
    """What each fold's training took, by its log: steps, tokens, seconds in steps, memory."""
    rows: Rows = []
    home = sources.results / run.model / run.strategy / run.design
    for path in sorted(home.glob("fold-*/training_log.jsonl")):
        steps = read_jsonl(path, ("step", "tokens"), expected="the log of a training")
        if steps:
            seconds = sum(step["tokens"] / step["tokens_per_second"] for step in steps if step.get("tokens_per_second"))
            tokens = sum(step["tokens"] for step in steps)
            people = path.with_name("training_patients.txt")
            rows.append(
                {
                    "run": run.name,
                    "fold": int(path.parent.name.removeprefix("fold-")),
                    "training_patients": len(people.read_text(encoding="utf-8").split()) if people.is_file() else None,
                    "steps": steps[-1]["step"],
                    "tokens": tokens,
                    "minutes": seconds / 60,
                    "hours": seconds / 3600,
                    "tokens_per_second": tokens / seconds if seconds else None,
                    "memory_gib": max((step.get("memory_gib") or 0 for step in steps), default=None),
                    "share_of_roof": steps[-1].get("share_of_roof"),
                }
            )
    return rows


TRAINING = [
    text("run", "run"),
    count("fold", "fold"),
    count("training patients", "training_patients"),
    count("steps", "steps"),
    count("tokens", "tokens"),
    decimals("minutes in steps", "minutes", 2),
    decimals("tokens a second", "tokens_per_second", 0),
    decimals("peak memory (GiB)", "memory_gib", 1),
    decimals("share of the machine's peak", "share_of_roof", 2),
]


def job_rows(sources: Sources) -> Rows:
    """What each kind of job took, by the workflow's benchmarks: how many, wall and processor time, the largest memory."""
    found: dict[str, dict[str, Any]] = {}
    homes = [sources.results, *(sources.results / run.model for run in sources.runs)]
    homes += [sources.results / run.model / run.strategy / run.design for run in sources.runs]
    for path in sorted({path for home in homes for path in home.glob("benchmarks/*.tsv")}):
        kind = path.stem.partition("-")[0]
        if kind == "report":
            continue
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                seconds, processor, memory = (_number(row.get(name)) for name in ("s", "cpu_time", "max_rss"))
                one = found.setdefault(kind, {"kind": kind, "jobs": 0, "minutes": 0.0, "processor_minutes": 0.0, "memory_gib": 0.0})
                one["jobs"] += 1
                one["minutes"] += seconds / 60
                one["processor_minutes"] += processor / 60
                one["memory_gib"] = max(one["memory_gib"], memory / 1024)
    return sorted(found.values(), key=lambda row: -row["processor_minutes"])


def _number(cell: str | None) -> float:
    """A cell of a benchmark; Snakemake writes NA and - where a job was too short to be measured."""
    return 0.0 if cell in (None, "", "NA", "-") else float(cell)


JOBS = [
    text("job", "kind"),
    count("jobs", "jobs"),
    decimals("minutes", "minutes", 2),
    decimals("processor minutes", "processor_minutes", 2),
    decimals("largest memory (GiB)", "memory_gib", 2),
]


def compute(sources: Sources) -> dict[str, Any]:
    """Compute and cost."""
    rows = [row for run in sources.runs for row in training_rows(sources, run)]
    jobs = job_rows(sources)
    total = {
        "jobs": sum(row["jobs"] for row in jobs),
        "processor_hours": sum(row["processor_minutes"] for row in jobs) / 60,
        "training_hours": sum(row["minutes"] for row in rows) / 60,
    }
    told = f"{total['processor_hours']:.2f} processor hours in {total['jobs']:,} jobs" if jobs else None
    told = told or (f"{total['training_hours']:.2f} hours of training" if rows else None)
    return {
        "brief": told,
        "total": Data("compute-total", [total]),
        "training": tabulate(Data("training", rows), TRAINING, "Training, a fold a row, by its log"),
        "jobs": tabulate(Data("jobs", jobs), JOBS, "Jobs of the workflow, a kind a row, by their benchmarks"),
    }
