"""Files of AnnData, read in chunks of rows: obs and var by anndata, the matrix straight from its HDF5 arrays, never whole in memory.

anndata's own backed mode gives the same rows; here the three arrays of a compressed sparse row matrix are sliced once a chunk, which
takes no more than reading the bytes. A matrix by columns (CSC) would have to be read whole for every chunk, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem
from scipy import sparse

from oncoraft.foundation.errors import InputError

CHUNK_VALUES = 4_000_000  # expressed values held at once: 32 MB of a matrix in single precision
MOST_ROWS = 20_000  # of a chunk


class CellFile:
    """One open file of AnnData.

    Args:
        path: the file.
        matrix: X, raw or layers/NAME.

    Raises:
        InputError: no such file, no HDF5, an encoding older than anndata 0.7, no such matrix, or one that is stored by columns.
    """

    def __init__(self, path: Path, matrix: str) -> None:
        self.path = path
        if not path.is_file():
            raise InputError("expected a file of AnnData (.h5ad)", file=path)
        try:
            self.file = h5py.File(path, "r")
        except OSError as error:
            raise InputError(f"expected a file of AnnData, which is HDF5 ({str(error).splitlines()[0][:120]})", file=path) from None
        try:
            self._open(matrix)
        except InputError:
            self.file.close()
            raise

    def _open(self, matrix: str) -> None:
        for name in ("obs", "var"):
            part = self.file.get(name)
            if part is None:
                raise InputError(f"expected a file of AnnData with {name}", file=self.path)
            if part.attrs.get("encoding-type") != "dataframe":
                raise InputError(
                    f"expected the encoding of anndata 0.7 or newer; {name} is older: read and write the file once with such a version",
                    file=self.path,
                )
        where = "raw/X" if matrix == "raw" else matrix
        if where not in self.file:
            there = [*(name for name in ("X", "raw") if name in self.file), *(f"layers/{name}" for name in self.file.get("layers", ()))]
            raise InputError(f"expected a matrix `{matrix}`; there is {', '.join(there) or 'none'}", file=self.path)
        self.node: Any = self.file[where]
        self.genes_at = "raw/var" if matrix == "raw" else "var"
        kind = self.node.attrs.get("encoding-type", "")
        if isinstance(self.node, h5py.Group) and kind != "csr_matrix":
            place = "a.X" if matrix == "X" else f"a.layers[{matrix.removeprefix('layers/')!r}]"
            change = f"{place} = {place}.tocsr()" if matrix != "raw" else "r = a.raw.to_adata(); r.X = r.X.tocsr(); a.raw = r"
            raise InputError(
                f"expected `{matrix}` stored by rows (csr_matrix) or dense; to convert: python -c "
                f'"import anndata; a = anndata.read_h5ad({self.path.name!r}); {change}; a.write_h5ad({"rows-" + self.path.name!r})"',
                file=self.path,
                found=str(kind),
            )
        self.is_sparse = isinstance(self.node, h5py.Group)
        shape = self.node.attrs["shape"] if self.is_sparse else self.node.shape
        self.rows, self.columns = int(shape[0]), int(shape[1])
        # One number a cell: 4 MB of half a million cells.
        self.starts = self.node["indptr"][:] if self.is_sparse else np.arange(self.rows + 1, dtype=np.int64) * self.columns

    def obs(self) -> pd.DataFrame:
        """What is said of each cell, categories as they are."""
        return self._frame("obs", self.rows)

    def var(self) -> pd.DataFrame:
        """What is said of each gene of the matrix."""
        return self._frame(self.genes_at, self.columns)

    def _frame(self, name: str, rows: int) -> pd.DataFrame:
        try:
            frame: pd.DataFrame = read_elem(self.file[name])
        except Exception as error:  # anndata raises errors of its own for what it cannot read
            raise InputError(
                f"expected {name} that anndata can read ({(str(error).splitlines() or [''])[0][:120]})", file=self.path
            ) from None
        if len(frame) != rows:
            raise InputError(f"expected {rows} rows of {name}, as the matrix has", file=self.path, found=len(frame))
        return frame

    def bounds(self) -> Iterator[tuple[int, int]]:
        """First row and the one after the last of each chunk, as many rows as hold `CHUNK_VALUES` values."""
        start = 0
        while start < self.rows:
            stop = int(np.searchsorted(self.starts, self.starts[start] + CHUNK_VALUES, side="right")) - 1
            stop = min(max(stop, start + 1), start + MOST_ROWS, self.rows)
            yield start, stop
            start = stop

    def chunk(self, start: int, stop: int) -> sparse.csr_matrix:
        """Rows as a sparse matrix; explicit zeros are kept as the file has them."""
        try:
            if not self.is_sparse:
                return sparse.csr_matrix(wide(self.node[start:stop]))
            low, high = int(self.starts[start]), int(self.starts[stop])
            data, indices = wide(self.node["data"][low:high]), self.node["indices"][low:high]
        except OSError as error:  # a damaged chunk, or a compression that this HDF5 has no filter of
            raise InputError(
                f"expected rows {start} to {stop} of its matrix to be readable ({str(error).splitlines()[0][:120]})", file=self.path
            ) from None
        if len(indices) and not 0 <= indices.min() <= indices.max() < self.columns:
            raise InputError(f"rows {start} to {stop}: expected columns below {self.columns}", file=self.path, found=int(indices.max()))
        return sparse.csr_matrix((data, indices, self.starts[start : stop + 1] - low), shape=(stop - start, self.columns))

    def chunks(self) -> Iterator[tuple[int, sparse.csr_matrix]]:
        """First row and content of each chunk, in order."""
        for start, stop in self.bounds():
            yield start, self.chunk(start, stop)

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def __enter__(self) -> CellFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wide(data: np.ndarray) -> np.ndarray:
    """Values in a kind of number that their sums fit in: a byte holds a count, and no sum of counts."""
    small = data.dtype.kind in "iub" and data.dtype.itemsize < 4
    return data.astype(np.int32) if small else data.astype(np.float32) if data.dtype == np.float16 else data


def refuse_wrong_values(chunk: sparse.csr_matrix, first_row: int, values: str, path: Path) -> None:
    """Refuse a chunk that does not hold what was declared.

    Raises:
        InputError: a value that is not finite or below zero, or a fraction where counts are declared; its row is named.
    """
    data = chunk.data
    if not len(data):
        return
    low, high = data.min(), data.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        wrong, what = ~np.isfinite(data), "expected finite values"
    elif low < 0:
        wrong, what = data < 0, "expected no value below zero; scaled values cannot be ranked (matrix: raw, or layers/counts)"
    elif values == "counts" and data.dtype.kind == "f":
        wrong = np.rint(data) != data
        what = "expected counts, whole numbers; these values are normalised (values: normalised, or another matrix)"
    else:
        return
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        row = first_row + int(np.searchsorted(chunk.indptr, place, side="right")) - 1
        raise InputError(what, file=path, line=row + 1, found=float(data[place]))
