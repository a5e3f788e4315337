"""Restricted mean survival time: what a group lives on average within a horizon, and the difference of two groups.

The area under the Kaplan–Meier curve up to the horizon, with the Greenwood-type variance of Klein and Moeschberger (2003, section
4.5), which holds under delayed entry with the risk sets of delayed entry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from oncoraft.survival.risk_sets import Array, Curve, Subjects, at_risk, kaplan_meier


def restricted_mean(curve: Curve, horizon: float) -> tuple[float, float]:
    """Area under a curve from 0 to the horizon and its standard error, in the curve's unit of time."""
    inside = curve.times <= horizon
    times = curve.times[inside]
    survival = np.concatenate([[1.0], curve.survival[inside]])
    areas = survival * np.diff(np.concatenate([[0.0], times, [horizon]]))
    after = np.cumsum(areas[::-1])[::-1][1:]
    risk, deaths = curve.at_risk[inside].astype(float), curve.events[inside]
    # Where all at risk die no area follows, so that the term is zero.
    safe = np.where(risk > deaths, risk * (risk - deaths), 1.0)
    variance = np.sum(np.where(risk > deaths, after**2 * deaths / safe, 0.0))
    return float(areas.sum()), float(np.sqrt(variance))


@dataclass(frozen=True)
class Difference:
    """Restricted mean of the first group less that of the second, with its normal interval and p."""

    estimate: float
    standard_error: float
    confidence: float = 0.95

    @property
    def interval(self) -> tuple[float, float]:
        """Normal interval of the difference."""
        width = stats.norm.ppf(0.5 + self.confidence / 2) * self.standard_error
        return self.estimate - width, self.estimate + width

    @property
    def p(self) -> float:
        """Two-sided p."""
        return float(2 * stats.norm.sf(abs(self.estimate / self.standard_error)))


def restricted_mean_difference(
    subjects: Subjects, first: Array, horizon: float, smallest_risk_set: int = 1, confidence: float = 0.95
) -> Difference | None:
    """Difference of restricted means, first group less the others; None where a group is not followed as far as the horizon.

    Args:
        subjects: follow-up.
        first: boolean, True for the first group.
        horizon: in the unit of the follow-up.
        smallest_risk_set: both groups must have as many at risk at the horizon; events before a risk set of this size are left out.
        confidence: level of the interval.
    """
    found = []
    for mask in (first, ~first):
        part = subjects.where(mask)
        if at_risk(part, np.array([horizon]))[0] < smallest_risk_set:
            return None
        found.append(restricted_mean(kaplan_meier(part, smallest_risk_set), horizon))
    (one, its_error), (other, other_error) = found
    spread = float(np.hypot(its_error, other_error))
    return Difference(one - other, spread, confidence) if spread > 0 else None
