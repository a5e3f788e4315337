"""Sums over risk sets, and over the deaths that a subject was at risk for, by adding alone.

In the order of time a subject is at risk for a run of consecutive deaths. A run is a union of few nodes of a binary tree over the
deaths (a segment tree, Bentley 1977): a subject's value is added to its nodes, and a death's risk set is what stands on the way from it to the root.
The usual way, what has entered less what has left, loses a small risk set beside a large one to rounding, and with it the maximum.
"""

from __future__ import annotations

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
        left = -(-(first[:, None].astype(np.int32) + leaves) >> level)
        right = (beyond[:, None].astype(np.int32) + leaves) >> level
        inside = left < right
        chosen = np.concatenate([inside & (left & 1 == 1), inside & (right & 1 == 1)], axis=1)
        nodes = np.concatenate([left, right - 1], axis=1)[chosen]
        starts = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))])
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
        death = np.arange(deaths)[:, None]
        self.at_risk = ((first <= death) & (death < beyond)).astype(float)

    def over_risk_sets(self, values: Array) -> Array:
        """Of values (n, m) the sums over the risk set of each death, (k, m)."""
        found: Array = self.at_risk @ values
        return found

    def over_deaths(self, values: Array) -> Array:
        """Of values (k, m) the sums over the deaths that each subject was at risk for, (n, m)."""
        found: Array = self.at_risk.T @ values
        return found


LARGEST_TABLE = 60_000  # cells; with more the tree is faster


def risk_sets_of(first: Array, beyond: Array, deaths: int) -> RiskTree | RiskTable:
    """The faster of the two."""
    return (RiskTable if len(first) * deaths <= LARGEST_TABLE else RiskTree)(first, beyond, deaths)
