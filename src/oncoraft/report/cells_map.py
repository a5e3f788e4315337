"""The map of cells: the same points three times, coloured by response, by donor and by data set."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from oncoraft.report.picture import Picture, at
from oncoraft.report.plot import around
from oncoraft.report.tables import Data, Figure, records

# Okabe and Ito: safe for colour-blind readers.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A7A00", "#757575")
SIDE, TOP = 320.0, 6.0
MOST_NAMED = len(PALETTE)


def draw_map(stem: str, points: pd.DataFrame) -> list[Figure]:
    """Three figures of the same points.

    Args:
        stem: of the figures' names.
        points: pc1, pc2, responder, patient_id, data_set.
    """
    donors = {name: place for place, name in enumerate(sorted(points["patient_id"].unique()))}
    colours = {
        "response": points["responder"].map({True: "sensitive", False: "resistant"}),
        "donor": points["patient_id"].map(donors).mod(MOST_NAMED).astype(str),
        "data set": points["data_set"],
    }
    said = f"first two principal components of {len(points):,} cases of {len(donors):,} donors in {points['data_set'].nunique()} data sets"
    captions = {
        "response": f"By response: {said}, each point a case. What lies together is alike in expression.",
        "donor": f"By donor: the same; colours repeat after {MOST_NAMED} donors.",
        "data set": "By data set: the same. Where colours of data sets part, that is what a model meets first.",
    }
    told = points[["pc1", "pc2", "responder", "data_set"]].assign(donor=points["patient_id"].map(donors).astype(np.int64))
    data = Data(f"{stem}-map", records(told))
    return [
        Figure(panel(points, values, f"By {name}: {said}.", name != "donor"), f"{stem}-map-{name.replace(' ', '-')}", captions[name], data)
        for name, values in colours.items()
    ]


def panel(points: pd.DataFrame, values: pd.Series, said: str, is_named: bool) -> Markup:
    """One square of points, coloured by the values; the colours named below where that is asked and they are few."""
    canvas = Picture(SIDE + 8, TOP + SIDE + 48)
    x, y = around(points["pc1"], 4, 4 + SIDE), around(points["pc2"], TOP + SIDE, TOP)
    canvas.rectangle(4, TOP, SIDE, SIDE, "none", stroke="currentColor", stroke_width=0.5)
    names = sorted(values.unique())
    for place, name in enumerate(names):
        inside = (values == name).to_numpy()
        # A line of no length with a round end is a dot, and takes a tenth of a circle's bytes.
        dots = "".join(f"M{at(x(one))} {at(y(other))}h0" for one, other in points.loc[inside, ["pc1", "pc2"]].to_numpy())
        canvas.path(dots, stroke=PALETTE[place % len(PALETTE)], width=3.0, stroke_linecap="round", stroke_opacity=0.7)
    if is_named and len(names) <= MOST_NAMED:
        canvas.key(4, TOP + SIDE + 18, [("", PALETTE[place], str(name)[:24]) for place, name in enumerate(names)])
    return canvas.svg(said)
