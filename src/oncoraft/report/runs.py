"""What the report shows of the runs beside one another: their differences, and what each took to make."""

from __future__ import annotations

from typing import Any

from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.report.collect import Run, read_json
from oncoraft.report.jobs import JOBS, NOT_MEASURED, job_rows
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
# As snakemake 9.27 does (`benchmark.py`): a peak between two looks, and what a job computed after the last, are not in them.
SAMPLED = (
    "the engine looks at a job every half second, after a quarter of a minute every 30 s: memory and processor time are at least these"
)


def compute(sources: Sources) -> dict[str, Any]:
    """Compute and cost."""
    rows = [row for run in sources.runs for row in training_rows(sources, run)]
    jobs = job_rows(sources.results)
    measured = [row for row in jobs if row["kind"] != NOT_MEASURED]
    total = {
        "jobs": sum(row["jobs"] for row in jobs),
        "measured_jobs": sum(row["jobs"] for row in measured),
        "processor_hours": sum(row["processor_minutes"] for row in measured) / 60,
        "training_hours": sum(row["minutes"] for row in rows) / 60,
    }
    count_of = f"{total['jobs']:,}" if total["measured_jobs"] == total["jobs"] else f"{total['measured_jobs']:,} of {total['jobs']:,}"
    told = f"{total['processor_hours']:.2f} processor hours in {count_of} jobs" if measured else None
    told = told or (f"{total['training_hours']:.2f} hours of training" if rows else None)
    return {
        "brief": told,
        "total": Data("compute-total", [total]),
        "training": tabulate(Data("training", rows), TRAINING, "Training, a fold a row, by its log"),
        "jobs": tabulate(Data("jobs", jobs), JOBS, f"Jobs of the workflow, a kind a row, by their benchmarks; {SAMPLED}"),
    }
