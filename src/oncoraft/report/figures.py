"""Figures of discrimination, calibration and utility; each is None where there is nothing to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from oncoraft.report.collect import Run
from oncoraft.report.names import predictor_name
from oncoraft.report.plot import DASHES, Canvas, Point, Scale, axes, legend
from oncoraft.report.tables import Data, Figure, Row, records

LEFT, TOP = 56.0, 12.0
LEAST = 10  # cases in a bin below which its observed share is not drawn


def square(width: float, height: float, below: float = 44.0, limit: float = 1.0) -> tuple[Canvas, Scale, Scale]:
    """A canvas with a plane from 0 to `limit` both ways."""
    bottom = TOP + height
    return Canvas(LEFT + width + 14, bottom + below), Scale(0, limit, LEFT, LEFT + width), Scale(0, limit, bottom, TOP)


def style(name: str, place: int) -> tuple[str, float, str]:
    """Colour, width and dash of a predictor's line: the model stands out, the others differ by their dashes."""
    return ("high", 2.2, "") if name == "model" else ("grey", 1.3, DASHES[1 + place % (len(DASHES) - 1)])


def mean_roc(run: Run) -> list[dict[str, Any]]:
    """Mean over folds of the ROC curves on a grid."""
    grid = np.linspace(0, 1, 101)
    rows: list[dict[str, Any]] = []
    for name, found in run.roc.groupby("predictor"):
        curves = [np.interp(grid, fold["false_positive_rate"], fold["true_positive_rate"]) for _, fold in found.groupby("fold")]
        mean = np.mean(curves, axis=0)
        rows += [
            {"predictor": str(name), "false_positive_rate": round(float(x), 2), "true_positive_rate": float(y)} for x, y in zip(grid, mean)
        ]
    return rows


