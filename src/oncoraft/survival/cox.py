"""Cox regression of one covariate by Newton's method, with delayed entry, strata and Efron's correction for ties.

Counts at unique event times stand in for risk sets, so one fit is a few vector operations. Checked against R's coxph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from oncoraft.survival.risk_sets import Array, Subjects, kaplan_meier


@dataclass(frozen=True)
class HazardRatio:
    """Hazard ratio of a unit of the covariate with its Wald interval and p."""

    coefficient: float
    standard_error: float
    confidence: float = 0.95

    @property
    def ratio(self) -> float:
        """The hazard ratio."""
        return float(np.exp(self.coefficient))

    @property
    def interval(self) -> tuple[float, float]:
        """Wald interval of the hazard ratio."""
        width = stats.norm.ppf(0.5 + self.confidence / 2) * self.standard_error
        return float(np.exp(self.coefficient - width)), float(np.exp(self.coefficient + width))

    @property
    def p(self) -> float:
        """Two-sided Wald p."""
        return float(2 * stats.norm.sf(abs(self.coefficient / self.standard_error)))


def _deaths(beta: float, subjects: Subjects, x: Array) -> tuple[Array, Array, Array]:
    """Of each death of one stratum, in the order of time: its time, and mean and variance of the covariate in its risk set."""
    times, place = np.unique(subjects.exit[subjects.event], return_inverse=True)
    weight = np.exp(beta * x)
    by_entry, by_exit = np.argsort(subjects.entry, kind="stable"), np.argsort(subjects.exit, kind="stable")
    entered = np.searchsorted(subjects.entry[by_entry], times, side="left")
    left = np.searchsorted(subjects.exit[by_exit], times, side="left")

    def risk_sum(values: Array) -> Array:
        in_order = np.concatenate([[0.0], np.cumsum(values[by_entry])])
        out_order = np.concatenate([[0.0], np.cumsum(values[by_exit])])
        return in_order[entered] - out_order[left]

    sums = [risk_sum(weight * x**power) for power in range(3)]
    died = subjects.event
    tied = [np.bincount(place, weight[died] * x[died] ** power, len(times)) for power in range(3)]
    deaths = np.bincount(place, minlength=len(times))
    # Efron: the j-th of d tied deaths sees the risk set less j/d of the tied ones.
    repeat = np.repeat(np.arange(len(times)), deaths)
    within = np.arange(len(repeat)) - np.repeat(np.concatenate([[0], np.cumsum(deaths)[:-1]]), deaths)
    part = within / deaths[repeat]
    s0, s1, s2 = (total[repeat] - part * own[repeat] for total, own in zip(sums, tied))
    mean = s1 / s0
    return times[repeat], mean, s2 / s0 - mean**2


def _derivatives(beta: float, subjects: Subjects, x: Array) -> tuple[float, float]:
    """Score and information of one stratum at beta."""
    _, mean, variance = _deaths(beta, subjects, x)
    return float(np.sum(x[subjects.event]) - np.sum(mean)), float(np.sum(variance))


def _strata(subjects: Subjects, x: Array, strata: Array | None) -> list[tuple[Subjects, Array]]:
    """Follow-up and covariate of each stratum with an event."""
    values = np.asarray(x, dtype=float)
    labels = np.zeros(len(values), dtype=int) if strata is None else strata
    parts = [(subjects.where(labels == stratum), values[labels == stratum]) for stratum in np.unique(labels)]
    return [(part, own) for part, own in parts if part.event.any()]


def cox(subjects: Subjects, x: Array, strata: Array | None = None, confidence: float = 0.95) -> HazardRatio | None:
    """Hazard ratio of one covariate; None where it cannot be estimated (no event, no spread, or separation).

    Args:
        subjects: follow-up.
        x: covariate, or group as 0 and 1.
        strata: each stratum has a baseline hazard of its own.
        confidence: level of the Wald interval.
    """
    parts = _strata(subjects, x, strata)
    beta = 0.0
    for _ in range(50):
        pieces = np.array([_derivatives(beta, part, own) for part, own in parts]).reshape(-1, 2)
        gradient, information = pieces.sum(axis=0)
        if not np.isfinite(information) or information <= 1e-10:
            return None
        step = float(np.clip(gradient / information, -2, 2))
        beta += step
        if abs(beta) > 15:
            return None
        if abs(step) < 1e-10:
            return HazardRatio(beta, float(information**-0.5), confidence)
    return None


def proportional_hazards(subjects: Subjects, x: Array, strata: Array | None = None) -> tuple[float, float] | None:
    """Score test that the covariate's effect does not change with the Kaplan–Meier scale of time: chi-squared (1 df) and p.

    The test of Grambsch and Therneau (1994) in the exact form that R's cox.zph has used since survival 3.0: the covariate times
    1 - S(t-) is added to the model and its coefficient tested at zero. None where the model has no estimate.
    """
    found = cox(subjects, x, strata)
    if found is None:
        return None
    curve = kaplan_meier(subjects)
    before = np.concatenate([[1.0], curve.survival[:-1]])
    excess = information = cross = squared = 0.0
    for part, own in _strata(subjects, x, strata):
        times, mean, variance = _deaths(found.coefficient, part, own)
        scale = 1 - before[np.searchsorted(curve.times, times)]
        order = np.argsort(part.exit[part.event], kind="stable")
        excess += float(np.sum(scale * (own[part.event][order] - mean)))
        information += float(np.sum(variance))
        cross += float(np.sum(scale * variance))
        squared += float(np.sum(scale**2 * variance))
    spread = squared - cross**2 / information
    if spread <= 1e-12:
        return None
    chi2 = excess**2 / spread
    return chi2, float(stats.chi2.sf(chi2, 1))
