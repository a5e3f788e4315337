"""Concordance under delayed entry: of two subjects that can be compared, how often the one with the higher risk dies first.

A pair can be compared where one is seen to die while the other is at risk: entry < t, and still under observation at t. That is the
rule of R's concordance(Surv(entry, exit, event) ~ x). The standard error is that of the infinitesimal jackknife, by subject or by cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from oncoraft.survival.risk_sets import Array, Subjects, stratum_codes
from oncoraft.survival.tails import quantile_of

ROWS_AT_ONCE = 512


class Concordance(NamedTuple):
    """Share of the comparable pairs that are concordant, ties of the risk counting half, and its standard error."""

    estimate: float
    standard_error: float
    pairs: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Normal interval, within [0, 1]."""
        width = quantile_of(confidence) * self.standard_error
        return max(0.0, self.estimate - width), min(1.0, self.estimate + width)


def pairs_of(subjects: Subjects, risk: Array) -> Iterator[tuple[Array, Array, Array]]:
    """Of some of the deaths at a time: which subjects they are, whom each can be compared with, and how far the risk agrees (0, a half, 1)."""
    deaths = np.flatnonzero(subjects.event)
    for start in range(0, len(deaths), ROWS_AT_ONCE):
        mine = deaths[start : start + ROWS_AT_ONCE]
        time = subjects.exit[mine, None]
        # Who is censored at the very time of a death has outlived it, as in R; two who die together are not compared.
        usable = (subjects.entry < time) & ((subjects.exit > time) | ((subjects.exit == time) & ~subjects.event))
        yield mine, usable, usable * ((risk[mine, None] > risk) + 0.5 * (risk[mine, None] == risk))


def _pairs(subjects: Subjects, risk: Array, weights: Array) -> tuple[Array, Array]:
    """Of each subject the number of comparable pairs that it stands in, and of concordant ones, each with the weight of its death."""
    comparable, concordant = np.zeros(len(risk)), np.zeros(len(risk))
    for mine, usable, better in pairs_of(subjects, risk):
        for total, part in ((comparable, usable), (concordant, better)):
            total[mine] += weights[mine] * part.sum(axis=1)
            total += weights[mine] @ part
    return comparable, concordant


def uno_weights(subjects: Subjects) -> Array:
    """One over the square of the chance to be still uncensored just before each exit (Uno et al. 2011), so that censoring does not decide who is compared.

    Of right-censored data alone: under delayed entry there is no such chance of the whole cohort. Deaths leave before the censored of the same time.

    Raises:
        ValueError: somebody enters late.
    """
    if (subjects.entry > 0).any():
        raise ValueError("expected everybody under observation from the start")
    times = np.unique(subjects.exit[~subjects.event])
    at_risk = len(subjects) - np.searchsorted(np.sort(subjects.exit), times, "left") - _count(subjects.exit[subjects.event], times)
    left = np.cumprod(1 - _count(subjects.exit[~subjects.event], times) / at_risk)
    before = np.concatenate([[1.0], left])[np.searchsorted(times, subjects.exit, "left")]
    found: Array = np.where(subjects.event, 1 / np.where(before > 0, before, 1.0) ** 2, 0.0)
    return found


def _count(times: Array, at: Array) -> Array:
    """How many times are each of `at`."""
    ordered = np.sort(times)
    found: Array = np.searchsorted(ordered, at, "right") - np.searchsorted(ordered, at, "left")
    return found


def concordance(
    subjects: Subjects, risk: Array, strata: Array | None = None, clusters: Array | None = None, weights: Array | None = None
) -> Concordance | None:
    """Concordance of a risk with the order of deaths; None where no pair can be compared.

    Args:
        subjects: follow-up.
        risk: higher means dying sooner.
        strata: pairs are compared within a stratum.
        clusters: subjects of one cluster, as cases of one patient, vary together; None: each by itself.
        weights: of the pairs of each death, as `uno_weights`, taken as known by the standard error; None: all alike.
    """
    labels = stratum_codes(strata, len(risk))
    weights = np.ones(len(risk)) if weights is None else weights
    comparable, concordant = np.zeros(len(risk)), np.zeros(len(risk))
    for stratum in np.unique(labels):
        inside = labels == stratum
        comparable[inside], concordant[inside] = _pairs(subjects.where(inside), np.asarray(risk)[inside], weights[inside])
    # Each pair was counted at both of its subjects.
    pairs = comparable.sum() / 2
    if not pairs:
        return None
    estimate = concordant.sum() / 2 / pairs
    influence = (concordant - estimate * comparable) / pairs
    if clusters is not None:
        influence = np.bincount(np.unique(clusters, return_inverse=True)[1], influence)
    return Concordance(float(estimate), float(np.sqrt(np.sum(influence**2))), float(pairs))
