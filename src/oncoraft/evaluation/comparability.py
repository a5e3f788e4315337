"""Numbers that others report, for comparison alone: F1, accuracy, precision and recall at stated thresholds; and how scores are spread.

None of them is proper away from its threshold (Van Calster et al. 2025): they are no headline.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from oncoraft.evaluation.discrimination import Array, told_interval
from oncoraft.evaluation.records import Evaluable
from oncoraft.recalibration import youden

FIXED = 0.5
FROM_TUNING, FROM_OTHERS = "Youden's, from the tuning patients", "Youden's, from the other folds"
EDGES = np.linspace(0, 1, 21)
MEASURES = ("accuracy", "precision", "recall", "specificity", "f1")


def thresholds(score: Array, positive: Array, fold: Array, tuned: Array | None = None) -> dict[str, Array]:
    """The threshold of each case by rule: 0.5, and Youden's of its fold's tuning patients or, where there are none, of the other folds.

    Args:
        score, positive, fold: (cases,).
        tuned: (cases,), thresholds that were fitted on tuning patients.
    """
    if tuned is not None:
        return {"fixed at 0.5": np.full(len(score), FIXED), FROM_TUNING: tuned}
    chosen = np.full(len(score), FIXED)
    for k in np.unique(fold):
        others = fold != k
        if 0 < positive[others].sum() < others.sum():
            chosen[~others] = youden(score[others], positive[others])
    return {"fixed at 0.5": np.full(len(score), FIXED), FROM_OTHERS: chosen}


def comparability_rows(name: str, score: Array, data: Evaluable) -> list[dict[str, Any]]:
    """Accuracy, precision, recall, specificity and F1 at each threshold, with bootstrap intervals."""
    has = ~np.isnan(score)
    s, y = score[has], data.positive[has]
    w = data.weights_of(has).astype(np.float32)
    rows = []
    for rule, threshold in thresholds(s, y, data.fold[has], data.tuned(name, has, "threshold")).items():
        acted = s >= threshold
        of_case = np.column_stack([acted & y, acted & ~y, ~acted & y, ~acted & ~y]).astype(np.float32)
        cells = np.vstack([of_case.sum(axis=0), w @ of_case])
        for measure, values in zip(MEASURES, _measures(*cells.T), strict=True):
            estimate = float(values[0]) if np.isfinite(values[0]) else None
            lower, upper, flags = (None, None, "") if estimate is None else told_interval(values[1:], data.confidence)
            told = {"lowest_threshold": float(np.min(threshold)), "highest_threshold": float(np.max(threshold))}
            rows.append(
                {"predictor": name, "rule": rule, **told, "measure": measure, "estimate": estimate, "lower": lower, "upper": upper}
                | {"n": len(s), "events": int(y.sum()), "flags": flags}
            )
    return rows


def _measures(tp: Array, fp: Array, fn: Array, tn: Array) -> list[Array]:
    """The five measures from the four cells; nan where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return [(tp + tn) / (tp + fp + fn + tn), tp / (tp + fp), tp / (tp + fn), tn / (tn + fp), 2 * tp / (2 * tp + fp + fn)]


def distribution_rows(name: str, score: Array, data: Evaluable) -> pd.DataFrame:
    """How many responders and others fall into each twentieth of the scale, of the score as delivered."""
    has = ~np.isnan(score)
    counts = {kind: np.histogram(score[has & mask], EDGES)[0] for kind, mask in (("responders", data.positive), ("others", ~data.positive))}
    return pd.DataFrame({"predictor": name, "lower_edge": EDGES[:-1].round(2), "upper_edge": EDGES[1:].round(2), **counts})
