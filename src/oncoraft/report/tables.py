"""Numbers and tables as HTML: one way to write an estimate, an interval, a p and a missing value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any


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


def table(rows: Iterable[Mapping[str, Any]], caption: str = "") -> str:
    """Rows as an HTML table, keys as headings with underscores as spaces."""
    rows = list(rows)
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th scope='col'>{escape(str(key).replace('_', ' '))}</th>" for key in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(words(value))}</td>" for value in row.values()) + "</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<div class='scroll'><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
