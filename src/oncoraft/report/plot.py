"""A small writer of SVG: scales, axes, lines, bands and text, escaped; colours that follow the page, and stand alone in a file.

The report draws hundreds of small figures; written so, one takes a millisecond and a few kilobytes, and its words are the page's own text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from oncoraft.report.text import visible

# Okabe and Ito: safe for colour-blind readers. The page's style sheet lightens them on a dark ground, by the class of the same name.
COLOURS = {"high": "#0072B2", "low": "#D55E00", "grey": "#757575", "ink": "currentColor"}
DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 2")
FONT = "system-ui, sans-serif"
Point = tuple[float, float]


def tag(name: str, /, *content: Any, **attributes: Any) -> Markup:
    """An element; underscores of attributes become hyphens, what is None is left out, and every text is escaped."""
    told = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(figures(value))}"' for key, value in attributes.items() if value is not None
    )
    inner = "".join(escape(visible(one)) for one in content)
    return Markup(f"<{name}{told}>{inner}</{name}>" if content else f"<{name}{told}/>")


def figures(value: Any) -> Any:
    """A coordinate with one decimal."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else visible(value)


@dataclass(frozen=True)
class Scale:
    """Where a value is drawn between two ends of the canvas."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; one beyond the ends is drawn at the end."""
        low, high, value = (math.log(one) if self.is_log else one for one in (self.low, self.high, min(max(value, self.low), self.high)))
        return self.start + (value - low) / ((high - low) or 1) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values from end to end."""
        if self.is_log:
            found = [one for one in (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 20) if self.low <= one <= self.high]
            return found
        raw = (self.high - self.low) / most or 1
        size = 10 ** math.floor(math.log10(raw))
        step = next(one * size for one in (1, 2, 2.5, 5, 10) if one * size >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [round(place * step, 10) for place in range(first, math.floor(self.high / step + 1e-9) + 1)]


def around(values: Iterable[float | None], start: float, end: float, holds: Sequence[float] = (), is_log: bool = False) -> Scale:
    """A scale with room for every value; `holds` are within it whatever the values are."""
    known = [one for one in values if isinstance(one, (int, float)) and math.isfinite(one) and (one > 0 or not is_log)]
    if is_log:
        low, high = min([*known, *holds]), max([*known, *holds])
        return Scale(max(0.05, low / 1.15), min(20.0, high * 1.15), start, end, True)
    low, high = min([*known, *holds]), max([*known, *holds])
    room = (high - low) * 0.06 or 0.1
    return Scale(low - room, high + room, start, end)


@dataclass
class Canvas:
    """An SVG that grows element by element."""

    width: float
    height: float
    parts: list[Markup] = field(default_factory=list)

    def add(self, name: str, /, *content: Any, **attributes: Any) -> None:
        """Any element."""
        self.parts.append(tag(name, *content, **attributes))

    def line(self, points: Iterable[Point], colour: str = "ink", width: float = 1.0, dash: str = "") -> None:
        """A line through points."""
        path = " ".join(f"{figures(float(x))},{figures(float(y))}" for x, y in points)
        self.add(
            "polyline",
            points=path,
            fill="none",
            stroke=COLOURS[colour],
            class_=f"{colour}-line",
            stroke_width=width,
            stroke_dasharray=dash or None,
        )

    def area(self, points: Iterable[Point], colour: str, opacity: float = 0.15) -> None:
        """A filled shape without an edge."""
        path = " ".join(f"{figures(float(x))},{figures(float(y))}" for x, y in points)
        self.add("polygon", points=path, fill=COLOURS[colour], class_=colour, fill_opacity=opacity if opacity < 1 else None)

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        self.add("rect", x=x, y=y, width=width, height=height, fill=COLOURS[colour], class_=colour)

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """A filled circle."""
        self.add("circle", cx=x, cy=y, r=radius, fill=COLOURS[colour], class_=colour)

    def text(self, x: float, y: float, words: str, size: float = 11, anchor: str = "start", colour: str = "ink", **more: Any) -> None:
        """Words, their baseline at y."""
        if not words:
            return
        self.add(
            "text",
            words,
            x=x,
            y=y,
            font_size=size,
            text_anchor=None if anchor == "start" else anchor,
            fill=COLOURS[colour],
            class_=f"{colour}-text",
            **more,
        )

    def svg(self, alternative: str) -> Markup:
        """The whole, with what it shows in words for readers who cannot see it; none: it only repeats what stands beside it."""
        said = {"role": "img", "aria_label": alternative} if alternative else {"aria_hidden": "true"}
        return tag(
            "svg", *self.parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {self.width:g} {self.height:g}", width=self.width,
            height=self.height, font_family=FONT, fill="currentColor", **said,
        )  # fmt: skip


def shorthand(value: float) -> str:
    """A tick."""
    return f"{value:g}".replace("-", "−")


def axes(
    canvas: Canvas, x: Scale, y: Scale, x_title: str, y_title: str, x_ticks: Sequence[float] = (), y_ticks: Sequence[float] = ()
) -> None:
    """Axes with ticks and titles; y.start is the bottom."""
    canvas.line([(x.start, y.end), (x.start, y.start), (x.end, y.start)], width=0.8)
    for tick in x_ticks or x.ticks():
        canvas.line([(x(tick), y.start), (x(tick), y.start + 4)], width=0.8)
        canvas.text(x(tick), y.start + 16, shorthand(tick), 11, "middle")
    for tick in y_ticks or y.ticks(5):
        canvas.line([(x.start - 4, y(tick)), (x.start, y(tick))], width=0.8)
        canvas.text(x.start - 7, y(tick) + 4, shorthand(tick), 11, "end")
    canvas.text((x.start + x.end) / 2, y.start + 33, x_title, 12, "middle")
    middle = (y.start + y.end) / 2
    canvas.text(13.0, middle, y_title, 12, "middle", transform=f"rotate(-90 13 {figures(float(middle))})")


def legend(canvas: Canvas, x: float, y: float, entries: Sequence[tuple[str, str, str]]) -> None:
    """Names with the line each is drawn by: (name, colour, dash), a line each, from the top."""
    for place, (name, colour, dash) in enumerate(entries):
        canvas.line([(x, y + 16 * place), (x + 22, y + 16 * place)], colour, 2 if colour == "high" else 1.4, dash)
        canvas.text(x + 28, y + 4 + 16 * place, name, 11)


def steps(points: Sequence[Point]) -> list[Point]:
    """Points as a staircase: each value holds until the next."""
    found: list[Point] = []
    for place, (x, y) in enumerate(points):
        if place:
            found.append((x, points[place - 1][1]))
        found.append((x, y))
    return found
