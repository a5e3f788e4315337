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
        subject = np.arange(len(first))
        left, right = first + leaves, beyond + leaves
        nodes, members = [], []
        for _ in range(self.depth + 1):
            inside = left < right
            odd = inside & (left & 1 == 1)
            nodes.append(left[odd])
            members.append(subject[odd])
            left = left + odd
            odd = inside & (right & 1 == 1)
            right = right - odd
            nodes.append(right[odd])
            members.append(subject[odd])
            left, right = left >> 1, right >> 1
        node, member = np.concatenate(nodes), np.concatenate(members)
        self.to_nodes = csr_matrix((np.ones(len(node)), (node, member)), shape=(2 * leaves, len(first)))
        self.to_subjects = self.to_nodes.T

    def over_risk_sets(self, values: Array) -> Array:
        """Of values (n, m) the sums over the risk set of each death, (k, m)."""
        tree = self.to_nodes @ values
        found = tree[1:2]
        for level in range(1, self.depth + 1):
            found = np.repeat(found, 2, axis=0)
            found += tree[1 << level : 2 << level]
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
