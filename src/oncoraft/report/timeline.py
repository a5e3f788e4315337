"""One case on a line of time: treatments, scans, markers and procedures around the index date, the response window, the score.

Shown for a typical responder and a typical case that did not respond, those whose score is nearest to the middle of their kind: a
picture of one patient is an illustration, and must not be the best one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from oncoraft.report.picture import SMALL, Picture, at
from oncoraft.report.plot import Scale
from oncoraft.report.response import COLOURS, WORDS
from oncoraft.report.tables import records
from oncoraft.report.text import label

BEFORE, AFTER = 270, 450  # days shown around the index date
WIDTH, LEFT, TOP, LANE = 760, 84, 30, 22
SCANS = {
    "Y": ("triangle", "#D55E00", "progression"),
    "N": ("circle", "#0072B2", "no progression"),
    "Indeterminate": ("square", "#8a8a8a", "indeterminate"),
}
MARKERS = ("cea", "ca_15_3", "ca_19_9", "psa")
EVENTS = {
    "timeline_surgery": ("Surgery", "diamond"),
    "timeline_radiation": ("Radiation", "square"),
    "timeline_specimen": ("Sequencing", "diamond"),
}
COLUMNS = ["lane", "what", "start_days", "stop_days", "value"]


@dataclass(frozen=True)
class Timeline:
    """One case: what happened when, and what the model made of it."""

    events: pd.DataFrame
    title: str
    category: str
    window: tuple[int, int]
    score: float
    prompt: str
    rationale: str


def rows_of(results: Path, table: str, patient: str) -> pd.DataFrame:
    """Rows of a source table of one patient."""
    return pd.read_parquet(results / "tables" / f"{table}.parquet", filters=[("patient_id", "=", patient)])


def events_of(results: Path, patient: str, index_day: int, regimens: pd.DataFrame) -> pd.DataFrame:
    """What is on record of a patient within the days shown, days from the index date; COLUMNS, no id.

    Args:
        results: results folder of one cohort.
        patient: whose.
        index_day: of the case, from first sequencing.
        regimens: the patient's cases.
    """
    parts: list[dict[str, Any]] = [
        {"lane": "Regimens", "what": row["regimen_name"], "start_days": row["index_day"], "stop_days": row["stop_day"], "value": None}
        for row in records(regimens)
    ]
    for row in records(rows_of(results, "timeline_progression", patient)):
        parts.append({"lane": "Scans", "what": str(row["progression"]), "start_days": row["start_day"], "value": row["procedure_type"]})
    for marker in MARKERS:
        for row in records(rows_of(results, f"timeline_{marker}_labs", patient)):
            parts.append(
                {"lane": str(row["test"]).replace("_", " "), "what": "marker", "start_days": row["start_day"], "value": row["result"]}
            )
    for row in records(rows_of(results, "timeline_performance_status", patient)):
        parts.append({"lane": "ECOG", "what": "ecog", "start_days": row["start_day"], "value": row["ecog"]})
    for table, (lane, _) in EVENTS.items():
        parts += [{"lane": lane, "what": lane.lower(), "start_days": row["start_day"]} for row in records(rows_of(results, table, patient))]
    events = pd.DataFrame(parts, columns=COLUMNS)
    measured = events["what"].isin(["marker", "ecog"])
    events = events[events["start_days"].notna() & (~measured | events["value"].notna())]
    events = events.assign(start_days=events["start_days"].astype(int) - index_day, stop_days=events["stop_days"].astype(float) - index_day)
    ends = events["stop_days"].fillna(events["start_days"])
    inside = (ends >= -BEFORE) & (events["start_days"] <= AFTER)
    return events[inside].sort_values(["lane", "start_days", "what"], kind="stable").reset_index(drop=True)


def typical(cases: pd.DataFrame, scores: dict[str, float], told: set[str]) -> list[str]:
    """The case nearest to the middle score of the responders, and that of the others; cases with a written rationale first.

    Args:
        cases: with responder, of one regimen or of all.
        scores: case -> score.
        told: cases for which the model wrote a rationale.
    """
    found = []
    for responder in (True, False):
        mine = cases[cases["responder"].eq(responder).fillna(False)]
        mine = mine.assign(score=mine["case_id"].map(scores))
        mine = mine[mine["score"].notna()]
        if mine.empty:
            continue
        middle = mine["score"].median()
        some = mine[mine["case_id"].isin(told)]
        some = some if not some.empty else mine
        found.append(str(some.assign(off=(some["score"] - middle).abs()).sort_values(["off", "case_id"])["case_id"].iloc[0]))
    return found


def lanes_of(events: pd.DataFrame) -> list[str]:
    """Lanes that hold something, in a fixed order."""
    markers = sorted(set(events.loc[events["what"] == "marker", "lane"]))
    order = ["Regimens", "Scans", *markers, "ECOG", *(lane for lane, _ in EVENTS.values())]
    return [lane for lane in order if lane in set(events["lane"])]


X = Scale(-BEFORE, AFTER, LEFT, WIDTH - 12.0)
BAR = 15.0  # pixels of a row of regimens: a name above a bar
ROWS = 3


def height(lane: str) -> float:
    """Of a lane."""
    return ROWS * BAR + 6 if lane == "Regimens" else LANE


def regimens_lane(picture: Picture, rows: list[dict[str, Any]], top: float) -> None:
    """Regimens in turn on three rows, so that each name has room; the case's own in full colour."""
    for number, row in enumerate(rows):
        start, stop = X(row["start_days"]), X(row["stop_days"])
        later = [X(one["start_days"]) for one in rows[number + ROWS :: ROWS]]
        room = int(((later[0] if later else WIDTH - 6) - start) / 5.2)
        y, name, own = top + 4 + BAR * (number % ROWS), label(str(row["what"])), row["start_days"] == 0
        picture.rectangle(start, y + 9, max(2.0, stop - start), 4, "#0072B2", name, fill_opacity=None if own else 0.45)
        if room > 3:
            told = name if len(name) <= room else name[: room - 1] + "…"
            picture.text(start, y + 7, told, 9.5, font_weight="bold" if own else None)


