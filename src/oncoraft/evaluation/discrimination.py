"""AUROC with weights, so that one function serves estimate and bootstrap; within-group AUROC; patient-cluster resamples.

Every statistic takes weights of shape (..., cases) and returns one value for each leading index: a whole bootstrap is a few
vector operations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Statistic = Callable[[Array], Array]
BLOCK = 4_000_000  # weights held as floats at once, about 32 MB


def auroc(score: Array, positive: Array, weight: Array | None = None) -> Array:
    """Probability that a positive outscores a negative, ties one half (Hanley and McNeil 1982); nan for one class.

    Args:
        score: (cases,), higher should mean positive.
        positive: (cases,), boolean.
        weight: (..., cases), multiplicity of each case; None for one each.

    Returns:
        (...): one value for each row of weights; a scalar array without `weight`.
    """
    if not len(score):
        return np.full(weight.shape[:-1] if weight is not None else (), np.nan)
    order = np.argsort(score, kind="stable")
    w = (np.ones(len(score)) if weight is None else weight)[..., order].astype(float)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(score[order]) != 0]))
    up = np.add.reduceat(w * positive[order], starts, axis=-1)
    down = np.add.reduceat(w * ~positive[order], starts, axis=-1)
    below = np.cumsum(down, axis=-1) - down
    pairs = up.sum(axis=-1) * down.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sum(up * (below + 0.5 * down), axis=-1) / np.where(pairs > 0, pairs, np.nan))


def auroc_within(score: Array, positive: Array, group: Array, weight: Array | None = None) -> Array:
    """AUROC over pairs of the same group only, every pair counting once; blind to differences between groups."""
    w = np.ones(len(score)) if weight is None else weight
    concordant, pairs = np.zeros(w.shape[:-1]), np.zeros(w.shape[:-1])
    for name in np.unique(group):
        inside = group == name
        mine = w[..., inside]
        count = (mine * positive[inside]).sum(axis=-1) * (mine * ~positive[inside]).sum(axis=-1)
        concordant += np.nan_to_num(auroc(score[inside], positive[inside], mine)) * count
        pairs += count
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(concordant / np.where(pairs > 0, pairs, np.nan))


def mean_over_folds(statistic: Callable[[Array, Array], Array], fold: Array) -> Statistic:
    """A statistic of (indices, weights) averaged over the folds where it has a value."""

    def value(weight: Array) -> Array:
        found = np.stack([statistic(np.flatnonzero(fold == k), weight[..., fold == k]) for k in np.unique(fold)])
        known = np.isfinite(found)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(known, found, 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan))

    return value


def bootstrap(statistic: Statistic, weights: Array) -> Array:
    """A statistic over every resample, (resamples,), computed in blocks that fit in memory."""
    rows = max(1, BLOCK // max(1, weights.shape[1]))
    return np.concatenate([statistic(weights[start : start + rows]) for start in range(0, len(weights), rows)])


def patient_weights(patient: Array, fold: Array, resamples: int, seed: int) -> Array:
    """How often each case is drawn in each resample, (resamples, cases): patients are drawn with replacement inside their fold."""
    draw = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(patient)), dtype=np.int16)
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
