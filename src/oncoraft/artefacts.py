"""Parquet tables that one step leaves for another, each row proven before any is used.

A key that is there twice would count twice in every join, and a column or a file that is not what it should be would end in a trace:
each is refused in one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oncoraft.foundation.errors import InputError


def read_table(
    path: Path, columns: Sequence[str], key: Sequence[str] = (), filters: Any = None, optional: Sequence[str] = (), *, whole: bool = False
) -> pd.DataFrame:
    """Columns of a Parquet table of which no two rows share a key.

    Args:
        path: the table.
        columns: those that must be there.
        key: columns that together name a row; none: rows may be alike.
        filters: rows wanted, as pyarrow takes them.
        optional: columns read where they are there.
        whole: every column is read.

    Raises:
        InputError: no such file, no Parquet, a column is missing, or a key is there twice.
    """
    if not path.is_file():
        raise InputError("expected a table of the steps before", file=path)
    try:
        there = pq.read_schema(path).names
        if absent := [name for name in columns if name not in there]:
            raise InputError("expected this column", file=path, column=absent[0])
        wanted = None if whole else [*columns, *(name for name in optional if name in there)]
        table = pd.read_parquet(path, columns=wanted, filters=filters)
    except pa.ArrowInvalid as error:
        raise InputError(f"expected a Parquet file ({str(error).splitlines()[0]})", file=path) from None
    twice = table[table.duplicated(list(key))] if key else table.head(0)
    if len(twice):
        found = ", ".join(str(value) for value in twice.iloc[0][list(key)])
        raise InputError(f"expected one row for each {' and '.join(key)} ({len(twice)} too many)", file=path, column=key[0], found=found)
    return table


def rows_where(path: Path, columns: Sequence[str], column: str, value: str) -> pa.Table:
    """Columns of those rows of a Parquet table that have a value in a column of text, read a row group at a time.

    Args:
        path: the table.
        columns: those wanted, in this order; dictionary-encoded text comes as text.
        column: that must have the value.
        value: which.

    Raises:
        InputError: no such file, no Parquet, a column is missing, or the one of the value is no text.
    """
    if not path.is_file():
        raise InputError("expected a table of the steps before", file=path)
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"expected a Parquet file ({str(error).splitlines()[0]})", file=path) from None
    if absent := [name for name in (*columns, column) if name not in file.schema_arrow.names]:
        raise InputError("expected this column", file=path, column=absent[0])
    of = file.schema_arrow.field(column).type
    if not is_text(of):
        raise InputError("expected a column of text", file=path, column=column, found=str(of))
    fields = [file.schema_arrow.field(name) for name in columns]
    schema = pa.schema([pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field for field in fields])
    found = [schema.empty_table()]
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, columns=list(dict.fromkeys([*columns, column])), use_threads=False)
        found.append(rows.filter(pc.equal(rows[column], value)).select(list(columns)).cast(schema))
    return pa.concat_tables(found).combine_chunks()


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text, be it coded; of one that holds nothing but nulls no file says otherwise."""
    of = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_null(of)


def refuse_repeated(values: pa.ChunkedArray, wanted: str, path: Path, column: str) -> None:
    """Whether a value is in each row, and in no other row.

    Args:
        values: of a column that names rows.
        wanted: what is expected, for the message.
        path, column: where they stand.

    Raises:
        InputError: a row has none, or two rows have the same.
    """
    if values.null_count:
        raise InputError(f"expected {wanted}", file=path, column=column, found=f"nothing in {values.null_count} rows")
    if too_many := len(values) - pc.count_distinct(values).as_py():
        counts = pc.value_counts(values)
        first = counts.field("values").filter(pc.greater(counts.field("counts"), 1))[0].as_py()
        raise InputError(f"expected {wanted} ({too_many} too many)", file=path, column=column, found=first)
