"""Kaplan–Meier under delayed entry, with log-log intervals as in R survival's conf.type="log-log".

Reference: Kalbfleisch and Prentice (2002), section 1.4. A curve may begin late, where enough are under observation: survival is then
conditional on reaching its start; and it ends where too few are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoraft.survival.risk_sets import FROM_THE_START, TOLERANCE, Array, Subjects, at_risk
from oncoraft.survival.tails import quantile_of

ONE_HALF = 0.5


@dataclass(frozen=True)
class Curve:
    """A Kaplan–Meier curve at its event times within (start, end]: survival, interval, variance of its logarithm, risk sets, events."""

    times: Array
    survival: Array
    lower: Array
    upper: Array
    greenwood: Array
    at_risk: Array
    events: Array
    start: float
    end: float

    def at(self, time: float) -> float:
        """Survival at a time; nan outside the curve."""
        return self.estimate(time)[0]

    def estimate(self, time: float) -> tuple[float, float, float, float]:
        """Survival at a time, its interval and its standard error; nan outside the curve."""
        if not self.start <= time <= self.end:
            return (float("nan"),) * 4
        # A curve steps down at its event times: its value there is the one after the event.
        place = int(np.searchsorted(self.times, time, side="right")) - 1
        if place < 0:
            return 1.0, 1.0, 1.0, 0.0
        survival = float(self.survival[place])
        error = survival * float(np.sqrt(self.greenwood[place])) if survival > 0 else 0.0
        return survival, float(self.lower[place]), float(self.upper[place]), error

    def median(self) -> float | None:
        """Time at which survival falls to one half; None where it is not reached.

        Where it stays at exactly one half between two events, the middle of these, as in R.
        """
        return _reaches_half(self.times, self.survival)

    def median_interval(self) -> tuple[float | None, float | None]:
        """Where the limits of the curve's interval fall to one half; None where they do not."""
        return _reaches_half(self.times, self.lower), _reaches_half(self.times, self.upper)


def _reaches_half(times: Array, values: Array) -> float | None:
    reached = np.flatnonzero(values < ONE_HALF + TOLERANCE)
    if not len(reached):
        return None
    first = reached[0]
    below = np.flatnonzero(values < values[first])
    if abs(values[first] - ONE_HALF) < TOLERANCE and len(below):
        return float(times[first] + times[below[0]]) / 2
    return float(times[first])


def kaplan_meier(subjects: Subjects, window: tuple[float, float] = FROM_THE_START, confidence: float = 0.95) -> Curve:
    """Product-limit estimate with delayed entry.

    Args:
        subjects: follow-up.
        window: events within (start, end] make the curve (`risk_sets.observed_window`).
        confidence: level of the log-log interval.
    """
    start, end = window
    times, events = np.unique(subjects.exit[subjects.event], return_counts=True)
    inside = (times > start) & (times <= end)
    times, events = times[inside], events[inside]
    risk = at_risk(subjects, times)
    survival = np.cumprod(1 - events / risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(events / (risk * (risk - events)))
        width = quantile_of(confidence) * np.sqrt(greenwood) / np.abs(np.log(survival))
        lower, upper = survival ** np.exp(width), survival ** np.exp(-width)
    # log(-log S) has no value at 0 and 1.
    flat = (survival <= 0) | (survival >= 1) | ~np.isfinite(width)
    return Curve(times, survival, np.where(flat, np.nan, lower), np.where(flat, np.nan, upper), greenwood, risk, events, start, end)


def cumulative_incidence(subjects: Subjects, is_cause: Array) -> tuple[Array, Array]:
    """Share that has died of one cause by each time of a death, those of other causes being gone for good (Aalen and Johansen 1978).

    One less the Kaplan–Meier curve of the cause alone would count who died of another as if they could still die of this one.

    Args:
        subjects: follow-up, with an event for every cause.
        is_cause: (n,), whether a subject's event is of the cause.

    Returns:
        Times of deaths of any cause, and the share at each.
    """
    curve = kaplan_meier(subjects)
    own = np.sort(subjects.exit[subjects.event & np.asarray(is_cause, dtype=bool)])
    deaths = np.searchsorted(own, curve.times, "right") - np.searchsorted(own, curve.times, "left")
    before = np.concatenate([[1.0], curve.survival[:-1]]) if len(curve.times) else curve.survival
    found: Array = np.cumsum(before * deaths / curve.at_risk)
    return curve.times, found


def median_follow_up(subjects: Subjects, start: float = 0.0) -> float | None:
    """Median time under observation, deaths counted as ends of observation that hide it (reverse Kaplan–Meier, Schemper and Smith 1996).

    Args:
        subjects: follow-up.
        start: the curve is that of who is under observation then; under delayed entry one who is lost while alone at risk would end it.
    """
    return kaplan_meier(Subjects(subjects.entry, subjects.exit, ~subjects.event), (start, np.inf)).median()
