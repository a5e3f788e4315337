"""The most expressed genes of every cell, in order; of equal counts the symbol that comes first in the alphabet.

Nine in ten of a cell's top genes share their count with another, so that the rule for ties decides much of a sentence: it is stated, and
the same on every machine.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import sparse

GENE_BITS = 20  # a million genes
NOTHING = np.iinfo(np.int64).max


def in_places(chunk: sparse.csr_matrix, place: np.ndarray, genes: int) -> sparse.csr_matrix:
    """A chunk over the harmonised genes: columns that share a gene are summed, columns without one left out.

    Args:
        chunk: (cells, columns of the file).
        place: (columns,), the gene of each column, or -1.
        genes: how many there are.
    """
    kept = np.flatnonzero(place >= 0)
    move = sparse.csr_matrix((np.ones(len(kept), dtype=chunk.dtype), (kept, place[kept])), shape=(len(place), genes))
    return sparse.csr_matrix(chunk @ move)


def top_genes(chunk: sparse.csr_matrix, place: np.ndarray, shown: np.ndarray, most: int) -> np.ndarray:
    """Genes of each cell by falling expression, (cells, most), -1 beyond the last that is expressed.

    Args:
        chunk: (cells, columns), no value below zero.
        place: (columns,), the gene of each column or -1; no gene twice.
        shown: (genes,), whether it may stand in a sentence; genes are in alphabetical order.
        most: genes of a sentence.
    """
    # Of non-negative floats the bits, read as whole numbers, are in the order of the values: count and gene fit in one number.
    bits = np.ascontiguousarray(chunk.data, dtype=np.float32).view(np.int32).astype(np.int64)
    wanted = np.where((place >= 0) & shown[place], place, -1)
    genes = wanted[chunk.indices]
    keys = ((np.int64(2**31 - 1) - bits) << GENE_BITS) | genes
    keys[(genes < 0) | (bits == 0)] = NOTHING
    found = np.full((chunk.shape[0], most), -1, dtype=np.int32)
    starts = chunk.indptr.tolist()
    for row, (low, high) in enumerate(pairwise(starts)):
        part = keys[low:high]
        if high - low > most:
            part = np.partition(part, most - 1)[:most]
        else:
            part = part.copy()
        part.sort()
        part = part[: np.searchsorted(part, NOTHING)]
        found[row, : len(part)] = part & ((1 << GENE_BITS) - 1)
    return found
