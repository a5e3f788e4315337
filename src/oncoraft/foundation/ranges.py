"""Patient ranges: a cohort is worked through some thousands of patients at a time, so that memory does not grow with it.

A range is the cases of `PATIENTS` patients that follow one another in the order of case ids; it never ends within a patient, and what a
step writes does not depend on where ranges end. Of each table only those row groups are read whose statistics say that they may hold
rows of the range: tables sorted by patient, in row groups of `ROWS`, are read once in all, others again for each range.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oncoraft.foundation.errors import InputError

PATIENTS = 5_000  # their records and evidence take about 200 MB; each range costs a fixed tenth of a second beside its work
ROWS = 32_768  # of a row group that is written: a few to a range in the large tables, so that little is read for two ranges


class Range(NamedTuple):
    """Cases of some patients: all that these have, sorted; and the patients, each once."""

    case_ids: pa.Array
    patient_ids: pa.Array


class Kinds(NamedTuple):
    """Names of columns: of those in which few different words or numbers stand, and of those that hold ids."""

    repeated: Collection[str]
    ids: Collection[str]


def patient_ranges(case_ids: pa.Array, patient_ids: pa.Array | None = None, patients: int | None = None) -> list[Range]:
    """The ranges of a cohort, at least one, in the order of case ids.

    Args:
        case_ids: each once, in any order, (cases,).
        patient_ids: whose each case is, (cases,), as text or as numbers of a dictionary; None: not known, a case counts as a patient.
        patients: patients of a range (more where their cases stand among one another); None: `PATIENTS`.
    """
    order = pc.sort_indices(case_ids)
    case_ids = case_ids.take(order)
    owners = (case_ids if patient_ids is None else patient_ids.take(order)).dictionary_encode()
    codes = owners.indices.to_numpy()
    place = np.arange(len(codes))
    if patient_ids is not None and pa.types.is_dictionary(patient_ids.type):  # its numbers are of another order
        first = np.full(len(owners.dictionary), len(codes))
        first[codes[::-1]] = place[::-1]
        rank = np.empty(len(first), dtype=codes.dtype)
        rank[np.argsort(first, kind="stable")] = np.arange(len(first))
        codes = rank[codes]  # by first appearance
    last = np.zeros(len(codes), dtype=np.int64)
    last[codes] = place  # of equal codes the last assignment stays
    # A range may end behind a case if no patient has cases on both sides.
    ends = np.flatnonzero(np.maximum.accumulate(last[codes]) == place)
    begun = np.maximum.accumulate(codes)[ends] + 1  # patients up to and with each possible end
    stops: list[int] = []
    done = 0
    while done < len(ends):
        before = begun[done - 1] if done else 0
        done = min(int(np.searchsorted(begun, before + (patients or PATIENTS))) + 1, len(ends))
        stops.append(int(ends[done - 1]) + 1)
    starts = [0, *stops[:-1]]
    return [
        Range(case_ids.slice(start, stop - start), pc.unique(owners.slice(start, stop - start)).dictionary_decode())
        for start, stop in zip(starts, stops or [0], strict=True)
    ]


class RangedTable:
    """A Parquet table whose rows are read by the ids of one range at a time, in their order, of one type whatever the range."""

    def __init__(self, path: Path, key: str, columns: Sequence[str] | None = None, coded: Sequence[str] = ()) -> None:
        """Open a table.

        Args:
            path: the file.
            key: the column of text by which rows belong to a range: of patients, cases or specimens.
            columns: those to read; None: all.
            coded: columns of text that are read as numbers of a dictionary.

        Raises:
            InputError: no such file, no Parquet, or a column is missing.
        """
        if not path.is_file():
            raise InputError("expected a table of the steps before", file=path)
        try:
            # A column that is not there is refused below, by its name.
            there = set(pq.read_schema(path).names).intersection(coded) if coded else ()
            self.path, self.file, self.key = path, pq.ParquetFile(path, read_dictionary=list(there)), key
        except pa.ArrowInvalid as error:
            raise InputError(f"expected a Parquet file ({str(error).splitlines()[0]})", file=path) from None
        names = self.file.schema_arrow.names
        if absent := [name for name in (key, *(columns or ())) if name not in names]:
            raise InputError("expected this column", file=path, column=absent[0])
        self.columns = list(names if columns is None else columns)
        self.asked = self.columns if key in self.columns else [*self.columns, key]
        self.spans = [self._span(group, names.index(key)) for group in range(self.file.num_row_groups)]
        self.last: tuple[int, pa.Table] | None = None
        self.has_nulls = {name for name in self.columns if self._has_nulls(name)}
        # A file written by pandas says itself which type a column of it has.
        self.is_typed = b"pandas" in (self.file.schema_arrow.metadata or {})

    def _span(self, group: int, place: int) -> tuple[str, str] | None:
        statistics = self._column(group, self.key).statistics
        return (statistics.min, statistics.max) if statistics is not None and statistics.has_min_max else None

    def _column(self, group: int, name: str) -> pq.ColumnChunkMetaData:
        row_group = self.file.metadata.row_group(group)
        return next(found for found in map(row_group.column, range(row_group.num_columns)) if found.path_in_schema.split(".")[0] == name)

    def _has_nulls(self, name: str) -> bool:
        found = (self._column(group, name).statistics for group in range(self.file.num_row_groups))
        return any(statistics is None or not statistics.has_null_count or statistics.null_count > 0 for statistics in found)

    def table(self, ids: pa.Array) -> pa.Table:
        """Rows whose key is among some ids."""
        nothing = self.file.schema_arrow.empty_table().select(self.columns)
        if not len(ids) or pa.types.is_null(self.file.schema_arrow.field(self.key).type):
            return nothing
        least, most = (pc.min_max(ids)[name].as_py() for name in ("min", "max"))
        # A group without a span holds nulls alone, or says nothing of its rows.
        groups = [number for number, span in enumerate(self.spans) if span is None or (span[0] <= most and least <= span[1])]
        found = [nothing]
        for group in groups:
            rows = self._group(group)
            kind = rows[self.key].type
            wanted = ids.cast(kind.value_type if pa.types.is_dictionary(kind) else kind)
            found.append(rows.filter(pc.is_in(rows[self.key], value_set=wanted)).select(self.columns))
        return pa.concat_tables(found)

    def _group(self, number: int) -> pa.Table:
        # The last one is kept: where one range ends in it, the next begins.
        if self.last is None or self.last[0] != number:
            self.last = (number, self.file.read_row_group(number, columns=self.asked, use_threads=False))
        return self.last[1]

    def forget(self) -> None:
        """Hold no row group any longer: where its last rows have been read, and other work follows."""
        self.last = None

    def rows(self, ids: pa.Array) -> pd.DataFrame:
        """As `table`, with the types that pandas gives the whole file: a column with a null anywhere holds floats instead of integers."""
        return self._in_pandas(self.table(ids))

    def ids(self) -> pa.Array:
        """Its keys, each once, in the order in which they first stand."""
        coded = pq.ParquetFile(self.path, read_dictionary=[self.key])
        groups = (coded.read_row_group(number, columns=[self.key])[0] for number in range(coded.num_row_groups))
        found = [pc.unique(group).dictionary_decode() for group in groups if pa.types.is_dictionary(group.type)]
        return pc.unique(pa.chunked_array(found, pa.string()))

    def whole(self) -> pa.Table:
        """All rows."""
        return self.file.read(columns=self.columns, use_threads=False)

    def every(self) -> pd.DataFrame:
        """All rows, as `rows` would give them."""
        return self._in_pandas(self.whole())

    def _in_pandas(self, found: pa.Table) -> pd.DataFrame:
        if self.is_typed:
            return found.to_pandas()
        for place, field in enumerate(found.schema):
            if field.name in self.has_nulls and pa.types.is_integer(field.type):
                found = found.set_column(place, field.name, found[field.name].cast(pa.float64()))
        frame = found.to_pandas()
        truths = [field.name for field in found.schema if pa.types.is_boolean(field.type) and field.name in self.has_nulls]
        return frame.astype(dict.fromkeys(truths, object)) if truths else frame


def write_ranges(path: Path, parts: Iterable[pa.Table], *, store_schema: bool = True, kinds: Kinds | None = None) -> int:
    """Write tables one behind the other, in row groups of `ROWS` wherever a part ends.

    Args:
        path: the Parquet file.
        parts: at least one; the first says what columns and types there are.
        store_schema: whether Arrow's own schema stands in the file; without it dictionary-encoded text is read back as text.
        kinds: what stands in columns; they are then written by `encodings`. None: as the library does.

    Returns:
        rows written.
    """
    rest = iter(parts)
    waiting = next(rest)
    total = waiting.num_rows
    options = {} if kinds is None else encodings(waiting.schema, kinds)
    with pq.ParquetWriter(path, waiting.schema, store_schema=store_schema, **options) as writer:
        for part in rest:
            total += part.num_rows
            waiting = _written(writer, pa.concat_tables([waiting, part.cast(writer.schema)]))
            del part  # or it would be held while the next one is made
        waiting = _written(writer, waiting)
        if waiting.num_rows or not total:
            writer.write_table(compact(waiting.combine_chunks()))
    return total


def encodings(schema: pa.Schema, kinds: Kinds) -> dict[str, Any]:
    """Options of a Parquet writer: dictionaries for text and for numbers that repeat, whole numbers by their differences.

    That is quicker than a dictionary for all, the library's choice, and smaller: lines and days rarely repeat, and are near those before.
    Of text, only ids have statistics, by which row groups are chosen: to find the first and the last of texts takes as long as writing them.
    """
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)]
    repeated = {*kinds.repeated} & {*schema.names}
    whole = [field.name for field in schema if pa.types.is_integer(field.type) and field.name not in repeated]
    return {
        "use_dictionary": [name for name in schema.names if name in {*texts, *repeated}],
        "column_encoding": dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
        "write_statistics": [name for name in schema.names if name in kinds.ids or name not in texts],
    }


def compact(rows: pa.Table) -> pa.Table:
    """Rows, in one piece, whose dictionaries hold no text that none of them has: a dictionary is written in full, with each row group."""
    for place, column in enumerate(rows.columns):
        if pa.types.is_dictionary(column.type) and column.num_chunks == 1 and len(column.chunk(0).dictionary):
            coded = column.chunk(0)
            codes = (coded.indices.fill_null(0) if coded.null_count else coded.indices).to_numpy()
            is_used = np.zeros(len(coded.dictionary), dtype=bool)
            is_used[codes] = True
            if not is_used.all():
                new = (np.cumsum(is_used, dtype=np.int32) - 1).take(codes)
                absent = coded.indices.is_null().to_numpy(zero_copy_only=False) if coded.null_count else None
                dictionary = coded.dictionary.filter(pa.array(is_used))
                narrow = pa.DictionaryArray.from_arrays(pa.array(new, mask=absent), dictionary, safe=False)
                rows = rows.set_column(place, rows.field(place), narrow)
    return rows


def _written(writer: pq.ParquetWriter, rows: pa.Table) -> pa.Table:
    """Write the full row groups of some rows; returns what is left."""
    full = rows.num_rows // ROWS * ROWS
    for start in range(0, full, ROWS):
        # In one piece, since pages of a column end where its pieces end.
        writer.write_table(compact(rows.slice(start, ROWS).combine_chunks()))
    # A copy: a slice would hold all that it is of.
    return compact(rows.slice(full).take(pa.array(np.arange(rows.num_rows - full))))


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Let Python not look for reference cycles meanwhile.

    Records, regimens, claims and findings hold none, but there are a million of them in a range, and going through them again and again
    takes a quarter of the time. What libraries leave in cycles waits until the range is done.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
