"""Figures of the cohort as inline SVG: the flow from patients to analysed cases."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

from oncoraft.report.figures import GREY, HIGH, svg


def flow(steps: list[dict[str, Any]]) -> str:
    """The cohort's flow as boxes, exclusions beside them."""
    figure, axes = plt.subplots(figsize=(7, 0.95 * len(steps)))
    for place, step in enumerate(steps):
        y = -place
        cases = "" if step["cases"] is None else f", {step['cases']:,} cases"
        axes.text(
            0,
            y,
            f"{step['name']}\n{step['patients']:,} patients{cases}",
            ha="center",
            va="center",
            bbox={"boxstyle": "round", "fc": "white", "ec": HIGH},
        )
        if place:
            axes.annotate("", (0, y + 0.3), (0, y + 0.7), arrowprops={"arrowstyle": "->", "color": GREY})
            lost = step["excluded_cases"] if step["excluded_cases"] is not None else step["excluded_patients"]
            unit = "cases" if step["excluded_cases"] is not None else "patients"
            axes.text(0.75, y + 0.5, f"− {lost:,} {unit}: {step['reason']}", va="center", fontsize=8, color=GREY)
    axes.set(xlim=(-1.1, 3.2), ylim=(-len(steps) + 0.4, 0.5))
    axes.axis("off")
    return svg(figure)
