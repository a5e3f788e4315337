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
    y, x, loess = positive.astype(float), logit(probability), Loess(probability)
    line, offset, of_curve = _Line(x, y), _Offset(x, y), loess.columns(y)
    columns = [each.astype(np.float32) for each in (_columns_of_means(probability, positive), line.columns, offset.columns)]
    rows = max(1, BLOCK // len(probability))
    quantiles = max(1, -(-QUANTILE_RESAMPLES // rows))
    sums, distances = [], []
    for place, start in enumerate(range(0, len(weights), rows)):
        drawn = weights[start : start + rows]
        w = drawn.astype(np.float32)
        sums.append([w @ each for each in columns])
        distances.append(_distances(probability, loess.curve(drawn.astype(float) @ of_curve), drawn, w, place < quantiles))
    of_means, of_line, of_offset = (np.concatenate(parts) for parts in zip(*sums, strict=True))
    found = _means(of_means) | offset.maxima(of_offset, weights) | line.maxima(of_line, weights, rows)
    return found | {name: np.concatenate([part[name] for part in distances if name in part]) for name in distances[0]}


def _columns_of_means(probability: Array, positive: Array) -> Array:
    """What is summed over the cases of a resample for `_means`, (cases, sums)."""
    y = positive.astype(float)
    # A score of 0 or 1 that is wrong would cost infinitely much.
    inside = np.clip(probability, EDGE, 1 - EDGE)
    columns = [np.ones_like(y), y, probability, (probability - y) ** 2, -np.log(np.where(positive, inside, 1 - inside))]
    bins = (equal_width(probability), equal_mass(probability))
    return np.column_stack([*columns, *(np.where(place[:, None] == np.arange(BINS), (probability - y)[:, None], 0.0) for place in bins)])


def _means(sums: Array) -> dict[str, Array]:
    """The measures that are ratios of sums over cases, from those of `_columns_of_means`."""
    (total, events, expected, square, loss), gaps = sums[:, : -2 * BINS].T, sums[:, -2 * BINS :]
    rate = events / total
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {
            "observed_to_expected": events / np.where(expected > 0, expected, np.nan),
            "brier": square / total,
            "scaled_brier": 1 - square / total / np.where(rate * (1 - rate) > 0, rate * (1 - rate), np.nan),
            "log_loss": loss / total,
        }
        for name, part in zip(("expected_calibration_error", "expected_calibration_error_equal_mass"), (gaps[:, :BINS], gaps[:, BINS:])):
            found[name] = np.abs(part).sum(axis=1) / total
    return found


class _Line:
    """Slope and intercept of each resample: Newton's method from the maximum of the full sample.

    The gradient around that maximum is a polynomial in how far a resample moves it, whose coefficients are sums over cases (of `columns`): a whole
    bootstrap takes one matrix product. Resamples that move it far are maximised exactly.

    Args:
        x: (cases,), log odds.
        y: (cases,), 0 or 1.
    """

    def __init__(self, x: Array, y: Array) -> None:
        intercept, slope = logistic(x, y.astype(bool))
        self.y, self.columns, self.widths = y, np.zeros((len(x), 0)), np.zeros(1, dtype=int)
        if np.isfinite(slope):
            self.centre, self.spread = float(x.mean()), float(x.std())
            self.z = (x - self.centre) / self.spread
            self.start = np.array([intercept + slope * self.centre, slope * self.spread])
            p = expit(self.start[0] + self.start[1] * self.z)
            powers = np.vander(self.z, ORDER + 2, increasing=True)
            parts = [(y - p)[:, None] * powers[:, :2], *(change[:, None] * powers[:, : k + 2] for k, change in enumerate(_changes(p), 1))]
            self.columns, self.widths = np.column_stack(parts), np.cumsum([0, *(part.shape[1] for part in parts)])

    def maxima(self, sums: Array, weights: Array, rows: int) -> dict[str, Array]:
        """Intercept and slope from the sums of each resample; nothing where the classes are separated.

        Args:
            sums: (resamples, columns).
            weights: (resamples, cases).
            rows: of weights that are held as floats at once.
        """
        if not sums.shape[1]:
            return {}
        moments = [sums[:, a:b].astype(float) for a, b in pairwise(self.widths)]
        moved = np.zeros((len(sums), 2))
        for _ in range(NEWTON_STEPS):
            gradient, information = _expanded(moments, moved)
            moved += np.column_stack(_step(*gradient.T, *information.T))
        far = ~(np.abs(moved).sum(axis=1) < FAR)
        for start in range(0, len(far), rows):
            if len(places := start + np.flatnonzero(far[start : start + rows])):
                moved[places] = _exactly(self.z, self.y, weights[places].astype(np.float32), self.start) - self.start
        a, b = (self.start + moved).T
        return {"calibration_intercept": a - b * self.centre / self.spread, "calibration_slope": b / self.spread}


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


class _Offset:
    """Calibration-in-the-large of each resample: Newton's method from that of the full sample, on the polynomial of `_Line`; arguments as there."""

    def __init__(self, x: Array, y: Array) -> None:
        self.x, self.y, self.start = x, y.astype(bool), shift(x, y.astype(bool))
        p = expit(self.start + x)
        self.columns = np.column_stack([y - p, *_changes(p)])

    def maxima(self, sums: Array, weights: Array) -> dict[str, Array]:
        """The measure from the sums of each resample, (resamples, columns); nan where a class is missing."""
        gradient, *changes = sums.astype(float).T
        moved = np.zeros(len(sums))
        if np.isfinite(self.start):
            for _ in range(NEWTON_STEPS):
                missing = gradient - sum(one * moved**k / factorial(k) for k, one in enumerate(changes, 1))
                with np.errstate(invalid="ignore", divide="ignore"):
                    moved = moved + missing / sum(one * moved ** (k - 1) / factorial(k - 1) for k, one in enumerate(changes, 1))
            for place in np.flatnonzero(~(np.abs(moved) < FAR)):
                moved[place] = shift(np.repeat(self.x, weights[place]), np.repeat(self.y, weights[place])) - self.start
        return {"calibration_in_the_large": np.asarray(self.start + moved)}


def _distances(probability: Array, curve: Array, weights: Array, w: Array, with_quantiles: bool) -> dict[str, Array]:
    """Mean and, if asked for, median and 90th percentile of the distance of the loess curve from the diagonal.

    Args:
        probability: (cases,).
        curve: (resamples, cases), overwritten.
        weights, w: (resamples, cases), multiplicities, and the same as float32.
        with_quantiles: which take a sort.
    """
    distance = np.clip(curve, 0, 1, out=curve)
    distance -= probability
    distance = np.abs(distance, out=distance).astype(np.float32)
    # einsum sums without holding the product, an array of (resamples, cases).
    found = {"integrated_calibration_index": np.einsum("bn,bn->b", w, distance) / weights.sum(axis=1)}
    if with_quantiles:
        order = np.argsort(distance, axis=1)
        # Of rows that lie in one piece, or each case would be fetched from afar.
        reached = np.cumsum(np.take_along_axis(np.ascontiguousarray(weights), order, axis=1), axis=1, dtype=np.int32)
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
