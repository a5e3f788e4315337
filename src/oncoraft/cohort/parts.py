"""A large file a part at a time, each column in the way that costs least.

A text that stands in many cells is read as a code, so that it is judged once. Finding out that cells all differ costs more than reading
them: numbers, and columns whose texts hardly repeat, come with a code of its own for each cell. What is told of a cell is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from oncoraft.cohort import reader
from oncoraft.cohort.reader import Header, RawTable

SELDOM = 0.75  # distinct texts to a row of the first part, from which a column's texts hardly repeat


def read_parts(path: Path, header: Header, asked: Collection[int], numbers: Collection[int] = ()) -> Iterator[tuple[RawTable, bytes]]:
    """The rows of a file as `read_rows` gives them, a part of the file at a time.

    Args:
        path: tab-separated, with rows.
        header: its header.
        asked: positions of the columns that are read; the others come back empty.
        numbers: those of them in which mostly numbers stand.

    Yields:
        the well-formed and the malformed rows of a part; and its text, malformed rows too, of which each line ends in LF, without empty
        cells behind the last column where any row of the part has such.

    Raises:
        InputError: as `read_rows`.
    """
    direct, before, places = set(numbers) & set(asked), header.line, sorted(asked)
    with path.open("rb") as stream:
        reader.check_part(path, stream.read(header.end), 0)
        while data := stream.read(reader.PART) + stream.readline():
            reader.check_part(path, data, before)
            text = data.replace(b"\r\n", b"\n") if b"\r" in data else data
            text, bare = text if text.endswith(b"\n") else text + b"\n", replace(header, line=0, end=0)
            table, malformed = reader.read_text(text, bare, use_threads=True, block=len(text) + 1, asked=places, direct=direct, file=path)
            if malformed:
                text = reader.without_padding(text, bare)
                table, malformed = reader.read_text(
                    text, bare, use_threads=False, block=len(text) + 1, asked=places, direct=direct, file=path
                )
            count = table.num_rows + len(malformed)
            malformed = [refusal._replace(line=before + refusal.line) for refusal in malformed]
            lines = np.arange(before + 1, before + 1 + count, dtype=np.int32)
            if malformed:
                lines = lines[~np.isin(lines, np.array([refusal.line for refusal in malformed], dtype=np.int32))]
            yield RawTable(header, _columns(table, places, len(header.names)), lines, malformed, frozenset(direct)), text
            if before == header.line:
                direct |= _seldom_repeated(table, places)
            before += count


def _columns(table: pa.Table, places: list[int], width: int) -> list[pa.DictionaryArray]:
    """Columns by their position in the file; cells that are plain texts with a code each."""
    own = pa.array(np.arange(table.num_rows, dtype=np.int32))
    unread = pa.array([], pa.dictionary(pa.int32(), pa.string()))
    found = {place: reader.one_chunk(column) for place, column in zip(places, table.unify_dictionaries().columns, strict=True)}
    coded = {
        place: column if isinstance(column, pa.DictionaryArray) else pa.DictionaryArray.from_arrays(own, column, safe=False)
        for place, column in found.items()
    }
    return [coded.get(place, unread) for place in range(width)]


def _seldom_repeated(table: pa.Table, places: list[int]) -> set[int]:
    coded = {place: column for place, column in zip(places, table.columns, strict=True) if pa.types.is_dictionary(column.type)}
    return {place for place, column in coded.items() if len(reader.one_chunk(column).dictionary) > SELDOM * table.num_rows}
