"""CSV for people, who open it in a spreadsheet: text of the data never becomes a formula there.

Spreadsheets run a cell that begins with one of a few characters (OWASP, "CSV Injection"). Such a text gets an apostrophe in front, which
they take as "this is text". Numbers are left alone, and so is Parquet, which no spreadsheet interprets.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd

# The full-width forms are turned into the others by spreadsheets with an East Asian input method.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def neutral(cell: Any) -> Any:
    """A cell that no spreadsheet runs: a text that begins like a formula gets an apostrophe in front; anything else is itself."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


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
