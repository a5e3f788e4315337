"""From a score to a probability and to a yes or no: fitted on the tuning cases of a fold, kept with its model, applied wherever it speaks.

A score head that learns graded targets does not give probabilities, and no threshold is right for every model. Both are fitted on
patients who neither trained the fold's model nor are held out by it: a logistic regression of response on the log odds of the score, and
the threshold of Youden's index. The fold's held-out labels never enter.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oncoraft.foundation.errors import InputError

Array = np.ndarray
FILE = "recalibration.json"
EDGE = 1e-6  # log odds are kept finite within it
SMALLEST_CLASS = 10  # responders and others; fewer would fit chance
FIXED_THRESHOLD = 0.5


class Recalibration(NamedTuple):
    """What was fitted on a fold's tuning cases.

    Attributes:
        state: "fitted", or why there is nothing to apply; then the three numbers are None.
        intercept, slope: of the log odds; the slope is not below 0, so that no order of cases is turned round.
        threshold: least score, as delivered, that counts as a response.
        cases, responders, patients: of the tuning cases.
    """

    fold: int
    state: str
    intercept: float | None
    slope: float | None
    threshold: float | None
    cases: int
    responders: int
    patients: int

    def probability(self, score: float) -> float | None:
        """The recalibrated probability of a score; None where nothing was fitted."""
        if self.intercept is None or self.slope is None:
            return None
        return float(sigmoid(self.intercept + self.slope * logit(np.array(score))))


def sigmoid(x: Array) -> Array:
    """Inverse of the log odds."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def logit(score: Array) -> Array:
    """Log odds of a score in [0, 1], kept finite."""
    inside = np.clip(score, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def separates(x: Array, positive: Array) -> bool:
    """Whether a cut of x tells the classes apart (or one class is missing), so that a logistic regression has no maximum."""
    if not 0 < positive.sum() < len(positive) or np.ptp(x) == 0:
        return True
    low, high = x[~positive], x[positive]
    return bool(low.max() <= high.min() or high.max() <= low.min())


def logistic(x: Array, positive: Array) -> tuple[float, float]:
    """Intercept and slope of the logistic regression of the classes on x, by Newton's method with halved steps; nan where there is none."""
    if not len(x) or separates(x, positive):
        return np.nan, np.nan
    design = np.column_stack([np.ones(len(x)), x])
    coefficient = np.zeros(2)

    def loss(at: Array) -> float:
        eta = design @ at
        return float(np.sum(np.logaddexp(0, eta)) - eta[positive].sum())

    for _ in range(100):
        p = sigmoid(design @ coefficient)
        step = np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]), design.T @ (positive - p))
        share = 1.0
        while loss(coefficient + share * step) > loss(coefficient) + 1e-12 and share > 1e-6:
            share /= 2
        coefficient = coefficient + share * step
        if np.max(np.abs(step)) < 1e-11:
            break
    return float(coefficient[0]), float(coefficient[1])


def rising_logistic(x: Array, positive: Array) -> tuple[float, float]:
    """`logistic` with a slope not below 0, so that no order of cases is turned round; nan where there is none.

    The likelihood is concave: where its maximum has a slope below 0, the likeliest slope allowed is 0, with the log odds of the
    prevalence. Beta calibration (Kull et al. 2017) holds its parameters likewise: a calibration map does not fall.
    """
    intercept, slope = logistic(x, positive)
    if np.isnan(slope) or slope > 0:
        return intercept, slope
    return float(logit(positive.mean())), 0.0


def youden(score: Array, positive: Array) -> float:
    """The threshold at which sensitivity plus specificity is largest; the lowest of equals."""
    order = np.argsort(score, kind="stable")
    s, y = score[order], positive[order]
    first = np.flatnonzero(np.concatenate([[True], np.diff(s) != 0]))
    missed, spared = np.cumsum(y)[first] - y[first], np.cumsum(~y)[first] - ~y[first]
    return float(s[first][np.argmax(spared / max(1, (~y).sum()) - missed / max(1, y.sum()))])


def fit(score: Array, positive: Array, patient: Array, fold: int) -> Recalibration:
    """Fit on tuning cases.

    Args:
        score: (cases,), in [0, 1], as delivered.
        positive: (cases,), boolean.
        patient: (cases,), for the count.
        fold: whose model gave the scores.
    """
    counts = (len(score), int(positive.sum()), len(np.unique(patient)))
    if min(counts[1], counts[0] - counts[1]) < SMALLEST_CLASS:
        few = (
            f"too few tuning cases: {counts[1]} responders and {counts[0] - counts[1]} others, at least {SMALLEST_CLASS} of each are needed"
        )
        return Recalibration(fold, few, None, None, None, *counts)
    x = logit(score)
    if np.ptp(x) > 0 and separates(x, positive):
        return Recalibration(fold, "a cut of the score tells the tuning cases apart: there is no slope", None, None, None, *counts)
    intercept, slope = rising_logistic(x, positive)
    if np.isnan(slope):  # all scores are equal: they tell nothing beyond the prevalence
        intercept, slope = float(logit(positive.mean())), 0.0
    return Recalibration(fold, "fitted", intercept, slope, youden(score, positive), *counts)


def read_recalibration(path: Path) -> Recalibration:
    """What `oncoraft recalibrate` wrote.

    Raises:
        InputError: no such file, or something else in it.
    """
    expected = "expected a recalibration written by `oncoraft recalibrate`"
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{expected} ({error.strerror})", file=path) from None
    except ValueError:
        raise InputError(expected, file=path) from None
    if not isinstance(found, dict):
        raise InputError(expected, file=path, found=type(found).__name__)
    for name in Recalibration._fields:
        if name not in found:
            raise InputError(expected, file=path, column=name)
    if type(found["fold"]) is not int:
        raise InputError("expected a whole number", file=path, column="fold", found=str(found["fold"]))
    told = [found[name] for name in ("intercept", "slope", "threshold")]
    for name, value in zip(("intercept", "slope", "threshold"), told, strict=True):
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
        # All three or none: half of a recalibration would be applied without a word.
        if not is_number if found["state"] == "fitted" else value is not None:
            wanted = "a finite number" if found["state"] == "fitted" else f"null, since the state is {found['state']!r}"
            raise InputError(f"expected {wanted}", file=path, column=name, found=str(value))
    return Recalibration(*(found[name] for name in Recalibration._fields))
