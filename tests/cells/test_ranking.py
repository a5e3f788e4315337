"""The order of a cell's genes: by count, ties by symbol, against the plain definition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from oncoraft.cells.h5ad import CellFile
from oncoraft.cells.quality import quality
from oncoraft.cells.ranking import in_places, top_genes


def plainly(row: np.ndarray, shown: np.ndarray, most: int) -> list[int]:
    """Sorted by falling value, then by place; nothing that is not expressed or not shown."""
    order = sorted(range(len(row)), key=lambda gene: (-row[gene], gene))
    return [gene for gene in order if row[gene] > 0 and shown[gene]][:most]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([1.0, 0.37]))
def test_top_genes_are_those_of_the_plain_definition(seed: int, most: int, scale: float) -> None:
    draw = np.random.default_rng(seed)
    values = (draw.poisson(1.0, (7, 11)) * scale).astype(np.float32)
    shown = draw.random(11) < 0.8
    order = draw.permutation(11)  # a file's columns stand in another order than the genes
    found = top_genes(sparse.csr_matrix(values[:, order]), order.astype(np.int32), shown, most)
    assert [[gene for gene in row if gene >= 0] for row in found.tolist()] == [plainly(row, shown, most) for row in values]


def test_columns_without_a_gene_and_explicit_zeros_are_passed_over() -> None:
    chunk = sparse.csr_matrix((np.array([5.0, 0.0, 3.0]), np.array([0, 1, 2]), np.array([0, 3])), shape=(1, 3))
    found = top_genes(chunk, np.array([-1, 0, 1], dtype=np.int32), np.array([True, True]), 3)
    assert found.tolist() == [[1, -1, -1]]
    told = quality(chunk, np.array([0.0, 0.0, 1.0]))
    assert (told.total[0], told.genes[0]) == (8.0, 2)
    assert told.mitochondrial[0] == pytest.approx(3 / 8)


def test_columns_of_one_gene_are_summed() -> None:
    chunk = sparse.csr_matrix(np.array([[1.0, 2.0, 4.0, 8.0]]))
    assert in_places(chunk, np.array([1, 1, -1, 0], dtype=np.int32), 2).toarray().tolist() == [[8.0, 3.0]]


@pytest.mark.parametrize("how", [sparse.csr_matrix, np.asarray])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_counts_of_a_narrow_type_add_up(tmp_path: Path, kind: type, how: Callable[[np.ndarray], Any]) -> None:
    counts = np.array([[200, 100, 3], [0, 255, 255]])
    data = anndata.AnnData(X=how(counts.astype(kind)), obs=pd.DataFrame(index=["a", "b"]), var=pd.DataFrame(index=["x", "y", "z"]))
    data.write_h5ad(tmp_path / "cells.h5ad")
    with CellFile(tmp_path / "cells.h5ad", "X") as file:
        chunk = file.chunk(0, 2)
    told = quality(chunk, np.array([1.0, 1.0, 0.0]))
    assert told.total.tolist() == [303, 510]
    assert told.mitochondrial == pytest.approx([300 / 303, 0.5])
    assert in_places(chunk, np.array([1, 1, 0], dtype=np.int32), 2).toarray().tolist() == [[3, 300], [255, 255]]
