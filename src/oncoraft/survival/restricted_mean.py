"""Restricted mean survival time: what a group lives on average within a horizon, and the difference of two groups.

The area under the Kaplan–Meier curve up to the horizon, with the Greenwood-type variance of Klein and Moeschberger (2003, section
4.5), which holds under delayed entry with the risk sets of delayed entry. Two groups are compared from one common start, at which
both are under observation: a curve that counts as 1 before its group is observed would add time that nobody was seen to live.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoraft.survival.curves import Curve, kaplan_meier
from oncoraft.survival.risk_sets import Array, Subjects, observed_window
from oncoraft.survival.tails import quantile_of, two_sided


def restricted_mean(curve: Curve, horizon: float) -> tuple[float, float]:
    """Area under a curve from its start to the horizon and its standard error, in the curve's unit of time."""
    inside = curve.times <= horizon
    times = curve.times[inside]
    survival = np.concatenate([[1.0], curve.survival[inside]])
    areas = survival * np.diff(np.concatenate([[curve.start], times, [horizon]]))
    after = np.cumsum(areas[::-1])[::-1][1:]
    risk, deaths = curve.at_risk[inside].astype(float), curve.events[inside]
    # Where all at risk die no area follows, so that the term is zero.
    safe = np.where(risk > deaths, risk * (risk - deaths), 1.0)
    variance = np.sum(np.where(risk > deaths, after**2 * deaths / safe, 0.0))
    return float(areas.sum()), float(np.sqrt(variance))


@dataclass(frozen=True)
class Difference:
    """Restricted mean of the first group less that of the second, both from `start`, with its normal interval and p."""

    estimate: float
    standard_error: float
    start: float = 0.0
    confidence: float = 0.95

    @property
    def interval(self) -> tuple[float, float]:
        """Normal interval of the difference."""
        width = quantile_of(self.confidence) * self.standard_error
        return self.estimate - width, self.estimate + width

    @property
    def p(self) -> float:
        """Two-sided p."""
        return two_sided(self.estimate / self.standard_error)


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
    (one, its_error), (other, other_error) = (restricted_mean(kaplan_meier(group, window), horizon) for group in groups)
    spread = float(np.hypot(its_error, other_error))
    return Difference(one - other, spread, window[0], confidence) if spread > 0 else None
