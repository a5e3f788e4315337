"""Whether the hazard follows the score's log odds in a straight line: a restricted cubic spline beside it.

Four knots at the 5th, 35th, 65th and 95th percentile and the basis of Harrell (Regression Modeling Strategies, 2015, section 2.4.5), linear beyond
the outer knots; the likelihood-ratio test of the terms beside the linear one has two degrees of freedom.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from oncoraft.survival.cox import CoxFit, fit_cox
from oncoraft.survival.inputs import finite
from oncoraft.survival.risk_sets import Array, Subjects
from oncoraft.survival.tails import chi_squared, quantile_of

KNOTS = (0.05, 0.35, 0.65, 0.95)
GRID = 21  # points of the curve that is drawn
NO_SHAPE: dict[str, Any] = {"nonlinearity_chi2": None, "nonlinearity_df": None, "nonlinearity_p": None, "shape": []}


def spline_terms(x: Array, knots: Array) -> Array:
    """Terms of a restricted cubic spline beside the linear one, (n, knots - 2), divided by the square of the outer knots' distance.

    Args:
        x: (n,).
        knots: rising, three or more.
    """

    def cube(at: float) -> Array:
        found: Array = np.maximum(x - at, 0.0) ** 3
        return found

    *inner, before, last = knots
    width = last - before
    columns = [cube(knot) - cube(before) * (last - knot) / width + cube(last) * (before - knot) / width for knot in inner]
    return np.column_stack(columns) / (last - knots[0]) ** 2


def shape_record(subjects: Subjects, odds: Array, table: pd.DataFrame, strata: Array, linear: CoxFit) -> dict[str, Any]:
    """The test of linearity and the curve of the hazard over the score.

    Args:
        subjects: follow-up of n cases.
        odds: log odds of their scores.
        table: the clinical covariates of the adjusted model, without the score.
        strata: a label a case.
        linear: the model of the covariates and the score's log odds.

    Returns:
        nonlinearity_chi2, _df and _p, null where the score has too few values for three knots or the model no maximum; shape: of scores from the 5th to
        the 95th percentile the hazard ratio against the median score, {score, hazard_ratio, lower, upper}.
    """
    knots = np.unique(np.quantile(odds, KNOTS))
    if len(knots) < 3:
        return NO_SHAPE
    names = [f"spline_{place}" for place in range(len(knots) - 1)]
    columns = np.column_stack([odds, spline_terms(odds, knots)])
    fit = fit_cox(subjects, np.column_stack([table.to_numpy(float), columns]), [*table.columns, *names], strata)
    kept = [name for name in names if name in fit.names]
    if len(kept) < 2 or fit.separated or linear.separated:
        return NO_SHAPE
    chi2, degrees = max(0.0, 2 * (fit.log_likelihood - linear.log_likelihood)), len(kept) - 1
    return {
        "nonlinearity_chi2": chi2,
        "nonlinearity_df": degrees,
        "nonlinearity_p": chi_squared(chi2, degrees),
        "shape": curve(fit, kept, knots, odds),
    }


def curve(fit: CoxFit, kept: list[str], knots: Array, odds: Array, confidence: float = 0.95) -> list[dict[str, float | None]]:
    """Hazard ratio against the median score along the score, with its Wald interval; a limit beyond any number is null."""
    at = np.concatenate([[np.median(odds)], np.linspace(knots[0], knots[-1], GRID)])
    terms = np.column_stack([at, spline_terms(at, knots)])
    used = [place for place in range(terms.shape[1]) if f"spline_{place}" in kept]
    away = (terms - terms[0])[1:, used]
    places = [fit.names.index(name) for name in kept]
    log_ratio = away @ fit.coefficients[places]
    error = np.sqrt(np.maximum(np.einsum("gi,ij,gj->g", away, fit.covariance[np.ix_(places, places)], away), 0.0))
    width = quantile_of(confidence) * error
    with np.errstate(over="ignore"):
        rows = zip(1 / (1 + np.exp(-at[1:])), np.exp(log_ratio), np.exp(log_ratio - width), np.exp(log_ratio + width))
        return [dict(zip(("score", "hazard_ratio", "lower", "upper"), map(finite, row))) for row in rows]
