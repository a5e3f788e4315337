"""Older releases of MSK-CHORD (until 2024-12-11): one file of tumour markers instead of four laboratory files.

Each of its rows goes to the table of its test; one whose test is none of the four is set aside like any bad row,
in the account of the first table, and so are rows that are no rows.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa

from oncoraft.cohort.reader import RawTable, Refusal
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.study_files import is_marker_table
from oncoraft.knowledge.tables import TABLES, Table

MARKER_TABLES = tuple(table for table in TABLES if is_marker_table(table))


def rows_of_test(table: Table, raw: RawTable, path: Path) -> RawTable:
    """The rows of one laboratory table among those of the shared file.

    Raises:
        InputError: the file has no TEST column.
    """
    position = raw.header.position("TEST")
    if position is None:
        raise InputError("this column is required", file=path, line=raw.header.line, column="TEST", found="no such header")
    coded = raw.columns[position]
    owners = np.array([_owner(text) for text in coded.dictionary.to_pylist()] + [-1], dtype=np.int64)
    owner = owners[coded.indices.to_numpy()] if len(coded) else np.empty(0, np.int64)
    own = owner == MARKER_TABLES.index(table)
    malformed: list[Refusal] = []
    if table == MARKER_TABLES[0]:
        expected = "one of " + ", ".join(_test(other) for other in MARKER_TABLES)
        stray = np.flatnonzero(owner == -1)
        found = coded.take(pa.array(stray)).to_pylist()
        lines = raw.source_line[stray]
        malformed = [*raw.malformed, *(Refusal(int(line), "TEST", expected, text) for line, text in zip(lines, found, strict=True))]
    kept = pa.array(own)
    return RawTable(raw.header, [column.filter(kept) for column in raw.columns], raw.source_line[own], malformed)


def _test(table: Table) -> str:
    return next(column for column in table.columns if column.name == "test").vocabulary[0]


def marker_table(text: str) -> str | None:
    """The name of the table whose test this is, however it is punctuated (`CA 15-3`, `CA_15-3`); None where there is none."""
    place = _owner(text)
    return None if place < 0 else MARKER_TABLES[place].name


def _owner(text: str) -> int:
    """The place of that table; -1: none."""
    bare = re.sub(r"[^A-Z0-9]", "", text.upper())
    return next((place for place, table in enumerate(MARKER_TABLES) if re.sub(r"[^A-Z0-9]", "", _test(table)) == bare), -1)
