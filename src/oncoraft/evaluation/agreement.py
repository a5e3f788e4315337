"""How far two readers of the same cases agree, beyond chance, with intervals from resampling patients."""

from __future__ import annotations

from typing import Any

import numpy as np

from oncoraft.evaluation.discrimination import Array, bootstrap, told_interval

ORDERED = ("PD", "SD", "PR", "CR")  # from worst to best


def agreement(one: Array, other: Array, weight: Array | None = None) -> Array:
    """Share of cases on which two readers say the same, (...): one value a row of weights.

    Args:
        one, other: what each says, as whole numbers, (cases,).
        weight: (..., cases), multiplicity of each case; None for one each.
    """
    w = np.ones(one.shape) if weight is None else weight.astype(float)
    return np.asarray((w @ (one == other).astype(float)) / w.sum(axis=-1))


def kappa(one: Array, other: Array, weight: Array | None = None, levels: int = 2, is_linear: bool = False) -> Array:
    """Cohen's kappa: 1 less the disagreement over that of readers who know nothing of one another (Cohen 1960); nan if that is none.

    Args:
        one, other, weight: as for `agreement`; whole numbers below `levels`.
        levels: how many categories there are.
        is_linear: a disagreement counts by how many categories apart it is (Cohen 1968), instead of one each.
    """
    w = np.ones(one.shape) if weight is None else weight.astype(float)
    place = np.arange(levels)
    cost = np.abs(place[:, None] - place) if is_linear else (place[:, None] != place)
    cost = cost.astype(float)
    total = w.sum(axis=-1)
    observed = (w @ cost[one, other]) / total
    shares = [(w @ (said[:, None] == place).astype(float)) / total[..., None] for said in (one, other)]
    expected = np.einsum("...i,ij,...j->...", shares[0], cost, shares[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - observed / np.where(expected > 0, expected, np.nan))


def estimated(statistic: Any, weights: Array, confidence: float) -> dict[str, Any]:
    """Estimate and interval of a statistic of weights, and of how many resamples where not all have a value; nothing where it is undefined.

    Args:
        statistic: takes weights (resamples, cases) or None.
        weights: (resamples, cases).
        confidence: level of the interval.
    """
    value, samples = float(statistic(None)), bootstrap(statistic, weights)
    if not np.isfinite(value):
        return {"estimate": None, "lower": None, "upper": None, "flags": ""}
    lower, upper, flags = told_interval(samples, confidence)
    return {"estimate": value, "lower": lower, "upper": upper, "flags": flags}
