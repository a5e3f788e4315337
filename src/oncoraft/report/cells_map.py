"""The map of cells: the same points three times, coloured by response, by donor and by data set."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.report.picture import Picture, at
from oncoraft.report.plot import around
from oncoraft.report.tables import Data, Figure, records

# Okabe and Ito: safe for colour-blind readers.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A7A00", "#757575")
SIDE, ROOM, TOP = 250.0, 22.0, 26.0
MOST_NAMED = len(PALETTE)


def draw_map(stem: str, points: pd.DataFrame) -> Figure:
    """Three panels of one drawing.

    Args:
        stem: of the figure's name.
        points: pc1, pc2, responder, patient_id, data_set.
    """
    donors = {name: place for place, name in enumerate(sorted(points["patient_id"].unique()))}
    sets = sorted(points["data_set"].unique())
    panels = {
        "response": points["responder"].map({True: "sensitive", False: "resistant"}),
        "donor": points["patient_id"].map(donors).mod(MOST_NAMED).astype(str),
        "data set": points["data_set"],
    }
    canvas = Picture(3 * SIDE + 2 * ROOM + 8, TOP + SIDE + 30)
    for number, (title, values) in enumerate(panels.items()):
        left = 4 + number * (SIDE + ROOM)
        x, y = around(points["pc1"], left, left + SIDE), around(points["pc2"], TOP + SIDE, TOP)
        canvas.text(left, TOP - 10, f"by {title}", 12, font_weight="bold")
        canvas.rectangle(left, TOP, SIDE, SIDE, "none", stroke="currentColor", stroke_width=0.5)
        names = sorted(values.unique())
        for place, name in enumerate(names):
            inside = (values == name).to_numpy()
            # A line of no length with a round end is a dot, and takes a tenth of a circle's bytes.
            dots = "".join(f"M{at(x(one))} {at(y(other))}h0" for one, other in points.loc[inside, ["pc1", "pc2"]].to_numpy())
            canvas.path(dots, stroke=PALETTE[place % len(PALETTE)], width=3.0, stroke_linecap="round", stroke_opacity=0.7)
        if title != "donor" and len(names) <= MOST_NAMED:
            words = [("", PALETTE[place], str(name)[:14]) for place, name in enumerate(names)]
            canvas.key(left, TOP + SIDE + 18, words)
    said = f"First two principal components of {len(points):,} cases of {len(donors):,} donors in {len(sets)} data sets"
    caption = f"{said}, each point a case. Colours of donors repeat after {MOST_NAMED}. What lies together is alike in expression: where colours of data sets or donors part, that is what a model meets first."
    told = points[["pc1", "pc2", "responder", "data_set"]].assign(donor=points["patient_id"].map(donors).astype(np.int64))
    return Figure(canvas.svg(said + "."), f"{stem}-map", caption, Data(f"{stem}-map", records(told)))
