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


class Run(NamedTuple):
    """Cases of one score: the places of the positives and of the negatives."""

    up: list[int]
    down: list[int]


def runs_of(score: Array, positive: Array, code: Array, place: Array) -> list[list[Run]]:
    """Of each group the runs of equal scores, from the highest score down."""
    order = np.lexsort((-score, code))
    is_new = np.concatenate([[True], (np.diff(score[order]) != 0) | (np.diff(code[order]) != 0)])
    found: list[list[Run]] = [[] for _ in range(int(code.max()) + 1)]
    for new, group, at, is_up in zip(is_new.tolist(), code[order].tolist(), place[order].tolist(), positive[order].tolist()):
        if new:
            found[group].append(Run([], []))
        (found[group][-1].up if is_up else found[group][-1].down).append(at)
    return found


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
    place = np.arange(len(positive)) if column is None else column
    parts = np.empty((4, len(names), rows.shape[1]), dtype=rows.dtype)
    for k, runs in enumerate(runs_of(score, positive, code, place)):
        pairs = sum(len(run.up) for run in runs) * sum(len(run.down) for run in runs)
        is_exact = rows.dtype == np.float32 and SURPLUS * pairs < EXACT
        parts[:, k] = _down_the_ranking(runs, rows, np.float32 if is_exact else float, with_precision)
    concordant, positives, negatives, precision = parts.swapaxes(1, 2)
    return Ranking(concordant, positives, negatives, precision)


def _sum(places: list[int], rows: Array) -> Array:
    """Sum of some rows."""
    found: Array = rows[places[0]] if len(places) == 1 else np.add.reduce(rows[places], axis=0)
    return found


def _down_the_ranking(runs: list[Run], rows: Array, exact: type, with_precision: bool) -> tuple[Array, Array, Array, Array]:
    """Concordant pairs, positives, negatives and average precision of one group, (resamples,) each.

    Args:
        exact: type in which pairs are added: float32 where they are whole numbers that it holds.
    """
    resamples = rows.shape[1]
    hits, misses, product, half = np.zeros((4, resamples), dtype=rows.dtype)
    discordant: Array = np.zeros(resamples, dtype=exact)
    precision = np.full(resamples, 0.0 if with_precision else np.nan)
    for run in runs:
        if not run.up:
            misses += _sum(run.down, rows)
            continue
        up = _sum(run.up, rows)
        hits += up
        if run.down:
            down = _sum(run.down, rows)
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
