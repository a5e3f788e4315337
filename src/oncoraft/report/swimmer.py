"""Swimmer plots: how long each case of a regimen stayed on it, what response was seen, and how it ended."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from oncoraft.report.canvas import LETTER, Canvas
from oncoraft.report.response import COLOURS, SHORT, WORDS, evenly
from oncoraft.report.tables import records
from oncoraft.report.text import label

LANES = 36
LANE = 11  # pixels
WIDTH, LEFT, TOP = 640, 34, 40
COLUMNS = [
    "cancer_type",
    "regimen_name",
    "lane",
    "response",
    "months_on_regimen",
    "is_ongoing",
    "progression_months",
    "last_months",
    "is_dead",
]
SCALES = (6, 12, 18, 24, 36, 48, 60)


def lanes(cases: pd.DataFrame) -> pd.DataFrame:
    """At most LANES cases of one regimen, from the longest time on it down, at equal steps of that order; COLUMNS, no id."""
    known = cases[cases["last_months"].notna()].sort_values(["months_on_regimen", "last_months", "case_id"], ascending=[False, False, True])
    some = known.iloc[evenly(len(known), LANES)].reset_index(drop=True)
    return some.assign(lane=some.index + 1, response=some["category"].fillna("NE"))[COLUMNS]


def key(canvas: Canvas, categories: list[str]) -> None:
    """What colours and marks mean, in two lines above the lanes."""
    canvas.legend(LEFT, 11, [(COLOURS[name], f"{name} {SHORT[name]}") for name in categories])
    x = float(LEFT)
    for kind, words in (("triangle", "progression"), ("cross", "death"), ("arrow", "alive at last contact")):
        canvas.mark(kind, x + 5, 25, "currentColor")
        canvas.text(x + 14, 29, words, 10.5)
        x += 30 + LETTER * len(words)
    canvas.text(x, 29, "bar: on the regimen; line: followed", 10.5)


def draw(rows: pd.DataFrame, of: int) -> Markup | None:
    """The lanes of one regimen.

    Args:
        rows: from `lanes`.
        of: how many cases of the regimen they stand for.
    """
    if rows.empty:
        return None
    most = next((scale for scale in SCALES if rows["last_months"].quantile(0.85) <= scale), SCALES[-1])
    bottom, right = TOP + LANE * len(rows), WIDTH - 14
    canvas = Canvas(WIDTH, bottom + 40)
    key(canvas, [name for name in COLOURS if name in set(rows["response"])])

    def x(months: float) -> float:
        return LEFT + min(months, most) / most * (right - LEFT)

    for place, row in enumerate(records(rows)):
        y = TOP + LANE * (place + 0.5)
        canvas.text(LEFT - 6, y + 3.5, row["response"], 9.5, "end")
        canvas.line(LEFT, y, x(row["last_months"]), y, "currentColor", 0.8, stroke_opacity="0.6")
        ends = "death" if row["is_dead"] else "alive at last contact"
        hint = f"{WORDS[row['response']]}; {row['months_on_regimen']:.1f} months on the regimen; {ends} at month {row['last_months']:.1f}"
        canvas.rectangle(LEFT, y - 3.5, max(1.0, x(row["months_on_regimen"]) - LEFT), 7, COLOURS[row["response"]], hint)
        if pd.notna(row["progression_months"]) and row["progression_months"] <= most:
            canvas.mark("triangle", x(row["progression_months"]), y, "currentColor")
        if row["last_months"] <= most:
            canvas.mark("cross" if row["is_dead"] else "arrow", x(row["last_months"]), y, "currentColor")
        else:
            canvas.text(right + 2, y + 3.5, "›", 12)
    step = 1 if most <= 6 else most // 6
    canvas.axis(
        LEFT, right, bottom + 2, [float(tick) for tick in range(0, most + 1, step)], 0, most, "Months from the start of the regimen"
    )
    first = rows.iloc[0]
    counts = ", ".join(f"{count} {WORDS[str(name)]}" for name, count in rows["response"].value_counts().items())
    return canvas.markup(
        f"Swimmer plot, {label(first['regimen_name'])}, {label(first['cancer_type'])}: {len(rows)} of {of} cases; {counts}; "
        f"median {rows['months_on_regimen'].median():.1f} months on the regimen; {int(rows['progression_months'].notna().sum())} with a progression, "
        f"{int(rows['is_dead'].sum())} died."
    )
