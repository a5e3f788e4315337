"""Tests of two scores on the same cases, patients being the independent units.

DeLong's test for clustered data (Obuchowski 1997), McNemar's exact test on one row a patient, a one-sided Wilcoxon signed-rank test on
losses averaged over each patient, a two-sided bootstrap p, and Benjamini and Hochberg's false-discovery rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import ndtr

from oncoraft.evaluation.discrimination import Array


class DeLong(NamedTuple):
    """Difference of two AUROCs (first less second), means of folds, with its standard error, z and two-sided p.

    All null where no fold holds both classes; all but the difference where a fold has one class from a single patient, which tells nothing of how
    much patients vary; z and p without spread.
    """

    difference: float | None
    standard_error: float | None
    z: float | None
    p: float | None


def placements(score: Array, positive: Array) -> Array:
    """For each case the share of the other class that it outranks rightly, ties one half, (cases,)."""
    values = np.empty(len(score))
    for mine, sign in ((positive, 1.0), (~positive, -1.0)):
        others = np.sort(sign * score[~mine])
        own = sign * score[mine]
        below, upto = (np.searchsorted(others, own, side=side) for side in ("left", "right"))
        values[mine] = (below + upto) / (2 * len(others))
    return values


def covariance(scores: Array, positive: Array, patient: Array) -> tuple[Array, Array]:
    """AUROC of each score, (scores,), and their covariance, (scores, scores), patients being clusters; with one case a patient DeLong's own.

    The covariance is nan where a class comes from a single patient.

    Args:
        scores: (scores, cases).
        positive: (cases,), boolean, both classes present.
        patient: (cases,).
    """
    value = np.stack([placements(score, positive) for score in scores])
    area = value[:, positive].mean(axis=1)
    centred = value - area[:, None]
    _, code = np.unique(patient, return_inverse=True)
    patients, n, m = code.max() + 1, positive.sum(), (~positive).sum()
    up, down = (np.stack([np.bincount(code[c], weights=row[c], minlength=patients) for row in centred]) for c in (positive, ~positive))
    of_up, of_down = (len(np.unique(code[c])) for c in (positive, ~positive))
    within_up, within_down, across = up @ up.T, down @ down.T, up @ down.T
    if min(of_up, of_down) < 2:
        return area, np.full((len(area), len(area)), np.nan)
    spread_up = within_up * of_up / (of_up - 1) / n**2
    spread_down = within_down * of_down / (of_down - 1) / m**2
    return area, spread_up + spread_down + (across + across.T) * patients / max(1, patients - 1) / (n * m)


def delong(first: Array, second: Array, positive: Array, patient: Array, fold: Array) -> DeLong:
    """Clustered DeLong test of two scores, averaged over the folds that hold both classes."""
    areas, variances = [], []
    contrast = np.array([1.0, -1.0])
    for k in np.unique(fold):
        inside = fold == k
        if 0 < positive[inside].sum() < inside.sum():
            area, spread = covariance(np.stack([first[inside], second[inside]]), positive[inside], patient[inside])
            areas.append(float(area @ contrast))
            # Of scores that hardly differ, rounding may leave a variance below 0.
            variances.append(np.maximum(0.0, contrast @ spread @ contrast))
    if not areas:
        return DeLong(None, None, None, None)
    difference, error = float(np.mean(areas)), float(np.sqrt(np.sum(variances)) / len(variances))
    if np.isnan(error):
        return DeLong(difference, None, None, None)
    if error == 0:
        return DeLong(difference, error, None, None)
    z = difference / error
    return DeLong(difference, error, z, float(2 * ndtr(-abs(z))))


def mcnemar(first_right: Array, second_right: Array) -> tuple[int, int, float]:
    """Cases that only the first, and only the second, classifies rightly; the exact two-sided p."""
    only_first, only_second = int((first_right & ~second_right).sum()), int((~first_right & second_right).sum())
    told = only_first + only_second
    return only_first, only_second, float(stats.binomtest(only_first, told).pvalue) if told else 1.0


def wilcoxon(first_loss: Array, second_loss: Array, patient: Array) -> float | None:
    """One-sided p that the first loses less, on mean losses of patients; null where no patient differs."""
    difference = pd.Series(first_loss - second_loss).groupby(patient).mean().to_numpy()
    if not np.any(difference):
        return None
    return float(stats.wilcoxon(difference, alternative="less").pvalue)


def rank_correlation(first: Array, second: Array) -> float | None:
    """Spearman's rank correlation of two scores; nothing where one is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(stats.spearmanr(first, second).statistic)


def bootstrap_p(samples: Array) -> float | None:
    """Two-sided p of no difference: twice the smaller share of resamples on either side of 0, counting the estimate itself."""
    known = samples[np.isfinite(samples)]
    if not len(known):
        return None
    side = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return float(min(1.0, 2 * (side + 1) / (len(known) + 1)))


def false_discovery(p: list[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's q of each p; nothing where there is none, which counts as no test."""
    known = [value for value in p if value is not None]
    q = iter(stats.false_discovery_control(known) if known else [])
    return [None if value is None else float(next(q)) for value in p]
