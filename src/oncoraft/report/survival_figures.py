"""Figures of survival as inline SVG: forest of hazard ratios, Kaplan–Meier curves with the number at risk."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from oncoraft.report.figures import GREY, HIGH, LOW, svg


def forest(records: list[dict[str, Any]]) -> str:
    """Adjusted hazard ratios on a log axis, boxes scaled by events."""
    rows = [row for row in records if row["adjusted_hazard_ratio"]][::-1]
    figure, axes = plt.subplots(figsize=(7, 0.33 * len(rows) + 0.9))
    for place, row in enumerate(rows):
        colour = HIGH if row["is_tested"] else GREY
        axes.plot([row["adjusted_lower"], row["adjusted_upper"]], [place, place], color=colour, lw=1.2)
        axes.plot(
            row["adjusted_hazard_ratio"], place, "s", color=colour, ms=3 + 5 * np.sqrt(row["events"] / max(r["events"] for r in rows))
        )
    axes.axvline(1, color=GREY, lw=0.8)
    axes.set_xscale("log")
    ticks = [0.25, 0.5, 1, 2, 4, 8]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [f"{row['regimen_name']}, {row['cancer_type']} ({row['events']} events)" for row in rows], fontsize=8)
    axes.set_xlabel("Adjusted hazard ratio, low versus high score (95 % interval); blue: tested")
    return svg(figure)


def kaplan_meier(record: dict[str, Any], curves: pd.DataFrame) -> str:
    """Survival of both score groups with interval bands and the number at risk below."""
    figure, axes = plt.subplots(figsize=(4.6, 3.5))
    mine = curves[(curves["regimen"] == record["regimen"]) & (curves["cancer_type"] == record["cancer_type"])]
    last = 6.0
    for name, colour in (("high", HIGH), ("low", LOW)):
        rows = mine[mine["score_group"] == name]
        months = np.concatenate([[record["curve_from_months"] or 0.0], rows["months"]])
        axes.step(
            months,
            np.concatenate([[1], rows["survival"]]),
            where="post",
            color=colour,
            lw=1.6,
            label=f"{name} score: {record['events_' + name]} of {record['n_' + name]} died",
        )
        axes.fill_between(rows["months"], rows["lower"], rows["upper"], step="post", color=colour, alpha=0.15, lw=0)
        last = max(last, float(months[-1]))
    ticks = [month for month in record["at_risk"]["months"] if month <= last + 3]
    step = max(1, len(ticks) // 6)
    axes.set(ylim=(0, 1.02), xlim=(0, last * 1.03), ylabel="Overall survival", title=record["regimen_name"])
    axes.set_xticks(ticks[::step])
    axes.set_xlabel("Months from index date")
    axes.legend(frameon=False, fontsize=7.5, loc="upper right")
    for row, (name, colour) in enumerate((("high", HIGH), ("low", LOW))):
        for month, count in list(zip(record["at_risk"]["months"], record["at_risk"][name]))[: len(ticks) : step]:
            axes.text(month, -0.30 - 0.09 * row, str(count), color=colour, fontsize=7.5, ha="center", transform=axes.get_xaxis_transform())
        axes.text(-0.02, -0.30 - 0.09 * row, "at risk", color=colour, fontsize=7, ha="right", transform=axes.transAxes)
    return svg(figure)
