"""Numbers and tables for people: one way to write an estimate, an interval, a p and a missing value, each read from the file of its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import pandas as pd
from markupsafe import Markup

Row = Mapping[str, Any]
# Pixels: of a letter of a table, between two columns, of a drawn interval; letters after which words wrap; of a column of text at least; of a small and a large screen.
LETTER, PADDING, DRAWN, WRAPPED, LEAST_TEXT, SMALL_SCREEN, LARGE_SCREEN = 7.0, 18.0, 180.0, 26, 96.0, 700, 1060
MANY = 8  # columns, which together are wide even where each is narrow
Rows = list[dict[str, Any]]


def is_missing(value: object) -> bool:
    """Nothing, or not a number."""
    return value is None or value != value


def number(value: float | str | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none, a mark of the small cells as it is."""
    if isinstance(value, str):
        return value
    return "–" if value is None or value != value else f"{value:z.{digits}f}"


def p_value(value: float | None) -> str:
    """A p or q for people."""
    return "–" if value is None or value != value else ("< 0.001" if value < 0.001 else f"{value:.3f}")


def span(row: Row, estimate: str, lower: str = "lower", upper: str = "upper", digits: int = 3) -> str:
    """An estimate with its interval, or without where it has none, or a dash."""
    if is_missing(row[estimate]):
        return "–"
    if is_missing(row[lower]) and is_missing(row[upper]):
        return number(row[estimate], digits)
    return f"{number(row[estimate], digits)} ({number(row[lower], digits)} to {number(row[upper], digits)})"


def share(part: float, whole: float) -> str:
    """A count of a whole with its percentage: 12 of 48 (25%)."""
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


def records(frame: pd.DataFrame) -> Rows:
    """Rows of a frame, columns by their names."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


@dataclass(frozen=True, eq=False)
class Data:
    """Numbers behind something that the page shows, and the name of the file that holds them: data/<name>.csv."""

    name: str
    rows: Sequence[Row]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as they are written: whole numbers stay whole where some are missing."""
        frame = pd.DataFrame(list(self.rows), dtype=object)
        whole = frame.columns[frame.notna().all()]
        return frame.astype({name: frame[name].infer_objects().dtype for name in whole})

    @property
    def path(self) -> str:
        """Where the page links to."""
        return f"data/{self.name}.csv"


@dataclass(frozen=True)
class Column:
    """A column of a table of the page: how its cells are written from a row of the table's data, and by which value they sort."""

    title: str
    write: Callable[[Row], str]
    key: str = ""
    is_text: bool = False
    is_plot: bool = False
    head: Markup | None = None


def text(title: str, key: str, name: Callable[[Any], str] = words) -> Column:
    """Words."""
    return Column(title, lambda row: name(row[key]), key, is_text=True)


def count(title: str, key: str) -> Column:
    """A count, or whatever whole number."""
    return Column(title, lambda row: words(row[key]), key)


def decimals(title: str, key: str, digits: int = 3) -> Column:
    """A number with decimals."""
    return Column(title, lambda row: number(row[key], digits), key)


def interval(title: str, key: str, lower: str = "lower", upper: str = "upper", digits: int = 3) -> Column:
    """An estimate with its interval."""
    return Column(title, partial(span, estimate=key, lower=lower, upper=upper, digits=digits), key)


def noted(rows: Rows) -> list[Column]:
    """A column for what is said of rows, where there is anything to say."""
    return [text("note", "flags")] if any(row.get("flags") for row in rows) else []


def chance(title: str, key: str) -> Column:
    """A p or q."""
    return Column(title, lambda row: p_value(row[key]), key)


def part(title: str, key: str, whole: str) -> Column:
    """A count of a whole with its percentage; as it is where either is hidden."""

    def write(row: Row) -> str:
        if is_missing(row[key]) or isinstance(row[key], str) or isinstance(row[whole], str):
            return words(row[key])
        return share(row[key], row[whole])

    return Column(title, write, key)


def portion(title: str, key: str, whole: str) -> Column:
    """A count with its percentage of a whole that stands beside; as it is where either is hidden."""

    def write(row: Row) -> str:
        if is_missing(row[key]) or isinstance(row[key], str) or isinstance(row[whole], str) or not row[whole]:
            return words(row[key])
        return f"{row[key]:,} ({row[key] / row[whole]:.0%})"

    return Column(title, write, key)


