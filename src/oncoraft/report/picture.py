"""A canvas for pictures of many small marks, whose shapes differ so that colour is never all that tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oncoraft.report.plot import Canvas, Scale, shorthand, tag
from oncoraft.report.text import visible

LETTER = 6.1  # pixels that a letter of the keys takes in a wide font
SMALL = 10.5  # pixels of their text
MARKS = {
    "triangle": "M-4 3.4 4 3.4 0-4Z",
    "cross": "M-3.4-3.4 3.4 3.4M-3.4 3.4 3.4-3.4",
    "arrow": "M-3-3.6 3.4 0-3 3.6Z",
    "diamond": "M0-4.4 4 0 0 4.4-4 0Z",
    "circle": "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0",
    "square": "M-3-3H3V3H-3Z",
}


def at(value: float) -> str:
    """A coordinate in as few bytes as a tenth of a pixel takes."""
    return f"{value:.1f}".removesuffix(".0")


class Picture(Canvas):
    """A canvas with marks, colours by their code, and hints that a pointer shows."""

    def rectangle(self, x: float, y: float, width: float, height: float, fill: str, hint: str = "", **more: Any) -> None:
        """A filled rectangle."""
        inner = [tag("title", visible(hint))] if hint else []
        self.add("rect", *inner, x=float(x), y=float(y), width=float(width), height=float(height), fill=fill, **more)

    def path(self, d: str, stroke: str = "currentColor", width: float = 0.8, **more: Any) -> None:
        """Lines, in the language of SVG paths."""
        self.add("path", d=d, stroke=stroke, stroke_width=float(width), fill="none", **more)

    def stroke(self, x1: float, y1: float, x2: float, y2: float, width: float = 0.8, **more: Any) -> None:
        """A straight line in the colour of the text."""
        self.path(f"M{at(x1)} {at(y1)}L{at(x2)} {at(y2)}", width=width, **more)

    def mark(self, kind: str, x: float, y: float, colour: str = "currentColor", hint: str = "") -> None:
        """A small mark."""
        inner = [tag("title", visible(hint))] if hint else []
        drawn = {"stroke": colour, "stroke_width": 1.8, "fill": "none"} if kind == "cross" else {"fill": colour}
        self.add("path", *inner, d=MARKS[kind], transform=f"translate({at(x)} {at(y)})", **drawn)

    def key(self, x: float, y: float, entries: Sequence[tuple[str, str, str]]) -> float:
        """What marks mean, in lines whose text stands at y and below: (shape, colour, words), no shape for a patch of colour; where the last line stands."""
        left = x
        for kind, colour, words in entries:
            if x > left and x + 14 + LETTER * len(words) > self.width:
                x, y = left, y + 16
            if kind:
                self.mark(kind, x + 5, y - 4, colour)
            elif colour:
                self.rectangle(x, y - 9, 10, 10, colour)
            self.text(x + (14 if kind or colour else 0), y, words, SMALL)
            x += 26 + LETTER * len(words)
        return y

    def axis(self, x: Scale, y: float, ticks: Sequence[float], title: str) -> None:
        """A horizontal axis with its ticks and title."""
        self.stroke(x.start, y, x.end, y)
        for tick in ticks:
            self.stroke(x(tick), y, x(tick), y + 4)
            self.text(x(tick), y + 16, shorthand(tick), 11, "middle")
        self.text((x.start + x.end) / 2, y + 32, title, 11, "middle")
