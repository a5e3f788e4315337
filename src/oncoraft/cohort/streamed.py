"""A large file into a typed table with memory that does not grow with it.

The file is read a part at a time. Rows that are kept by what they hold themselves wait on disk, parted by ranges of patients (or of
specimens) where the table is sorted by these; refused ones are remembered. What is asked of the whole file is whether rows repeat one
another (`repeats`). Then the ranges are written one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from oncoraft.cohort.cells import schema
from oncoraft.cohort.judged import Judged, is_plain
from oncoraft.cohort.parts import read_parts
from oncoraft.cohort.profiled import refused_samples
from oncoraft.cohort.reader import Header, RawTable, Refusal
from oncoraft.cohort.recognise import columns_of_signs
from oncoraft.cohort.repeats import Repeats
from oncoraft.cohort.rows import FIRST_WORDS, NOTED, Known, TypedTable, Typing
from oncoraft.cohort.spill import Spill
from oncoraft.knowledge.study_files import MARKERS_FILE
from oncoraft.knowledge.tables import Table

LINE_END = 10
LARGE = 4 << 20  # bytes of a file from which it is read in parts; as a whole it takes about four times as much memory, and more time


def is_streamed(table: Table, path: Path, header: Header) -> bool:
    """Whether a file is large, and each of its rows can be judged without the others (but for exact duplicates)."""
    is_simple = table.layout == "rows" and not table.key and not table.first_of and path.name.casefold() != MARKERS_FILE
    size = path.stat().st_size
    return is_simple and len({column.refers for column in table.columns if column.refers}) == 1 and size >= LARGE and size > header.end


class Streamed:
    """What was read of one file: rows on disk, and everything that is told of it."""

    def __init__(self, table: Table, path: Path, header: Header, known: Known, folder: Path) -> None:
        """Read the file.

        Args:
            table, path, header: as `read_rows` and `type_table`; the table is one of `is_streamed`.
            known: ids of the clinical tables, which are there.
            folder: for rows while they wait.
        """
        self.table, self.path, self.header, self.known = table, path, header, known
        self.refusals: list[Refusal] = []
        self.malformed: set[int] = set()
        self.orphans: dict[str, list[tuple[int, str]]] = {}
        self.notes: dict[tuple[str, str], dict[str, Any]] = {}
        self.doubtful: set[str] = set()
        self.repeats = Repeats(path, header, folder)
        self.signs = {name: place for name in columns_of_signs(table.name) if (place := header.position(name)) is not None}
        self.words: dict[str, set[str]] = {name: set() for name in self.signs}
        self.spill = Spill(folder, table, known, path.stat().st_size)
        self.judged: dict[str, Judged] = {}
        columns = {header.position(column.source, *column.other_headers): column for column in table.columns}
        used = {place: column for place, column in columns.items() if place is not None}
        numbers = {place for place, column in used.items() if is_plain(column)} - set(self.signs.values())
        for raw, text in read_parts(path, header, {*self.signs.values(), *used}, numbers):
            # Numpy counts bytes several times faster than Python does.
            assert np.count_nonzero(np.frombuffer(text, np.uint8) == LINE_END) == len(raw.source_line) + len(raw.malformed), path
            self._add(raw, text)
        self.lines = self.repeats.lines
        self.duplicates = self.repeats.pairs(self.malformed)

    def _add(self, raw: RawTable, text: bytes) -> None:
        typing = Typing(self.table, raw, self.known, self.judged)
        arrays = typing.arrays()
        self.refusals += typing.refusals
        self.malformed.update(refusal.line for refusal in raw.malformed)
        for column, rows in typing.stray.items():
            self.orphans.setdefault(column, []).extend(zip(raw.source_line[rows].tolist(), typing.orphans[column], strict=True))
        for note in typing.notes:
            known = self.notes.setdefault((note["column"], note["what"]), note | {"rows": 0, "first_words": []})
            known["rows"] += note["rows"]
            known["first_words"] = sorted({*known["first_words"], *note["first_words"]}, key=str)[:FIRST_WORDS]
        for name, place in self.signs.items():
            self.words[name].update(raw.columns[place].dictionary.to_pylist())
        if typing.refusals:
            first, lines = self.header.line + 1 + self.repeats.lines, text.split(b"\n")
            texts = {refusal.line: lines[refusal.line - first].decode("utf-8") for refusal in typing.refusals}
            self.doubtful |= refused_samples(self.table, raw, texts)
        self.repeats.add(raw, arrays)
        rows = pa.table({**arrays, "source_line": pa.array(raw.source_line, pa.int32())}).select(self.spill.schema.names)
        self.spill.add(rows.filter(pa.array(~typing.refused)) if typing.refused.any() else rows)

    def typed(self) -> TypedTable:
        """The account of the file; its rows are those that will be written."""
        repeated = {line for line, _ in self.duplicates}
        refusals = sorted((one for one in self.refusals if one.line not in repeated), key=lambda refusal: refusal.line)
        orphans = {column: [found for line, found in rows if line not in repeated] for column, rows in self.orphans.items()}
        place = {column.name: number for number, column in enumerate(self.table.columns)}
        notes = sorted(self.notes.values(), key=lambda note: (place[note["column"]], NOTED.index(note["what"])))
        kept = self.lines - len(refusals) - len(self.duplicates)
        none = schema(self.table).empty_table()
        return TypedTable(none, refusals, self.lines, len(self.duplicates), self.duplicates, orphans, notes, kept)

    def parts(self) -> Iterator[pa.Table]:
        """Kept rows in the order in which they are written; those of a patient in one part if the table is sorted by patient."""
        return self.spill.parts(np.array([line for line, _ in self.duplicates], dtype=np.int64), self.typed().rows_written)
