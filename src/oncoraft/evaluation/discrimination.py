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
TABLE_BLOCK = 2_000_000  # the same where tables of pairs are made for each block
FEW_CASES = 24  # a group, on average: with fewer all groups are counted at once
LARGEST_TABLE = 100_000  # pairs of a positive and a negative up to which a matrix product is faster than a sort


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


def ranking(
    score: Array,
    positive: Array,
    group: Array,
    weight: Array | None = None,
    with_precision: bool = False,
    column: Array | None = None,
) -> Ranking:
    """Rank the cases inside each group (in the order of `np.unique(group)`), and count for every row of weights.

    Args:
        score: (cases,) or, of several predictors whose cases are the same, (predictors, cases); higher should mean positive.
        positive: (cases,), boolean.
        group: (cases,); pairs are formed inside a group alone.
        weight: (..., columns), multiplicity of each case; None for one each.
        with_precision: count average precision too, which takes as long again; otherwise it is nan.
        column: (cases,), where the weights of the cases stand; None for the order of the cases.

    Returns:
        `concordant` and `precision` begin with the predictors where there are several.
    """
    names, code = np.unique(group, return_inverse=True)
    w = np.ones(positive.shape) if weight is None else weight
    place = np.arange(len(positive)) if column is None else column
    # Of many small groups the calls would take longer than the counting.
    if score.ndim == 1 and len(positive) < FEW_CASES * len(names) and not with_precision:
        return _all_groups(score, positive, code, w[..., place])
    parts = []
    for k in range(len(names)):
        inside = code == k
        parts.append(_one_group(np.atleast_2d(score)[:, inside], positive[inside], place[inside], w, with_precision))
    concordant, positives, negatives, precision = (np.stack(values, axis=-1) for values in zip(*parts, strict=True))
    several = slice(None) if score.ndim > 1 else 0
    return Ranking(concordant[several], positives, negatives, precision[several])


def _as_float(w: Array) -> Array:
    """Weights to count with; the multiplicities of a bootstrap are small whole numbers, whose sums stay exact in float32."""
    return w.astype(np.float32 if w.dtype == np.int16 else float)


def _one_group(scores: Array, positive: Array, place: Array, w: Array, with_precision: bool) -> tuple[Array, Array, Array, Array]:
    """The fields of `Ranking` of one group of cases, whose weights stand at `place`, by predictors."""
    pairs = int(positive.sum()) * int((~positive).sum())
    if w.ndim > 1 and not with_precision and 0 < pairs <= LARGEST_TABLE:
        return _by_tables(scores, positive, place, w)
    found = [_by_order(score, positive, place, w, with_precision) for score in scores]
    return np.stack([one[0] for one in found]), found[0][1], found[0][2], np.stack([one[3] for one in found])


def _by_tables(scores: Array, positive: Array, place: Array, w: Array) -> tuple[Array, Array, Array, Array]:
    """A matrix product does in one pass what ranking does in ten, and reads the weights once for all predictors."""
    up, down = _as_float(w[:, place[positive]]), _as_float(w[:, place[~positive]])
    # 1 where the positive outscores the negative, 1/2 where they tie.
    tables = 0.5 + 0.5 * np.sign(scores[:, positive, None] - scores[:, None, ~positive]).astype(up.dtype)
    wide, narrow = (up, down) if up.shape[1] >= down.shape[1] else (down, up)
    if wide is down:
        tables = tables.swapaxes(1, 2)
    held = (wide @ np.concatenate(list(tables), axis=1)).reshape(len(w), len(scores), -1)
    concordant = np.einsum("bsn,bn->sb", held, narrow)
    return concordant, up.sum(axis=-1), down.sum(axis=-1), np.full_like(concordant, np.nan)


def _by_order(score: Array, positive: Array, place: Array, w: Array, with_precision: bool) -> tuple[Array, Array, Array, Array]:
    """Sums along the sorted cases."""
    order = np.argsort(score, kind="stable")
    down = _as_float(w[..., place[order]])
    up = down * positive[order]
    down -= up
    new = np.concatenate([[True], np.diff(score[order]) != 0])
    if not new.all():
        up, down = (np.add.reduceat(part, np.flatnonzero(new), axis=-1) for part in (up, down))
    positives, negatives = up.sum(axis=-1), down.sum(axis=-1)
    below = np.cumsum(down, axis=-1)
    precision = np.full_like(positives, np.nan)
    if with_precision:
        hits = positives[..., None] - np.cumsum(up, axis=-1) + up
        found = hits + (negatives[..., None] - (below - down))
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.divide(up * hits, found, out=np.zeros_like(hits), where=up > 0).sum(axis=-1) / positives
    down *= 0.5
    below -= down
    below *= up
    return below.sum(axis=-1), positives, negatives, precision


def _all_groups(score: Array, positive: Array, code: Array, weight: Array) -> Ranking:
    """Every group from one sort, without average precision."""
    order = np.lexsort((score, code))
    w = _as_float(weight[..., order])
    up = w * positive[order]
    down = w - up
    new_group = np.concatenate([[True], np.diff(code[order]) != 0])
    new = new_group | np.concatenate([[True], np.diff(score[order]) != 0])
    if not new.all():
        up, down = (np.add.reduceat(part, np.flatnonzero(new), axis=-1) for part in (up, down))
    starts, inside = np.flatnonzero(new_group[new]), np.cumsum(new_group[new]) - 1
    positives, negatives = (np.add.reduceat(part, starts, axis=-1) for part in (up, down))
    below = np.cumsum(down, axis=-1)
    below -= down
    below -= below[..., starts][..., inside]
    concordant = np.add.reduceat(up * (below + 0.5 * down), starts, axis=-1)
    return Ranking(concordant, positives, negatives, np.full_like(concordant, np.nan))


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


def bootstrap(statistic: Statistic, weights: Array, block: int = BLOCK) -> Array:
    """A statistic over every resample, (resamples,), computed in blocks of so many weights."""
    rows = max(1, block // max(1, weights.shape[1]))
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


LEAST_VALUED = 0.5  # share of the resamples; an interval of fewer would speak of the luckier half of what could have been drawn


def told_interval(samples: Array, confidence: float) -> tuple[float | None, float | None, str]:
    """The percentile interval of the resamples that have a value, and how many have one where not all do.

    A resample without one class has no area. Nothing where fewer than half of the resamples have a value.
    """
    valued = int(np.isfinite(samples).sum())
    if valued == len(samples):
        return *interval(samples, confidence), ""
    if valued < max(1, LEAST_VALUED * len(samples)):
        return None, None, f"no interval: {valued} of {len(samples)} resamples have a value"
    return *interval(samples[np.isfinite(samples)], confidence), f"interval of the {valued} of {len(samples)} resamples that have a value"
