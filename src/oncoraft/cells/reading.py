"""All files of a single-cell cohort, opened once: their genes in one spelling, their cells described, their matrices read in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from oncoraft.cells.declared import described, texts
from oncoraft.cells.genes import Genes, harmonised, read_gene_table, shared
from oncoraft.cells.h5ad import CellFile, refuse_wrong_values
from oncoraft.cells.ranking import in_places
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import CellStudy


@dataclass(frozen=True)
class CellFiles:
    """Open files, the genes that all of them have, and where each file's columns stand among these.

    Attributes:
        names: genes, in alphabetical order.
        places: a file's (columns,), the gene of each column or -1.
        losses: what of each file's genes was lost or changed, for the flow.
    """

    files: Sequence[CellFile]
    names: list[str]
    places: Sequence[np.ndarray]
    losses: list[dict[str, Any]]

    def chunks(self, number: int, study: CellStudy) -> Iterator[tuple[int, sparse.csr_matrix, np.ndarray]]:
        """First row, content and places of each chunk of one file; columns that share a gene are summed before.

        Raises:
            InputError: values that are not what was declared.
        """
        place = self.places[number]
        kept = place[place >= 0]
        is_summed = len(np.unique(kept)) < len(kept)
        for start, chunk in self.files[number].chunks():
            refuse_wrong_values(chunk, start, study.values, self.files[number].path)
            if is_summed:
                yield start, in_places(chunk, place, len(self.names)), np.arange(len(self.names), dtype=np.int32)
            else:
                yield start, chunk, place


def genes_of(file: CellFile, study: CellStudy, table: dict[str, str] | None) -> Genes:
    """The genes of a file in one spelling."""
    var = file.var()
    names: Sequence[Any] = var.index.tolist()
    if study.gene_column is not None:
        if study.gene_column not in var:
            raise InputError("expected this column of var (cells.gene_column)", file=file.path, column=study.gene_column)
        names = texts(var, study.gene_column, file.path, "gene_column").fillna("").tolist()
    return harmonised(names, study.gene_ids, study.duplicate_genes, table, file.path)


def refuse_one_name(paths: Sequence[Path]) -> None:
    """Refuse files of one name where a file's name is that of its data set: P1 of both would be one person.

    Raises:
        InputError: the second of two such files.
    """
    seen = set[str]()
    for path in paths:
        if path.stem in seen:
            raise InputError("expected files of different names, since each is a data set (cells.columns.data_set: null)", file=path)
        seen.add(path.stem)


@contextmanager
def opened(paths: Sequence[Path], study: CellStudy) -> Iterator[CellFiles]:
    """The files, open for reading.

    Raises:
        InputError: see the readers; or the files have no gene in common.
    """
    if not paths:
        raise InputError("expected at least one file of cells")
    table = read_gene_table(Path(study.gene_table)) if study.gene_table else None
    with ExitStack() as stack:
        if study.columns.data_set is None:
            refuse_one_name(paths)
        files = [stack.enter_context(CellFile(path, study.matrix)) for path in paths]
        genes = [genes_of(file, study, table) for file in files]
        names, places, lost = shared(genes)
        if not names:
            raise InputError(f"expected genes that all {len(files)} files have; there is none", file=paths[0])
        losses = [
            {"file": file.path.name, **one.counts, "not_in_every_file": count, "kept": len(names)}
            for file, one, count in zip(files, genes, lost)
        ]
        yield CellFiles(files, names, places, losses)


def cells_of(opened_files: CellFiles, study: CellStudy) -> pd.DataFrame:
    """What is said of every cell of every file: the columns of `described`, and number, file and row.

    Raises:
        InputError: see `described`; or a cell's name stands twice within a data set.
    """
    parts = []
    for number, file in enumerate(opened_files.files):
        frame = described(file.obs(), study, file.path)
        parts.append(frame.assign(number=np.int32(number), file=file.path.name, row=np.arange(len(frame), dtype=np.int32)))
    cells = pd.concat(parts, ignore_index=True)
    cells["case_id"] = cells["data_set"] + ":" + cells["cell"]
    if (twice := cells["case_id"].duplicated()).any():
        raise InputError("expected each cell once within its data set", found=str(cells.loc[twice, "case_id"].iloc[0]))
    return cells


def summed(files: CellFiles, study: CellStudy, members: pd.DataFrame, cases: int) -> sparse.csr_matrix:
    """Values summed over the cells of each case, (cases, genes); read in chunks, cells that belong to no case passed over.

    Args:
        members: number and row, the file and row of each kept cell, and case, what it belongs to.
        cases: how many there are.
    """
    parts, genes = list[sparse.csr_matrix](), len(files.names)
    number, row, case = (members[name].to_numpy() for name in ("number", "row", "case"))
    for one in range(len(files.files)):
        mine = number == one
        case_of = np.full(files.files[one].rows, -1, dtype=np.int64)
        case_of[row[mine]] = case[mine]
        for start, chunk, place in files.chunks(one, study):
            told = case_of[start : start + chunk.shape[0]]
            kept = np.flatnonzero(told >= 0)
            if not len(kept):
                continue
            part = chunk[kept].tocoo()
            gene = place[part.col]
            has = gene >= 0
            where = (told[kept][part.row[has]], gene[has])
            found = sparse.csr_matrix((part.data[has].astype(np.float32), where), shape=(cases, genes))
            parts.append(found)
            if len(parts) == 16:
                parts = [_added(parts)]
    return _added(parts) if parts else sparse.csr_matrix((cases, genes), dtype=np.float32)


def _added(parts: list[sparse.csr_matrix]) -> sparse.csr_matrix:
    total = parts[0]
    for one in parts[1:]:
        total = total + one
    return sparse.csr_matrix(total)
