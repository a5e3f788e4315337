"""The report's figures as inline SVG: predictors, ROC, forest, Kaplan–Meier with number at risk, cohort flow."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oncoraft.report.collect import Run

HIGH, LOW, GREY = "#0072B2", "#D55E00", "#555555"  # Okabe and Ito: safe for colour-blind readers
STYLE: Any = {"svg.hashsalt": "oncoraft", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
NAMES = {"model": "RAFT model", "regimen_prior": "Regimen prior", "clinical_logistic": "Clinical logistic", "oracle": "Oracle (twin only)"}


def svg(figure: Figure) -> str:
    """A figure as an SVG element, the same bytes every time."""
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = stream.getvalue()
    return text[text.index("<svg") :]


def predictors(run: Run) -> str:
    """Mean-of-folds AUROC with interval of every predictor."""
    rows = [row for row in run.metrics if (row["metric"], row["scope"]) == ("auroc", "mean_of_folds")]
    rows.sort(key=lambda row: row["estimate"])
    figure, axes = plt.subplots(figsize=(6.5, 0.45 * len(rows) + 0.8))
    for place, row in enumerate(rows):
        colour = HIGH if row["predictor"] == "model" else GREY
        axes.plot([row["lower"], row["upper"]], [place, place], color=colour, lw=2)
        axes.plot(row["estimate"], place, "o", color=colour)
    axes.axvline(0.5, color=GREY, lw=0.8, ls=":")
    axes.set_yticks(range(len(rows)), [NAMES.get(row["predictor"], row["predictor"]) for row in rows])
    axes.set_xlabel("AUROC, mean of folds (95 % interval)")
    return svg(figure)


def roc(run: Run) -> str:
    """Mean over folds of the ROC curves."""
    grid = np.linspace(0, 1, 101)
    figure, axes = plt.subplots(figsize=(4.2, 4.0))
    for number, (name, rows) in enumerate(run.roc.groupby("predictor")):
        curves = [np.interp(grid, fold["false_positive_rate"], fold["true_positive_rate"]) for _, fold in rows.groupby("fold")]
        style: Any = {"color": HIGH, "lw": 2} if name == "model" else {"color": GREY, "lw": 1, "ls": ("-", "--", ":", "-.")[number % 4]}
        axes.plot(grid, np.mean(curves, axis=0), label=NAMES.get(str(name), str(name)), **style)
    axes.plot([0, 1], [0, 1], color="#bbbbbb", lw=0.8)
    axes.set(xlabel="False positive rate", ylabel="True positive rate", aspect="equal")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return svg(figure)


def forest(records: list[dict[str, Any]]) -> str:
    """Hazard ratios on a log axis, boxes scaled by events."""
    rows = [row for row in records if row["hazard_ratio"]][::-1]
    figure, axes = plt.subplots(figsize=(7, 0.33 * len(rows) + 0.9))
    for place, row in enumerate(rows):
        colour = HIGH if row["is_tested"] else GREY
        axes.plot([row["lower"], row["upper"]], [place, place], color=colour, lw=1.2)
        axes.plot(row["hazard_ratio"], place, "s", color=colour, ms=3 + 5 * np.sqrt(row["events"] / max(r["events"] for r in rows)))
    axes.axvline(1, color=GREY, lw=0.8)
    axes.set_xscale("log")
    ticks = [0.25, 0.5, 1, 2, 4, 8]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [f"{row['regimen_name']} ({row['events']} events)" for row in rows], fontsize=8)
    axes.set_xlabel("Hazard ratio, low versus high score (95 % interval); blue: tested")
    return svg(figure)


def kaplan_meier(record: dict[str, Any], curves: pd.DataFrame) -> str:
    """Survival of both score groups with interval bands and the number at risk below."""
    figure, axes = plt.subplots(figsize=(4.6, 3.5))
    mine = curves[(curves["regimen"] == record["regimen"]) & (curves["cancer_type"] == record["cancer_type"])]
    last = 6.0
    for name, colour in (("high", HIGH), ("low", LOW)):
        rows = mine[(mine["score_group"] == name) & (mine["at_risk"] >= 10)]
        months = np.concatenate([[0], rows["months"]])
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


def flow(steps: list[dict[str, Any]]) -> str:
    """The cohort's flow as boxes, exclusions beside them."""
    figure, axes = plt.subplots(figsize=(7, 0.95 * len(steps)))
    for place, step in enumerate(steps):
        y = -place
        cases = "" if step["cases"] is None else f", {step['cases']:,} cases"
        axes.text(
            0,
            y,
            f"{step['name']}\n{step['patients']:,} patients{cases}",
            ha="center",
            va="center",
            bbox={"boxstyle": "round", "fc": "white", "ec": HIGH},
        )
        if place:
            axes.annotate("", (0, y + 0.3), (0, y + 0.7), arrowprops={"arrowstyle": "->", "color": GREY})
            lost = step["excluded_cases"] if step["excluded_cases"] is not None else step["excluded_patients"]
            unit = "cases" if step["excluded_cases"] is not None else "patients"
            axes.text(0.75, y + 0.5, f"− {lost:,} {unit}: {step['reason']}", va="center", fontsize=8, color=GREY)
    axes.set(xlim=(-1.1, 3.2), ylim=(-len(steps) + 0.4, 0.5))
    axes.axis("off")
    return svg(figure)
