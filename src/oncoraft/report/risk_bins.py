"""Bins of scores wide enough to be shown: neighbours are joined until no class of a bin holds fewer people than the smallest cell."""

from __future__ import annotations

from typing import Any

import pandas as pd

from oncoraft.report.tables import Rows, records

CLASSES = ("responders", "others")


def may_show(row: dict[str, Any], smallest: int) -> bool:
    """Whether a bin tells of nobody or of enough, class by class; a class of nobody says of nobody what he has."""
    return any(row[name] for name in CLASSES) and all(row[name] == 0 or row[name] >= smallest for name in CLASSES)


def with_next(row: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Two neighbours as one bin."""
    return row | {"upper_edge": after["upper_edge"]} | {name: row[name] + after[name] for name in CLASSES}


def joined(rows: Rows, smallest: int) -> Rows:
    """Bins of one predictor, in order, joined from the left, and what is left over at the end to the left; none where all of them are too few."""
    found: Rows = []
    left: dict[str, Any] | None = None
    for row in rows:
        left = row if left is None else with_next(left, row)
        if may_show(left, smallest):
            found.append(left)
            left = None
    while left is not None and found and not may_show(left, smallest):
        left = with_next(found.pop(), left)
    return [*found, left] if left is not None and may_show(left, smallest) else found


def coarsened(distribution: pd.DataFrame, smallest: int) -> Rows:
    """The distribution of scores by class as it may be shown; columns of `distribution.csv`."""
    if distribution.empty or smallest <= 1:
        return records(distribution)
    return [row for _, rows in distribution.groupby("predictor", sort=False) for row in joined(records(rows), smallest)]
