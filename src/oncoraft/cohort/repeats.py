"""Which lines of a large file repeat an earlier one, with memory that does not grow with it.

Of each row a number is made of its typed values, which lines that are equal share, and put on disk: at less than half of what a hash of the
line's text costs. Few other lines share one; those that do are compared in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.reader import Header, RawTable, raw_lines, some_lines

MARKS = 1 << 19  # numbers that are looked at at a time
MANY = 1 << 14  # lines whose text is held; of more, only of those that share a hash of it
SELDOM = 0.25  # distinct texts to a row from which a column is left out: to hash them would cost more than it tells
COLUMNS = 12  # at most so many columns: more tell hardly more, and cost as much as the text
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd (Knuth's multiplicative hashing)


def telling(arrays: Mapping[str, pa.Array], rows: int) -> list[str]:
    """The columns of which numbers of rows are best made: those with the most different values that are quickly told."""
    numbers = [name for name, array in arrays.items() if not _is_text(array)]
    coded = {name: len(array.dictionary) for name, array in arrays.items() if pa.types.is_dictionary(array.type)}
    texts = sorted((name for name, distinct in coded.items() if 1 < distinct <= SELDOM * rows), key=lambda name: -coded[name])
    return [*numbers, *texts][:COLUMNS]


def _is_text(array: pa.Array) -> bool:
    return pa.types.is_dictionary(array.type) or pa.types.is_string(array.type)


def marks(arrays: Mapping[str, pa.Array], columns: Sequence[str], rows: int) -> np.ndarray:
    """A number a row, (rows,), equal wherever the values of some columns are; where these differ it may be equal too."""
    total = np.zeros(rows, dtype=np.uint64)
    for place, name in enumerate(columns):
        factor = np.uint64(pow(int(MIX), place + 1, 1 << 64))  # odd, and another for each column
        array = arrays[name]
        if _is_text(array):
            # Each part may have the column in another form.
            array = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
            # Python's hash of text differs from run to run; here only equality within one is asked.
            texts = np.fromiter(map(hash, [*array.dictionary.to_pylist(), None]), np.int64).view(np.uint64) * factor
            codes = pc.fill_null(array.indices, len(array.dictionary)) if array.null_count else array.indices
            total += texts.take(codes.to_numpy())
        elif array.null_count < rows:
            filled = pc.fill_null(array, False if pa.types.is_boolean(array.type) else 0) if array.null_count else array
            filled = filled.to_numpy(zero_copy_only=False)
            total += (filled.view(np.uint64) if filled.dtype == np.float64 else filled.astype(np.uint64)) * factor
    # Numbers whose last bits are zeros keep these under all of the above; `Repeats` parts rows by them.
    total ^= total >> np.uint64(32)
    return total * MIX


class Repeats:
    """The numbers of a file's lines, on disk."""

    def __init__(self, path: Path, header: Header, folder: Path) -> None:
        self.path, self.header, self.place = path, header, folder / "marks"
        self.lines = 0
        self.columns: list[str] | None = None
        self.stream = self.place.open("wb")

    def add(self, raw: RawTable, arrays: Mapping[str, pa.Array]) -> None:
        """Take in the rows of the next part, by their typed columns."""
        if self.columns is None:
            self.columns = telling(arrays, len(raw.source_line))  # the same for all parts, or equal lines would not be told
        found = marks(arrays, self.columns, len(raw.source_line))
        if raw.malformed:
            # A malformed line has no values; its number is one that hardly any line has, and `pairs` leaves it out.
            every = np.arange(self.lines, self.lines + len(found) + len(raw.malformed), dtype=np.uint64) * MIX
            every[raw.source_line - (self.header.line + 1 + self.lines)] = found
            found = every
        self.stream.write(found.tobytes())
        self.lines += len(found)

    def pairs(self, malformed: Set[int]) -> list[tuple[int, int]]:
        """Lines that equal an earlier one in every cell, malformed ones left out, and the first line of each, sorted."""
        self.stream.close()
        suspects = self._suspects() + self.header.line + 1
        if malformed:
            suspects = suspects[~np.isin(suspects, np.fromiter(malformed, np.int64))]
        if len(suspects) > MANY:
            suspects = self._of_one_text(suspects)
        texts, width, pairs = raw_lines(self.path, set(suspects.tolist())), len(self.header.names), []
        first: dict[tuple[str, ...], int] = {}
        for line in sorted(texts):
            cells = tuple(texts[line].split("\t")[:width])  # what stands behind the last column of a well-formed row is empty
            if first.setdefault(cells, line) != line:
                pairs.append((line, first[cells]))
        return pairs

    def _suspects(self) -> np.ndarray:
        """Positions of lines that share their number with another, in any order."""
        # A power of two, so that the pass of a number is told by its last bits, at the least cost.
        passes, suspects = 1 << max(0, (self.lines - 1) // MARKS).bit_length(), [np.empty(0, np.int64)]
        for number in range(passes):
            found, at = [], []
            for start in range(0, self.lines, MARKS):
                part = np.fromfile(self.place, np.uint64, MARKS, offset=start * 8)
                own = np.flatnonzero(part & np.uint64(passes - 1) == number) if passes > 1 else np.arange(len(part))
                found.append(part[own])
                at.append(own + start)
            shared = is_shared(np.concatenate([np.empty(0, np.uint64), *found]))
            suspects.append(np.concatenate([np.empty(0, np.int64), *at])[shared])
        return np.concatenate(suspects)

    def _of_one_text(self, lines: np.ndarray) -> np.ndarray:
        """Those of some lines that share a hash of their text with another of them."""
        with self.path.open("rb") as stream:
            # Without empty cells at the end, of which equal rows may have more or fewer.
            hashes = np.fromiter((hash(line.rstrip(b"\r\n\t")) for line in some_lines(stream, lines)), np.int64, len(lines))
        return np.sort(lines)[is_shared(hashes)]


def is_shared(numbers: np.ndarray) -> np.ndarray:
    """Which numbers stand more than once, (numbers,)."""
    # Sorting takes a fifth of the time of a hash table.
    ordered = np.sort(numbers)
    return np.isin(numbers, np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
