"""Cox regression with delayed entry, strata and Efron's correction for ties. Checked against R's coxph.

Covariates are centred and scaled, and those that the risk sets cannot tell apart from the ones before them are left out by name, as R does;
the fit never fails for them. Where the likelihood rises without end (a covariate separates the deaths), that is said by name too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oncoraft.survival.partial_likelihood import Evaluation, PartialLikelihood, maximise
from oncoraft.survival.risk_sets import Array, Subjects, stratum_codes
from oncoraft.survival.tails import quantile_of, two_sided

COLLINEAR = 1e-9  # share of a covariate's own information that must be left once the others are known
SEPARATED = 0.01  # a Newton step, in standard deviations, that a likelihood at its maximum does not take
LEVEL_INFORMATION = 1e-10  # a standard error of 1e5 standard deviations
CONSTANT, NOT_ESTIMABLE = "the same for everybody", "told by the covariates before it, or by the strata"


@dataclass(frozen=True)
class HazardRatio:
    """Hazard ratio of a unit of the covariate with its Wald interval and p."""

    coefficient: float
    standard_error: float
    confidence: float = 0.95

    @property
    def ratio(self) -> float:
        """The hazard ratio."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.coefficient))

    @property
    def interval(self) -> tuple[float, float]:
        """Wald interval of the hazard ratio."""
        width = quantile_of(self.confidence) * self.standard_error
        with np.errstate(over="ignore"):
            return float(np.exp(self.coefficient - width)), float(np.exp(self.coefficient + width))

    @property
    def p(self) -> float:
        """Two-sided Wald p."""
        return two_sided(self.coefficient / self.standard_error)


@dataclass(frozen=True)
class CoxFit:
    """A fitted model: estimates of `names`, in a unit of each covariate; what was left out and what separates, by name; martingale residuals (n,)."""

    names: tuple[str, ...]
    coefficients: Array
    covariance: Array
    log_likelihood: float
    null_log_likelihood: float
    dropped: dict[str, str]
    separated: tuple[str, ...]
    residuals: Array

    def hazard_ratio(self, name: str, confidence: float = 0.95) -> HazardRatio | None:
        """Of one covariate; None where it was left out or separates, or where its interval has a limit beyond any number."""
        if name not in self.names or name in self.separated:
            return None
        place = self.names.index(name)
        found = HazardRatio(float(self.coefficients[place]), float(np.sqrt(self.covariance[place, place])), confidence)
        return found if np.isfinite(found.interval[1]) else None


def estimable(information: Array, own: Array) -> Array:
    """Which covariates add information to those before them, by Cholesky's scheme in their order.

    Args:
        information: (p, p) at coefficients of zero.
        own: (p,) information that each would have if the risk sets were the whole cohort; 0 for a constant.
    """
    try:
        # The pivots of the same scheme in one call; where all are large nothing has to be left out.
        if (np.diag(np.linalg.cholesky(information)) ** 2 > COLLINEAR * own).all() and (own > 0).all():
            return np.ones(len(information), dtype=bool)
    except np.linalg.LinAlgError:
        pass
    left, keep = information.copy(), np.zeros(len(information), dtype=bool)
    for j in range(len(left)):
        if own[j] > 0 and left[j, j] > COLLINEAR * own[j]:
            keep[j] = True
            left = left - np.outer(left[:, j], left[j]) / left[j, j]
    return keep


def centre_within(values: Array, strata: Array | None) -> Array:
    """Covariates less their mean in the stratum, which changes no partial likelihood and keeps exponentials small."""
    if not values.size:
        return values
    if strata is None:
        return values - values.mean(axis=0)
    codes = stratum_codes(strata, len(values))
    counts = np.maximum(np.bincount(codes), 1)
    means = np.stack([np.bincount(codes, column, len(counts)) for column in values.T]) / counts
    found: Array = values - np.take(means, codes, axis=1).T
    return found


