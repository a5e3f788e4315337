"""Kaplan–Meier curves of both score groups, with medians, hazard ratios, q and the numbers at risk under the axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oncoraft.report.collect import Run
from oncoraft.report.names import ANCHORS, ENDPOINTS
from oncoraft.report.plot import Canvas, Point, Scale, axes, steps
from oncoraft.report.small_cells import Guard
from oncoraft.report.survival_tables import CUT, guarded, medians
from oncoraft.report.tables import Data, Figure, Row, Rows, p_value, span, words
from oncoraft.report.text import label

GROUPS = (("high", "high"), ("low", "low"))
LEFT, RIGHT, TOP, BOTTOM = 62.0, 436.0, 70.0, 270.0


def ticks(months: list[float], last: float) -> list[float]:
    """Months under the axis: of those with numbers at risk, seven at most."""
    shown = [month for month in months if month <= last + 0.5]
    return shown[:: max(1, -(-len(shown) // 7))]


def median_text(told: dict[str, Any], group: str) -> str:
    """Median survival of a group with its interval, as far as its curve is drawn."""
    name = f"median_months_{group}"
    return "not reached" if told[name] is None else f"{span(told, name, f'{name}_lower', f'{name}_upper', 1)} months"


def curve(canvas: Canvas, rows: list[Row], start: float, x: Scale, y: Scale, colour: str) -> None:
    """A curve with its band; dashed, the one adjusted to the covariates of the whole regimen."""
    points: list[Point] = [(x(start), y(1.0)), *((x(row["months"]), y(row["survival"])) for row in rows)]
    canvas.line(steps(points), colour, 1.8)
    upper, lower = (steps([(x(row["months"]), y(row[name])) for row in rows]) for name in ("upper", "lower"))
    canvas.area([*upper, *lower[::-1]], colour)
    if is_adjusted(rows):
        canvas.line(steps([(x(start), y(1.0)), *((x(row["months"]), y(row["adjusted_survival"])) for row in rows)]), colour, 1.1, "3 3")


def is_adjusted(rows: Sequence[Row]) -> bool:
    """Whether rows of a group's curve tell its adjusted survival: an earlier run's have no such column, and nan is what could not be fitted."""
    return bool(rows) and all(np.isfinite(row.get("adjusted_survival", np.nan)) for row in rows)


def numbers_at_risk(canvas: Canvas, record: Row, shown: list[float], x: Scale, guard: Guard) -> None:
    """Numbers at risk below the axis, each under its tick."""
    canvas.text(8.0, BOTTOM + 52, "at risk", 10.5)
    for place, (name, colour) in enumerate(GROUPS):
        height = BOTTOM + 67 + 15 * place
        canvas.line([(8, height - 4), (20, height - 4)], colour, 2)
        canvas.text(24.0, height, name, 10.5)
        for month, count in zip(record["at_risk"]["months"], record["at_risk"][name]):
            if month in shown:
                canvas.text(x(month), height, words(guard.count(count)), 10.5, "middle")


def kaplan_meier(record: Row, rows: list[Row], shown: Row, guard: Guard, endpoint: str, anchor: str) -> tuple[Canvas, str]:
    """One panel, and what it says in words.

    Args:
        record: of one regimen.
        rows: its curves, as far as they may be drawn.
        shown: the record with small counts marked.
        guard: what marks the numbers at risk.
        endpoint, anchor: what time runs to, and what from.
    """
    start, months = record["curve_from_months"] or 0.0, list(record["at_risk"]["months"])
    last = max(6.0, *(row["months"] for row in rows))
    x, y = Scale(0, last * 1.03, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    canvas = Canvas(450, BOTTOM + 132)
    canvas.text(8.0, 16.0, label(record["regimen_name"], 58), 13, font_weight="bold")
    canvas.text(8.0, 33.0, label(record["cancer_type"], 62), 12)
    ratio = f"adjusted HR {span(record, *CUT, digits=2)}, q {p_value(record['q'])}; raw HR {span(record, 'hazard_ratio', digits=2)}"
    canvas.text(8.0, 50.0, ratio, 11)
    under = ticks(months, last)
    axes(canvas, x, y, f"months from {ANCHORS[anchor]}", ENDPOINTS[endpoint], under, (0, 0.25, 0.5, 0.75, 1))
    told, median = [], medians(record)
    for place, (name, colour) in enumerate(GROUPS):
        curve(canvas, [row for row in rows if row["score_group"] == name], start, x, y, colour)
        died, of = words(shown[f"events_{name}"]), words(shown[f"n_{name}"])
        happened = "died" if endpoint == "overall_survival" else "had an event"
        told.append(f"{name} score: {died} of {of} {happened}, median {median_text(median, name)}")
        height = BOTTOM + 104 + 16 * place
        canvas.line([(8, height - 4), (20, height - 4)], colour, 2)
        canvas.text(24.0, height, told[-1], 11)
    numbers_at_risk(canvas, record, under, x, guard)
    return canvas, f"from month {start:.1f}: {'; '.join(told)}; {ratio}."


def gallery(run: Run, data: Data, guard: Guard, number: int) -> list[dict[str, Any]]:
    """A panel for every regimen that has a curve in a group, with what the gallery is sorted by."""
    panels = []
    by_regimen: dict[tuple[Any, Any], list[Row]] = {}
    for row in data.rows:
        by_regimen.setdefault((row["regimen"], row["cancer_type"]), []).append(row)
    found: Rows = run.survival["regimens"]
    for place, (record, shown) in enumerate(zip(found, guarded(found, guard)), 1):
        rows = by_regimen.get((record["regimen"], record["cancer_type"]))
        if not rows:
            continue
        canvas, said = kaplan_meier(record, rows, shown, guard, run.survival["endpoint"], run.survival["anchor"])
        name = f"{record['regimen_name']}, {record['cancer_type']}"
        begins = record["curve_from_months"]
        conditional = f"From month {begins:.1f}, conditional on reaching it. " if begins else ""
        caption = f"{conditional}{words(shown['delayed_entry_cases'])} of {words(shown['cases'])} cases entered late."
        if is_adjusted(rows):
            caption += " Dashed: with the covariates of all its cases, by a Cox model with a baseline for each group."
        drawn = Figure(canvas.svg(f"Kaplan–Meier curves, {name}, {said}"), f"curve-{number}-{place}", caption, data)
        panels.append({"figure": drawn, "name": name, "q": record["q"], "events": place, "ratio": record["adjusted_hazard_ratio"]})
    return panels
