"""Swimmer plots: how long each case of a regimen stayed on it, what response was seen, and how it ended."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from oncoraft.report.picture import Picture
from oncoraft.report.plot import Scale
from oncoraft.report.response import COLOURS, SHORT, WORDS, evenly
from oncoraft.report.tables import records
from oncoraft.report.text import label

LANES = 36
LANE = 11  # pixels
WIDTH, LEFT, TOP = 480, 34, 50
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


def key(picture: Picture, categories: list[str]) -> None:
    """What colours and marks mean, above the lanes."""
    y = picture.key(LEFT, 11, [("", COLOURS[name], f"{name} {SHORT[name]}") for name in categories])
    marks = (("triangle", "progression"), ("cross", "death"), ("arrow", "alive at last contact"))
    told = [(kind, "currentColor", words) for kind, words in marks]
    picture.key(LEFT, y + 16, told)


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
    picture = Picture(WIDTH, bottom + 40)
    x = Scale(0, most, LEFT, right)
    key(picture, [name for name in COLOURS if name in set(rows["response"])])

    for place, row in enumerate(records(rows)):
        y = TOP + LANE * (place + 0.5)
        picture.text(LEFT - 6, y + 3.5, row["response"], 9.5, "end")
        picture.stroke(LEFT, y, x(row["last_months"]), y, stroke_opacity="0.6")
        ends = "death" if row["is_dead"] else "alive at last contact"
        hint = f"{WORDS[row['response']]}; {row['months_on_regimen']:.1f} months on the regimen; {ends} at month {row['last_months']:.1f}"
        picture.rectangle(LEFT, y - 3.5, max(1.0, x(row["months_on_regimen"]) - LEFT), 7, COLOURS[row["response"]], hint)
        if pd.notna(row["progression_months"]) and row["progression_months"] <= most:
            picture.mark("triangle", x(row["progression_months"]), y)
        if row["last_months"] <= most:
            picture.mark("cross" if row["is_dead"] else "arrow", x(row["last_months"]), y)
        else:
            picture.text(right + 2, y + 3.5, "›", 12)
    step = 1 if most <= 6 else most // 6
    picture.axis(x, bottom + 2, range(0, most + 1, step), "Months from the start of the regimen")
    first = rows.iloc[0]
    counts = ", ".join(f"{count} {WORDS[str(name)]}" for name, count in rows["response"].value_counts().items())
    return picture.svg(
        f"Swimmer plot, {label(first['regimen_name'])}, {label(first['cancer_type'])}: {len(rows)} of {of} cases; {counts}; "
        f"median {rows['months_on_regimen'].median():.1f} months on the regimen; {int(rows['progression_months'].notna().sum())} with a progression, "
        f"{int(rows['is_dead'].sum())} died."
    )