def marker_lane(picture: Picture, rows: list[dict[str, Any]], y: float) -> None:
    """A marker as a line between its lowest and highest value shown, the last value written."""
    values = [float(row["value"]) for row in rows]
    low, spread = min(values), max(max(values) - min(values), 1e-9)
    points = [(X(row["start_days"]), y + 7 - 14 * (value - low) / spread) for row, value in zip(rows, values)]
    picture.path("M" + "L".join(f"{at(a)} {at(b)}" for a, b in points), "#009E73", 1.4)
    for (a, b), row in zip(points, rows):
        picture.rectangle(a - 1.5, b - 1.5, 3, 3, "#009E73", f"{row['lane']} {row['value']:g}, day {row['start_days']}")


def point(picture: Picture, lane: str, row: dict[str, Any], y: float) -> None:
    """A scan, a performance status, a procedure."""
    x, when = X(row["start_days"]), f"day {row['start_days']}"
    if lane == "Scans":
        shape, colour, words = SCANS.get(row["what"], SCANS["Indeterminate"])
        picture.mark(shape, x, y, colour, f"{row['value']}: {words}, {when}")
    elif lane == "ECOG":
        picture.text(x, y + 4, f"{row['value']:.0f}", 10, "middle")
    else:
        picture.mark(dict(EVENTS.values())[lane], x, y, "#CC79A7", f"{lane}, {when}")


def draw_lanes(picture: Picture, events: pd.DataFrame, lanes: Sequence[str], *, ruled: bool) -> None:
    """The records of a patient, lane under lane; ruled: a line under each."""
    top = float(TOP)
    for lane in lanes:
        y, rows = top + height(lane) / 2, records(events[events["lane"] == lane])
        top += height(lane)
        picture.text(LEFT - 8, y + 4, lane, 11, "end")
        if ruled:
            picture.stroke(LEFT, top, WIDTH - 12, top, 0.4, stroke_opacity=0.35)
        if lane == "Regimens":
            regimens_lane(picture, rows, top - height(lane))
        elif rows[0]["what"] == "marker":
            marker_lane(picture, rows, y)
        else:
            for row in rows:
                point(picture, lane, row, y)


def draw(one: Timeline) -> Markup | None:
    """The picture."""
    lanes = lanes_of(one.events)
    if not lanes:
        return None
    bottom = TOP + sum(height(lane) for lane in lanes) + 6
    picture = Picture(WIDTH, bottom + 62)
    start, stop = X(one.window[0]), X(one.window[1])
    picture.rectangle(start, TOP - 4, stop - start, bottom - TOP + 4, COLOURS[one.category], "response window", fill_opacity=0.16)
    picture.text(start + 3, TOP - 9, f"window: {one.category}", SMALL)
    picture.stroke(X(0), TOP - 16, X(0), bottom, 1.2, stroke_dasharray="4 2")
    picture.text(X(0) - 4, TOP - 9, f"index date, score {one.score:.2f}", SMALL, "end", font_weight="bold")
    draw_lanes(picture, one.events, lanes, ruled=True)
    picture.axis(X, bottom, range(-BEFORE, AFTER + 1, 90), "Days from the index date")
    scans_told = [(shape, colour, f"scan: {words}") for shape, colour, words in SCANS.values()]
    picture.key(LEFT, bottom + 54, scans_told)
    scans = one.events[one.events["lane"] == "Scans"]
    seen = scans[(scans["start_days"] >= one.window[0]) & (scans["start_days"] <= one.window[1])]
    return picture.svg(
        f"{one.title}: score {one.score:.2f}, {WORDS[one.category]}; {len(seen)} scans in the response window, days {one.window[0]} to {one.window[1]}; "
        f"{len(one.events)} records on {len(lanes)} lanes."
    )
