"""A patient's records up to an index day on a line of time: what the model may know, and nothing of what came after."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from oncoraft.page.study import Study
from oncoraft.report.picture import SMALL, Picture
from oncoraft.report.plot import Scale
from oncoraft.report.timeline import BEFORE, LEFT, SCANS, TOP, X, draw_lanes, events_of, height, lanes_of

WIDTH = X(0) + 230  # room for the names of what begins on the index day


def past(study: Study, patient: str, index_day: int) -> Markup | None:
    """The picture; None where nothing is on record in the days shown.

    Raises:
        InputError: there is no such patient.
    """
    events = events_of(study.root, patient, index_day, study.cases_of(patient))
    events = events[events["start_days"] <= 0]
    # What goes on beyond the index day would tell of the time after it.
    events = events.assign(stop_days=events["stop_days"].clip(upper=0))
    return drawn(events) if len(events) else None


def drawn(events: pd.DataFrame) -> Markup:
    """Lanes up to day 0."""
    lanes = lanes_of(events)
    bottom = TOP + sum(height(lane) for lane in lanes) + 6
    picture = Picture(WIDTH, bottom + 66)
    picture.stroke(X(0), TOP - 16, X(0), bottom, 1.2, stroke_dasharray="4 2")
    picture.text(X(0) - 4, TOP - 9, "index day", SMALL, "end", font_weight="bold")
    draw_lanes(picture, events, lanes, ruled=False)
    picture.axis(Scale(-BEFORE, 0, LEFT, X(0)), bottom, range(-BEFORE, 1, 90), "days from the index day")
    picture.key(LEFT, bottom + 54, [(shape, colour, words) for shape, colour, words in SCANS.values()])
    return picture.svg(f"{len(events)} records of the {BEFORE} days up to the index day, on {len(lanes)} lanes: {', '.join(lanes)}.")
