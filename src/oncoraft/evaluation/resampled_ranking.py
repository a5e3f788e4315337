"""Rankings of all bootstrap resamples in one pass over the sorted cases.

The weights of a case lie in a row, one number a resample, so that each step down the ranking is a sum of rows: a processor adds thousands of resamples
in the time that it takes to sum a few along one sorted row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oncoraft.evaluation.discrimination import Array, Ranking

EXACT = 2**24  # up to here float32 holds every whole number
SURPLUS = 8  # twice for the halves of tied pairs, four times for resamples that draw more of a class than there are
NOTHING = np.float32(1e-30)


def by_case(weights: Array) -> Array:
    """Weights (resamples, cases) as rows of float32, (cases, resamples)."""
    return np.ascontiguousarray(weights.T, dtype=np.float32)


class Runs(NamedTuple):
    """Runs of equal scores, from the highest down: (runs,) each, where in the sorted cases a run starts, where its negatives start, and where it ends."""

    starts: Array
    middles: Array
    ends: Array


def runs_of(score: Array, positive: Array, code: Array) -> tuple[Array, list[Runs]]:
    """Cases by group and score, from the highest score down, positives before negatives; and the runs of each group."""
    order = np.lexsort((~positive, -score, code))
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(score[order]) != 0) | (np.diff(code[order]) != 0)]))
    middles = starts + np.add.reduceat(positive[order], starts, dtype=int)
    ends = np.append(starts[1:], len(order))
    groups = np.flatnonzero(np.diff(code[order[starts]])) + 1
    return order, [Runs(*parts) for parts in zip(*(np.split(places, groups) for places in (starts, middles, ends)), strict=True)]


def resampled_ranking(
    score: Array, positive: Array, group: Array, rows: Array, with_precision: bool = False, column: Array | None = None
) -> Ranking:
    """What a ranking achieves in each group and resample, (resamples, groups): `discrimination.ranking` of many rows of weights.

    Args:
        score, positive, group: (cases,).
        rows: (more cases, resamples), a row a case (`by_case`).
        with_precision: count average precision too; otherwise it is nan.
        column: (cases,), the row of each case; None for their order.
    """
    names, code = np.unique(group, return_inverse=True)
    order, runs_by_group = runs_of(score, positive, code)
    places = (order if column is None else column[order]).tolist()
    parts = np.empty((4, len(names), rows.shape[1]), dtype=rows.dtype)
    for k, runs in enumerate(runs_by_group):
        pairs = int((runs.middles - runs.starts).sum()) * int((runs.ends - runs.middles).sum())
        is_exact = rows.dtype == np.float32 and SURPLUS * pairs < EXACT
        parts[:, k] = _down_the_ranking(places, runs, rows, np.float32 if is_exact else float, with_precision)
    concordant, positives, negatives, precision = parts.swapaxes(1, 2)
    return Ranking(concordant, positives, negatives, precision)


def _sum(places: list[int], rows: Array) -> Array:
    """Sum of some rows."""
    found: Array = rows[places[0]] if len(places) == 1 else np.add.reduce(rows[places], axis=0)
    return found


def _down_the_ranking(places: list[int], runs: Runs, rows: Array, exact: type, with_precision: bool) -> tuple[Array, Array, Array, Array]:
    """Concordant pairs, positives, negatives and average precision of one group, (resamples,) each.

    Args:
        places: the row of each sorted case.
        exact: type in which pairs are added: float32 where they are whole numbers that it holds.
    """
    resamples = rows.shape[1]
    hits, misses, product, half = np.zeros((4, resamples), dtype=rows.dtype)
    discordant: Array = np.zeros(resamples, dtype=exact)
    precision = np.full(resamples, 0.0 if with_precision else np.nan)
    for start, middle, end in zip(*(bounds.tolist() for bounds in runs), strict=True):
        if start == middle:
            misses += _sum(places[start:end], rows)
            continue
        up = _sum(places[start:middle], rows)
        hits += up
        if middle < end:
            down = _sum(places[middle:end], rows)
            np.multiply(down, 0.5, out=half)
            half += misses
            misses += down
            np.multiply(up, half, out=product)
        else:
            np.multiply(up, misses, out=product)
        discordant += product
        if with_precision:
            np.add(hits, misses, out=half)
            # Where nothing has been drawn yet there is nothing to divide, and nothing to add.
            np.maximum(half, NOTHING, out=half)
            np.divide(hits, half, out=half)
            half *= up
            precision += half
    if with_precision:
        with np.errstate(invalid="ignore"):
            precision /= hits
    return hits.astype(exact) * misses - discordant, hits, misses, precision
