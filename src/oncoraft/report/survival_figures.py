"""Figures of survival as inline SVG: forest of adjusted hazard ratios, Kaplan–Meier curves with the number at risk."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes

from oncoraft.report.drawing import GREY, HIGH, LOW, svg
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import p_value, span, words
from oncoraft.report.text import label

MOST_SKIPPED = 12  # named in the forest; all of them stand in the table below it
TICKS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 20)
FIELDS = ("adjusted_per_sd_hazard_ratio", "adjusted_per_sd_lower", "adjusted_per_sd_upper")
CUT = ("adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper")


def effect(records: list[dict[str, Any]]) -> tuple[str, str, str]:
    """Which adjusted ratio is drawn: of the two groups, or, where those can be estimated nowhere, per standard deviation."""
    return CUT if any(row[CUT[0]] for row in records) else FIELDS


def diamond(axes: Axes, pooled: dict[str, Any] | None, place: float) -> None:
    """The pooled ratio, its interval, and the interval that a further regimen would fall in."""
    if pooled:
        axes.plot([pooled["prediction_lower"], pooled["prediction_upper"]], [place, place], color=LOW, lw=1)
        corners = (pooled["lower"], pooled["hazard_ratio"], pooled["upper"], pooled["hazard_ratio"])
        axes.fill(corners, (place, place + 0.3, place, place - 0.3), color=LOW)


def forest(survival: dict[str, Any], guard: Guard) -> Markup | None:
    """Adjusted hazard ratios on a log axis, boxes scaled by events, the pooled one below, skipped regimens greyed."""
    names = effect(survival["regimens"])
    rows = [row for row in survival["regimens"] if row[names[0]] and np.isfinite([row[name] for name in names]).all()]
    if not rows:
        return None
    skipped = survival["skipped"][:MOST_SKIPPED]
    pooled = survival["summary"]["adjusted" if names is CUT else "adjusted_per_sd"]
    lines = [f"{label(row['regimen_name'])}, {row['cancer_type']} ({words(guard.count(row['events']))} events)" for row in rows]
    lines += [f"Pooled, {pooled['regimens']} tested"] if pooled else []
    more = len(survival["skipped"]) - len(skipped)
    lines += [f"{label(row['regimen_name'])}, {row['cancer_type']} (skipped)" for row in skipped] + (
        [f"and {more} more skipped"] if more else []
    )
    figure, axes = plt.subplots(figsize=(7, 0.28 * len(lines) + 0.9))
    top, most = len(lines) - 1, max(row["events"] for row in rows)
    low, high = TICKS[0], TICKS[-1]
    for place, row in enumerate(rows):
        colour = HIGH if row["is_tested"] else GREY
        axes.plot(np.clip([row[names[1]], row[names[2]]], low, high), [top - place] * 2, color=colour, lw=1.2)
        axes.plot(np.clip(row[names[0]], low, high), top - place, "s", color=colour, ms=3 + 5 * np.sqrt(row["events"] / most))
    diamond(axes, pooled, top - len(rows))
    axes.axvline(1, color=GREY, lw=0.8)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    axes.set_yticks(range(len(lines)), lines[::-1], fontsize=8)
    for text in axes.get_yticklabels()[: len(lines) - len(rows) - bool(pooled)]:
        text.set_color(GREY)
    how = "low versus high score" if names is CUT else "a standard deviation towards lower scores"
    axes.set_xlabel(f"Adjusted hazard ratio, {how} (95 % interval)\nright of 1: low scores die sooner")
    said = "; ".join(f"{row['regimen_name']}, {row['cancer_type']} {span(row, *names, digits=2)}" for row in rows)
    whole = f" Pooled {span(pooled, 'hazard_ratio', digits=2)}." if pooled else ""
    return svg(figure, f"Adjusted hazard ratios, {how}: {said}.{whole} {len(survival['skipped'])} regimens skipped.")


def median(record: dict[str, Any], name: str) -> str:
    """Median survival of a group with its interval, as far as its curve is drawn."""
    value, end = record[f"median_months_{name}"], record[f"curve_to_months_{name}"]
    if value is None or end is None or value > end:
        return "not reached"
    return span(record, f"median_months_{name}", f"median_months_{name}_lower", f"median_months_{name}_upper", 1)


def at_risk(axes: Axes, record: dict[str, Any], last: float, guard: Guard) -> None:
    """Numbers at risk below the axis, under the ticks."""
    months = [month for month in record["at_risk"]["months"] if month <= last + 0.5]
    step = max(1, -(-len(months) // 7))
    axes.set_xticks(months[::step])
    for row, (name, colour) in enumerate((("high", HIGH), ("low", LOW))):
        height = -0.33 - 0.09 * row
        axes.text(-0.09, height, name, color=colour, fontsize=7.5, ha="right", transform=axes.transAxes)
        for month, count in list(zip(months, record["at_risk"][name]))[::step]:
            axes.text(
                month, height, words(guard.count(count)), color=colour, fontsize=7.5, ha="center", transform=axes.get_xaxis_transform()
            )
    axes.text(-0.09, -0.24, "at risk", fontsize=7.5, ha="right", transform=axes.transAxes)


def kaplan_meier(record: dict[str, Any], curves: pd.DataFrame, shown: dict[str, Any], guard: Guard) -> Markup | None:
    """Survival of both score groups with interval bands, medians, hazard ratio, q and the number at risk below.

    Args:
        record: of one regimen.
        curves: of all regimens, as far as they may be drawn.
        shown: the record with small counts marked.
        guard: what marks the numbers at risk.
    """
    mine = curves[(curves["regimen"] == record["regimen"]) & (curves["cancer_type"] == record["cancer_type"])]
    if mine.empty:
        return None
    figure, axes = plt.subplots(figsize=(4.8, 3.6))
    start, last, told = record["curve_from_months"] or 0.0, 6.0, []
    for name, colour in (("high", HIGH), ("low", LOW)):
        rows = mine[mine["score_group"] == name]
        months, survival = np.concatenate([[start], rows["months"]]), np.concatenate([[1.0], rows["survival"]])
        died, of = words(shown[f"events_{name}"]), words(shown[f"n_{name}"])
        text = f"{name} score: {died} of {of} died, median {median(record, name)}"
        axes.step(months, survival, where="post", color=colour, lw=1.6, label=text)
        axes.fill_between(rows["months"], rows["lower"], rows["upper"], step="post", color=colour, alpha=0.15, lw=0)
        last = max(last, float(months[-1]))
        told.append(text)
    ratio = f"adjusted HR {span(record, *CUT, digits=2)}, q {p_value(record['q'])}; raw HR {span(record, 'hazard_ratio', digits=2)}"
    axes.set(ylim=(0, 1.02), xlim=(0, last * 1.03), ylabel="Overall survival", xlabel="Months from index date")
    axes.set_title(f"{label(record['regimen_name'])}\n{label(record['cancer_type'])}; {ratio}", fontsize=8)
    axes.legend(frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0, -0.78))
    at_risk(axes, record, last, guard)
    return svg(
        figure,
        f"Kaplan–Meier curves, {record['regimen_name']}, {record['cancer_type']}, from month {start:.1f}: {'; '.join(told)}; {ratio}.",
    )
