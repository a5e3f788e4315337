"""Numbers and tables for people: one way to write an estimate, an interval, a p and a missing value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


def number(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def p_value(value: float | None) -> str:
    """A p or q for people."""
    return "–" if value is None or value != value else ("< 0.001" if value < 0.001 else f"{value:.3f}")


def span(row: Mapping[str, Any], estimate: str, lower: str = "lower", upper: str = "upper", digits: int = 3) -> str:
    """An estimate with its interval, or a dash."""
    if row[estimate] is None:
        return "–"
    return f"{number(row[estimate], digits)} ({number(row[lower], digits)} to {number(row[upper], digits)})"


def share(part: float, whole: float) -> str:
    """A count of a whole with its percentage: 12 of 48 (25 %)."""
    return f"{part:,} of {whole:,} ({part / whole:.0%})" if whole else f"{part:,} of 0"


def words(value: object) -> str:
    """A cell: numbers grouped by thousands, nothing as a dash."""
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame, columns by their names."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


@dataclass(frozen=True)
class Table:
    """Text of a table, which the page's template escapes and marks up."""

    columns: list[str]
    rows: list[list[str]]
    caption: str = ""

    def is_text(self, column: int) -> bool:
        """Whether a column holds words, which are read from the left; hidden counts aside."""
        return any(row[column][:1].isalpha() and row[column] not in {"hidden", "yes", "no"} for row in self.rows)


def table(rows: Iterable[Mapping[str, Any]], caption: str = "") -> Table:
    """Rows as a table, keys as headings with underscores as spaces; every row has the keys of the first."""
    rows = list(rows)
    columns = [str(key).replace("_", " ") for key in rows[0]] if rows else []
    return Table(columns, [[words(value) for value in row.values()] for row in rows], caption)
