"""Follow-up under delayed entry, where a subject is at risk at t when entry < t <= exit, and the log-rank test on it.

The test has the hypergeometric variance and is stratified where strata are given (Kalbfleisch and Prentice 2002, section 1.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from oncoraft.survival.tails import chi_squared

Array = np.ndarray
FROM_THE_START = (0.0, np.inf)
TOLERANCE = 1.5e-8  # R's: the square root of the spacing of doubles


@dataclass(frozen=True)
class Subjects:
    """Follow-up of n subjects: entry and exit (same unit, 0 <= entry < exit) and whether the event happened at exit.

    Args:
        entry, exit: numbers, none missing.
        event: booleans, or 0 and 1.

    Raises:
        ValueError: lengths differ, a time is missing or out of order, or an event is neither 0 nor 1.
    """

    entry: Array
    exit: Array
    event: Array
    timelines: dict[bytes, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # of `timeline.timeline_of`

    def __post_init__(self) -> None:
        event = np.asarray(self.event)
        if event.dtype != bool and not np.isin(event, (0, 1)).all():
            raise ValueError("expected every event as true or false")
        # A 0/1 integer would index where a mask is meant.
        object.__setattr__(self, "event", event.astype(bool))
        for name in ("entry", "exit"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float))
        if not len(self.entry) == len(self.exit) == len(self.event):
            raise ValueError("expected one entry, exit and event of every subject")
        # Written so that a missing time, which compares false to everything, fails too.
        if not np.all((self.entry < self.exit) & (self.entry >= 0) & (self.exit < np.inf)):
            raise ValueError("expected 0 <= entry < exit of every subject")
        self._tie()

    def _tie(self) -> None:
        """Make equal the times that differ by rounding alone, as R does (aeqSurv): 0.1 + 0.2 is the moment 0.3.

        Raises:
            ValueError: an entry that is its exit but for rounding.
        """
        times = np.concatenate([self.entry, self.exit])
        if np.all(times == np.floor(times)):
            return
        known = np.unique(times)
        gaps = np.diff(known)
        starts = known[np.concatenate([[True], (gaps > TOLERANCE) & (gaps > TOLERANCE * np.abs(known).mean())])]
        if len(starts) == len(known):
            return
        entry, leave = starts[np.searchsorted(starts, times, "right") - 1].reshape(2, -1)
        if not np.all(entry < leave):
            raise ValueError("expected entry < exit of every subject by more than rounding")
        object.__setattr__(self, "entry", entry)
        object.__setattr__(self, "exit", leave)

    @classmethod
    def _proven(cls, entry: Array, leave: Array, event: Array) -> Subjects:
        """Subjects of arrays that come of others and so need no further proof."""
        made = object.__new__(cls)
        for name, values in (("entry", entry), ("exit", leave), ("event", event), ("timelines", {})):
            object.__setattr__(made, name, values)
        return made

    def __len__(self) -> int:
        return len(self.exit)

    def where(self, mask: Array) -> Subjects:
        """Some of the subjects."""
        return self._proven(self.entry[mask], self.exit[mask], self.event[mask])

    def without_delayed_entry(self) -> Subjects:
        """As if everyone had been under observation from the start: the naive analysis, for comparison."""
        return self._proven(np.zeros_like(self.entry), self.exit, self.event)

    def between(self, start: float, end: float) -> tuple[Subjects, Array]:
        """Follow-up within (start, end], and which subjects have any."""
        inside = (self.exit > start) & (self.entry < end)
        cut = self.where(inside)
        return Subjects(np.maximum(cut.entry, start), np.minimum(cut.exit, end), cut.event & (cut.exit <= end)), inside


def stratum_codes(strata: Array | None, subjects: int) -> Array:
    """A number from 0 a stratum: labels that are such numbers already are not sorted again."""
    if strata is None:
        return np.zeros(subjects, dtype=int)
    labels = np.asarray(strata)
    if labels.dtype.kind in "iu" and len(labels) and labels.min() >= 0 and labels.max() < len(labels):
        return labels
    codes: Array = np.unique(labels, return_inverse=True)[1]
    return codes


LARGEST_DAY = 100_000  # whole days up to here are looked up in a table


def places_among(days: Array, times: Array) -> Array:
    """How many of the rising `days` are not later than each of `times` (0 or more), in the shape of `times`."""
    last = int(days[-1]) if len(days) else 0
    if last >= LARGEST_DAY or (days != np.floor(days)).any():
        return np.searchsorted(days, times, "right")
    # A search of unsorted times takes twenty times as long as a table of whole days.
    table = np.cumsum(np.bincount(days.astype(int), minlength=last + 1))
    found: Array = table[np.minimum(times, last).astype(int)]
    return found


def at_risk(subjects: Subjects, times: Array) -> Array:
    """Number at risk at each time: entry < t <= exit; at time 0, those who entered at 0."""
    # Who enters at t is not yet at risk at t, and who leaves at t still is, as in R.
    entered = np.searchsorted(np.sort(subjects.entry), times, side="left")
    left = np.searchsorted(np.sort(subjects.exit), times, side="left")
    counts = entered - left
    return np.where(times <= 0, np.sum(subjects.entry <= 0), counts)


def observed_window(groups: Sequence[Subjects], smallest: int) -> tuple[float, float] | None:
    """The time span (start, end] in which every group has as many at risk; of several spans, the one with most events.

    With few early entrants one death would end a curve, and groups that come under observation at different times
    cannot be compared before both are.

    Args:
        groups: follow-up of each group.
        smallest: at risk, in each group.
    """
    grid = np.unique(np.concatenate([[0.0], *(times for one in groups for times in (one.entry, one.exit))]))
    just_after = [np.searchsorted(np.sort(one.entry), grid, "right") - np.searchsorted(np.sort(one.exit), grid, "right") for one in groups]
    enough = np.concatenate([[False], np.min(just_after, axis=0) >= smallest, [False]]).astype(int)
    starts, ends = np.flatnonzero(np.diff(enough) == 1), np.flatnonzero(np.diff(enough) == -1)
    if not len(starts):
        return None
    deaths = np.sort(np.concatenate([one.exit[one.event] for one in groups]))
    spans = [(float(grid[start]), float(grid[end])) for start, end in zip(starts, ends)]
    counts = [np.searchsorted(deaths, end, "right") - np.searchsorted(deaths, start, "right") for start, end in spans]
    return spans[int(np.argmax(counts))]


def log_rank(subjects: Subjects, group: Array, strata: Array | None = None) -> tuple[float, float]:
    """Two-group log-rank test: chi-squared with one degree of freedom and its p; strata add up.

    Args:
        subjects: follow-up.
        group: boolean, True for the group whose excess of events is measured.
        strata: one label a subject; None for one stratum.
    """
    excess = variance = 0.0
    group = np.asarray(group, dtype=bool)
    labels = stratum_codes(strata, len(group))  # a missing label is one too, where it would equal nothing
    for stratum in np.unique(labels):
        inside = labels == stratum
        part, mine = subjects.where(inside), group[inside]
        times, deaths = np.unique(part.exit[part.event], return_counts=True)
        risk, risk_mine = at_risk(part, times), at_risk(part.where(mine), times)
        own = part.exit[part.event & mine]
        deaths_mine = np.searchsorted(np.sort(own), times, side="right") - np.searchsorted(np.sort(own), times, side="left")
        share = risk_mine / risk
        excess += float(np.sum(deaths_mine - deaths * share))
        # One alone at risk adds no variance; the formula would divide 0 by 0.
        several = risk > 1
        spread = deaths * share * (1 - share) * (risk - deaths) / np.maximum(risk - 1, 1)
        variance += float(np.sum(spread[several]))
    if variance <= 0:
        return float("nan"), float("nan")
    chi2 = excess**2 / variance
    return chi2, chi_squared(chi2)


class GroupsTest(NamedTuple):
    """Log-rank test that several groups are alike, and the test of a trend over their order; nan where there is none."""

    chi2: float
    degrees: int
    p: float
    trend_chi2: float
    trend_p: float


def log_rank_of_groups(subjects: Subjects, group: Array, strata: Array | None = None) -> GroupsTest:
    """Log-rank test of k groups under delayed entry, and its trend (Kalbfleisch and Prentice 2002, section 1.4; Tarone 1975).

    Args:
        subjects: follow-up.
        group: 0 to k - 1, in the order that a trend would have.
        strata: one label a subject; None for one stratum.
    """
    codes = np.asarray(group, dtype=int)
    several = int(codes.max(initial=0)) + 1
    excess, variance = np.zeros(several), np.zeros((several, several))
    labels = stratum_codes(strata, len(codes))
    for stratum in np.unique(labels):
        inside = labels == stratum
        part, mine = subjects.where(inside), codes[inside]
        times, deaths = np.unique(part.exit[part.event], return_counts=True)
        risk = np.array([at_risk(part.where(mine == one), times) for one in range(several)], dtype=float).reshape(several, -1)
        total = risk.sum(axis=0)
        excess += np.bincount(mine[part.event], minlength=several) - (risk * deaths / total).sum(axis=1)
        spread = np.where(total > 1, deaths * (total - deaths) / np.maximum(total - 1, 1), 0.0)
        share = risk / total
        variance += np.diag((spread * share).sum(axis=1)) - (spread * share) @ share.T
    degrees = int(np.linalg.matrix_rank(variance, hermitian=True)) if variance.any() else 0
    if degrees == 0:
        return GroupsTest(*(float("nan"), 0, float("nan"), float("nan"), float("nan")))
    chi2 = float(excess @ np.linalg.pinv(variance, hermitian=True) @ excess)
    order = np.arange(several)
    along = float(order @ variance @ order)
    trend = float(order @ excess) ** 2 / along if along > 0 else float("nan")
    return GroupsTest(chi2, degrees, chi_squared(chi2, degrees), trend, chi_squared(trend))


def false_discovery(p_values: Array) -> Array:
    """Benjamini–Hochberg q of each p (1995), the step-up minimum taken from the largest down; a missing p is not of the family."""
    p_values = np.asarray(p_values, dtype=float)
    q, known = np.full(len(p_values), np.nan), np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known])[::-1]]
    q[order] = np.minimum(np.minimum.accumulate(p_values[order] * len(known) / np.arange(len(known), 0, -1)), 1.0)
    return q
