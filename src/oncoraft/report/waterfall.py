"""Waterfalls: the scores of a regimen's evaluable cases from high to low, each coloured by the response that was seen."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from oncoraft.report.picture import Picture, at
from oncoraft.report.response import COLOURS, SHORT, evenly
from oncoraft.report.tables import records
from oncoraft.report.text import label

BARS = 240
WIDTH, LEFT, TOP, HEIGHT = 480, 40, 40, 170
COLUMNS = ["cancer_type", "regimen_name", "place", "score", "response", "responder"]


def bars(cases: pd.DataFrame, scores: dict[str, float]) -> pd.DataFrame:
    """At most BARS evaluable cases of one regimen by falling score, at equal steps; COLUMNS, no id."""
    judged = cases[cases["responder"].notna()]
    judged = judged.assign(score=judged["case_id"].map(scores), response=judged["category"])
    judged = judged[judged["score"].notna()].sort_values(["score", "case_id"], ascending=[False, True])
    some = judged.iloc[evenly(len(judged), BARS)].reset_index(drop=True)
    return some.assign(place=some.index + 1)[COLUMNS]


def draw(rows: pd.DataFrame, of: int) -> Markup | None:
    """The bars of one regimen, from the share of responders up or down to the score; below them, a tick for every responder.

    Args:
        rows: from `bars`.
        of: how many evaluable cases of the regimen they stand for.
    """
    if len(rows) < 2:
        return None
    base, right = float(rows["responder"].astype(bool).mean()), WIDTH - 10
    low, high = min(float(rows["score"].min()), base), max(float(rows["score"].max()), base)
    low, high = max(0.0, low - 0.05 * (high - low + 0.01)), min(1.0, high + 0.05 * (high - low + 0.01))
    picture = Picture(WIDTH, TOP + HEIGHT + 44)

    def y(score: float) -> float:
        return TOP + (high - score) / (high - low) * HEIGHT

    step = (right - LEFT) / len(rows)
    present = [one for one in COLOURS if one in set(rows["response"])]
    for name in present:
        mine = records(rows[rows["response"] == name])
        d = "".join(f"M{at(LEFT + step * (row['place'] - 0.5))} {at(y(base))}V{at(y(row['score']))}" for row in mine)
        picture.path(d, COLOURS[name], max(0.8, 0.8 * step))
    picture.key(LEFT, 11, [("", COLOURS[name], f"{name} {SHORT[name]} ({int((rows['response'] == name).sum())})") for name in present])
    responders = rows.loc[rows["responder"].astype(bool), "place"].tolist()
    ticks = "".join(f"M{at(LEFT + step * (place - 0.5))} {TOP + HEIGHT + 10}v9" for place in responders)
    picture.path(ticks, "currentColor", max(0.8, 0.6 * step))
    picture.text(LEFT - 5, TOP + HEIGHT + 18, "R", 10, "end")
    picture.stroke(LEFT, y(base), right, y(base))
    for value in sorted({round(low, 2), round(base, 2), round(high, 2)}):
        picture.text(LEFT - 5, y(value) + 3.5, f"{value:.2f}", 10, "end")
    picture.stroke(LEFT, TOP, LEFT, TOP + HEIGHT)
    picture.text((LEFT + right) / 2, TOP + HEIGHT + 36, "Evaluable cases, highest score first; R: responders", 11, "middle")
    half = len(rows) // 2
    shares = [float(part["responder"].astype(bool).mean()) for part in (rows.iloc[:half], rows.iloc[half:])]
    first = rows.iloc[0]
    return picture.svg(
        f"Waterfall of scores, {label(first['regimen_name'])}, {label(first['cancer_type'])}: {len(rows)} of {of} evaluable cases, scores from {rows['score'].max():.2f} to "
        f"{rows['score'].min():.2f}; bars start at the share of responders, {base:.2f}; responders are {shares[0]:.0%} of the upper half and {shares[1]:.0%} of the lower."
    )
