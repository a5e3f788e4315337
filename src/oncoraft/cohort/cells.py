"""Text into typed values, by the table's specification: each distinct text is judged once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.reader import RawTable, Refusal, duplicates
from oncoraft.knowledge.tables import Column, Table

ARROW_TYPES = {"text": pa.string(), "integer": pa.int32(), "number": pa.float64(), "day": pa.int32(), "boolean": pa.bool_()}
INTEGER = r"^[+-]?[0-9]+(\.0*)?$"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
LIMIT = 2**31 - 1
MISSING_NUMBER = "NA"  # other cBioPortal studies write it; in text columns it stays a word


@dataclass(frozen=True)
class TypedTable:
    """Typed rows in source order with `source_line`; refusals by line; how many exact duplicates were dropped."""

    rows: pa.Table
    refusals: list[Refusal]
    rows_read: int
    rows_duplicate: int


def schema(table: Table) -> pa.Schema:
    """The Parquet schema of a table: its columns, what the reader adds, the source line."""
    columns = [pa.field(column.name, ARROW_TYPES[column.kind]) for column in (*table.columns, *table.derived)]
    line = [] if table.layout == "derived" else [pa.field("source_line", pa.int32())]
    return pa.schema([*columns, *line])


def expectation(column: Column) -> str:
    """What a cell of a column must hold, in words."""
    words = {
        "day": "an integer number of days",
        "integer": "an integer",
        "number": "a number",
        "boolean": " or ".join(f"{true}/{false}" for true, false in zip(column.true, column.false, strict=True)),
        "text": "one of " + ", ".join(column.vocabulary) if column.closed else "text",
    }[column.kind]
    return words if column.nullable else f"{words}, not empty"


def type_distinct(column: Column, texts: pa.StringArray) -> tuple[pa.Array, np.ndarray]:
    """Judge distinct texts: their values (null where missing or bad), and which are bad.

    Args:
        column: the specification.
        texts: distinct texts, verbatim.
    """
    trimmed = pc.utf8_trim_whitespace(texts)
    missing = pc.equal(trimmed, "")
    if column.kind != "text":
        missing = pc.or_(missing, pc.equal(pc.utf8_upper(trimmed), MISSING_NUMBER))
    present = pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)
    if column.kind == "boolean":
        values = _booleans(column, present)
    elif column.kind == "text":
        values = _words(column, present)
    else:
        values = _numbers(column, present)
    bad = pc.and_(pc.invert(missing), pc.is_null(values))
    if not column.nullable:
        bad = pc.or_(bad, missing)
    return values, bad.to_numpy(zero_copy_only=False).astype(bool)


def _words(column: Column, present: pa.StringArray) -> pa.Array:
    if not column.vocabulary:
        return present
    known = pa.array([word.lower() for word in column.vocabulary], pa.string())
    spelt = pa.array(column.vocabulary, pa.string()).take(pc.index_in(pc.utf8_lower(present), value_set=known, skip_nulls=True))
    return spelt if column.closed else pc.coalesce(spelt, present)


def _booleans(column: Column, present: pa.StringArray) -> pa.Array:
    lower = pc.utf8_lower(present)
    true = pc.is_in(lower, value_set=pa.array([word.lower() for word in column.true]), skip_nulls=True)
    false = pc.is_in(lower, value_set=pa.array([word.lower() for word in column.false]), skip_nulls=True)
    return pc.if_else(pc.or_(true, false), true, pa.scalar(None, pa.bool_()))


def _numbers(column: Column, present: pa.StringArray) -> pa.Array:
    whole = column.kind in ("integer", "day")
    shaped = pc.match_substring_regex(present, INTEGER if whole else NUMBER)
    unsigned = pc.utf8_ltrim(pc.if_else(shaped, present, pa.scalar(None, pa.string())), "+")
    values = pc.cast(unsigned, pa.float64())
    fits = pc.less_equal(pc.abs(values), LIMIT) if whole else pc.is_finite(values)
    values = pc.if_else(fits, values, pa.scalar(None, pa.float64()))
    return pc.cast(values, ARROW_TYPES[column.kind])


def type_table(table: Table, raw: RawTable) -> TypedTable:
    """Type a file's rows, setting aside those that break the specification.

    Rules, in this order: an exact duplicate of an earlier row (verbatim text of every column) is dropped and
    counted; a row is refused for the first column, in the specification's order, whose cell is bad; a row whose
    key an earlier kept row has is refused. Required columns must be there (`ingest` checks the header).
    """
    total = len(raw.source_line)
    repeated = duplicates([pc.cast(column.indices, pa.int32()).to_numpy() for column in raw.columns]) if total else np.zeros(0, dtype=bool)
    refused = np.zeros(total, dtype=bool)
    refusals = list(raw.malformed)
    arrays: list[pa.Array] = []
    for column in table.columns:
        position = raw.header.position(column.source)
        if position is None:
            arrays.append(pa.nulls(total, ARROW_TYPES[column.kind]))
            continue
        coded = raw.columns[position]
        values, bad_distinct = type_distinct(column, coded.dictionary)
        arrays.append(values.take(coded.indices))
        if bad_distinct.any():
            bad = bad_distinct[coded.indices.to_numpy()] & ~repeated & ~refused
            refused |= bad
            refusals += _refusals(column, raw.header.names[position], coded, raw.source_line, np.flatnonzero(bad))
    names = [column.name for column in table.columns]
    rows = pa.table([*arrays, pa.array(raw.source_line, pa.int32())], names=[*names, "source_line"])
    if repeated.any() or refused.any():
        rows = rows.filter(pa.array(~(repeated | refused)))
    rows, collisions = _unique_keys(table, rows)
    ordered = sorted([*refusals, *collisions], key=lambda refusal: refusal.line)
    return TypedTable(rows, ordered, total + len(raw.malformed), int(repeated.sum()))


def _refusals(column: Column, header: str, coded: pa.DictionaryArray, lines: np.ndarray, rows: np.ndarray) -> list[Refusal]:
    expected = expectation(column)
    found = coded.take(pa.array(rows)).to_pylist()
    return [Refusal(int(line), header, expected, text) for line, text in zip(lines[rows], found, strict=True)]


def _unique_keys(table: Table, rows: pa.Table) -> tuple[pa.Table, list[Refusal]]:
    """Refuse rows whose key an earlier row has: a second, different row for one patient or specimen."""
    if not table.key or not rows.num_rows:
        return rows, []
    frame: pd.DataFrame = rows.select([*table.key, "source_line"]).to_pandas()
    again = frame.duplicated(list(table.key))
    first = frame.groupby(list(table.key), sort=False)["source_line"].transform("first")
    header = {column.name: column.source for column in table.columns}[table.key[0]]
    refusals = [
        Refusal(int(frame["source_line"][row]), header, f"an id that is new (line {first[row]} has it)", str(frame[table.key[0]][row]))
        for row in np.flatnonzero(again)
    ]
    return rows.filter(pa.array(~again.to_numpy())), refusals
