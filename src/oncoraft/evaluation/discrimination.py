"""AUROC with weights, so that one function serves estimate and bootstrap; within-group AUROC; patient-cluster resamples.

Every statistic takes weights of shape (..., cases) and returns one value for each leading index: a whole bootstrap is a few
vector operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Array = np.ndarray
Statistic = Callable[[Array], Array]
BLOCK = 500_000  # weights held as floats at once: what stays in a processor's cache


class Ranking(NamedTuple):
    """What a ranking achieves in each group of cases, (..., groups), by rows of weights.

    `concordant`: weighted pairs in which the positive outscores the negative, ties one half; `positives`, `negatives`: their weights;
    `precision`: average precision (nan without a positive).
    """

    concordant: Array
    positives: Array
    negatives: Array
    precision: Array

    @property
    def has_both(self) -> Array:
        """Where a group holds both classes; elsewhere neither AUROC nor AUPRC says anything."""
        return np.asarray((self.positives > 0) & (self.negatives > 0))

    @property
    def auroc(self) -> Array:
        """Share of concordant pairs; nan where a class is missing."""
        pairs = np.where(self.has_both, self.positives * self.negatives, np.nan)
        return np.asarray(self.concordant / pairs)

    @property
    def auprc(self) -> Array:
        """Average precision; nan where a class is missing."""
        return np.where(self.has_both, self.precision, np.nan)


def ranking(score: Array, positive: Array, group: Array, weight: Array | None = None, with_precision: bool = False) -> Ranking:
    """Rank the cases once, inside each group (in the order of `np.unique(group)`), and count for every row of weights.

    Args:
        score: (cases,), higher should mean positive.
        positive: (cases,), boolean.
        group: (cases,); pairs are formed inside a group alone.
        weight: (..., cases), multiplicity of each case; None for one each.
        with_precision: count average precision too, which takes as long again; otherwise it is nan.
    """
    _, code = np.unique(group, return_inverse=True)
    order = np.lexsort((score, code))
    w = (np.ones(len(score)) if weight is None else weight)[..., order]
    w = w.astype(np.float32 if w.dtype == np.int16 else float)  # multiplicities of a bootstrap are small: sums stay exact
    up = w * positive[order]
    down = w - up
    new_group = np.concatenate([[True], np.diff(code[order]) != 0])
    new = new_group | np.concatenate([[True], np.diff(score[order]) != 0])
    if not new.all():
        up, down = (np.add.reduceat(part, np.flatnonzero(new), axis=-1) for part in (up, down))
    starts, inside = np.flatnonzero(new_group[new]), np.cumsum(new_group[new]) - 1
    positives, negatives = (np.add.reduceat(part, starts, axis=-1) for part in (up, down))
    down_below = _cumulated(down, starts, inside)
    concordant = np.add.reduceat(up * (down_below + 0.5 * down), starts, axis=-1)
    precision = np.full_like(concordant, np.nan)
    if with_precision:
        hits = positives[..., inside] - _cumulated(up, starts, inside)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(up > 0, up * hits / (hits + negatives[..., inside] - down_below), 0)
            precision = np.add.reduceat(share, starts, axis=-1) / positives
    return Ranking(concordant, positives, negatives, precision)


def _cumulated(part: Array, starts: Array, inside: Array) -> Array:
    """Sum of what stands before each place inside its group."""
    before = np.cumsum(part, axis=-1)
    before -= part
    if len(starts) > 1:
        before -= before[..., starts][..., inside]
    return np.asarray(before)


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
    return np.asarray(ranking(score, positive, np.zeros(len(score)), weight).auroc[..., 0])


def auroc_within(score: Array, positive: Array, group: Array, weight: Array | None = None) -> Array:
    """AUROC over pairs of the same group only, every pair counting once; blind to differences between groups."""
    if not len(score):
        return auroc(score, positive, weight)
    found = ranking(score, positive, group, weight)
    # In float64: a product of counts soon exceeds 2**24, up to which float32 holds every whole number.
    pairs = (found.positives.astype(float) * found.negatives).sum(axis=-1)
    return np.asarray(found.concordant.sum(axis=-1) / np.where(pairs > 0, pairs, np.nan))


def mean_known(values: Array) -> Array:
    """Mean over the last axis of what has a value; nan where nothing has."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    return np.asarray(np.where(known, values, 0.0).sum(axis=-1) / np.where(count > 0, count, np.nan))


def mean_over_folds(statistic: Callable[[Array, Array], Array], fold: Array) -> Statistic:
    """A statistic of (indices, weights) averaged over the folds where it has a value."""
    return lambda weight: mean_known(
        np.stack([statistic(np.flatnonzero(fold == k), weight[..., fold == k]) for k in np.unique(fold)], axis=-1)
    )


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
        # How often n draws with replacement take each of n patients is multinomial; every fold keeps its number of patients.
        counts = draw.multinomial(patients, np.full(patients, 1 / patients), size=resamples)
        weights[:, inside] = counts[:, code]
    return weights


def interval(samples: Array, confidence: float) -> tuple[float, float]:
    """Percentile interval of bootstrap values, failed resamples (nan) left out."""
    low, high = np.nanpercentile(samples, [50 * (1 - confidence), 50 * (1 + confidence)])
    return float(low), float(high)