def by_predictor(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each predictor, the model last, so that it is drawn on top."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["predictor"]), []).append(row)
    return dict(sorted(found.items(), key=lambda pair: pair[0] == "model"))


def roc(run: Run, number: int) -> Figure | None:
    """ROC curves, mean over folds."""
    if run.roc.empty:
        return None
    data = Data(f"roc-{number}", mean_roc(run))
    curves = by_predictor(data.rows)
    canvas, x, y = square(330, 330, 52 + 16 * len(curves))
    axes(canvas, x, y, "false positive rate", "true positive rate")
    canvas.line([(x(0), y(0)), (x(1), y(1))], "grey", 0.8)
    entries = []
    for place, (name, rows) in enumerate(curves.items()):
        colour, width, dash = style(name, place)
        canvas.line([(x(row["false_positive_rate"]), y(row["true_positive_rate"])) for row in rows], colour, width, dash)
        entries.append((predictor_name(name), colour, dash))
    legend(canvas, x.start, y.start + 54, entries[::-1])
    said = "ROC curves, mean over folds; the areas under them stand in the table of predictors."
    return Figure(canvas.svg(said), f"roc-{number}", "ROC curves, mean over folds.", data)


def wilson(events: float, n: float) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score; it takes cases as independent."""
    z, share = 1.959964, events / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def reliability(points: Sequence[dict[str, float]], histogram: Sequence[tuple[float, float, float]], title: str) -> Canvas:
    """Observed share against score with intervals; below, where the score is cut in bins of equal width, how many cases hold each."""
    limit = min(1.0, math.ceil(10 * max(max(one["score"], one["upper"]) for one in points)) / 10)
    canvas, x, y = square(330, 300, 122 if histogram else 44, limit)
    axes(canvas, x, y, "" if histogram else title, "observed share of responders")
    canvas.line([(x(0), y(0)), (x(limit), y(limit))], "grey", 0.8, "4 3")
    for point in points:
        canvas.line([(x(point["score"]), y(point["lower"])), (x(point["score"]), y(point["upper"]))], "high", 1.2)
        canvas.dot(x(point["score"]), y(point["observed"]), 3.5, "high")
    canvas.line([(x(point["score"]), y(point["observed"])) for point in points], "high", 1.2)
    if not histogram:
        return canvas
    top, bottom = y.start + 34, y.start + 84
    most = max(n for _, _, n in histogram)
    for low, high, n in histogram:
        if low < limit:
            canvas.bar(x(low), bottom - (bottom - top) * n / most, x(high) - x(low) - 0.5, (bottom - top) * n / most, "high")
    canvas.line([(x(0), bottom), (x(limit), bottom)], width=0.8)
    canvas.text(x.start - 7, top + 8, f"{most:,.0f}", 10, "end")
    canvas.text(x.start - 7, bottom, "0", 10, "end")
    canvas.text(13.0, (top + bottom) / 2, "cases", 11, "middle", transform=f"rotate(-90 13 {(top + bottom) / 2:.1f})")
    canvas.text((x.start + x.end) / 2, bottom + 22, title, 12, "middle")
    return canvas


def said_of(points: Sequence[dict[str, float]], what: str) -> str:
    """The points in words."""
    return (
        f"{what}, score and observed share of responders: "
        + "; ".join(f"{one['score']:.2f}: {one['observed']:.2f}" for one in points)
        + "."
    )


INTERVALS = "Bars: 95 % intervals (Wilson) that take cases as independent."


def calibration(data: Data, is_recalibrated: bool) -> Figure | None:
    """Observed share of responders in tenths of the cases, by the score recalibrated by the other folds or, where there are none, as it is."""
    points = []
    for row in data.rows:
        if row["predictor"] == "model":
            lower, upper = wilson(row["responders"], row["n"])
            points.append({"score": row["probability"], "observed": row["observed"], "lower": lower, "upper": upper, "n": row["n"]})
    if not points:
        return None
    how = "score recalibrated on other patients" if is_recalibrated else "score as delivered"
    drawn = reliability(points, (), how).svg(said_of(points, f"Calibration of the model, {how}"))
    return Figure(drawn, data.name, f"Tenths of the cases by {how}. {INTERVALS}", data)


def by_score(data: Data) -> list[dict[str, float]]:
    """The same tenths at their mean score as delivered, where the evaluation tells it."""
    points = []
    for row in data.rows:
        if row["predictor"] == "model" and row.get("score") is not None:
            lower, upper = wilson(row["responders"], row["n"])
            points.append({"score": row["score"], "observed": row["observed"], "lower": lower, "upper": upper})
    return sorted(points, key=lambda point: point["score"])


def by_distribution(data: Data) -> list[dict[str, float]]:
    """Bins of equal width with enough cases, from the distribution of scores by class."""
    points = []
    for row in data.rows:
        if row["predictor"] == "model" and (n := row["responders"] + row["others"]) >= LEAST:
            lower, upper = wilson(row["responders"], n)
            middle = (row["lower_edge"] + row["upper_edge"]) / 2
            points.append({"score": middle, "observed": row["responders"] / n, "lower": lower, "upper": upper})
    return points


def delivered(tenths: Data, data: Data, number: int) -> Figure | None:
    """Observed share of responders by the score as delivered, and how many cases hold each score.

    Args:
        tenths: the bins of the recalibrated score; drawn here where they tell the mean score as delivered too.
        data: the distribution of scores as delivered, by class; none where it may not be shown.
        number: of the experiment.
    """
    points, source = by_score(tenths), tenths
    how = "Tenths of the cases, at their mean score as delivered."
    if not points:
        points, source = by_distribution(data), data
        how = f"Score as delivered, bins of equal width with {LEAST} cases or more."
    if not points:
        return None
    own = [row for row in data.rows if row["predictor"] == "model"]
    narrowest = min((row["upper_edge"] - row["lower_edge"] for row in own), default=0.0)
    # Bins that were joined because they held few are as tall as their cases are dense.
    bars = [
        (low, high, (row["responders"] + row["others"]) * narrowest / (high - low))
        for row in own
        for low, high in [(row["lower_edge"], row["upper_edge"])]
    ]
    drawn = reliability(points, bars, "score as delivered").svg(said_of(points, "Calibration of the model, score as delivered"))
    return Figure(drawn, f"calibration-delivered-{number}", f"{how} {INTERVALS}", source)


def distribution(data: Data, number: int) -> Figure | None:
    """Scores as delivered, by class: responders up, others down, each as a share of its class."""
    own = [row for row in data.rows if row["predictor"] == "model"]
    sums = {name: sum(row[name] for row in own) for name in ("responders", "others")}
    if not own or not all(sums.values()):
        return None
    narrowest = min(row["upper_edge"] - row["lower_edge"] for row in own)

    def height(row: Row, name: str) -> float:
        """The share of a class in a bin; in a bin that was joined from several, the mean of theirs, so that areas compare."""
        return float(row[name] / sums[name] * narrowest / (row["upper_edge"] - row["lower_edge"]))

    most = max(height(row, name) for row in own for name in sums)
    canvas = Canvas(400, 300)
    x, y = Scale(0, 1, LEFT, 386), Scale(-most, most, 240, TOP)
    canvas.line([(x.start, y.end), (x.start, y.start), (x.end, y.start)], width=0.8)
    for name, sign, colour in (("responders", 1, "high"), ("others", -1, "low")):
        for row in own:
            tall = y(0) - y(height(row, name))
            canvas.bar(
                x(row["lower_edge"]) + 0.5, y(0) - tall if sign > 0 else y(0), x(row["upper_edge"]) - x(row["lower_edge"]) - 1, tall, colour
            )
        canvas.text(x.end, y(0) - 100 * sign + 4, f"{name}, n = {sums[name]:,}", 11, "end")
    for tick in x.ticks():
        canvas.line([(x(tick), y.start), (x(tick), y.start + 4)], width=0.8)
        canvas.text(x(tick), y.start + 16, f"{tick:g}", 11, "middle")
    canvas.line([(x.start, y(0)), (x.end, y(0))], width=0.8)
    for at in (-most, 0.0, most):
        canvas.text(x.start - 7, y(at) + 4, f"{abs(at):.0%}", 11, "end")
    canvas.text((x.start + x.end) / 2, y.start + 36, "score as delivered", 12, "middle")
    canvas.text(13.0, y(0), "share of the class", 12, "middle", transform=f"rotate(-90 13 {y(0):.1f})")
    middle = [(row["lower_edge"] + row["upper_edge"]) / 2 for row in own]
    means = ", ".join(f"{name} {np.average(middle, weights=[row[name] for row in own]):.2f}" for name in sums)
    return Figure(
        canvas.svg(f"Distribution of the model's scores by class; mean score of {means}."),
        f"distribution-{number}",
        "Scores as delivered, by class.",
        data,
    )


def within(points: Sequence[Point], x: Scale, y: Scale) -> list[Point]:
    """Points as drawn, as far as the first that falls below the plane, cut where it leaves."""
    drawn: list[Point] = []
    for place, (at, value) in enumerate(points):
        if value >= y.low:
            drawn.append((x(at), y(value)))
            continue
        if place:
            last, before = points[place - 1]
            drawn.append((x(last + (at - last) * (before - y.low) / (before - value)), y(y.low)))
        break
    return drawn


def decision(run: Run, data: Data, number: int) -> Figure | None:
    """Net benefit against the threshold at which one would act, with the interval of the model's, beside treating all and none."""
    own = [row for row in data.rows if row["predictor"] == "model"]
    if not own:
        return None
    top = max(row["net_benefit"] for row in data.rows)
    if top <= 0:
        return None
    curves = by_predictor(data.rows)
    x = Scale(0, max(row["threshold"] for row in own), LEFT + 8, 500)
    y = Scale(-0.25 * top, 1.1 * top, 300, TOP)
    canvas = Canvas(520, 300 + 56 + 16 * (len(curves) + 2))
    inside = [(x(row["threshold"]), y(row["upper"])) for row in own] + [(x(row["threshold"]), y(row["lower"])) for row in own[::-1]]
    canvas.area(inside, "high")
    axes(canvas, x, y, "threshold probability of response", "net benefit per case")
    canvas.line([(x.start, y(0)), (x.end, y(0))], "low", 1.4, "2 2")
    canvas.line(within([(row["threshold"], row["treat_all"]) for row in own], x, y), "low", 1.4)
    entries = [("act on all", "low", ""), ("act on none", "low", "2 2")]
    for place, (name, rows) in enumerate(curves.items()):
        colour, width, dash = style(name, place)
        canvas.line(within([(row["threshold"], row["net_benefit"]) for row in rows], x, y), colour, width, dash)
        entries.insert(0, (predictor_name(name), colour, dash))
    legend(canvas, x.start, y.start + 56, entries)
    ahead = [row["threshold"] for row in own if row["net_benefit"] > row["treat_all"] and row["net_benefit"] > 0]
    where = f"thresholds {min(ahead):.2f} to {max(ahead):.2f}" if ahead else "no threshold"
    caption = "Net benefit of acting on a recalibrated score, in true responders per case; band: 95 % interval of the model's."
    return Figure(
        canvas.svg(f"Decision curves; the model is above acting on all and on none at {where}."), f"decision-{number}", caption, data
    )


def definition_rows(run: Run) -> list[dict[str, Any]]:
    """AUROC of the model by label definition, the widest off the one that trains first."""
    main = run.metric("model", "auroc")
    if run.definitions.empty or main is None or main["estimate"] is None:
        return []
    own = run.definitions[run.definitions["predictor"] == "model"].dropna(subset=["estimate"])
    own = own.assign(off=(own["estimate"] - main["estimate"]).abs(), trains=own["label"] == main["label"])
    return records(own.sort_values("off", ascending=False, kind="stable").drop(columns="off"))
