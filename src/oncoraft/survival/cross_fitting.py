"""How much wider an interval must be where the score that it judges was learned from the very patients that it is tried on.

A case's score is out of fold, yet two cases of different folds have trained the models that score one another. Where the training label goes
together with survival, the two products, of one's residual of survival and what the other's label has lent to its score, are correlated: they
add up to a variance that no model with the scores taken as given knows of. Tests of such "pre-validated" predictors therefore reject too often
(Höfling and Tibshirani, Annals of Applied Statistics 2008;2:643; for survival Simon et al., Briefings in Bioinformatics 2011;12:203).

To first order the score of case i is the sum over training cases j of k(i, j) e(j), with k symmetric and e the residual of the label. So the
score statistic of a Cox model, the sum of m(i) score(i) with martingale residuals m, is a sum over pairs of k (m(i) e(j) + m(j) e(i)). A
pair's variance is proportional to 2 E[m²] E[e²] + 2 E[me]², of which the model knows the first part alone: the inflation is 1 + r², with
r the correlation of m and e. It is a bound: what a score has learned beyond noise, and from patients of other regimens, is not inflated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from oncoraft.survival.cox import HazardRatio
from oncoraft.survival.risk_sets import Array

TARGET = "trained_on"  # column: the label that the models of the other folds were trained on, 0 or 1; nan where the case trained none


def variance_inflation(group: pd.DataFrame, residuals: Array, strata: Array) -> float | None:
    """The factor by which the variance of an estimate exceeds that of a Cox model with the scores taken as given, from 1 to 2.

    Args:
        group: cases with fold and `TARGET`.
        residuals: martingale residuals of the model without the score, (n,).
        strata: of that model, a label a case.

    Returns:
        The factor; 1 where all cases are of one fold, so that none trained another's model; null where labels are not known.
    """
    if TARGET not in group:
        return None
    if group["fold"].nunique() < 2:
        return 1.0
    label = pd.Series(group[TARGET].to_numpy(float))
    # Who has no label has trained nobody.
    lent = (label - label.groupby(strata).transform("mean")).fillna(0.0).to_numpy()
    size = float(residuals @ residuals) * float(lent @ lent)
    return 1 + float(residuals @ lent) ** 2 / size if size > 0 else 1.0


def widened(found: HazardRatio | None, factor: float | None) -> HazardRatio | None:
    """A ratio with its variance multiplied; None where its interval has a limit beyond any number then."""
    if found is None or factor is None:
        return found
    wider = replace(found, standard_error=found.standard_error * float(np.sqrt(factor)))
    return wider if np.isfinite(wider.interval[1]) else None
