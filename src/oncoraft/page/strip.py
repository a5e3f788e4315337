"""Where a score lies, drawn: a line of scores from 0 to 1 with those of held-out cases beneath it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from oncoraft.report.picture import Picture
from oncoraft.report.plot import Scale
from oncoraft.report.response import evenly

# As wide as a telephone shows: titles stand above their rows.
WIDTH, LEFT, ROW, TOP = 352.0, 12.0, 36.0, 26.0
MOST = 300  # marks of a row
Lane = tuple[str, Sequence[float], str]


def strip(score: float, lanes: Sequence[Lane], threshold: float) -> Markup:
    """The picture.

    Args:
        lanes: title, scores and colour (`high`, `low` or `grey`) of each row.
        threshold: score from which on a response is expected.
    """
    x, bottom = Scale(0.0, 1.0, LEFT, WIDTH - LEFT), TOP + ROW * len(lanes)
    picture = Picture(WIDTH, bottom + 40)
    for place, (title, scores, colour) in enumerate(lanes):
        y = TOP + ROW * (place + 0.72)
        picture.text(LEFT, y - 11, title, 11)
        for number in evenly(len(scores), MOST):
            at = x(scores[number])
            picture.line([(at, y - 7), (at, y + 7)], colour, 1.2)
        if not scores:
            picture.text(LEFT + 4, y + 4, "too few to show", 10.5, colour="grey")
        # Through the marks alone: the titles stay readable.
        picture.line([(x(threshold), y - 9), (x(threshold), y + 9)], "ink", 1.4, "2 2")
        picture.line([(x(score), y - 9), (x(score), y + 9)], "ink", 2.6)
    picture.line([(x(score), TOP - 12), (x(score), TOP + 2)], "ink", 2.6)
    anchor = "start" if score < 0.15 else "end" if score > 0.85 else "middle"
    picture.text(x(score), TOP - 16, f"this case {score:.3f}", 11.5, anchor, font_weight="bold")
    picture.axis(x, bottom + 2, (0, 0.25, 0.5, 0.75, 1), "score as delivered; dashed: a response is expected from here")
    told = "; ".join(f"{title}: {len(scores)} scores" for title, scores, _ in lanes)
    return picture.svg(f"The score of this case, {score:.3f}, beside held-out scores: {told}.")


def lanes_of(scale: dict[str, Any], regimen: dict[str, Any] | None) -> list[Lane]:
    """Rows of the picture, from what `Standing` tells."""
    lanes: list[Lane] = [("held-out scores", scale["scores"], "grey")] if scale["n"] else []
    if regimen is not None:
        lanes += [("regimen, responders", regimen["responders"]["scores"], "high"), ("regimen, others", regimen["others"]["scores"], "low")]
    return lanes
