"""Whether the effects of a Cox model change with time: the test of Grambsch and Therneau (1994), exactly as R's cox.zph since survival 3.0.

The covariates times a scale of time are added to the model and their coefficients tested at zero by the score test.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oncoraft.survival.cox import HazardRatio, cox
from oncoraft.survival.curves import kaplan_meier
from oncoraft.survival.partial_likelihood import PartialLikelihood
from oncoraft.survival.risk_sets import Array, Subjects
from oncoraft.survival.tails import chi_squared


class Proportionality(NamedTuple):
    """Chi-squared of each covariate (p,), one degree of freedom each, nan where there is none, and of all together with p degrees."""

    each: Array
    together: float


def time_scale(subjects: Subjects, times: Array, transform: str) -> Array:
    """The scale of time: "km", 1 - S(t-), "rank", "log" or "identity"; centred, which changes nothing but rounding."""
    scale = np.log(times) if transform == "log" else times
    if transform == "rank":
        # As in R, among the times of all, of those not dead too.
        everybody = np.sort(subjects.exit)
        scale = (np.searchsorted(everybody, times, "left") + np.searchsorted(everybody, times, "right") + 1) / 2
    if transform == "km":
        curve = kaplan_meier(subjects)
        scale = 1 - np.concatenate([[1.0], curve.survival[:-1]])[np.searchsorted(curve.times, times)]
    centred: Array = scale - scale.mean()
    return centred


def proportionality(
    subjects: Subjects, x: Array, coefficients: Array, strata: Array | None = None, transform: str = "km"
) -> Proportionality:
    """The test for a model of several covariates.

    Args:
        subjects, strata: as for `cox.fit_cox`.
        x: the covariates in the model, (n, p).
        coefficients: (p,), at the maximum.
        transform: as for `time_scale`.
    """
    values = np.asarray(x, dtype=float).reshape(len(subjects), -1)
    values = values - values.mean(axis=0)
    p = values.shape[1]
    # The second moments are means of covariates, too.
    squares = (values[:, :, None] * values[:, None, :]).reshape(-1, p * p)
    likelihood = PartialLikelihood(subjects, np.column_stack([values, squares]), strata)
    risk = likelihood.risk(np.concatenate([coefficients, np.zeros(p * p)])[None])[1]
    sums = likelihood.at_deaths(likelihood.one_and_x * risk)
    mean = sums[:, 1 : p + 1] / sums[:, :1]
    variance = (sums[:, p + 1 :] / sums[:, :1]).reshape(-1, p, p) - mean[:, :, None] * mean[:, None, :]
    residual = values[likelihood.deaths] - mean
    scale = time_scale(subjects, subjects.exit[likelihood.deaths], transform)
    plain, once, twice = (np.einsum("d,dij->ij", weight, variance) for weight in (np.ones(len(scale)), scale, scale**2))
    # What is left of the score and of the information of the added terms once the model's own are known.
    known = once @ np.linalg.pinv(plain, hermitian=True)
    excess, left = scale @ residual - known @ residual.sum(axis=0), twice - known @ once
    own, most = np.diag(left), np.diag(twice)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(own > 1e-12 * most, excess**2 / own, np.nan)
    return Proportionality(each, float(excess @ np.linalg.pinv(left, hermitian=True) @ excess))


def proportional_hazards(
    subjects: Subjects, x: Array, strata: Array | None = None, transform: str = "km", found: HazardRatio | None = None
) -> tuple[float, float] | None:
    """Score test that one covariate's effect does not change with time: chi-squared (1 df) and p; None where the model has no estimate.

    Args:
        subjects, x, strata: as for `cox.cox`.
        transform: as for `time_scale`.
        found: the model's estimate, if it is known.
    """
    found = found or cox(subjects, x, strata)
    if found is None:
        return None
    chi2 = float(proportionality(subjects, x, np.array([found.coefficient]), strata, transform).each[0])
    return (chi2, chi_squared(chi2)) if np.isfinite(chi2) else None
