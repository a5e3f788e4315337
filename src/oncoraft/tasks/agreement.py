"""Agreement of raters: Cohen, Fleiss, Krippendorff, Gwet, in numpy, with grades in a stated order.

Every function takes the order of the grades, also those that nobody used: libraries that sort labels by the alphabet put `low, mid,
high` out of order, and one that leaves unused grades out shrinks the scale. Where a coefficient is not defined (one grade alone was
given, nobody was rated twice) it is nan, and the share of agreement stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

Weights = Literal["nominal", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval", "ratio"]
MISSING = -1


def numbered(ratings: Sequence[Sequence[str | None]], grades: Sequence[str]) -> np.ndarray:
    """Ratings as places in the order of the grades, (raters, cases); a missing one is -1.

    Raises:
        ValueError: a rating that is no grade.
    """
    place = {grade: number for number, grade in enumerate(grades)}
    for row in ratings:
        for one in row:
            if one is not None and one not in place:
                raise ValueError(f"expected one of {', '.join(grades)}, found {one!r}")
    return np.array([[MISSING if one is None else place[one] for one in row] for row in ratings], dtype=int)


def cohen(first: np.ndarray, second: np.ndarray, grades: int, weights: Weights = "nominal") -> float:
    """Cohen's kappa of two raters, weighted by the distance of grades (Cohen 1960, 1968).

    Args:
        first, second: places of grades, (cases,); cases that either left out do not count.
        grades: number of grades on the scale, used or not.
        weights: nominal, or linear or quadratic in the places.
    """
    both = (first != MISSING) & (second != MISSING)
    table = np.zeros((grades, grades))
    np.add.at(table, (first[both], second[both]), 1)
    if not table.sum():
        return math.nan
    place = np.arange(grades)
    apart = np.abs(place[:, None] - place)
    cost = {"nominal": (apart > 0).astype(float), "linear": apart.astype(float), "quadratic": apart.astype(float) ** 2}[weights]
    share = table / table.sum()
    expected = (cost * np.outer(share.sum(axis=1), share.sum(axis=0))).sum()
    return math.nan if expected == 0 else float(1 - (cost * share).sum() / expected)


def counts(ratings: np.ndarray, grades: int) -> np.ndarray:
    """How many raters gave each case each grade, (cases, grades)."""
    return np.stack([(ratings == grade).sum(axis=0) for grade in range(grades)], axis=1)


def observed(table: np.ndarray) -> float:
    """Mean share of agreeing pairs of raters over the cases that at least two have rated."""
    raters = table.sum(axis=1)
    table, raters = table[raters > 1], raters[raters > 1]
    return float(((table * (table - 1)).sum(axis=1) / (raters * (raters - 1))).mean()) if len(table) else math.nan


def shares(table: np.ndarray) -> np.ndarray:
    """Mean share of each grade over the cases, each case counting alike (Gwet 2014)."""
    raters = table.sum(axis=1)
    return (table[raters > 0] / raters[raters > 0, None]).mean(axis=0)


def fleiss(table: np.ndarray) -> float:
    """Fleiss' kappa; of unequal numbers of raters in Gwet's generalised form."""
    agreed = observed(table)
    by_chance = float((shares(table) ** 2).sum()) if table.sum() else math.nan
    return math.nan if math.isnan(agreed) or by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


def gwet(table: np.ndarray) -> float:
    """Gwet's AC1 (Gwet 2008), which holds where nearly all cases are of one grade and kappa collapses."""
    agreed, grades = observed(table), table.shape[1]
    if math.isnan(agreed) or grades < 2:
        return math.nan
    share = shares(table)
    by_chance = float((share * (1 - share)).sum()) / (grades - 1)
    return (agreed - by_chance) / (1 - by_chance)


def krippendorff(table: np.ndarray, level: Level = "nominal", values: Sequence[float] | None = None) -> float:
    """Krippendorff's alpha (Krippendorff 2011), cases that fewer than two have rated left out.

    Args:
        table: (cases, grades) counts.
        level: the metric of differences between grades.
        values: of the grades, for interval and ratio; 1, 2, 3 ... where none are given.
    """
    raters = table.sum(axis=1)
    pairable = table[raters > 1].astype(float)
    if not len(pairable):
        return math.nan
    weight = 1 / (pairable.sum(axis=1) - 1)
    together = np.einsum("ug,uh,u->gh", pairable, pairable, weight) - np.diag((pairable * weight[:, None]).sum(axis=0))
    total = together.sum(axis=0)
    n = total.sum()
    distance = _distance(total, level, np.arange(1.0, len(total) + 1) if values is None else np.asarray(values, dtype=float))
    expected = (np.outer(total, total) * distance).sum() / (n * (n - 1))
    return math.nan if expected == 0 else float(1 - (together * distance).sum() / n / expected)


def _distance(total: np.ndarray, level: Level, values: np.ndarray) -> np.ndarray:
    """Squared differences of grades by the level of measurement."""
    grades = len(total)
    if level == "nominal":
        return 1.0 - np.eye(grades)
    if level == "ordinal":
        running = np.cumsum(total)
        # Ratings from one grade to the other, the ends counted by half.
        between = np.abs(running[:, None] - running[None, :] - (total[:, None] - total[None, :]) / 2)
        return between**2
    apart = values[:, None] - values[None, :]
    if level == "interval":
        return apart**2
    both = values[:, None] + values[None, :]
    return np.divide(apart, both, out=np.zeros_like(apart), where=both != 0) ** 2
