"""Restricted mean survival time: what a group lives on average within a horizon, and the difference of two groups.

The area under the Kaplan–Meier curve up to the horizon, with the Greenwood-type variance of Klein and Moeschberger (2003, section
4.5), which holds under delayed entry with the risk sets of delayed entry. There the first deaths fall into small risk sets, and few of them
carry most of the variance: it is itself uncertain, and a normal test would reject too often (6 % at 5 % in `benchmarks/null_regimens.py`).
So under delayed entry the difference is held against Student's t with Satterthwaite's (1946) degrees of freedom. Two groups are compared from one common start, at which
both are under observation: a curve that counts as 1 before its group is observed would add time that nobody was seen to live.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from oncoraft.survival.curves import Curve, kaplan_meier
from oncoraft.survival.risk_sets import Array, Subjects, observed_window
from oncoraft.survival.tails import quantile_of, two_sided


def restricted_mean(curve: Curve, horizon: float) -> tuple[float, float]:
    """Area under a curve from its start to the horizon and its standard error, in the curve's unit of time."""
    area, terms, _ = _area(curve, horizon)
    return area, float(np.sqrt(terms.sum()))


def _area(curve: Curve, horizon: float) -> tuple[float, Array, Array]:
    """Area under a curve, and of each time of a death its share of the variance and the number of deaths."""
    inside = curve.times <= horizon
    times = curve.times[inside]
    survival = np.concatenate([[1.0], curve.survival[inside]])
    areas = survival * np.diff(np.concatenate([[curve.start], times, [horizon]]))
    after = np.cumsum(areas[::-1])[::-1][1:]
    risk, deaths = curve.at_risk[inside].astype(float), curve.events[inside]
    # Where all at risk die no area follows, so that the term is zero.
    safe = np.where(risk > deaths, risk * (risk - deaths), 1.0)
    return float(areas.sum()), np.where(risk > deaths, after**2 * deaths / safe, 0.0), deaths.astype(float)


@dataclass(frozen=True)
class Difference:
    """Restricted mean of the first group less that of the second, both from `start`, with its interval and p.

    `degrees_of_freedom` of Student's t; infinite for the normal distribution.
    """

    estimate: float
    standard_error: float
    start: float = 0.0
    confidence: float = 0.95
    degrees_of_freedom: float = math.inf

    @property
    def interval(self) -> tuple[float, float]:
        """Interval of the difference."""
        is_normal = math.isinf(self.degrees_of_freedom)
        quantile = quantile_of(self.confidence) if is_normal else float(stdtrit(self.degrees_of_freedom, 0.5 + self.confidence / 2))
        width = quantile * self.standard_error
        return self.estimate - width, self.estimate + width

    @property
    def p(self) -> float:
        """Two-sided p."""
        z = self.estimate / self.standard_error
        return two_sided(z) if math.isinf(self.degrees_of_freedom) else float(2 * stdtr(self.degrees_of_freedom, -abs(z)))


def restricted_mean_difference(
    subjects: Subjects, first: Array, horizon: float, smallest_risk_set: int = 1, confidence: float = 0.95
) -> Difference | None:
    """Difference of restricted means, first group less the others; None where a group is not followed as far as the horizon.

    Args:
        subjects: follow-up.
        first: boolean, True for the first group.
        horizon: in the unit of the follow-up.
        smallest_risk_set: both means begin where both groups have as many at risk, and both must have as many until the horizon.
        confidence: level of the interval.
    """
    first = np.asarray(first, dtype=bool)
    groups = [subjects.where(first), subjects.where(~first)]
    window = observed_window(groups, smallest_risk_set)
    if window is None or not window[0] < horizon <= window[1]:
        return None
    (one, its_terms, its_deaths), (other, other_terms, other_deaths) = (_area(kaplan_meier(group, window), horizon) for group in groups)
    spread = float(np.hypot(*(np.sqrt(terms.sum()) for terms in (its_terms, other_terms))))
    if not spread > 0:
        return None
    is_delayed = bool((subjects.entry > window[0]).any())
    freedom = _freedom(np.concatenate([its_terms, other_terms]), np.concatenate([its_deaths, other_deaths])) if is_delayed else math.inf
    return Difference(one - other, spread, window[0], confidence, freedom)


def _freedom(terms: Array, deaths: Array) -> float:
    """Satterthwaite's degrees of freedom of a sum of terms, each as uncertain as a Poisson count of its deaths."""
    known = terms > 0
    return float(2 * terms.sum() ** 2 / (terms[known] ** 2 / deaths[known]).sum())
