"""A canvas for pictures of many small marks: SVG elements written one by one, a hundred times faster than through matplotlib."""

from __future__ import annotations

from xml.etree import ElementTree

from markupsafe import Markup

from oncoraft.report.drawing import SVG, element
from oncoraft.report.text import visible

MARKS = {
    "triangle": "M-4 3.4 4 3.4 0-4Z",
    "cross": "M-3.4-3.4 3.4 3.4M-3.4 3.4 3.4-3.4",
    "arrow": "M-3-3.6 3.4 0-3 3.6Z",
    "diamond": "M0-4.4 4 0 0 4.4-4 0Z",
    "circle": "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0",
    "square": "M-3-3H3V3H-3Z",
}


LETTER = 6.1  # pixels that a letter of 10.5 takes, in a wide font


def coordinate(value: float) -> str:
    """A coordinate in as few bytes as a tenth of a pixel takes."""
    return f"{value:.1f}".removesuffix(".0")


class Canvas:
    """An empty drawing.

    Args:
        width: in pixels of the page, which shrinks it where there is less room.
        height: in the same.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        size = {"width": coordinate(width), "height": coordinate(height), "viewBox": f"0 0 {coordinate(width)} {coordinate(height)}"}
        self.root = ElementTree.Element(f"{{{SVG}}}svg", size)

    def _add(self, tag: str, attributes: dict[str, str | float], hint: str = "") -> ElementTree.Element:
        told = {name.replace("_", "-"): value if isinstance(value, str) else coordinate(value) for name, value in attributes.items()}
        made = ElementTree.SubElement(self.root, f"{{{SVG}}}{tag}", told)
        if hint:
            ElementTree.SubElement(made, f"{{{SVG}}}title").text = visible(hint)
        return made

    def rectangle(self, x: float, y: float, width: float, height: float, fill: str, hint: str = "", **more: str | float) -> None:
        """A filled rectangle; the hint is shown to a pointer that rests on it."""
        self._add("rect", {"x": x, "y": y, "width": width, "height": height, "fill": fill, **more}, hint)

    def path(self, d: str, stroke: str, width: float = 1, **more: str | float) -> None:
        """Lines, in the language of SVG paths."""
        self._add("path", {"d": d, "stroke": stroke, "stroke-width": width, "fill": "none", **more})

    def line(self, x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1, **more: str | float) -> None:
        """A straight line."""
        self.path(f"M{coordinate(x1)} {coordinate(y1)}L{coordinate(x2)} {coordinate(y2)}", stroke, width, **more)

    def mark(self, kind: str, x: float, y: float, colour: str, hint: str = "") -> None:
        """A small mark; shapes differ so that colour is never all that tells them apart."""
        place = {"transform": f"translate({coordinate(x)} {coordinate(y)})", "d": MARKS[kind]}
        drawn: dict[str, str | float] = {"stroke": colour, "stroke-width": 1.8, "fill": "none"} if kind == "cross" else {"fill": colour}
        self._add("path", {**place, **drawn}, hint)

    def text(self, x: float, y: float, words: str, size: float = 11, anchor: str = "start", **more: str | float) -> None:
        """A line of text, its baseline at y."""
        self._add("text", {"x": x, "y": y, "font-size": size, "text-anchor": anchor, **more}).text = visible(words)

    def legend(self, x: float, y: float, entries: list[tuple[str, str]]) -> float:
        """Colours with what they stand for, in a line whose text stands at y; where the line ends."""
        for shade, words in entries:
            self.rectangle(x, y - 9, 10, 10, shade)
            self.text(x + 14, y, words, 10.5)
            x += 26 + LETTER * len(words)
        return x

    def axis(self, left: float, right: float, y: float, ticks: list[float], low: float, high: float, title: str) -> None:
        """A horizontal axis with its ticks and title."""
        self.line(left, y, right, y, "currentColor", 0.8)
        for tick in ticks:
            x = left + (tick - low) / (high - low) * (right - left)
            self.line(x, y, x, y + 4, "currentColor", 0.8)
            self.text(x, y + 16, f"{tick:g}", 11, "middle")
        self.text((left + right) / 2, y + 32, title, 11, "middle")

    def markup(self, alternative: str) -> Markup:
        """The element for the page; `alternative` says in words what it shows."""
        return element(self.root, alternative)
