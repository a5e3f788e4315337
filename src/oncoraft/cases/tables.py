"""Reading the tables that a step of this folder asks for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from oncoraft.foundation.errors import InputError

WRITERS = {"cases": "regimens", "labels": "labels", "followup": "followup", "folds": "folds"}


def read_tables(folder: Path, names: Iterable[str], columns: dict[str, list[str]] | None = None) -> dict[str, pd.DataFrame]:
    """Tables by name.

    Args:
        folder: of ingested tables, or of cases.
        names: file stems.
        columns: by table, the only columns to read; a table that is not named is read whole.

    Raises:
        InputError: a file is not there, is not Parquet, or lacks a column.
    """
    found = {}
    for name in names:
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise InputError(f"expected a table written by `oncoraft {WRITERS.get(name, 'ingest')}`", file=path)
        wanted = (columns or {}).get(name)
        try:
            missing = sorted(set(wanted or ()) - set(pq.read_schema(path).names))
            if missing:
                raise InputError("expected this column", file=path, column=missing[0], found="none of that name")
            found[name] = pd.read_parquet(path, columns=wanted)
        except pa.ArrowInvalid as error:
            raise InputError(f"expected a Parquet table ({str(error).splitlines()[0]})", file=path) from None
    return found
