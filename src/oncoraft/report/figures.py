"""Figures of discrimination, calibration and utility as inline SVG."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from oncoraft.report.collect import Run
from oncoraft.report.names import predictor_name

HIGH, LOW, GREY = "#0072B2", "#D55E00", "#555555"  # Okabe and Ito: safe for colour-blind readers
STYLE: Any = {"svg.hashsalt": "oncoraft", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
LINES = ("-", "--", ":", "-.")


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
    axes.set_yticks(range(len(rows)), [predictor_name(row["predictor"]) for row in rows])
    axes.set_xlabel("AUROC, mean of folds (95 % interval)")
    return svg(figure)


def roc(run: Run) -> str:
    """Mean over folds of the ROC curves."""
    grid = np.linspace(0, 1, 101)
    figure, axes = plt.subplots(figsize=(4.2, 4.0))
    for number, (name, rows) in enumerate(run.roc.groupby("predictor")):
        curves = [np.interp(grid, fold["false_positive_rate"], fold["true_positive_rate"]) for _, fold in rows.groupby("fold")]
        style: Any = {"color": HIGH, "lw": 2} if name == "model" else {"color": GREY, "lw": 1, "ls": LINES[number % 4]}
        axes.plot(grid, np.mean(curves, axis=0), label=predictor_name(str(name)), **style)
    axes.plot([0, 1], [0, 1], color="#bbbbbb", lw=0.8)
    axes.set(xlabel="False positive rate", ylabel="True positive rate", aspect="equal")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return svg(figure)


def calibration(run: Run) -> str:
    """Observed share of responders against the score, recalibrated where there are other folds, in tenths of the cases; the marker's area is their number."""
    figure, axes = plt.subplots(figsize=(4.2, 4.0))
    limit = max(0.3, float(run.calibration[["probability", "observed"]].to_numpy().max()) * 1.1)
    axes.plot([0, limit], [0, limit], color="#bbbbbb", lw=0.8)
    for name, rows in run.calibration.groupby("predictor"):
        if name in {"model", "oracle"}:
            axes.plot(
                rows["probability"],
                rows["observed"],
                "o-",
                color=HIGH if name == "model" else GREY,
                ms=4,
                lw=1,
                label=predictor_name(str(name)),
            )
    axes.set(xlabel="Recalibrated score", ylabel="Observed share of responders", xlim=(0, limit), ylim=(0, limit), aspect="equal")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return svg(figure)


def decision(run: Run) -> str:
    """Net benefit against the threshold at which one would act, beside treating all and none."""
    figure, axes = plt.subplots(figsize=(5.0, 4.0))
    for place, (name, rows) in enumerate(run.decision.groupby("predictor")):
        style: Any = {"color": HIGH, "lw": 2} if name == "model" else {"color": GREY, "lw": 1, "ls": LINES[place % 4]}
        axes.plot(rows["threshold"], rows["net_benefit"], label=predictor_name(str(name)), **style)
    every = run.decision[run.decision["predictor"] == "model"]
    axes.plot(every["threshold"], every["treat_all"], color=LOW, lw=1, label="Act on all")
    axes.axhline(0, color=LOW, lw=1, ls=":", label="Act on none")
    top = float(run.decision["net_benefit"].max())
    axes.set(xlabel="Threshold probability of response", ylabel="Net benefit per case", ylim=(-0.25 * top, 1.1 * top))
    axes.legend(frameon=False, fontsize=7)
    return svg(figure)
