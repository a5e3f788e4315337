"""Sums over risk sets, and over the deaths that a subject was at risk for, by adding alone.

In the order of time a subject is at risk for a run of consecutive deaths. A run is a union of few nodes of a binary tree over the
deaths (a segment tree, Bentley 1977): a subject's value is added to its nodes, and a death's risk set is what stands on the way from it to the root.
The usual way, what has entered less what has left, loses a small risk set beside a large one to rounding, and with it the maximum.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix

from oncoraft.survival.risk_sets import Array


class RiskTree:
    """Which of n subjects are at risk for which of k deaths.

    Args:
        first, beyond: (n,) each subject is at risk for the deaths first <= j < beyond.
        deaths: k.
    """

    def __init__(self, first: Array, beyond: Array, deaths: int) -> None:
        self.deaths = deaths
        self.depth = int(deaths - 1).bit_length() if deaths > 1 else 0
        leaves = 1 << self.depth
        # The run's nodes level by level: an odd left end, or the one before an odd right end, has no sibling within the run.
        level = np.arange(self.depth + 1, dtype=np.int32)
        ends = np.empty((len(first), 2, self.depth + 1), dtype=np.int32)
        np.negative(-(first.astype(np.int32) + leaves)[:, None] >> level, out=ends[:, 0])
        np.right_shift((beyond.astype(np.int32) + leaves)[:, None], level, out=ends[:, 1])
        chosen = (ends & 1 == 1) & (ends[:, :1] < ends[:, 1:])
        ends[:, 1] -= 1
        places = np.flatnonzero(chosen)
        nodes, width = ends.ravel()[places], 2 * (self.depth + 1)
        starts = np.searchsorted(places, np.arange(len(first) + 1) * width)
        self.to_subjects = csr_matrix((np.ones(len(nodes)), nodes, starts), shape=(len(first), 2 * leaves))
        self.to_nodes = self.to_subjects.T

    def over_risk_sets(self, values: Array) -> Array:
        """Of values (n, m) the sums over the risk set of each death, (k, m)."""
        tree = self.to_nodes @ values
        found = tree[1:2]
        for level in range(1, self.depth + 1):
            below = tree[1 << level : 2 << level].reshape(len(found), 2, -1)
            found = (below + found[:, None]).reshape(2 * len(found), -1)
        return found[: self.deaths]

    def over_deaths(self, values: Array) -> Array:
        """Of values (k, m) the sums over the deaths that each subject was at risk for, (n, m)."""
        leaves = 1 << self.depth
        tree = np.zeros((2 * leaves, values.shape[1]))
        tree[leaves : leaves + self.deaths] = values
        for level in range(self.depth - 1, -1, -1):
            below = tree[2 << level : 4 << level]
            np.add(below[::2], below[1::2], out=tree[1 << level : 2 << level])
        found: Array = self.to_subjects @ tree
        return found


class RiskTable:
    """The same of few subjects and deaths, as a table of who is at risk when: one product of matrices where the tree takes a step a level.

    Args:
        first, beyond, deaths: as for `RiskTree`.
    """

    def __init__(self, first: Array, beyond: Array, deaths: int) -> None:
        # Numbers of few bytes are compared several times faster; a table that is small enough has fewer deaths than they hold.
        death, first, beyond = (np.asarray(values, dtype=np.int16) for values in (np.arange(deaths)[:, None], first, beyond))
        self.at_risk = ((first <= death) & (death < beyond)).astype(float)

    def over_risk_sets(self, values: Array) -> Array:
        """Of values (n, m) the sums over the risk set of each death, (k, m)."""
        found: Array = self.at_risk @ values
        return found

    def over_deaths(self, values: Array) -> Array:
        """Of values (k, m) the sums over the deaths that each subject was at risk for, (n, m)."""
        found: Array = self.at_risk.T @ values
        return found


class RiskTables:
    """A table for each stratum: of several strata one table of all is empty but for its diagonal.

    Args:
        first, beyond: as for `RiskTree`, of the subjects stratum by stratum.
        sizes: (strata,) how many subjects are of each.
        bounds: (strata + 1,) the deaths of stratum k are bounds[k] <= j < bounds[k + 1].
    """

    def __init__(self, first: Array, beyond: Array, sizes: Array, bounds: Array) -> None:
        self.subjects, self.deaths = len(first), int(bounds[-1])
        ends = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        self.parts = []
        for (start, end), (earliest, latest) in zip(pairwise(ends), pairwise(bounds.tolist())):
            mine, deaths = slice(start, end), slice(earliest, latest)
            self.parts.append((mine, deaths, RiskTable(first[mine] - earliest, beyond[mine] - earliest, latest - earliest).at_risk))

    def over_risk_sets(self, values: Array) -> Array:
        """Of values (n, m) the sums over the risk set of each death, (k, m)."""
        found = np.empty((self.deaths, values.shape[1]))
        for mine, deaths, at_risk in self.parts:
            np.matmul(at_risk, values[mine], out=found[deaths])
        return found

    def over_deaths(self, values: Array) -> Array:
        """Of values (k, m) the sums over the deaths that each subject was at risk for, (n, m)."""
        found = np.empty((self.subjects, values.shape[1]))
        for mine, deaths, at_risk in self.parts:
            np.matmul(at_risk.T, values[deaths], out=found[mine])
        return found


LARGEST_TABLE = 30_000  # cells; with more a table a stratum is faster
LARGEST_TABLES, MOST_TABLES = 100_000, 12  # cells of all, and tables; with more the tree is faster


def risk_sets_of(first: Array, beyond: Array, sizes: Array, bounds: Array) -> RiskTree | RiskTable | RiskTables:
    """The fastest of the three; arguments as for `RiskTables`."""
    deaths, strata = int(bounds[-1]), len(sizes)
    if len(first) * deaths <= LARGEST_TABLE:
        return RiskTable(first, beyond, deaths)
    if strata <= MOST_TABLES and sizes @ np.diff(bounds) <= LARGEST_TABLES:
        return RiskTables(first, beyond, sizes, bounds)
    return RiskTree(first, beyond, deaths)
