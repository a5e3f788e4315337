"""Do scores mean what they say, and would acting on them help: recalibration, calibration measures, decision curves.

A score head that learns graded targets does not give probabilities, so scores are recalibrated first: by what was fitted on the fold's
tuning cases (`oncoraft.recalibration`) or, where nothing was, by a logistic regression fitted on the out-of-fold scores of the other
folds; the fold's own labels never enter. The measures are those of the calibration hierarchy (Van Calster et al. 2016) and the
integrated calibration index (Austin and Steyerberg 2019); net benefit is Vickers and Elkin's (2006).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit
from statsmodels.nonparametric.smoothers_lowess import lowess

from oncoraft.evaluation.discrimination import Array
from oncoraft.evaluation.loess import Loess
from oncoraft.recalibration import EDGE, logistic, logit, rising_logistic

BINS = 10
THRESHOLDS = np.round(np.arange(0.05, 0.65, 0.05), 2)
SMOOTHING = 2 / 3  # share of the cases in each local fit: the default of R's lowess


def recalibrate(score: Array, positive: Array, fold: Array) -> Array:
    """Probabilities: each fold's scores through the logistic regression of the other folds' labels on their scores.

    A fold that has no others, or whose others hold one class only or are told apart without error, keeps its scores.
    One whose others' responders have the lower scores is given their prevalence: no order of cases is turned round.
    """
    found = np.clip(score, 0, 1).astype(float)
    for k in np.unique(fold):
        others = fold != k
        intercept, slope = rising_logistic(logit(score[others]), positive[others])
        if np.isfinite(slope):
            found[~others] = expit(intercept + slope * logit(score[~others]))
    return found


def shift(x: Array, positive: Array) -> float:
    """Calibration-in-the-large: the intercept with the slope held at 1; nan where a class is missing."""
    if not 0 < positive.sum() < len(positive):
        return np.nan
    # Log odds of clipped scores lie within 14, so that the root is far inside.
    return float(brentq(lambda a: positive.sum() - expit(a + x).sum(), -60.0, 60.0, xtol=1e-12))


def slope_and_intercept(probability: Array, positive: Array) -> tuple[float, float]:
    """Calibration slope and calibration-in-the-large. The ideal is (1, 0); a slope below 1 says that the scores are too extreme."""
    x = logit(probability)
    return logistic(x, positive)[1], shift(x, positive)


def smoothed(probability: Array, positive: Array) -> Array:
    """Observed share of positives around each probability by lowess, as rms's `val.prob` draws it, in the order of the cases."""
    spread = float(np.ptp(probability))
    _, place, counts = np.unique(probability, return_inverse=True, return_counts=True)
    # A value that fills its own neighbourhood leaves it no width: statsmodels divides by it, R takes the mean of the value's cases. Nor may its
    # neighbours be drawn to it, as a step of `delta` does.
    alone = (counts >= int(SMOOTHING * len(probability) + 1e-10))[place]
    if alone.all():
        return np.full(len(probability), positive.mean())
    step = 0.0 if alone.any() else 0.01 * spread
    # No robustness iterations: of two classes they would take the rarer one for outliers.
    with np.errstate(invalid="ignore"):
        curve = lowess(positive.astype(float), probability, frac=SMOOTHING, it=0, delta=step, return_sorted=False)
    if alone.any():
        curve = np.where(alone, positive[alone].mean(), curve)
    return np.asarray(np.clip(curve, 0, 1))


def calibration_error(probability: Array, positive: Array, place: Array) -> float:
    """Mean over cases of the distance of a bin's observed share from its mean probability."""
    gap = np.bincount(place, weights=probability - positive)
    return float(np.abs(gap).sum() / len(probability))


def equal_mass(probability: Array, bins: int = BINS) -> Array:
    """The bin of each case, by rank."""
    return np.minimum(np.argsort(np.argsort(probability, kind="stable")) * bins // len(probability), bins - 1)


def equal_width(probability: Array, bins: int = BINS) -> Array:
    """The bin of each case, by value."""
    # A probability of 1 belongs to the last bin.
    return np.minimum((probability * bins).astype(int), bins - 1)


def measures(probability: Array, positive: Array) -> dict[str, float]:
    """Calibration and overall accuracy of probabilities.

    Returns:
        observed_to_expected (nan where all probabilities are 0); calibration_slope and calibration_intercept (of the logistic regression on the log odds; nan where the
        classes are separated), calibration_in_the_large; brier, scaled_brier (share of the Brier score of the mere prevalence that is
        removed), log_loss; integrated_calibration_index, e50 and e90 (mean, median and 90th percentile of the distance of the loess
        curve from the diagonal: Austin and Steyerberg 2019), integrated_calibration_index_lowess (the same mean of the curve of R's
        rms); expected_calibration_error (ten bins of equal width) and expected_calibration_error_equal_mass.
    """
    x = logit(probability)
    intercept, slope = logistic(x, positive)
    brier, rate = float(np.mean((probability - positive) ** 2)), float(positive.mean())
    inside = np.clip(probability, EDGE, 1 - EDGE)
    expected = float(probability.sum())
    distance = np.abs(np.clip(Loess(probability).fit(positive.astype(float)), 0, 1) - probability)
    return {
        "observed_to_expected": float(positive.sum()) / expected if expected > 0 else np.nan,
        "calibration_slope": slope,
        "calibration_intercept": intercept,
        "calibration_in_the_large": shift(x, positive),
        "brier": brier,
        "scaled_brier": 1 - brier / (rate * (1 - rate)) if 0 < rate < 1 else np.nan,
        "log_loss": float(-np.mean(np.log(np.where(positive, inside, 1 - inside)))),
        "integrated_calibration_index": float(distance.mean()),
        "e50": float(np.median(distance)),
        "e90": float(np.quantile(distance, 0.9)),
        "integrated_calibration_index_lowess": float(np.mean(np.abs(smoothed(probability, positive) - probability))),
        "expected_calibration_error": calibration_error(probability, positive, equal_width(probability)),
        "expected_calibration_error_equal_mass": calibration_error(probability, positive, equal_mass(probability)),
    }


def calibration_curve(probability: Array, positive: Array, bins: int = BINS, score: Array | None = None) -> pd.DataFrame:
    """Mean probability, mean score as delivered and observed share in bins of equal size by probability, with counts."""
    frame = pd.DataFrame(
        {
            "bin": equal_mass(probability, bins),
            "probability": probability,
            "score": probability if score is None else score,
            "observed": positive.astype(float),
            "responders": positive.astype(int),
        }
    )
    table = frame.groupby("bin").agg(
        probability=("probability", "mean"),
        score=("score", "mean"),
        observed=("observed", "mean"),
        n=("bin", "size"),
        responders=("responders", "sum"),
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
