"""Models, strategies, cohorts and designs in one table and one figure, with how far the ranking can be trusted and what each cell has cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oncoraft.report import whiskers
from oncoraft.report.collect import read_json
from oncoraft.report.names import predictor_name
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard, discreet
from oncoraft.report.tables import Data, Figure, Row, Rows, Table, decimals, interval, noted, number, portion, span, tabulate, text

BASELINE = "baseline"


def file_of(results: Path) -> Path:
    """Where the grid of a cohort lies."""
    return results / "grid" / "grid.json"


def named(row: Row) -> str:
    """A cell's name: what scored, and how it was trained."""
    what = predictor_name(row["strategy"]) if row["model"] == BASELINE else f"{row['model']} · {row['strategy']}"
    return f"{what}, {row['design']}"


def rank_of(row: Row) -> str:
    """A rank with the interval of the resamples; a dash for a cell that is not ranked."""
    if row["rank"] is None or row["rank_lower"] is None:
        return "–" if row["rank"] is None else str(row["rank"])
    return f"{row['rank']} ({number(row['rank_lower'], 0)} to {number(row['rank_upper'], 0)})"


def often(first: float | None) -> str:
    """In how many resamples a cell is first, where enough could be ranked."""
    return "" if first is None else f" ({first:.0%} of resamples)"


def hours_of(row: Row) -> str:
    """Hours of training and of scoring; a dash where the engine has not measured any."""
    both = (row["training_hours"], row["scoring_hours"])
    return "–" if both == (None, None) else " + ".join(map(_hours, both))


def _hours(value: float | None) -> str:
    """Two decimals; what is less is not nothing."""
    return "<0.01" if value is not None and 0 < value < 0.01 else number(value, 2)


def rows_of(told: dict[str, Any], guard: Guard) -> Rows:
    """Every cell, cohort by cohort, the best first."""
    rows = [row | {"cell": named(row), "ranked": rank_of(row), "hours": hours_of(row)} for row in told["cells"]]
    return [discreet(guard.rows([row], [("n", "events"), ("patients",)])[0], ("n", "events", "patients")) for row in rows]


def grid_table(told: dict[str, Any], guard: Guard) -> Table:
    """The table, and its figure."""
    rows = rows_of(told, guard)
    data = Data("grid", rows)
    whisker = whiskers.whisker_of(colour=lambda row: "grey" if row["model"] == BASELINE else "high")
    columns = [
        text("cohort", "cohort"),
        text("model, strategy, design", "cell"),
        whiskers.column("AUROC", rows, whisker),
        interval("(95 % interval)", "estimate"),
        text("rank (interval)", "ranked"),
        decimals("first", "first", 2),
        portion("responders", "events", "n"),
        text("hours", "hours"),
        *noted(rows),
    ]
    known = [row for row in rows if row["estimate"] is not None]
    names = [f"{row['cohort']}: {row['cell']}" for row in known]
    texts = [[span(row, "estimate"), row["ranked"]] for row in known]
    drawn = whiskers.figure(known, names, texts, ["AUROC (95 % interval)", "rank (interval)"], whisker, "AUROC")
    caption = "Models, strategies, cohorts and designs; ranks within a cohort, patients resampled, the same resamples for every cell"
    return tabulate(data, columns, caption, group="", figure=Figure(drawn, "grid", data=data) if known else None)


def section(sources: Sources) -> dict[str, Any] | None:
    """The grid; nothing where no model left home."""
    told = read_json(file_of(sources.results))
    if told is None or not sources.external:
        return None
    # Whoever leads by a hair is first of one table; how often it would be is said in the same breath.
    best = {row["cohort"]: f"{named(row)} first{often(row['first'])}" for row in told["cells"] if row["rank"] == 1}
    return {
        "brief": "; ".join(f"{cohort}: {name}" for cohort, name in best.items()),
        "table": grid_table(told, sources.guard),
        "resamples": told["resamples"],
    }
