"""Summed values of every case, and the cases on a map: `oncoraft cell-expression FILE.h5ad ... --cases DIR --out DIR`.

What the baselines read. The map has the first two principal components of the logarithms of the most variable genes, in at most
`MOST_ON_MAP` cases, chosen by hash: what lies side by side there is alike in expression, whatever made it so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import PCA

from oncoraft.artefacts import read_table
from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.reading import opened, summed
from oncoraft.cells.tables import read_cases, read_genes
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction, stable_seed
from oncoraft.planning.config import CellStudy
from oncoraft.planning.edge import run, settings_record

log = logging.getLogger("oncoraft")
MOST_ON_MAP = 2000
SCALE = 1e4  # counts a cell is brought to before the logarithm is taken, as is usual
THETA = 100.0  # overdispersion of the residuals (Lause, Berens and Kobak 2021, doi:10.1186/s13059-021-02451-7)
BLOCK = 1000  # genes whose residuals are held at once


def log_normalised(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """log(1 + value), each case brought to the same sum before."""
    total = np.asarray(counts.sum(axis=1)).ravel()
    size = np.divide(SCALE, total, out=np.zeros(len(total)), where=total > 0)
    return sparse.csr_matrix(sparse.diags(size) @ counts).log1p().astype(np.float32)


def variable_genes(counts: sparse.csr_matrix, most: int) -> np.ndarray:
    """Places of the genes whose analytic Pearson residuals vary most, sorted; fitted on the cases that are given and no others.

    Args:
        counts: (cases, genes), raw.
        most: how many.
    """
    total = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    share = np.asarray(counts.sum(axis=0), dtype=float).ravel() / max(1.0, total.sum())
    columns = counts.tocsc()
    limit = np.sqrt(counts.shape[0])
    spread = np.zeros(counts.shape[1])
    for start in range(0, counts.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        mean = np.outer(total, share[part])
        residual = (columns[:, part].toarray() - mean) / np.sqrt(np.maximum(mean + mean**2 / THETA, 1e-12))
        spread[part] = np.clip(residual, -limit, limit).var(axis=0)
    spread[share == 0] = -1.0
    return np.sort(np.argsort(-spread, kind="stable")[:most])


def on_map(cases: pd.DataFrame, counts: sparse.csr_matrix, study: CellStudy) -> tuple[pd.DataFrame, list[float]]:
    """The map's cases: pc1, pc2, responder, patient_id, data_set; and the share of variance of each component."""
    draw = np.array([stable_fraction(study.seed, "map", name) for name in cases["case_id"]])
    chosen = np.sort(np.argsort(draw, kind="stable")[:MOST_ON_MAP])
    part = counts[chosen]
    values = log_normalised(part)[:, variable_genes(part, study.variable_genes)].toarray()
    size = min(2, *values.shape)
    model = PCA(size, svd_solver="randomized", random_state=stable_seed(study.seed, "map"))
    points = np.zeros((len(values), 2))
    points[:, :size] = model.fit_transform(values)
    # The sign of a component means nothing; it must not change between machines.
    points *= np.where(points[np.abs(points).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    told = cases.iloc[chosen][["case_id", "patient_id", "data_set", "responder"]].reset_index(drop=True)
    shares = [float(one) for one in model.explained_variance_ratio_]
    return told.assign(pc1=points[:, 0].round(4), pc2=points[:, 1].round(4)), shares


def read_expression(path: Path, cases: pd.DataFrame, genes: np.ndarray) -> sparse.csr_matrix:
    """The matrix that this step wrote.

    Raises:
        InputError: no such file, or another shape than that of the cases.
    """
    try:
        counts = sparse.csr_matrix(sparse.load_npz(path))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"expected a matrix written by `oncoraft cell-expression` ({error})", file=path) from None
    if counts.shape != (len(cases), len(genes)):
        raise InputError(f"expected {len(cases)} cases and {len(genes)} genes", file=path, found=str(counts.shape))
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Sum and draw."""
    parser = cell_parser(
        "cell-expression",
        "example:\n  oncoraft cell-expression study.h5ad --cases cells/lung --out expression --config config/cells.yaml --cells lung",
    )
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="the files of AnnData that the cases were found in, in the same order"
    )
    parser.add_argument("--cases", type=Path, required=True, metavar="DIR", help="folder written by `oncoraft cell-cases`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write: expression.npz and map.csv")
    given = parser.parse_args(arguments)
    blocks = cell_settings("cell-expression", given)
    study = blocks["cell_study"]
    files = [given.out / name for name in ("expression.npz", "map.csv", "manifest.json")]
    claim(*files, step="cell-expression", home=given.out)
    cases, genes = read_cases(given.cases), read_genes(given.cases)
    members = read_table(given.cases / "members.parquet", ("number", "row", "case"), key=("number", "row"))
    paths = [path for one in given.files for path in (sorted(one.glob("*.h5ad")) if one.is_dir() else [one])]
    with opened(paths, study) as cell_files:
        if cell_files.names != genes.tolist():
            raise InputError(
                "expected the genes of these files to be those of the cases; find the cases again", file=given.cases / "genes.txt"
            )
        counts = summed(cell_files, study, members, len(cases))
    points, shares = on_map(cases, counts, study)
    with publishing(*files, step="cell-expression", home=given.out) as (matrix, table, note):
        with matrix.open("wb") as stream:
            sparse.save_npz(stream, counts)
        write_csv(table, points)
        told = {"cases": len(cases), "genes": len(genes), "values": int(counts.nnz), "on_map": len(points), "variance_shares": shares}
        inputs = [*paths, *(given.cases / name for name in ("cases.parquet", "members.parquet", "genes.txt"))]
        settings, outputs = settings_record(given, blocks), {files[0]: matrix, files[1]: table}
        write_json(note, manifest("cell-expression", inputs=inputs, outputs=outputs, settings=settings, counts=told, beside=files[-1]))
    log.info("cell-expression: %s", told)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
