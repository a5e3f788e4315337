"""How much more an estimate of a Cox model varies than the model tells: its dispersion, as of any model whose variance is taken from its mean.

Within a stratum and given the covariates, a case's martingale residual varies by its own share of the deaths that it was at risk for: over a stratum
the squares of the residuals add up to the sum over deaths of 1 - sum w², with w the shares of those at risk (Therneau and Grambsch 2000, chapter 4). They add up
to more where something moves the hazard that the model does not know, as where patients who are sequenced late die sooner. And they add up to less by one for
each coefficient that was fitted to them, as in a linear model, which the likelihood ratio does not know either: with 13 covariates and 70 deaths in ten
strata it rejects a score that tells nothing in 8 % at 5 % (`benchmarks/null_regimens.py`). Their mean square, residuals over degrees of freedom, corrects for both, as in
quasi-likelihood (McCullagh and Nelder 1989, section 9.2). Less than the model's variance is taken for chance. A statistic over a dispersion that is estimated
is held against F, with deaths less coefficients as degrees of freedom: chi-squared, the law of one that is known, has too thin a tail just where false-discovery rates are read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from oncoraft.survival.coding import values_of
from oncoraft.survival.cox import CoxFit, centre_within
from oncoraft.survival.partial_likelihood import PartialLikelihood
from oncoraft.survival.risk_sets import Array, Subjects

FEWEST_FREE = 0.25  # share of the degrees of freedom that is counted where the coefficients leave fewer


class Dispersion(NamedTuple):
    """The factor by which the variance of an estimate exceeds the model's, 1 or more, and the degrees of freedom that it is held to have: deaths less coefficients."""

    factor: float
    degrees: float


NONE = Dispersion(1.0, np.inf)


def dispersion(fit: CoxFit, name: str, table: pd.DataFrame, subjects: Subjects, strata: Array) -> Dispersion:
    """Of one estimate; 1 where it is not finite.

    Args:
        fit: a model with the score and the covariates.
        name: of the score.
        table: the columns of the model, a row a case.
        subjects, strata: of the model; a label a case.
    """
    if name not in fit.names or name in fit.separated:
        return NONE
    codes = np.unique(strata, return_inverse=True)[1]
    values = centre_within(values_of(table, fit.names), codes)
    found, due = np.bincount(codes, fit.residuals**2), due_of(values @ fit.coefficients, subjects, codes)
    total = float(due.sum())
    free = max(total - len(fit.names), FEWEST_FREE * total)
    # A stratum counts by how much the score, beyond the covariates, varies in it.
    place = fit.names.index(name)
    others = np.delete(values, place, axis=1)
    own = values[:, place] - others @ np.linalg.lstsq(others, values[:, place])[0]
    weight = np.bincount(codes, own**2) / np.maximum(np.bincount(codes) - 1, 1)
    expected = float(weight @ due)
    if expected <= 0:
        return NONE
    # Of the deaths and not of what is due, which a score that all but separates them makes small.
    deaths = int(subjects.event.sum())
    return Dispersion(max(1.0, float(weight @ found) / expected * total / free), max(deaths - len(fit.names), FEWEST_FREE * deaths))


def due_of(linear: Array, subjects: Subjects, codes: Array) -> Array:
    """What the squares of the residuals are due to add up to in each stratum, by linear predictors (n,): over its deaths, 1 less the squared shares of those at risk."""
    likelihood = PartialLikelihood(subjects, linear[:, None], codes)
    risk = likelihood.risk(np.ones((1, 1)))[1]
    sums = likelihood.at_deaths(np.concatenate([risk, risk**2], axis=1))
    found: Array = np.bincount(codes[likelihood.deaths], 1 - sums[:, 1] / sums[:, 0] ** 2, minlength=int(codes.max()) + 1)
    return found
