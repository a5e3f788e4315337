"""Typed rows of a large file that wait on disk until they are written, parted by ranges of patients or of specimens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.cells import schema
from oncoraft.cohort.rows import Known, by_patient, sort_key
from oncoraft.foundation import ranges
from oncoraft.knowledge.tables import Table

RANGE = 12 << 20  # bytes of the file whose rows are sorted at a time
OFTEN = 0.25  # distinct texts to a row of the first part, up to which a column stays dictionary-encoded


class Spill:
    """Kept rows on disk, in files by range of the ids by which the table is sorted; in one file if it is not."""

    def __init__(self, folder: Path, table: Table, known: Known, size: int) -> None:
        self.folder, self.schema, self.is_open = folder, schema(table), True
        self.key = sort_key(self.schema.names)
        self.count, self.bounds = 1, pa.array([], pa.string())
        if self.key is not None:
            kind = next(column.refers for column in table.columns if column.name == self.key)
            # Of a row whose id is not among these nothing is kept.
            ids = pc.unique(known[kind].ordered)
            self.count = max(1, min(-(-size // RANGE), len(ids)))
            firsts = -(-np.arange(1, self.count) * len(ids) // self.count)  # of all ranges but the first
            self.bounds = ids.take(pa.array(firsts))
        self.writers: dict[int, pa.RecordBatchStreamWriter] = {}

    def add(self, rows: pa.Table) -> None:
        """Take in rows that follow those of before; text that repeats is dictionary-encoded."""
        if self.is_open:
            self.schema, self.is_open = pa.schema([_waiting(field, rows[field.name]) for field in self.schema]), False
        rows = rows.cast(self.schema)
        if self.count == 1:
            self._write(0, rows)
            return
        number = self._ranges(rows[self.key])
        if not (number[1:] >= number[:-1]).all():
            order = np.argsort(number, kind="stable")
            number, rows = number[order], rows.take(pa.array(order))
        ends = np.searchsorted(number, np.arange(self.count + 1))
        for part in range(self.count):
            if ends[part + 1] > ends[part]:
                self._write(part, ranges.compact(rows.slice(ends[part], ends[part + 1] - ends[part])))

    def _ranges(self, column: pa.ChunkedArray) -> np.ndarray:
        """The range of each row."""
        found = [np.empty(0, np.int64)]
        for chunk in column.chunks:
            coded = chunk if isinstance(chunk, pa.DictionaryArray) else chunk.dictionary_encode()
            number = np.zeros(len(coded.dictionary), dtype=np.int64)
            for bound in self.bounds:
                number += pc.greater_equal(coded.dictionary, bound).to_numpy(zero_copy_only=False)
            found.append(number[coded.indices.to_numpy()])
        return np.concatenate(found)

    def _write(self, number: int, rows: pa.Table) -> None:
        if number not in self.writers:
            self.writers[number] = pa.ipc.new_stream(str(self.folder / f"{number}.arrow"), self.schema)
        self.writers[number].write_table(rows)

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
            whole = self._joined(every)
            yield whole.take(pc.sort_indices(whole["source_line"]))
        else:
            for number in range(self.count):
                rows = self._joined(_without(rows, repeated) for rows in self._batches(number))
                yield by_patient(rows)

    def _joined(self, batches: Iterator[pa.Table]) -> pa.Table:
        # Each part of the file has a dictionary of its own.
        return pa.concat_tables([self.schema.empty_table(), *batches]).unify_dictionaries().combine_chunks()

    def _batches(self, number: int) -> Iterator[pa.Table]:
        if number in self.writers:
            with pa.OSFile(str(self.folder / f"{number}.arrow")) as stream, pa.ipc.open_stream(stream) as reader:
                for batch in reader:
                    yield pa.Table.from_batches([batch])


def _waiting(field: pa.Field, column: pa.ChunkedArray) -> pa.Field:
    """A column's type while it waits: encoded where its texts repeat."""
    if not pa.types.is_dictionary(column.type):
        return field
    distinct = sum(len(chunk.dictionary) for chunk in column.chunks)
    return field.with_type(column.type) if distinct <= OFTEN * len(column) else field


def _without(rows: pa.Table, lines: np.ndarray) -> pa.Table:
    keep = ~np.isin(rows["source_line"].to_numpy(), lines)
    return rows if keep.all() else rows.filter(pa.array(keep))
