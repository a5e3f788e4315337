"""Figures of the cohort as inline SVG: the flow from patients to analysed cases."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

from oncoraft.report.figures import GREY, HIGH, svg


def losses(step: dict[str, Any]) -> list[str]:
    """Lines that say who left before a step, a reason a line."""
    reasons = step.get("reasons") or [{"reason": step["reason"], "patients": step["excluded_patients"], "cases": step["excluded_cases"]}]
    lines = []
    for row in reasons:
        count, unit = (row["cases"], "cases") if row["cases"] is not None else (row["patients"], "patients")
        if count:
            lines.append(f"− {count:,} {unit}: {row['reason']}")
    return lines


def flow(steps: list[dict[str, Any]]) -> str:
    """The cohort's flow as boxes, exclusions with their reasons beside the arrows."""
    heights = [1.0 if not place else 0.75 + 0.22 * max(1, len(losses(step))) for place, step in enumerate(steps)]
    figure, axes = plt.subplots(figsize=(7.5, 0.8 * sum(heights)))
    y = 0.0
    for place, step in enumerate(steps):
        top = y
        y -= heights[place] if place else 0
        cases = "" if step["cases"] is None else f", {step['cases']:,} cases"
        text = f"{step['name']}\n{step['patients']:,} patients{cases}"
        axes.text(0, y, text, ha="center", va="center", bbox={"boxstyle": "round", "fc": "white", "ec": HIGH})
        if place:
            axes.annotate("", (0, y + 0.28), (0, top - 0.28), arrowprops={"arrowstyle": "->", "color": GREY})
            axes.text(0.62, (y + top) / 2, "\n".join(losses(step)), va="center", fontsize=8, color=GREY)
    axes.set(xlim=(-1.1, 3.2), ylim=(y - 0.5, 0.5))
    axes.axis("off")
    return svg(figure)
