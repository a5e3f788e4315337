"""AUROC with weights, so that one function serves estimate and bootstrap; within-group AUROC; patient-cluster resamples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray


def auroc(score: Array, positive: Array, weight: Array | None = None) -> float:
    """Probability that a positive outscores a negative, ties one half (Hanley and McNeil 1982); nan for one class.

    Args:
        score: higher should mean positive.
        positive: boolean.
        weight: multiplicity of each case; None for one each.
    """
    w = np.ones(len(score)) if weight is None else weight.astype(float)
    order = np.argsort(score, kind="stable")
    values, place = np.unique(score[order], return_inverse=True)
    up = np.bincount(place, w[order] * positive[order], len(values))
    down = np.bincount(place, w[order] * ~positive[order], len(values))
    if up.sum() == 0 or down.sum() == 0:
        return float("nan")
    below = np.cumsum(down) - down
    return float(np.sum(up * (below + 0.5 * down)) / (up.sum() * down.sum()))


def auroc_within(score: Array, positive: Array, group: Array, weight: Array | None = None) -> float:
    """AUROC over pairs of the same group only, every pair counting once; blind to differences between groups."""
    w = np.ones(len(score)) if weight is None else weight.astype(float)
    concordant = pairs = 0.0
    for name in np.unique(group):
        inside = group == name
        up, down = float(w[inside & positive].sum()), float(w[inside & ~positive].sum())
        if up and down:
            concordant += auroc(score[inside], positive[inside], w[inside]) * up * down
            pairs += up * down
    return concordant / pairs if pairs else float("nan")


def mean_over_folds(statistic: Callable[[Array, Array], float], fold: Array) -> Callable[[Array], float]:
    """A statistic of (indices, weights) averaged over folds with both classes."""

    def value(weight: Array) -> float:
        found = [statistic(np.flatnonzero(fold == k), weight[fold == k]) for k in np.unique(fold)]
        return float(np.nanmean(found)) if not np.all(np.isnan(found)) else float("nan")

    return value


def patient_weights(patient: Array, fold: Array, resamples: int, seed: int) -> Array:
    """How often each case is drawn in each resample, (resamples, cases): patients are drawn with replacement inside their fold."""
    draw = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(patient)), dtype=np.int32)
    for k in np.unique(fold):
        inside = np.flatnonzero(fold == k)
        _, code = np.unique(patient[inside], return_inverse=True)
        patients = int(code.max()) + 1
        counts = draw.multinomial(patients, np.full(patients, 1 / patients), size=resamples)
        weights[:, inside] = counts[:, code]
    return weights


def interval(samples: Array, confidence: float) -> tuple[float, float]:
    """Percentile interval of bootstrap values, failed resamples (nan) left out."""
    low, high = np.nanpercentile(samples, [50 * (1 - confidence), 50 * (1 + confidence)])
    return float(low), float(high)
