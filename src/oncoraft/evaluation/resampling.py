"""The calibration measures of every bootstrap resample at once: sums are matrix products, maxima a few Newton steps from the estimate.

Probabilities and their recalibration are held fixed; what varies is which patients were drawn.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from oncoraft.evaluation.calibration import BINS, THRESHOLDS, equal_mass, equal_width, shift
from oncoraft.evaluation.discrimination import BLOCK, Array
from oncoraft.evaluation.loess import Loess
from oncoraft.recalibration import EDGE, logistic, logit

QUANTILE_RESAMPLES = 400  # medians and percentiles of each resample need a sort; about so many give their interval


def resampled_measures(probability: Array, positive: Array, weights: Array) -> dict[str, Array]:
    """The measures of `calibration.measures` in each resample, (resamples,); those of lowess are left out.

    Args:
        probability: (cases,).
        positive: (cases,), boolean.
        weights: (resamples, cases), multiplicities.
    """
    loess = Loess(probability)
    rows = max(1, BLOCK // len(probability))
    blocks = [weights[start : start + rows] for start in range(0, len(weights), rows)]
    quantiles = max(1, -(-QUANTILE_RESAMPLES // rows))
    parts = [_of_block(probability, positive, block, loess, place < quantiles) for place, block in enumerate(blocks)]
    return {name: np.concatenate([part[name] for part in parts if name in part]) for name in parts[0]}


def _of_block(probability: Array, positive: Array, weights: Array, loess: Loess, with_quantiles: bool) -> dict[str, Array]:
    """The measures of some of the resamples."""
    w = weights.astype(np.float32)
    y = positive.astype(float)
    # A score of 0 or 1 that is wrong would cost infinitely much.
    inside = np.clip(probability, EDGE, 1 - EDGE)
    columns = [np.ones_like(y), y, probability, (probability - y) ** 2, -np.log(np.where(positive, inside, 1 - inside))]
    bins = {"expected_calibration_error": equal_width(probability), "expected_calibration_error_equal_mass": equal_mass(probability)}
    gaps = [np.where(place[:, None] == np.arange(BINS), (probability - y)[:, None], 0.0) for place in bins.values()]
    sums = w @ np.column_stack([*columns, *gaps]).astype(np.float32)
    total, events, expected, square, loss = (sums[:, k] for k in range(len(columns)))
    rate = events / total
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {
            "observed_to_expected": events / expected,
            "brier": square / total,
            "scaled_brier": 1 - square / total / np.where(rate * (1 - rate) > 0, rate * (1 - rate), np.nan),
            "log_loss": loss / total,
        }
        start = len(columns)
        for place, name in enumerate(bins):
            part = sums[:, start + place * BINS : start + (place + 1) * BINS]
            found[name] = np.abs(part).sum(axis=1) / total
    return found | _regressions(logit(probability), y, w) | _smoothed(probability, loess.fit(y, weights), weights, with_quantiles)


def _regressions(x: Array, y: Array, w: Array) -> dict[str, Array]:
    """Slope, intercept and shift of each resample: three Newton steps from the maximum of the full sample, the first of them linear."""
    intercept, slope = logistic(x, y.astype(bool))
    found = {"calibration_in_the_large": _shifts(x, y, w)}
    if not np.isfinite(slope):
        return found
    p = expit(intercept + slope * x)
    v = p * (1 - p)
    sums = w @ np.column_stack([y - p, (y - p) * x, v, v * x, v * x * x]).astype(np.float32)
    first = _step(*sums.T.astype(float))
    a, b = intercept + first[0], slope + first[1]
    powers = np.column_stack([np.ones_like(x), x, x * x]).astype(np.float32)
    for _ in range(2):
        eta = expit(a[:, None].astype(np.float32) + b[:, None].astype(np.float32) * x.astype(np.float32))
        gradient, information = (w * (y.astype(np.float32) - eta)) @ powers[:, :2], (w * eta * (1 - eta)) @ powers
        step = _step(*gradient.T.astype(float), *information.T.astype(float))
        a, b = a + step[0], b + step[1]
    return found | {"calibration_intercept": a, "calibration_slope": b}


def _step(g0: Array, g1: Array, h0: Array, h1: Array, h2: Array) -> tuple[Array, Array]:
    """Newton's step for intercept and slope, nan where the information is singular."""
    determinant = h0 * h2 - h1 * h1
    with np.errstate(invalid="ignore", divide="ignore"):
        inverse = 1 / np.where(determinant > 0, determinant, np.nan)
    return (h2 * g0 - h1 * g1) * inverse, (h0 * g1 - h1 * g0) * inverse


def _shifts(x: Array, y: Array, w: Array) -> Array:
    """Calibration-in-the-large of each resample: two Newton steps from that of the full sample."""
    start = shift(x, y.astype(bool))
    if not np.isfinite(start):
        return np.full(len(w), np.nan)
    p = expit(start + x)
    sums = w @ np.column_stack([y - p, p * (1 - p)]).astype(np.float32)
    a = start + sums[:, 0] / sums[:, 1]
    moved = expit(a[:, None] + x.astype(np.float32))
    return np.asarray(a + (w @ y.astype(np.float32) - np.einsum("bn,bn->b", w, moved)) / np.einsum("bn,bn->b", w, moved * (1 - moved)))


def _smoothed(probability: Array, curve: Array, weights: Array, with_quantiles: bool) -> dict[str, Array]:
    """Mean and, if asked for, median and 90th percentile of the distance of the loess curve from the diagonal."""
    distance = np.abs(np.clip(curve, 0, 1) - probability).astype(np.float32)
    # einsum sums without holding the product, an array of (resamples, cases).
    found = {"integrated_calibration_index": np.einsum("bn,bn->b", weights.astype(np.float32), distance) / weights.sum(axis=1)}
    if with_quantiles:
        order = np.argsort(distance, axis=1)
        reached = np.cumsum(np.take_along_axis(weights.astype(np.int32), order, axis=1), axis=1)
        for name, share in (("e50", 0.5), ("e90", 0.9)):
            place = np.take_along_axis(order, np.argmax(reached >= share * reached[:, -1:], axis=1)[:, None], axis=1)
            found[name] = np.take_along_axis(distance, place, axis=1)[:, 0]
    return found


def resampled_net_benefit(probability: Array, positive: Array, weights: Array) -> Array:
    """Net benefit at each threshold in each resample, (resamples, thresholds)."""
    odds = THRESHOLDS / (1 - THRESHOLDS)
    acted = probability[:, None] >= THRESHOLDS
    gain = np.where(acted, np.where(positive[:, None], 1.0, -odds), 0.0).astype(np.float32)
    w = weights.astype(np.float32)
    return np.asarray((w @ gain) / w.sum(axis=1, keepdims=True))
