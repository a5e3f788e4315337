"""The calibration measures of every bootstrap resample at once: sums are matrix products, maxima a few Newton steps from the estimate.

Probabilities and their recalibration are held fixed; what varies is which patients were drawn.
"""

from __future__ import annotations

from itertools import pairwise
from math import comb, factorial

import numpy as np
from scipy.special import expit

from oncoraft.evaluation.calibration import BINS, THRESHOLDS, equal_mass, equal_width, shift
from oncoraft.evaluation.discrimination import BLOCK, Array
from oncoraft.evaluation.loess import Loess
from oncoraft.recalibration import EDGE, logistic, logit

ORDER, NEWTON_STEPS, EXACT_STEPS = 5, 4, 12
FAR = 0.7  # in standard units of the log odds: up to here five derivatives leave less than float32 does
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
            "observed_to_expected": events / np.where(expected > 0, expected, np.nan),
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
    """Slope and intercept, and the shift at slope 1, of each resample: Newton's method from the maximum of the full sample.

    The gradient around that maximum is a polynomial in how far a resample moves it, whose coefficients are sums over cases: a whole
    bootstrap takes one matrix product. Resamples that move it far are maximised exactly.
    """
    found = {"calibration_in_the_large": _shifts(x, y, w)}
    intercept, slope = logistic(x, y.astype(bool))
    if not np.isfinite(slope):
        return found
    centre, spread = float(x.mean()), float(x.std())
    z = (x - centre) / spread
    start = np.array([intercept + slope * centre, slope * spread])
    p = expit(start[0] + start[1] * z)
    powers = np.vander(z, ORDER + 2, increasing=True)
    columns = [(y - p)[:, None] * powers[:, :2], *(change[:, None] * powers[:, : k + 2] for k, change in enumerate(_changes(p), 1))]
    sums = (w @ np.column_stack(columns).astype(np.float32)).astype(float)
    widths = np.cumsum([0, *(column.shape[1] for column in columns)])
    moments = [sums[:, a:b] for a, b in pairwise(widths)]
    moved = np.zeros((len(w), 2))
    for _ in range(NEWTON_STEPS):
        gradient, information = _expanded(moments, moved)
        moved += np.column_stack(_step(*gradient.T, *information.T))
    far = ~(np.abs(moved).sum(axis=1) < FAR)
    if far.any():
        moved[far] = _exactly(z, y, w[far], start) - start
    a, b = (start + moved).T
    return found | {"calibration_intercept": a - b * centre / spread, "calibration_slope": b / spread}


def _changes(p: Array) -> list[Array]:
    """The first to fifth derivative of the logistic function where its value is p."""
    v = p * (1 - p)
    odd = 1 - 2 * p
    return [v, v * odd, v * (1 - 6 * v), v * odd * (1 - 12 * v), v * (1 - 30 * v + 120 * v * v)]


def _expanded(moments: list[Array], moved: Array) -> tuple[Array, Array]:
    """Gradient, (resamples, 2), and information, (resamples, 3), of each resample at its own distance from the start.

    Args:
        moments: of the gradient at the start, then of each derivative: weighted sums of its products with powers of x.
        moved: (resamples, 2).
    """
    gradient, information = moments[0].copy(), np.zeros((len(moved), 3))
    a, b = moved.T
    for k, sums in enumerate(moments[1:], 1):
        for j in range(k + 1):
            factor = comb(k, j) / factorial(k) * a ** (k - j) * b**j
            gradient -= factor[:, None] * sums[:, j : j + 2]
        for j in range(k):
            factor = comb(k - 1, j) / factorial(k - 1) * a ** (k - 1 - j) * b**j
            information += factor[:, None] * sums[:, j : j + 3]
    return gradient, information


def _exactly(x: Array, y: Array, w: Array, start: Array) -> Array:
    """Intercept and slope of each resample, (resamples, 2), by Newton's method on the cases; nan where the classes are separated."""
    at = np.tile(start, (len(w), 1))
    powers = np.column_stack([np.ones_like(x), x, x * x])
    for _ in range(EXACT_STEPS):
        p = expit(at[:, :1] + at[:, 1:] * x)
        gradient, information = (w * (y - p)) @ powers[:, :2], (w * p * (1 - p)) @ powers
        step = np.column_stack(_step(*gradient.T, *information.T))
        at = at + step
    return np.where((np.abs(step) < 1e-6).all(axis=1)[:, None], at, np.nan)


def _step(g0: Array, g1: Array, h0: Array, h1: Array, h2: Array) -> tuple[Array, Array]:
    """Newton's step for intercept and slope, nan where the information is singular."""
    determinant = h0 * h2 - h1 * h1
    with np.errstate(invalid="ignore", divide="ignore"):
        inverse = 1 / np.where(determinant > 0, determinant, np.nan)
    return (h2 * g0 - h1 * g1) * inverse, (h0 * g1 - h1 * g0) * inverse


def _shifts(x: Array, y: Array, w: Array) -> Array:
    """Calibration-in-the-large of each resample: Newton's method from that of the full sample, on the polynomial of `_regressions`."""
    start = shift(x, y.astype(bool))
    if not np.isfinite(start):
        return np.full(len(w), np.nan)
    p = expit(start + x)
    gradient, *sums = (w @ np.column_stack([y - p, *_changes(p)]).astype(np.float32)).astype(float).T
    moved = np.zeros(len(w))
    for _ in range(NEWTON_STEPS):
        missing = gradient - sum(one * moved**k / factorial(k) for k, one in enumerate(sums, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = moved + missing / sum(one * moved ** (k - 1) / factorial(k - 1) for k, one in enumerate(sums, 1))
    far = ~(np.abs(moved) < FAR)
    for place in np.flatnonzero(far):
        drawn = w[place] > 0
        moved[place] = (
            shift(np.repeat(x[drawn], w[place][drawn].astype(int)), np.repeat(y[drawn].astype(bool), w[place][drawn].astype(int))) - start
        )
    return np.asarray(start + moved)


def _smoothed(probability: Array, curve: Array, weights: Array, with_quantiles: bool) -> dict[str, Array]:
    """Mean and, if asked for, median and 90th percentile of the distance of the loess curve from the diagonal."""
    distance = np.clip(curve, 0, 1, out=curve)
    distance -= probability
    distance = np.abs(distance, out=distance).astype(np.float32)
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
