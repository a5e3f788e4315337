"""CSV for people, who open it in a spreadsheet: text of the data never becomes a formula there.

Spreadsheets run a cell that begins with one of a few characters (OWASP, "CSV Injection"). Such a text gets an apostrophe in front, which
they take as "this is text". Numbers are left alone, and so is Parquet, which no spreadsheet interprets.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file

# The full-width forms are turned into the others by spreadsheets with an East Asian input method.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def neutral(cell: Any) -> Any:
    """A cell that no spreadsheet runs: a text that begins like a formula gets an apostrophe in front; anything else is itself."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def delimiter_of(header: str, needed: Sequence[str]) -> str:
    """What parts the cells of a header: where a comma is the decimal mark, spreadsheets save semicolons under the same name."""
    return next((mark for mark in ",;\t" if set(needed) <= set(next(csv.reader([header], delimiter=mark), []))), ",")


def plain(cell: str) -> str:
    """A cell of a file that `write_csv` wrote as it was: without the apostrophe before what begins like a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def iterate_csv(path: Path, needed: Sequence[str], what: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells of every row of a CSV that people wrote, as text; rows whose cells are all empty are passed over.

    Cells are parted by commas, or by semicolons or tabs where only so the headers are found.

    Args:
        path: the file.
        needed: headers that it must have; others may stand in it.
        what: what is expected, in words.

    Raises:
        InputError: no such file, no UTF-8, a header that is missing or stands twice, a row of another width, or no CSV.
    """
    require_file(path, what)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=delimiter_of(header, needed))
            if absent := [name for name in needed if name not in (reader.fieldnames or [])]:
                raise InputError("expected this column", file=path, line=1, column=absent[0])
            if twice := [name for name, count in Counter(filter(None, reader.fieldnames or [])).items() if count > 1]:
                raise InputError("expected this column once", file=path, line=1, column=twice[0])
            for row in reader:
                # Spreadsheets leave such rows below a table.
                if None not in row and not any(cell and cell.strip() for cell in row.values()):
                    continue
                if None in row or None in row.values():
                    raise InputError(f"expected {len(reader.fieldnames or [])} values", file=path, line=reader.line_num)
                yield reader.line_num, row
    except UnicodeDecodeError:
        raise InputError("expected UTF-8", file=path) from None
    except csv.Error as error:  # the line ends of another age, or a cell beyond the library's limit
        raise InputError(f"expected a CSV ({error})", file=path) from None


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table without its index; text and headers neutral, numbers in full.

    Text is quoted, so that a spreadsheet which parts cells at semicolons or tabs cannot begin a cell within one.
    """
    safe = frame.copy(deep=False)
    safe.columns = pd.Index([neutral(name) for name in frame.columns])
    for place, kind in enumerate(frame.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)):
            # Not by `map`, which makes 20 and nothing 20.0 and nothing.
            safe.isetitem(place, pd.Series([neutral(cell) for cell in frame.iloc[:, place]], frame.index, dtype=object).array)
    safe.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n", encoding="utf-8")
