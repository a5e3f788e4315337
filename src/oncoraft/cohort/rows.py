"""A file's text rows into typed rows: which are kept, which set aside and why, which repeat an earlier one.

Rules, in this order: an exact duplicate of an earlier row (verbatim text of every column) is dropped and listed; a row
is refused for the first column, in the specification's order, whose cell is bad or names an unknown patient or
specimen; then for a day before the one that it must follow; then for a key that another, different row has too
(both are refused, since nothing says which is right, and the result must not depend on the order of the rows).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.cells import ARROW_TYPES, expectation, is_bound, is_quoted, is_unknown_word, type_distinct
from oncoraft.cohort.identifiers import Identifiers
from oncoraft.cohort.judged import Judged, is_plain, plain_numbers
from oncoraft.cohort.reader import RawTable, Refusal
from oncoraft.knowledge.tables import Column, Table

FIRST_WORDS = 5
NOTED = ("quoted_cells", "unknown_words", "bounds")
Known = Mapping[str, Identifiers]  # "patient" and "sample" -> ids of the clinical tables; absent while these are not read
HOME = {"patient": "clinical_patient", "sample": "clinical_sample"}


@dataclass
class TypedTable:
    """Typed rows in source order with `source_line`; what became of the others.

    Attributes:
        refusals: by line.
        rows_duplicate: exact duplicates dropped; `duplicates` has (line, line of the row that it repeats).
        orphans: column -> ids (one an orphan row) that the clinical tables do not have.
        notes: accepted, but worth telling: quoted cells and words outside a vocabulary, with their counts.
        rows_written: kept rows that are not held here, since they stand in a file already.
    """

    rows: pa.Table  # text columns dictionary-encoded
    refusals: list[Refusal]
    rows_read: int
    rows_duplicate: int
    duplicates: list[tuple[int, int]] = field(default_factory=list)
    orphans: dict[str, list[str]] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    rows_written: int = 0

    @property
    def rows_kept(self) -> int:
        """Rows that are neither refused nor duplicates, wherever they are."""
        return self.rows.num_rows + self.rows_written


def duplicates(columns: list[np.ndarray]) -> np.ndarray:
    """For every row the position of the first row that equals it (its own, if there is none before it).

    Args:
        columns: per column the integer code of each row's text, all of one length.

    Rows are hashed to 64 bits first; only rows that share a hash are compared in full.
    """
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for codes in columns:
        # 2**64 over the golden ratio, odd (Knuth's multiplicative hashing).
        mixed = (mixed ^ codes.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    first = np.arange(len(mixed))
    suspects = np.flatnonzero(pd.Series(mixed).duplicated(keep=False).to_numpy())
    if len(suspects):
        rows = pd.DataFrame({str(position): codes[suspects] for position, codes in enumerate(columns)})
        rows["at"] = suspects
        first[suspects] = rows.groupby([*rows.columns[:-1]], sort=False)["at"].transform("min").to_numpy()
    return first


class Typing:
    """The typing of one file, or of a part of it; arrays are as long as its well-formed rows.

    Args:
        judged: of a part: column -> what was found of its texts in the parts before. Duplicates, which may stand in different parts, are
            not looked for.
    """

    def __init__(self, table: Table, raw: RawTable, known: Known, judged: dict[str, Judged] | None = None) -> None:
        self.table, self.raw, self.known, self.judged = table, raw, known, judged
        total = len(raw.source_line)
        if total and judged is None:
            self.first = duplicates([pc.cast(column.indices, pa.int32()).to_numpy() for column in raw.columns])
        else:
            self.first = np.arange(total)
        self.repeated = self.first != np.arange(total)
        self.refused = np.zeros(total, dtype=bool)
        self.refusals = list(raw.malformed)
        self.orphans: dict[str, list[str]] = {}
        self.stray: dict[str, np.ndarray] = {}  # column -> the row of each of its orphans
        self.notes: list[dict[str, Any]] = []

    def arrays(self) -> dict[str, pa.Array]:
        """All typed columns; rows that cannot be kept by what they hold themselves are marked."""
        arrays = {column.name: self.column(column) for column in self.table.columns}
        for earlier, later in self.table.ordered:
            self.ordered(earlier, later, arrays)
        return arrays

    def column(self, column: Column) -> pa.Array:
        """One typed column; bad cells mark their rows."""
        position = self.raw.header.position(column.source, *column.other_headers)
        if position is None:
            return pa.nulls(len(self.raw.source_line), ARROW_TYPES[column.kind])
        coded, is_direct = self.raw.columns[position], position in self.raw.direct
        if is_direct and is_plain(column):
            numbers = plain_numbers(column, coded.dictionary)
            if numbers is not None:
                return numbers
            coded, is_direct = coded.dictionary.dictionary_encode(), False
        values, bad = self._judge(column, coded.dictionary)
        # The clinical table that defines an id is not looked up in itself.
        known = self.known.get(column.refers) if HOME.get(column.refers) != self.table.name else None
        if known is not None:
            stray = known.lacks(values) & ~bad
            if stray.any():
                rows = np.flatnonzero(stray[coded.indices.to_numpy()] & ~self.repeated)
                self.stray[column.name] = rows
                self.orphans[column.name] = values.take(coded.indices.take(pa.array(rows))).to_pylist()
            bad = bad | stray
        self._note(column, coded, values, bad)
        if bad.any():
            rows = np.flatnonzero(bad[coded.indices.to_numpy()] & ~self.repeated & ~self.refused)
            self._refuse(rows, self.raw.header.names[position], expectation(column, is_checked=known is not None), coded)
        return values if is_direct else _spread(values, coded.indices)

    def _judge(self, column: Column, texts: pa.StringArray) -> tuple[pa.Array, np.ndarray]:
        if self.judged is None:
            return type_distinct(column, texts)
        if column.name not in self.judged:
            self.judged[column.name] = Judged(column)
        return self.judged[column.name].of(texts)

    def ordered(self, earlier: str, later: str, arrays: dict[str, pa.Array]) -> None:
        """Refuse rows whose later day is before the earlier one."""
        late = pc.fill_null(pc.less(arrays[later], arrays[earlier]), False).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(late & ~self.repeated & ~self.refused)
        sources = {column.name: column.source for column in self.table.columns}
        position = self.raw.header.position(sources[later])
        if len(rows) and position is not None:
            name = self.raw.header.names[position]
            self._refuse(rows, name, f"a day that is not before {sources[earlier]}", self.raw.columns[position])

    def unique(self, arrays: dict[str, pa.Array]) -> None:
        """Refuse all rows of a key that several different rows have."""
        kept = np.flatnonzero(~self.repeated & ~self.refused)
        if not self.table.key or not len(kept):
            return
        keys = pd.DataFrame({name: arrays[name].cast(ARROW_TYPES["text"]).to_numpy(zero_copy_only=False)[kept] for name in self.table.key})
        shared = keys.duplicated(keep=False).to_numpy()
        if not shared.any():
            return
        lines = pd.Series(self.raw.source_line[kept])
        by_key = lines.groupby([keys[name] for name in self.table.key], sort=False)
        smallest, largest = by_key.transform("min"), by_key.transform("max")
        header = {column.name: column.source for column in self.table.columns}[self.table.key[0]]
        for row in np.flatnonzero(shared):
            other = largest[row] if smallest[row] == lines[row] else smallest[row]
            expected = f"an id that stands once (another row has it on line {other})"
            self.refusals.append(Refusal(int(lines[row]), header, expected, str(keys[self.table.key[0]][row])))
        self.refused[kept[shared]] = True

    def _refuse(self, rows: np.ndarray, header: str, expected: str, coded: pa.DictionaryArray) -> None:
        self.refused[rows] = True
        found = coded.take(pa.array(rows)).to_pylist()
        lines = self.raw.source_line[rows]
        self.refusals += [Refusal(int(line), header, expected, text) for line, text in zip(lines, found, strict=True)]

    def _note(self, column: Column, coded: pa.DictionaryArray, values: pa.Array, bad: np.ndarray) -> None:
        kinds = is_quoted(coded.dictionary), is_unknown_word(column, values), is_bound(column, coded.dictionary)
        for kind, marked in zip(NOTED, kinds, strict=True):
            if (marked & ~bad).any():
                count = int(np.bincount(coded.indices.to_numpy(), minlength=len(marked))[marked & ~bad].sum())
                words = sorted(pc.unique(values.filter(pa.array(marked & ~bad))).cast(pa.string()).to_pylist(), key=str)[:FIRST_WORDS]
                self.notes.append({"table": self.table.name, "column": column.name, "what": kind, "rows": count, "first_words": words})


def _spread(values: pa.Array, indices: pa.Array) -> pa.Array:
    """The value of every row from those of the distinct texts; text stays dictionary-encoded, which is quicker to write."""
    if not pa.types.is_string(values.type):
        return values.take(indices)
    distinct = values.dictionary_encode()
    # Not to be looked over: codes of codes are within bounds.
    return pa.DictionaryArray.from_arrays(distinct.indices.take(indices), distinct.dictionary, safe=False)


def type_table(table: Table, raw: RawTable, known: Known | None = None) -> TypedTable:
    """Type a file's rows by the rules above.

    Args:
        table: the specification; its required columns must be there (`ingest` checks the header).
        raw: from `read_rows`.
        known: ids to look up in columns that refer to a patient or specimen.
    """
    typing = Typing(table, raw, known or {})
    arrays = typing.arrays()
    typing.unique(arrays)
    rows = pa.table({**arrays, "source_line": pa.array(raw.source_line, pa.int32())})
    if typing.repeated.any() or typing.refused.any():
        rows = rows.filter(pa.array(~(typing.repeated | typing.refused)))
    repeated = np.flatnonzero(typing.repeated)
    pairs = [(int(raw.source_line[row]), int(raw.source_line[typing.first[row]])) for row in repeated]
    ordered = sorted(typing.refusals, key=lambda refusal: refusal.line)
    read = len(raw.source_line) + len(raw.malformed)
    return TypedTable(rows, ordered, read, len(pairs), pairs, typing.orphans, typing.notes)


def sort_key(names: Collection[str]) -> str | None:
    """The column by which a table is sorted; None: it stays in the order of its source."""
    return next((name for name in ("patient_id", "sample_id", "tumor_sample_barcode") if name in names), None)


def by_patient(rows: pa.Table) -> pa.Table:
    """Rows in the order of their patients, those of one in the order of the source; of genomic tables, by specimen.

    A range of patients can then be read without the rest (`oncoraft.foundation.ranges`). A table of neither stays as it is.
    """
    key = sort_key(rows.column_names)
    if key is None or not rows.num_rows:
        return rows
    coded = rows[key].combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    rank = np.empty(len(coded.dictionary), dtype=np.int32)
    rank[pc.sort_indices(coded.dictionary).to_numpy()] = np.arange(len(rank), dtype=np.int32)
    places = rank[coded.indices.to_numpy()]
    if (places[1:] >= places[:-1]).all():
        return rows
    return rows.take(pa.array(np.argsort(places, kind="stable")))
