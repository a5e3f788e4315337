"""A large file into a typed table with memory that does not grow with it.

The file is read a part at a time. Rows that are kept by what they hold themselves wait on disk, parted by ranges of patients (or of
specimens) where the table is sorted by these; refused ones are remembered. What is asked of the whole file is whether rows repeat one
another: of each line a hash is put on disk, and lines that share one are compared in full. Then the ranges are written one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.cells import schema
from oncoraft.cohort.profiled import refused_samples
from oncoraft.cohort.reader import Header, RawTable, Refusal, raw_lines, read_parts
from oncoraft.cohort.recognise import columns_of_signs
from oncoraft.cohort.references import positions
from oncoraft.cohort.rows import FIRST_WORDS, NOTED, Known, TypedTable, Typing, sort_key
from oncoraft.foundation import ranges
from oncoraft.knowledge.study_files import MARKERS_FILE
from oncoraft.knowledge.tables import Table

LARGE = 16 << 20  # bytes of a file from which it is read in parts; as a whole it takes about four times as much memory
RANGE = 24 << 20  # bytes of the file whose rows are sorted at a time
HASHES = 1 << 20  # hashes of lines that are looked at at a time


def is_streamed(table: Table, path: Path, header: Header) -> bool:
    """Whether a file is large, and each of its rows can be judged without the others (but for exact duplicates)."""
    is_simple = table.layout == "rows" and not table.key and not table.first_of and path.name.casefold() != MARKERS_FILE
    size = path.stat().st_size
    return is_simple and len({column.refers for column in table.columns if column.refers}) == 1 and size >= LARGE and size > header.end


class Spill:
    """Kept rows on disk, in files by range of the ids by which the table is sorted; in one file if it is not."""

    def __init__(self, folder: Path, table: Table, known: Known, size: int) -> None:
        self.folder, self.schema = folder, schema(table)
        self.key = sort_key(self.schema.names)
        self.ids, self.count, self.rows = pa.array([], pa.string()), 1, 0
        if self.key is not None:
            kind = next(column.refers for column in table.columns if column.name == self.key)
            # Of a row whose id is not among these nothing is kept.
            self.ids = pc.unique(known[kind]).cast(pa.string())
            self.ids = self.ids.take(pc.sort_indices(self.ids))
            self.count = max(1, -(-size // RANGE))
        self.writers: dict[int, pa.RecordBatchStreamWriter] = {}

    def add(self, rows: pa.Table) -> None:
        """Take in rows that follow those of before."""
        self.rows += rows.num_rows
        if self.count == 1:
            self._write(0, rows)
            return
        number = positions(rows[self.key], self.ids) * self.count // len(self.ids)
        order = np.argsort(number, kind="stable")
        ordered, ends = rows.take(pa.array(order)), np.searchsorted(number[order], np.arange(self.count + 1))
        for part in range(self.count):
            if ends[part + 1] > ends[part]:
                self._write(part, ordered.slice(ends[part], ends[part + 1] - ends[part]))

    def _write(self, number: int, rows: pa.Table) -> None:
        if number not in self.writers:
            self.writers[number] = pa.ipc.new_stream(str(self.folder / f"{number}.arrow"), self.schema)
        # As plain texts, since each part of the file has a dictionary of its own.
        self.writers[number].write_table(rows.cast(self.schema))

    def parts(self, repeated: np.ndarray, kept: int) -> Iterator[pa.Table]:
        """All rows but those of some lines, in the order in which they are written; at least one part.

        Args:
            repeated: lines.
            kept: how many rows are left.
        """
        for writer in self.writers.values():
            writer.close()
        yield self.schema.empty_table()
        if self.key is None:
            yield from (_without(rows, repeated) for rows in self._batches(0))
        elif kept <= ranges.ROWS:
            # One row group is read whole for any range of patients, in whatever order its rows are: it stays in the file's.
            every = (_without(rows, repeated) for number in range(self.count) for rows in self._batches(number))
            whole = pa.concat_tables([self.schema.empty_table(), *every])
            yield whole.take(pc.sort_indices(whole["source_line"]))
        else:
            for number in range(self.count):
                rows = pa.concat_tables([self.schema.empty_table(), *(_without(rows, repeated) for rows in self._batches(number))])
                place = positions(rows[self.key], self.ids)
                yield rows.combine_chunks().take(pa.array(np.argsort(place, kind="stable")))

    def _batches(self, number: int) -> Iterator[pa.Table]:
        if number in self.writers:
            with pa.OSFile(str(self.folder / f"{number}.arrow")) as stream, pa.ipc.open_stream(stream) as reader:
                for batch in reader:
                    yield pa.Table.from_batches([batch])


def _without(rows: pa.Table, lines: np.ndarray) -> pa.Table:
    keep = ~np.isin(rows["source_line"].to_numpy(), lines)
    return rows if keep.all() else rows.filter(pa.array(keep))


class Streamed:
    """What was read of one file: rows on disk, and everything that is told of it."""

    def __init__(self, table: Table, path: Path, header: Header, known: Known, folder: Path) -> None:
        """Read the file.

        Args:
            table, path, header: as `read_rows` and `type_table`; the table is one of `is_streamed`.
            known: ids of the clinical tables, which are there.
            folder: for rows and hashes while they wait.
        """
        self.table, self.path, self.header, self.known = table, path, header, known
        self.hashes = folder / "hashes"
        self.refusals: list[Refusal] = []
        self.malformed: set[int] = set()
        self.orphans: dict[str, list[tuple[int, str]]] = {}
        self.notes: dict[tuple[str, str], dict[str, Any]] = {}
        self.doubtful: set[str] = set()
        self.lines = 0
        self.signs = {name: place for name in columns_of_signs(table.name) if (place := header.position(name)) is not None}
        self.words: dict[str, set[str]] = {name: set() for name in self.signs}
        self.spill = Spill(folder, table, known, path.stat().st_size)
        used = {header.position(column.source, *column.other_headers) for column in table.columns}
        with self.hashes.open("wb") as stream:
            for raw, lines in read_parts(path, header, {*self.signs.values(), *(place for place in used if place is not None)}):
                # Python's hash of bytes differs from run to run; here only equality within one is asked.
                stream.write(np.fromiter(map(hash, lines), np.int64, len(lines)).tobytes())
                self._add(raw, lines)
                self.lines += len(lines)
        self.duplicates = self._duplicates()

    def _add(self, raw: RawTable, lines: list[bytes]) -> None:
        typing = Typing(self.table, raw, self.known, is_part=True)
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
        first = self.header.line + 1 + self.lines
        texts = {refusal.line: lines[refusal.line - first].decode("utf-8") for refusal in typing.refusals}
        self.doubtful |= refused_samples(self.table, raw, texts)
        rows = pa.table({**arrays, "source_line": pa.array(raw.source_line, pa.int32())}).select(self.spill.schema.names)
        self.spill.add(rows.filter(pa.array(~typing.refused)) if typing.refused.any() else rows)

    def _duplicates(self) -> list[tuple[int, int]]:
        """Lines that equal an earlier one in every cell, malformed ones left out, and the first line of each, sorted."""
        passes, suspects = max(1, -(-self.lines // HASHES)), [np.empty(0, np.int64)]
        for number in range(passes):
            found, at = [], []
            for start in range(0, self.lines, HASHES):
                hashes = np.fromfile(self.hashes, np.int64, HASHES, offset=start * 8)
                own = np.flatnonzero(hashes % passes == number)
                found.append(hashes[own])
                at.append(own + start)
            shared = pd.Series(np.concatenate(found)).duplicated(keep=False).to_numpy()
            suspects.append(np.concatenate(at)[shared])
        lines = set((np.concatenate(suspects) + self.header.line + 1).tolist()) - self.malformed
        texts, width, pairs = raw_lines(self.path, lines), len(self.header.names), []
        first: dict[tuple[str, ...], int] = {}
        for line in sorted(lines):
            cells = tuple(texts[line].split("\t")[:width])  # what stands behind the last column of a well-formed row is empty
            if first.setdefault(cells, line) != line:
                pairs.append((line, first[cells]))
        return pairs

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