def of(title: str, key: str, whole: str) -> Column:
    """A count and the whole that it is of: 12 / 48."""

    def write(row: Row) -> str:
        return words(row[whole]) if is_missing(row[key]) else f"{words(row[key])} / {words(row[whole])}"

    return Column(title, write, key)


class Cells(list["Cell"]):
    """Cells of a row, and what kind of row it is, where its data have a column `state`."""

    state: str = ""


@dataclass(frozen=True)
class Cell:
    """Text of a cell, and the number that it sorts by, empty where it sorts as text."""

    text: str
    value: str = ""


def cell(column: Column, row: Row) -> Cell:
    """A cell of a row."""
    value: Any = row.get(column.key)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and not is_missing(value)
    return Cell(column.write(row), f"{float(value):.6g}" if is_number else "")


@dataclass(frozen=True)
class Figure:
    """A drawing with what it says, and the file of the numbers that it draws."""

    svg: Markup
    name: str
    caption: str = ""
    data: Data | None = None

    @property
    def path(self) -> str:
        """Where the drawing alone is written."""
        return f"data/{self.name}.svg"


@dataclass(frozen=True)
class Document:
    """A text beside the page, in Markdown."""

    name: str
    content: str

    @property
    def path(self) -> str:
        """Where it is written."""
        return f"data/{self.name}.md"


@dataclass(frozen=True)
class Table:
    """What the page's template marks up and escapes; rows in groups, each with a heading of its own where there are several."""

    columns: Sequence[Column]
    groups: Sequence[tuple[str, Sequence[Cells]]]
    data: Data | None
    caption: str = ""
    figure: Figure | None = None

    @property
    def is_wide(self) -> bool:
        """Whether it is too wide for a small screen, as far as its letters tell: there its rows are cards."""
        return self.width > SMALL_SCREEN

    @property
    def is_broad(self) -> bool:
        """Whether it may be too wide for any screen: there a number and its interval may stand on two lines."""
        return self.width > LARGE_SCREEN or len(self.columns) >= MANY

    @property
    def width(self) -> float:
        """Pixels that it takes at least, as far as its letters tell, numbers with their intervals on one line."""
        width = 0.0
        for place, column in enumerate(self.columns):
            longest = max((len(row[place].text) for row in self.rows), default=0)
            # Words wrap; a number with its interval stays on one line.
            needed = max(min(longest, WRAPPED) if column.is_text else longest, min(WRAPPED, len(column.title) / 2))
            width += DRAWN if column.is_plot else max(LEAST_TEXT if column.is_text else 0.0, PADDING + LETTER * needed)
        return width

    @property
    def rows(self) -> list[Cells]:
        """Every row, whatever its group."""
        return [row for _, rows in self.groups for row in rows]


def tabulate(data: Data, columns: Sequence[Column], caption: str = "", group: str = "", figure: Figure | None = None) -> Table:
    """A table of the page: its cells are written from the rows of its data file, in their order.

    Args:
        data: what the table shows, and where it is written.
        columns: how.
        caption: what it is, in a sentence.
        group: column of the data by which rows are headed, those of one group side by side.
        figure: the same as a drawing, to download.
    """
    groups: dict[str, list[Cells]] = {}
    for row in data.rows:
        cells = Cells(cell(column, row) for column in columns)
        cells.state = str(row.get("state", "")).partition(",")[0]
        groups.setdefault(words(row[group]) if group else "", []).append(cells)
    return Table(columns, list(groups.items()), data, caption, figure)


def plain(data: Data, caption: str = "") -> Table:
    """A table with a column for every one of its data, underscores as spaces."""
    names = list(dict.fromkeys(name for row in data.rows for name in row))

    def is_text(name: str) -> bool:
        return any(isinstance(row.get(name), str) and row[name][:1].isalpha() and row[name] != "hidden" for row in data.rows)

    columns = [Column(name.replace("_", " "), lambda row, name=name: words(row.get(name)), name, is_text(name)) for name in names]  # type: ignore[misc]
    return tabulate(data, columns, caption)


def written(value: Any) -> Iterable[Data | Figure | Document]:
    """Every drawing, every document and every file of numbers within what a section shows, however deep."""
    if isinstance(value, (Table, Figure)):
        yield from written([value.data, value.figure if isinstance(value, Table) else None])
    if isinstance(value, (Data, Figure, Document)):
        yield value
    elif isinstance(value, Mapping):
        yield from written(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from written(one)
