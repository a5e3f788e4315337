"""Do scores mean what they say, and would acting on them help: recalibration, calibration measures, decision curves.

A score head that learns graded targets does not give probabilities, so scores are recalibrated first: for each fold by a logistic
regression fitted on the out-of-fold scores of the other folds; the fold's own labels never enter. The measures are those of the
calibration hierarchy (Van Calster et al. 2016) and the integrated calibration index (Austin and Steyerberg 2019); net benefit is
Vickers and Elkin's (2006).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from statsmodels.nonparametric.smoothers_lowess import lowess

from oncoraft.evaluation.discrimination import Array

EDGE = 1e-6
THRESHOLDS = np.round(np.arange(0.05, 0.65, 0.05), 2)
SMOOTHING = 2 / 3  # share of the cases in each local fit: the default of R's lowess


def logit(score: Array) -> Array:
    """Log odds of a score in [0, 1], kept finite."""
    inside = np.clip(score, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def recalibrate(score: Array, positive: Array, fold: Array) -> Array:
    """Probabilities: each fold's scores through the logistic regression of the other folds' labels on their scores.

    A fold that has no others, or whose others hold one class only, keeps its scores.
    """
    found = np.clip(score, 0, 1).astype(float)
    for k in np.unique(fold):
        others = fold != k
        if 0 < positive[others].sum() < others.sum():
            fitted = LogisticRegression(C=1e6, max_iter=1000).fit(logit(score[others])[:, None], positive[others])
            found[~others] = fitted.predict_proba(logit(score[~others])[:, None])[:, 1]
    return found


def slope_and_intercept(probability: Array, positive: Array) -> tuple[float, float]:
    """Calibration slope, and calibration-in-the-large (the intercept with the slope held at 1).

    The ideal is (1, 0). A slope below 1 says that the scores are too extreme.
    """
    x = logit(probability)
    slope = float(LogisticRegression(C=1e8, max_iter=2000).fit(x[:, None], positive).coef_[0, 0])
    shift = 0.0
    for _ in range(50):  # Newton's method in one unknown
        p = 1 / (1 + np.exp(-(x + shift)))
        step = float((positive.sum() - p.sum()) / np.sum(p * (1 - p)))
        shift += step
        if abs(step) < 1e-10:
            break
    return slope, shift


def smoothed(probability: Array, positive: Array) -> Array:
    """Observed share of positives around each probability, by local regression, in the order of the cases."""
    spread = float(np.ptp(probability))
    curve = lowess(positive.astype(float), probability, frac=SMOOTHING, it=0, delta=0.01 * spread, return_sorted=False)
    return np.asarray(np.clip(curve, 0, 1))


def measures(probability: Array, positive: Array) -> dict[str, float]:
    """Calibration and overall accuracy of probabilities.

    Returns:
        observed_to_expected, calibration_slope, calibration_in_the_large, brier, scaled_brier (share of the Brier score of the mere
        prevalence that is removed) and integrated_calibration_index (mean absolute distance of the smoothed curve from the diagonal).
    """
    slope, intercept = slope_and_intercept(probability, positive)
    brier, rate = float(np.mean((probability - positive) ** 2)), float(positive.mean())
    return {
        "observed_to_expected": float(positive.sum() / probability.sum()),
        "calibration_slope": slope,
        "calibration_in_the_large": intercept,
        "brier": brier,
        "scaled_brier": 1 - brier / (rate * (1 - rate)),
        "integrated_calibration_index": float(np.mean(np.abs(smoothed(probability, positive) - probability))),
    }


def calibration_curve(probability: Array, positive: Array, bins: int = 10) -> pd.DataFrame:
    """Mean probability and observed share in bins of equal size, with counts."""
    place = np.minimum(np.argsort(np.argsort(probability, kind="stable")) * bins // len(probability), bins - 1)
    frame = pd.DataFrame({"bin": place, "probability": probability, "observed": positive.astype(float), "responders": positive.astype(int)})
    table = frame.groupby("bin").agg(
        probability=("probability", "mean"), observed=("observed", "mean"), n=("bin", "size"), responders=("responders", "sum")
    )
    return table.reset_index()


def decision_curve(probability: Array, positive: Array) -> pd.DataFrame:
    """Net benefit per case at each threshold, beside treating all and none.

    Net benefit = TP/n - FP/n * t/(1 - t): what one gains, counted in true positives, by acting where the probability reaches t.
    """
    odds = THRESHOLDS / (1 - THRESHOLDS)
    acted = probability[None, :] >= THRESHOLDS[:, None]
    gained, wasted = (acted & positive).mean(axis=1), (acted & ~positive).mean(axis=1)
    rate = positive.mean()
    return pd.DataFrame(
        {"threshold": THRESHOLDS, "net_benefit": gained - wasted * odds, "treat_all": rate - (1 - rate) * odds, "treat_none": 0.0}
    )
