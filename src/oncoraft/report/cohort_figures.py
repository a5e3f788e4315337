"""Figures of the cohort as inline SVG: the flow from patients to analysed cases."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from markupsafe import Markup

from oncoraft.report.drawing import GREY, HIGH, svg
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import words
from oncoraft.report.text import label


def losses(step: dict[str, Any], guard: Guard) -> list[str]:
    """Lines that say who left before a step, a reason a line."""
    reasons = step.get("reasons") or [{"reason": step["reason"], "patients": step["excluded_patients"], "cases": step["excluded_cases"]}]
    unit = "cases" if reasons[0]["cases"] is not None else "patients"
    counts = {place: int(row[unit] or 0) for place, row in enumerate(reasons)}
    # The boxes tell the sum of the losses.
    marks = guard.marks(counts | {-1: sum(counts.values())}, [[-1, *counts]])
    return [f"− {marks.get(place, f'{count:,}')} {unit}: {label(reasons[place]['reason'])}" for place, count in counts.items() if count]


def boxes(steps: list[dict[str, Any]], guard: Guard) -> list[str]:
    """What stands in each step's box; a number whose distance to the one before is small would tell who left, and says "about"."""
    told = []
    before: dict[str, int | None] = {"patients": None, "cases": None}
    for step in steps:
        parts = []
        for unit in ("patients", "cases"):
            now, last = step[unit], before[unit]
            if now is not None:
                is_told = last is not None and 0 < abs(last - now) < guard.smallest
                parts.append(
                    f"more than {last - guard.smallest:,} {unit}" if is_told and last is not None else f"{words(guard.count(now))} {unit}"
                )
                before[unit] = now
        told.append(f"{label(step['name'])}\n{', '.join(parts)}")
    return told


def flow(steps: list[dict[str, Any]], guard: Guard) -> Markup:
    """The cohort's flow as boxes, exclusions with their reasons beside the arrows."""
    lost, told = [losses(step, guard) for step in steps], boxes(steps, guard)
    heights = [1.0 if not place else 0.75 + 0.22 * max(1, len(lost[place])) for place in range(len(steps))]
    figure, axes = plt.subplots(figsize=(7.5, 0.8 * sum(heights)))
    y = 0.0
    for place, text in enumerate(told):
        top = y
        y -= heights[place] if place else 0
        axes.text(0, y, text, ha="center", va="center", bbox={"boxstyle": "round", "fc": "none", "ec": HIGH})
        if place:
            axes.annotate("", (0, y + 0.28), (0, top - 0.28), arrowprops={"arrowstyle": "->", "color": GREY})
            axes.text(0.62, (y + top) / 2, "\n".join(lost[place]), va="center", fontsize=8)
    axes.set(xlim=(-1.1, 3.2), ylim=(y - 0.5, 0.5))
    axes.axis("off")
    return svg(figure, "Flow of the cohort: " + "; ".join(" ".join([*text.split("\n"), *lines]) for text, lines in zip(told, lost)))
