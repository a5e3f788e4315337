"""Small files of AnnData, made by anndata itself, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from oncoraft.planning.config import CellStudy

GENES = [*(f"G{number:03d}A" for number in range(40)), "MT-ND1", "ND4", "RPL3", "RPS6KA1"]


def study(**values: Any) -> CellStudy:
    """Settings that a small file passes."""
    columns = {"regimen": None} | values.pop("columns", {})
    return CellStudy.model_validate({"minimum_genes": 1, "maximum_mitochondrial": 1.0, "columns": columns} | values)


def obs_of(cells: int, donors: int = 6, data_set: str = "one") -> pd.DataFrame:
    """Donors of both responses; those of even number are sensitive."""
    donor = np.arange(cells) % donors
    return pd.DataFrame(
        {
            "donor": [f"P{k}" for k in donor],
            "data_set": data_set,
            "response": ["sensitive" if k % 2 == 0 else "resistant" for k in donor],
            "drug": ["cisplatin" if k < donors // 2 else "erlotinib" for k in donor],
            "tissue": ["blood" if k % 3 else "tumour" for k in donor],
            "cancer": "Lung Cancer",
        },
        index=[f"cell-{k}" for k in range(cells)],
    )


def counts_of(cells: int, genes: int = len(GENES), seed: int = 1) -> np.ndarray:
    """Small counts, half of them none."""
    draw = np.random.default_rng(seed)
    return draw.poisson(2.0, (cells, genes)).astype(np.float32) * (draw.random((cells, genes)) < 0.7)


def write(
    path: Path,
    cells: int = 60,
    *,
    names: Sequence[str] = GENES,
    counts: Any = None,
    obs: pd.DataFrame | None = None,
    var: pd.DataFrame | None = None,
    **more: Any,
) -> Path:
    """A file; `counts` as they are given, or drawn."""
    values = sparse.csr_matrix(counts_of(cells, len(names))) if counts is None else counts
    table = pd.DataFrame(index=pd.Index(list(names))) if var is None else var
    data = anndata.AnnData(X=values, obs=obs_of(cells) if obs is None else obs, var=table)
    for name, layer in more.get("layers", {}).items():
        data.layers[name] = layer
    data.write_h5ad(path)
    return path