def fit_cox(subjects: Subjects, x: Array, names: Sequence[str], strata: Array | None = None, most: int | None = None) -> CoxFit:
    """Fit a Cox model.

    Args:
        subjects: follow-up.
        x: covariates, (n, p) without missing values.
        names: of the p covariates.
        strata: each stratum has a baseline hazard of its own.
        most: of the covariates that can be estimated only so many, the first, enter the model; None: all.

    Returns:
        The fit; without an event, every covariate is dropped.

    Raises:
        ValueError: a covariate that is missing or infinite somewhere.
    """
    # A covariate's numbers side by side: numpy reduces many times faster along them than across.
    values = np.asfortranarray(np.asarray(x, dtype=float).reshape(len(subjects), len(names)))
    if not np.isfinite(values).all():
        # A missing value compares false to everything, and its covariate would count as the same for everybody.
        raise ValueError(f"expected a number in every row of {names[int(np.argmin(np.isfinite(values).all(axis=0)))]}")
    # Numbers in place of the labels, which are mostly texts and slow to sort.
    strata = None if strata is None else stratum_codes(strata, len(subjects))
    highest, lowest = values.max(axis=0, initial=-np.inf), values.min(axis=0, initial=np.inf)
    varies = highest > lowest
    centred = centre_within(values, strata)
    spread = np.sqrt(np.einsum("ij,ij->j", centred, centred) / max(len(values), 1))
    # Rounding leaves a covariate that no stratum varies in a spread of its own.
    scale = np.where(spread > 1e-12 * (1 + np.maximum(np.abs(highest), np.abs(lowest))), spread, np.inf)
    scaled = centred / scale
    likelihood = PartialLikelihood(subjects, scaled, strata)
    null = likelihood.evaluate(np.zeros((1, len(scale))))
    keep = estimable(null.information[0], np.isfinite(scale) * float(subjects.event.sum()))
    dropped = {name: NOT_ESTIMABLE if moves else CONSTANT for name, kept, moves in zip(names, keep, varies) if not kept}
    if most is not None:
        keep &= np.cumsum(keep) <= most
    if not keep.all():
        likelihood = likelihood.of_columns(keep)
        null = Evaluation(null.value, null.gradient[:, keep], null.information[:, keep][:, :, keep], null.exposure)
    beta, found, step = maximise(likelihood, np.zeros((1, int(keep.sum()))), null)
    kept_names = tuple(name for name, kept in zip(names, keep) if kept)
    # Far out the information itself underflows, and with it the step.
    level = (np.abs(step[0]) > SEPARATED) | (np.diag(found.information[0]) < LEVEL_INFORMATION)
    separated = tuple(name for name, endless in zip(kept_names, level) if endless)
    covariance = variance_of(found.information[0], bool(separated)) / np.outer(scale[keep], scale[keep])
    value = float(found.value[0])
    residuals = subjects.event.astype(float)
    residuals[likelihood.order] -= found.exposure[:, 0]
    return CoxFit(kept_names, beta[0] / scale[keep], covariance, value, float(null.value[0]), dropped, separated, residuals)


def variance_of(information: Array, separates: bool) -> Array:
    """The inverse of the information; where a covariate separates it is singular to rounding, and the others keep their variance."""
    try:
        found: Array = np.linalg.pinv(information, hermitian=True) if separates else np.linalg.inv(information)
    except np.linalg.LinAlgError:
        found = np.linalg.pinv(information, hermitian=True)
    return found


def cox(subjects: Subjects, x: Array, strata: Array | None = None, confidence: float = 0.95) -> HazardRatio | None:
    """Hazard ratio of one covariate; None where it cannot be estimated (no event, no spread, or separation).

    Args:
        subjects: follow-up.
        x: covariate, or group as 0 and 1.
        strata: each stratum has a baseline hazard of its own.
        confidence: level of the Wald interval.
    """
    return fit_cox(subjects, x, ["x"], strata).hazard_ratio("x", confidence)


def robust_covariance(subjects: Subjects, x: Array, fit: CoxFit, clusters: Array, strata: Array | None = None) -> Array:
    """Covariance of the coefficients where subjects of a cluster, as cases of one patient, vary together (Lin and Wei 1989; R's `cluster`).

    Args:
        subjects, strata: as for `fit_cox`.
        x: the covariates of `fit.names`, (n, p).
        fit: the fitted model.
        clusters: a label a subject.
    """
    centred = centre_within(np.asarray(x, dtype=float).reshape(len(subjects), -1), strata)
    residuals = PartialLikelihood(subjects, centred, strata).score_residuals(fit.coefficients)
    codes = np.unique(clusters, return_inverse=True)[1]
    sums = np.zeros((codes.max() + 1, residuals.shape[1]))
    np.add.at(sums, codes, residuals)
    found: Array = fit.covariance @ (sums.T @ sums) @ fit.covariance
    return found
