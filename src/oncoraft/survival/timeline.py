"""Subjects in the order of stratum and time: who dies, who is tied, who is at risk. All that partial likelihoods of the same subjects and strata share.

A regimen's subjects enter a dozen Cox models that differ by covariates alone, and of few cases the risk sets take as long to make as the fit.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from oncoraft.survival.risk_sets import Array, Subjects, places_among, stratum_codes
from oncoraft.survival.risk_tree import risk_sets_of

MANY_TIED = 2000  # numbers


class Timeline:
    """Risk sets of n subjects and d deaths, with Efron's correction for ties.

    Args:
        subjects: follow-up.
        codes: the stratum of each, a number from 0.

    `order` has the subjects by stratum and time, and `deaths` those of them who die: numbers of rows as given. `died` are the deaths' places in the order.
    """

    def __init__(self, subjects: Subjects, codes: Array) -> None:
        n = len(subjects)
        # A place in the order of stratum and time, of which the days of death alone matter.
        days = np.unique(subjects.exit[subjects.event])
        enters, leaves = (codes * (len(days) + 1) + places_among(days, times) for times in (subjects.entry, subjects.exit))
        # Who are tied stand as given: a sort of numbers, several times faster than a stable one of places.
        self.order = np.sort(leaves * n + np.arange(n)) % max(n, 1)
        enters, leaves = enters[self.order], leaves[self.order]
        self.died = np.flatnonzero(subjects.event[self.order])
        self.deaths = self.order[self.died]
        moments = leaves[self.died]
        self._tie(moments)
        strata_held = int(codes.max(initial=0)) + 1
        passed = np.cumsum(np.bincount(moments, minlength=strata_held * (len(days) + 1)))
        bounds = np.concatenate([[0], passed[len(days) :: len(days) + 1]])
        sizes = np.bincount(codes, minlength=strata_held)
        self.at_risk = risk_sets_of(passed[enters], passed[leaves], sizes, bounds)

    def _tie(self, moments: Array) -> None:
        """Which deaths are tied: most moments have one, and of the others alone is anything added up or taken off.

        Args:
            moments: of each death, rising.
        """
        first = np.flatnonzero(np.concatenate([[True], moments[1:] != moments[:-1]])[: len(moments)])
        ties = np.diff(np.append(first, len(moments)))
        several = ties[ties > 1]
        self.tied_first = np.cumsum(several) - several
        self.tied_moment = np.repeat(np.arange(len(several)), several)
        place = np.arange(len(self.tied_moment)) - self.tied_first[self.tied_moment]
        self.tied = first[ties > 1][self.tied_moment] + place
        # Efron: the j-th of d tied deaths sees the risk set less j/d of the tied ones.
        self.ties = several[self.tied_moment][:, None]
        self.part = place[:, None] / self.ties

    @cached_property
    def _of_moment(self) -> csr_matrix:
        """Which of the tied deaths are of each moment."""
        rows = len(self.tied)
        return csr_matrix((np.ones(rows), np.arange(rows), np.append(self.tied_first, rows)))

    def _together(self, of_tied: Array) -> Array:
        """Of values of the tied deaths the sum over all of the same moment, for each of them."""
        # Of many numbers a sparse product adds several times faster than reduceat.
        sums = np.add.reduceat(of_tied, self.tied_first, axis=0) if of_tied.size < MANY_TIED else self._of_moment @ of_tied
        found: Array = np.take(sums, self.tied_moment, axis=0)
        return found

    def shared(self, of_deaths: Array) -> Array:
        """Values of deaths (d, m), of tied ones their mean."""
        if not len(self.tied):
            return of_deaths
        found = of_deaths.copy()
        found[self.tied] = self._together(of_deaths[self.tied]) / self.ties
        return found

    def at_deaths(self, values: Array) -> Array:
        """Efron's sums of values (n, m) over the risk set of each death, (d, m)."""
        found = self.at_risk.over_risk_sets(values)
        if len(self.tied):
            found[self.tied] -= self.part * self._together(np.take(values, self.died[self.tied], axis=0))
        return found

    def cumulative_hazard(self, hazard: Array) -> Array:
        """Of the hazard at each death, (d, m), what each subject has been under while at risk, (n, m), per unit of risk."""
        found = self.at_risk.over_deaths(hazard)
        if len(self.tied):
            found[self.died[self.tied]] -= self._together(self.part * np.take(hazard, self.tied, axis=0))
        return found


def timeline_of(subjects: Subjects, strata: Array | None) -> Timeline:
    """The timeline of subjects and strata (a label a subject; None for one stratum), made once."""
    codes = stratum_codes(strata, len(subjects))
    key = codes.tobytes()
    if key not in subjects.timelines:
        subjects.timelines[key] = Timeline(subjects, codes)
    found: Timeline = subjects.timelines[key]
    return found
