"""Figures of discrimination and utility as inline SVG; each is None where there is nothing to draw."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from oncoraft.report.collect import Run
from oncoraft.report.drawing import GREY, HIGH, LINES, LOW, svg
from oncoraft.report.names import predictor_name
from oncoraft.report.tables import records, span
from oncoraft.report.text import label

LEADS = {"auroc_difference": "over all", "auroc_within_regimen_difference": "within regimen"}


def intervals(axes: Axes, rows: list[dict[str, Any]], names: list[str], own: list[bool]) -> None:
    """Estimates with their intervals, a name a line, from the top."""
    for place, (row, is_own) in enumerate(zip(rows[::-1], own[::-1])):
        colour = HIGH if is_own else GREY
        if row["lower"] is not None and row["lower"] == row["lower"]:
            axes.plot([row["lower"], row["upper"]], [place, place], color=colour, lw=2)
        axes.plot(row["estimate"], place, "o", color=colour)
    axes.set_yticks(range(len(rows)), [label(name) for name in names[::-1]])
    axes.set_ylim(-0.6, len(rows) - 0.4)


def told(names: list[str], rows: list[dict[str, Any]]) -> str:
    """Names with estimates and intervals, for readers who cannot see a figure."""
    return "; ".join(f"{name} {span(row, 'estimate')}" for name, row in zip(names, rows))


def predictors(run: Run) -> Markup | None:
    """Mean-of-folds AUROC with interval of every predictor."""
    rows = [row for row in run.metrics if (row["metric"], row["scope"]) == ("auroc", "mean_of_folds") and row["estimate"] is not None]
    if not rows:
        return None
    rows.sort(key=lambda row: -row["estimate"])
    figure, axes = plt.subplots(figsize=(6.5, 0.4 * len(rows) + 0.8))
    names = [predictor_name(row["predictor"]) for row in rows]
    intervals(axes, rows, names, [row["predictor"].startswith("model") for row in rows])
    axes.axvline(0.5, color=GREY, lw=0.8, ls=":")
    axes.set_xlabel("AUROC, mean of folds (95 % interval)")
    return svg(figure, "AUROC, mean of folds: " + told(names, rows))


def leads(run: Run) -> Markup | None:
    """What the model is ahead of every other predictor, over all cases and within regimen."""
    found = {
        metric: [
            row
            for row in run.metrics
            if (row["predictor"], row["metric"], row["scope"]) == ("model", metric, "mean_of_folds") and row["estimate"] is not None
        ]
        for metric in LEADS
    }
    references = [row["reference"] for row in found["auroc_difference"]]
    if not references:
        return None
    figure, panels = plt.subplots(1, 2, figsize=(8, 0.36 * len(references) + 0.9), sharey=True)
    words = []
    for axes, (metric, where) in zip(panels, LEADS.items()):
        rows = sorted((row for row in found[metric] if row["reference"] in references), key=lambda row: references.index(row["reference"]))
        names = [f"less {predictor_name(row['reference'])}" for row in rows]
        intervals(axes, rows, names, [row["reference"] != "oracle" for row in rows])
        axes.axvline(0, color=GREY, lw=0.8)
        axes.set_xlabel(f"Difference of AUROC, {where}")
        words.append(f"{where}: {told(names, rows)}")
    return svg(figure, "Model less each baseline, difference of AUROC, " + ". ".join(words))


def tornado(run: Run) -> Markup | None:
    """AUROC of the model by label definition, the widest off the one that trains first."""
    main = run.metric("model", "auroc")
    if run.definitions.empty or main is None or main["estimate"] is None:
        return None
    own = run.definitions[run.definitions["predictor"] == "model"].dropna(subset=["estimate"])
    if own.empty:
        return None
    own = own.assign(off=(own["estimate"] - main["estimate"]).abs()).sort_values("off", ascending=False, kind="stable")
    rows = records(own)
    figure, axes = plt.subplots(figsize=(6.5, 0.3 * len(rows) + 0.9))
    intervals(axes, rows, [str(row["label"]) for row in rows], [row["label"] == main["label"] for row in rows])
    axes.axvline(main["estimate"], color=GREY, lw=0.8, ls=":")
    axes.set_xlabel("AUROC by label definition, mean of folds (95 % interval)")
    return svg(figure, "AUROC by label definition: " + told([str(row["label"]) for row in rows], rows))


def roc(run: Run) -> Markup | None:
    """Mean over folds of the ROC curves."""
    if run.roc.empty:
        return None
    grid = np.linspace(0, 1, 101)
    figure, axes = plt.subplots(figsize=(4.6, 4.4))
    for number, (name, rows) in enumerate(run.roc.groupby("predictor")):
        curves = [np.interp(grid, fold["false_positive_rate"], fold["true_positive_rate"]) for _, fold in rows.groupby("fold")]
        style: Any = {"color": HIGH, "lw": 2} if name == "model" else {"color": GREY, "lw": 1, "ls": LINES[number % 4]}
        axes.plot(grid, np.mean(curves, axis=0), label=predictor_name(str(name)), **style)
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.6)
    axes.set(xlabel="False positive rate", ylabel="True positive rate", aspect="equal")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return svg(figure, "ROC curves, mean over folds; the areas stand in the table that follows.")


def calibration(run: Run) -> Markup | None:
    """Observed share of responders against the score, in tenths of the cases, the histogram of the scores below."""
    shown = run.calibration[run.calibration["predictor"].isin(["model", "oracle"])] if not run.calibration.empty else run.calibration
    if shown.empty:
        return None
    figure, (axes, below) = plt.subplots(2, 1, figsize=(4.6, 5.2), sharex=True, height_ratios=(4, 1))
    limit = max(0.3, float(shown[["probability", "observed"]].to_numpy().max()) * 1.1)
    axes.plot([0, limit], [0, limit], color=GREY, lw=0.6)
    for name, rows in shown.groupby("predictor"):
        style: Any = {"color": HIGH if name == "model" else GREY, "ms": 4, "lw": 1}
        axes.plot(rows["probability"], rows["observed"], "o-", label=predictor_name(str(name)), **style)
    own = shown[shown["predictor"] == "model"]
    below.bar(own["probability"], own["n"], width=limit / 60, color=HIGH)
    axes.set(ylabel="Observed share of responders", xlim=(0, limit), ylim=(0, limit))
    below.set(xlabel="Score", ylabel="Cases")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    points = "; ".join(f"{row.probability:.2f}: {row.observed:.2f}" for row in own.itertuples())
    return svg(figure, f"Calibration of the model, score and observed share of responders: {points}.")


def distribution(run: Run) -> Markup | None:
    """Scores as delivered, by class: responders up, others down, each as a share of its class."""
    own = run.distribution[run.distribution["predictor"] == "model"] if not run.distribution.empty else run.distribution
    if own.empty or not own[["responders", "others"]].sum().min():
        return None
    figure, axes = plt.subplots(figsize=(4.6, 3.2))
    width = own["upper_edge"] - own["lower_edge"]
    for name, sign, colour in (("responders", 1, HIGH), ("others", -1, LOW)):
        axes.bar(own["lower_edge"], sign * own[name] / own[name].sum(), width, align="edge", color=colour, label=name.capitalize())
    axes.axhline(0, color=GREY, lw=0.6)
    axes.set(xlabel="Score as delivered", ylabel="Share of the class", xlim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    middle = (own["lower_edge"] + own["upper_edge"]) / 2
    means = ", ".join(f"{name} {np.average(middle, weights=own[name]):.2f}" for name in ("responders", "others"))
    return svg(figure, f"Distribution of the model's scores by class; mean score of {means}.")


def decision(run: Run) -> Markup | None:
    """Net benefit against the threshold at which one would act, with the interval of the model's, beside treating all and none."""
    if run.decision.empty:
        return None
    figure, axes = plt.subplots(figsize=(5.4, 4.0))
    for place, (name, rows) in enumerate(run.decision.groupby("predictor")):
        style: Any = {"color": HIGH, "lw": 2} if name == "model" else {"color": GREY, "lw": 1, "ls": LINES[place % 4]}
        axes.plot(rows["threshold"], rows["net_benefit"], label=predictor_name(str(name)), **style)
    every = run.decision[run.decision["predictor"] == "model"]
    axes.fill_between(every["threshold"], every["lower"], every["upper"], color=HIGH, alpha=0.15, lw=0)
    axes.plot(every["threshold"], every["treat_all"], color=LOW, lw=1, label="Act on all")
    axes.axhline(0, color=LOW, lw=1, ls=":", label="Act on none")
    top = float(run.decision["net_benefit"].max())
    axes.set(xlabel="Threshold probability of response", ylabel="Net benefit per case", ylim=(-0.25 * top, 1.1 * top) if top > 0 else None)
    axes.legend(frameon=False, fontsize=7)
    ahead = every[(every["net_benefit"] > every["treat_all"]) & (every["net_benefit"] > 0)]["threshold"]
    where = f"thresholds {ahead.min():.2f} to {ahead.max():.2f}" if len(ahead) else "no threshold"
    return svg(figure, f"Decision curves; the model is above acting on all and on none at {where}.")
