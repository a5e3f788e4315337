"""Survival curves as they would be if both score groups had the covariates of the whole regimen: direct adjustment by a Cox model.

The model has a baseline hazard for each score group and one effect of each covariate, with delayed entry. A group's adjusted curve is the mean,
over all cases of the regimen, of the survival that the model gives each of them with that group's baseline (Makuch, Journal of Chronic Diseases
1982;35:437; Zhang and others, Computer Methods and Programs in Biomedicine 2007;88:95). So the curves differ by what the score tells beyond the
covariates, hazards proportional or not, and begin where the raw curves begin.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.survival.adjusted import subjects_of
from oncoraft.survival.coding import values_of
from oncoraft.survival.cox import CoxFit, fit_cox
from oncoraft.survival.curves import Curve
from oncoraft.survival.risk_sets import Array, Subjects


def adjusted_survival(group: pd.DataFrame, low: Array, curves: dict[str, Curve], table: pd.DataFrame) -> dict[str, Array]:
    """Adjusted survival at the times of each raw curve, conditional on reaching its start as that is.

    Args:
        group: cases of a regimen.
        low: which are of the low-score group.
        curves: raw curves of `high` and `low`; none: nothing to adjust.
        table: columns of the covariates in the model (`adjusted_for`), a row a case; none: the groups' own curves, as exp(-hazard).

    Returns:
        Group -> survival (times,); nan where no covariate effect could be estimated.
    """
    subjects = subjects_of(group)
    risk = relative_risks(subjects, table, low)
    found = {}
    for name, mask in (("high", ~low), ("low", low)):
        if name not in curves:
            continue
        times = curves[name].times
        is_at_risk = (subjects.entry[mask, None] < times) & (subjects.exit[mask, None] >= times)
        with np.errstate(invalid="ignore"):
            hazard = np.cumsum(curves[name].events / (risk[mask] @ is_at_risk))  # Breslow's
            found[name] = np.exp(-hazard[:, None] * risk).mean(axis=1)
    return found


def relative_risks(subjects: Subjects, table: pd.DataFrame, low: Array) -> Array:
    """Risk of each case by its covariates against the mean, with a baseline for each score group; covariates without a finite effect count for nothing."""
    fit = _fit(subjects, table, low)
    if fit.separated:
        fit = _fit(subjects, table[[name for name in fit.names if name not in fit.separated]], low)
    x = values_of(table, fit.names)
    found: Array = np.exp((x - x.mean(axis=0)) @ fit.coefficients)
    return found if np.isfinite(found).all() and not fit.separated else np.full(len(table), np.nan)


def _fit(subjects: Subjects, table: pd.DataFrame, low: Array) -> CoxFit:
    return fit_cox(subjects, table.to_numpy(float), list(table.columns), low.astype(int))
