"""Estimates with intervals, drawn within the rows of a table: the numbers stand beside, sort with it, and become cards on a phone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from oncoraft.report.plot import Canvas, Scale, around, shorthand
from oncoraft.report.tables import Column, Row, is_missing
from oncoraft.report.text import label

WIDTH, HEIGHT, MARGIN = 180.0, 18.0, 14.0


@dataclass(frozen=True)
class Whisker:
    """Which values of a row are drawn: an estimate, its interval, and where there is no difference."""

    estimate: str
    lower: str
    upper: str
    reference: float
    is_log: bool = False
    colour: Callable[[Row], str] = lambda row: "high"
    size: Callable[[Row], float] = lambda row: 4.0
    is_pooled: Callable[[Row], bool] = lambda row: False

    def scale(self, rows: Sequence[Row], start: float = MARGIN, end: float = WIDTH - MARGIN) -> Scale:
        """A scale with room for every row."""
        values = [row.get(name) for row in rows for name in (self.estimate, self.lower, self.upper)]
        return around(values, start, end, (self.reference,), self.is_log)

    def draw(self, canvas: Canvas, row: Row, x: Scale, middle: float) -> None:
        """One row: a line from end to end of the interval, an arrow where it goes on beyond the axis, a box or a diamond."""
        values: list[Any] = [row.get(name) for name in (self.estimate, self.lower, self.upper)]
        estimate, lower, upper = values
        if is_missing(estimate) or isinstance(estimate, str) or not math.isfinite(float(estimate)):
            return
        colour = self.colour(row)
        if self.is_pooled(row):
            corners = [(x(lower), middle), (x(estimate), middle - 6), (x(upper), middle), (x(estimate), middle + 6)]
            canvas.line([(x(row["prediction_lower"]), middle), (x(row["prediction_upper"]), middle)], colour, 1)
            canvas.area(corners, colour, 1)
            return
        if not is_missing(lower) and not is_missing(upper):
            canvas.line([(x(lower), middle), (x(upper), middle)], colour, 1.6)
            for end, sign in ((lower, 1), (upper, -1)):
                if not x.low <= end <= x.high:
                    canvas.line([(x(end) + 4 * sign, middle - 4), (x(end), middle), (x(end) + 4 * sign, middle + 4)], colour, 1.6)
        size = self.size(row)
        canvas.bar(x(estimate) - size, middle - size, 2 * size, 2 * size, colour)


def named_ticks(x: Scale, reference: float, room: float = 28.0) -> list[float]:
    """Ticks that are named, those nearest to the reference first, as far as there is room."""
    named: list[float] = []
    for tick in sorted(x.ticks(5), key=lambda tick: abs(x(tick) - x(reference))):
        if all(abs(x(tick) - x(other)) >= room for other in named):
            named.append(tick)
    return named


def axis(x: Scale, reference: float, height: float = 24.0) -> Markup:
    """The axis of a column of whiskers, for its heading."""
    canvas = Canvas(WIDTH, height)
    canvas.line([(x.start, height - 1), (x.end, height - 1)], width=0.8)
    for tick in x.ticks(5):
        canvas.line([(x(tick), height - 5), (x(tick), height - 1)], width=0.8)
    for tick in named_ticks(x, reference):
        canvas.text(x(tick), height - 9, shorthand(tick), 11, "middle")
    return canvas.svg("")


def column(title: str, rows: Sequence[Row], whisker: Whisker) -> Column:
    """A column that draws an interval a row, on one axis in its heading. The numbers are those of another column, so it says nothing to a screen reader."""
    x = whisker.scale(rows)

    def write(row: Row) -> Markup:
        canvas = Canvas(WIDTH, HEIGHT)
        canvas.line([(x(whisker.reference), 0), (x(whisker.reference), HEIGHT)], "grey", 0.8)
        whisker.draw(canvas, row, x, HEIGHT / 2)
        return canvas.svg("")

    return Column(title, write, whisker.estimate, is_plot=True, head=axis(x, whisker.reference))


def figure(
    rows: Sequence[Row], names: Sequence[str], told: Sequence[Sequence[str]], heads: Sequence[str], whisker: Whisker, title: str
) -> Markup:
    """The same as one drawing, for a paper: a name, an interval, and columns of text a row.

    Args:
        rows: what is drawn.
        names: what each is called.
        told: texts beside each.
        heads: headings of those texts.
        whisker: which values are drawn.
        title: of the axis.
    """
    left, right, line, top = 330.0, 130.0, 21.0, 30.0
    canvas = Canvas(left + 260 + right * len(heads), top + line * len(rows) + 44)
    x = whisker.scale(rows, left, left + 240)
    bottom = top + line * len(rows)
    canvas.line([(x(whisker.reference), top), (x(whisker.reference), bottom)], "grey", 0.8)
    for place, head in enumerate(heads):
        canvas.text(left + 260 + right * place, top - 8, head, 11, font_weight="bold")
    for place, (row, name, texts) in enumerate(zip(rows, names, told)):
        middle = top + line * (place + 0.5)
        whisker.draw(canvas, row, x, middle)
        canvas.text(left - 12, middle + 4, label(name), 10.5, "end", whisker.colour(row) if whisker.colour(row) == "grey" else "ink")
        for column, said in enumerate(texts):
            canvas.text(left + 260 + right * column, middle + 4, said, 10.5)
    canvas.line([(x.start, bottom), (x.end, bottom)], width=0.8)
    for tick in x.ticks(5):
        canvas.line([(x(tick), bottom), (x(tick), bottom + 4)], width=0.8)
        canvas.text(x(tick), bottom + 16, shorthand(tick), 10.5, "middle")
    canvas.text((x.start + x.end) / 2, bottom + 34, title, 11, "middle")
    return canvas.svg("; ".join(f"{name}: {', '.join(texts)}" for name, texts in zip(names, told)))


def whisker_of(name: str = "", reference: float = 0.5, **more: Any) -> Whisker:
    """The usual names of an estimate and its interval in a row: `<name>`, `<name>_lower`, `<name>_upper`, or estimate, lower, upper."""
    names = (name, f"{name}_lower", f"{name}_upper") if name else ("estimate", "lower", "upper")
    return Whisker(*names, reference, **more)
