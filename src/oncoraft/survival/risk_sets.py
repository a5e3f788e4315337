"""Non-parametric survival under delayed entry: a subject is at risk at t when entry < t <= exit.

Kaplan–Meier with log-log intervals, and the log-rank test with hypergeometric variance, stratified where strata are given.
References: Kalbfleisch and Prentice (2002), sections 1.3 and 1.4; the intervals are those of R survival's conf.type="log-log".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

Array = np.ndarray


@dataclass(frozen=True)
class Subjects:
    """Follow-up of n subjects: entry and exit (same unit, 0 <= entry < exit) and whether the event happened at exit."""

    entry: Array
    exit: Array
    event: Array

    def __post_init__(self) -> None:
        if np.any(self.entry >= self.exit) or np.any(self.entry < 0):
            raise ValueError("expected 0 <= entry < exit of every subject")

    def where(self, mask: Array) -> Subjects:
        """Some of the subjects."""
        return Subjects(self.entry[mask], self.exit[mask], self.event[mask])

    def without_delayed_entry(self) -> Subjects:
        """As if everyone had been under observation from the start: the naive analysis, for comparison."""
        return Subjects(np.zeros_like(self.entry), self.exit, self.event)


def at_risk(subjects: Subjects, times: Array) -> Array:
    """Number at risk at each time: entry < t <= exit; at time 0, those who entered at 0."""
    entered = np.searchsorted(np.sort(subjects.entry), times, side="left")
    left = np.searchsorted(np.sort(subjects.exit), times, side="left")
    counts = entered - left
    return np.where(times <= 0, np.sum(subjects.entry <= 0), counts)


@dataclass(frozen=True)
class Curve:
    """A Kaplan–Meier curve at its event times: survival, interval, number at risk and events."""

    times: Array
    survival: Array
    lower: Array
    upper: Array
    at_risk: Array
    events: Array

    def at(self, time: float) -> float:
        """Survival at a time."""
        place = int(np.searchsorted(self.times, time, side="right"))
        return 1.0 if place == 0 else float(self.survival[place - 1])

    def median(self) -> float | None:
        """First time at which survival is one half or less; None where it is never reached."""
        reached = np.flatnonzero(self.survival <= 0.5 + 1e-12)
        return float(self.times[reached[0]]) if len(reached) else None


def kaplan_meier(subjects: Subjects, smallest_risk_set: int = 1, confidence: float = 0.95) -> Curve:
    """Product-limit estimate with delayed entry.

    Args:
        subjects: follow-up.
        smallest_risk_set: events before the risk set first reaches this size are left out: with few early entrants one
            death would end the curve. Survival is then conditional on reaching that time.
        confidence: level of the log-log interval.
    """
    times, events = np.unique(subjects.exit[subjects.event], return_counts=True)
    risk = at_risk(subjects, times)
    enough = np.flatnonzero(risk >= smallest_risk_set)
    first = enough[0] if len(enough) else len(times)
    times, events, risk = times[first:], events[first:], risk[first:]
    survival = np.cumprod(1 - events / risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(events / (risk * (risk - events)))
        width = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(greenwood) / np.abs(np.log(survival))
        lower, upper = survival ** np.exp(width), survival ** np.exp(-width)
    flat = (survival <= 0) | (survival >= 1) | ~np.isfinite(width)
    return Curve(times, survival, np.where(flat, np.nan, lower), np.where(flat, np.nan, upper), risk, events)


def log_rank(subjects: Subjects, group: Array, strata: Array | None = None) -> tuple[float, float]:
    """Two-group log-rank test: chi-squared with one degree of freedom and its p; strata add up.

    Args:
        subjects: follow-up.
        group: boolean, True for the group whose excess of events is measured.
        strata: one label a subject; None for one stratum.
    """
    excess = variance = 0.0
    labels = np.zeros(len(group), dtype=int) if strata is None else strata
    for stratum in np.unique(labels):
        inside = labels == stratum
        part, mine = subjects.where(inside), group[inside]
        times, deaths = np.unique(part.exit[part.event], return_counts=True)
        risk, risk_mine = at_risk(part, times), at_risk(part.where(mine), times)
        own = part.exit[part.event & mine]
        deaths_mine = np.searchsorted(np.sort(own), times, side="right") - np.searchsorted(np.sort(own), times, side="left")
        share = risk_mine / risk
        excess += float(np.sum(deaths_mine - deaths * share))
        several = risk > 1
        spread = deaths * share * (1 - share) * (risk - deaths) / np.maximum(risk - 1, 1)
        variance += float(np.sum(spread[several]))
    if variance <= 0:
        return float("nan"), float("nan")
    chi2 = excess**2 / variance
    return chi2, float(stats.chi2.sf(chi2, 1))


def false_discovery(p_values: Array) -> Array:
    """Benjamini–Hochberg q of each p (1995), the step-up minimum taken from the largest down."""
    n = len(p_values)
    order = np.argsort(p_values)[::-1]
    q = np.empty(n)
    q[order] = np.minimum.accumulate(p_values[order] * n / np.arange(n, 0, -1))
    return np.minimum(q, 1.0)
