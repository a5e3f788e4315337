"""Delimited files of other layouts as text, with the line of every row, and whole days out of their cells."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.knowledge.table_specification import DAY_LIMIT

LINE = "(line)"  # column of a row's line in its file; a header cannot be called so, since it would be refused as given twice
SAME_CLOCK = 0.99  # least share of rows on which two clocks of one event must agree
LARGEST_CELL = 10_000_000  # characters; the library's own limit is shorter than a pasted report


def read_source(path: Path, required: Collection[str], separator: str = ",") -> pd.DataFrame:
    """Every row as text; cells without their padding, a line number in `LINE`. Lines that begin with `#` before the header are passed over.

    Raises:
        InputError: no such file, not UTF-8, no header, a header twice, a required column that is not there, or a row of another width.
    """
    require_file(path, "a table of the source")
    header, rows, lines = _cells(path, separator)
    if not header:
        raise InputError("expected a header row", file=path, found="none")
    for name in header:
        if header.count(name) > 1:
            raise InputError("expected each column once", file=path, column=name, found="twice")
    for name in required:
        if name not in header:
            raise InputError("this column is required", file=path, column=name, found="no such header")
    frame = pd.DataFrame(rows, columns=header, dtype=object)
    for name in header:
        frame[name] = frame[name].str.strip()
    frame[LINE] = np.array(lines, dtype=np.int64)
    return frame


def _cells(path: Path, separator: str) -> tuple[list[str], list[list[str]], list[int]]:
    """The header, the rows, and the line of each row; empty lines and comments before the header are passed over."""
    limit = csv.field_size_limit(LARGEST_CELL)
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=separator, quoting=csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL)
            for cells in reader:
                if not header:
                    header = [] if not cells or cells[0].startswith("#") else [cell.strip() for cell in cells]
                elif cells:
                    if len(cells) != len(header):
                        raise InputError(f"expected {len(header)} fields", file=path, line=reader.line_num, found=len(cells))
                    rows.append(cells)
                    lines.append(reader.line_num)
    except UnicodeDecodeError:
        raise InputError("expected text in UTF-8", file=path) from None
    except csv.Error as error:
        raise InputError(f"expected a table of cells parted by {separator!r} ({error})", file=path) from None
    finally:  # the limit is that of the whole process
        csv.field_size_limit(limit)
    return header, rows, lines


def text(frame: pd.DataFrame, *names: str) -> pd.Series:
    """Cell by cell what the first of these columns says that says anything; empty text where none does, or words for "missing"."""
    found = pd.Series("", index=frame.index, dtype=object)
    for name in names:
        if name in frame:
            column = frame[name].astype(object)
            found = found.where(found != "", column.where(~column.map(is_missing_word), ""))
    return found


def days(frame: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """A column of day counts as numbers, missing where the cell is; all missing where the column is absent.

    Raises:
        InputError: a cell that is no whole number of days: a date, which no clock can be made of, or a fraction.
    """
    cells = text(frame, name)
    numbers = pd.to_numeric(cells.where(cells != ""), errors="coerce").astype(float)
    wrong = (cells != "") & ~(np.isclose(numbers, np.rint(numbers)) & (numbers.abs() <= DAY_LIMIT))
    if wrong.any():
        first = frame.loc[wrong].iloc[0]
        expected = "expected a whole number of days on this table's clock (no calendar date: a relative day cannot be told from it alone)"
        raise InputError(expected, file=path, line=int(first[LINE]), column=name, found=str(first[name]))
    return numbers


def coalesced(columns: Iterable[pd.Series]) -> pd.Series:
    """The first number that is there, row by row."""
    first, *others = columns
    for other in others:
        first = first.where(first.notna(), other)
    return first


def on_one_clock(one: pd.Series, other: pd.Series, rows: pd.DataFrame, path: Path, names: tuple[str, str]) -> tuple[pd.Series, int]:
    """Days of events that a file gives on two clocks, both brought to one: the first where it is there, else the second.

    Args:
        one, other: days on the same clock, by rights equal.
        rows: with the line of each.
        path, names: of the file and the two columns, for the message.

    Returns:
        days, and how many rows have both and differ.

    Raises:
        InputError: they differ in more than a hundredth of the rows that have both: one is counted from something else.
    """
    both = one.notna() & other.notna()
    differ = both & (one != other)
    if differ.sum() > (1 - SAME_CLOCK) * both.sum():
        line = int(rows[LINE][differ].iloc[0])
        expected = f"expected {names[0]} and {names[1]} to tell the same day; they do not on {int(differ.sum())} of {int(both.sum())} rows"
        raise InputError(f"{expected}, so that one of them counts from another day than supposed", file=path, line=line, column=names[1])
    return one.where(one.notna(), other), int(differ.sum())


def written(numbers: pd.Series) -> pd.Series:
    """Whole numbers as text, empty where missing."""
    return numbers.map(lambda value: "" if pd.isna(value) else str(int(value)))
