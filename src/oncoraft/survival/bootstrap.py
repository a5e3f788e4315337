"""Patient-cluster bootstrap of one regimen, many resamples at a time.

A resample is a set of case weights: how often each patient was drawn. Weighted deaths that are tied share their mean weight, as in R's coxph, so that a patient
drawn twice is not a tie with himself. Groups and windows stay as they are; the intervals tell of the patients drawn, not of the cut.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from oncoraft.survival.concordance import pairs_of
from oncoraft.survival.cox import LEVEL_INFORMATION, SEPARATED, centre_within
from oncoraft.survival.partial_likelihood import PartialLikelihood, maximise
from oncoraft.survival.risk_sets import Array, Subjects, observed_window
from oncoraft.survival.risk_tree import RiskTree

AT_ONCE = 25  # resamples: as many as keep the sums of a regimen in the processor's cache

SMALLEST_GAIN = 1e-6  # steps below a thousandth of a standard error do not show beside the spread of the resamples


class Groups(NamedTuple):
    """Who is compared: low (n,) of the low-score group, strata of the raw and of the adjusted estimates, horizon of the restricted means."""

    low: Array
    strata: Array
    adjusted_strata: Array
    horizon: float
    smallest_risk_set: int = 10


def patient_weights(patients: Array, resamples: int, draw: np.random.Generator) -> Array:
    """How often each case's patient is drawn, (cases, resamples)."""
    codes, names = np.unique(patients, return_inverse=True)[1], len(np.unique(patients))
    drawn = draw.multinomial(names, np.full(names, 1 / names), size=resamples)
    found: Array = drawn.T[codes].astype(float)
    return found


def log_ratios(subjects: Subjects, x: Array, strata: Array, weights: Array) -> Array:
    """Log hazard ratio of the last covariate in each resample, nan where it has no maximum.

    Args:
        subjects, x, strata: follow-up, covariates (n, p) of which each adds something to those before it, labels.
        weights: (n, resamples).
    """
    centred = centre_within(np.asarray(x, dtype=float), strata)
    spread = np.sqrt(np.mean(centred**2, axis=0))
    scale = np.where(spread > 0, spread, np.inf)
    likelihood = PartialLikelihood(subjects, centred / scale, strata)
    # The maximum of the whole sample: from there a resample needs few steps.
    start = maximise(likelihood, np.zeros((1, x.shape[1])))[0]
    parts = []
    for first in range(0, weights.shape[1], AT_ONCE):
        likelihood.use(weights[:, first : first + AT_ONCE])
        beta, found, step = maximise(likelihood, np.repeat(start, likelihood.weights.shape[1], axis=0), smallest_gain=SMALLEST_GAIN)
        # A resample that tells nothing of the covariate stays where it began, which is no estimate.
        without = (np.abs(step[:, -1]) > SEPARATED) | (found.information[:, -1, -1] < LEVEL_INFORMATION)
        parts.append(np.where(without, np.nan, beta[:, -1] / scale[-1]))
    return np.concatenate(parts)


def restricted_means(subjects: Subjects, window: tuple[float, float], horizon: float, weights: Array) -> Array:
    """Area under the Kaplan–Meier curve from the window's start to the horizon in each resample."""
    start = window[0]
    inside = subjects.event & (subjects.exit > start) & (subjects.exit <= horizon)
    order = np.flatnonzero(inside)[np.argsort(subjects.exit[inside], kind="stable")]
    times, first = np.unique(subjects.exit[order], return_index=True)
    if not len(times):
        return np.full(weights.shape[1], horizon - start)
    tree = RiskTree(np.searchsorted(times, subjects.entry, "right"), np.searchsorted(times, subjects.exit, "right"), len(times))
    risk, deaths = tree.over_risk_sets(weights), np.add.reduceat(weights[order], first, axis=0)
    # A resample may have drawn nobody of a risk set: then no death either, and the factor is 1.
    survival = np.cumprod(1 - deaths / np.maximum(risk, 1.0), axis=0)
    widths = np.diff(np.concatenate([times, [horizon]]))
    found: Array = (times[0] - start) + widths @ survival
    return found


def concordances(subjects: Subjects, risk: Array, strata: Array, weights: Array) -> Array:
    """Concordance in each resample."""
    comparable, concordant = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for stratum in np.unique(strata):
        mine = strata == stratum
        drawn = weights[mine].astype(np.float32)
        for rows, usable, better in pairs_of(subjects.where(mine), risk[mine]):
            for total, part in ((comparable, usable), (concordant, better)):
                total += np.einsum("rb,rb->b", part.astype(np.float32) @ drawn, drawn[rows])
    with np.errstate(invalid="ignore"):
        return concordant / comparable


def interval(values: Array, confidence: float = 0.95) -> tuple[float | None, float | None]:
    """Percentile interval of the resamples that have a value; null where none has."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    lower, upper = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(lower), float(upper)


def bootstrap_record(subjects: Subjects, risk: Array, columns: Array, groups: Groups, weights: Array) -> dict[str, Any]:
    """Percentile intervals of the four estimates of a regimen.

    Args:
        subjects: follow-up of n cases.
        risk: higher means dying sooner.
        columns: the clinical covariates of the adjusted model, (n, p).
        groups: who is compared, within which strata, and to which horizon.
        weights: (n, resamples), of `patient_weights`.

    Returns:
        resamples, without_maximum (of the adjusted ratio), and lower and upper of hazard_ratio, adjusted_hazard_ratio,
        restricted_mean (high less low, in the unit of the follow-up) and concordance.
    """
    low = groups.low
    group = np.asarray(low, dtype=float)[:, None]
    adjusted = log_ratios(subjects, np.column_stack([columns, group]), groups.adjusted_strata, weights)
    window = observed_window([subjects.where(low), subjects.where(~low)], groups.smallest_risk_set)
    means = np.full(weights.shape[1], np.nan)
    if window is not None and window[0] < groups.horizon <= window[1]:
        high, other = (restricted_means(subjects.where(mask), window, groups.horizon, weights[mask]) for mask in (~low, low))
        means = high - other
    found = {
        "hazard_ratio": np.exp(log_ratios(subjects, group, groups.strata, weights)),
        "adjusted_hazard_ratio": np.exp(adjusted),
        "restricted_mean": means,
        "concordance": concordances(subjects, risk, groups.strata, weights),
    }
    record: dict[str, Any] = {"resamples": weights.shape[1], "without_maximum": int(np.isnan(adjusted).sum())}
    for name, values in found.items():
        record[f"{name}_lower"], record[f"{name}_upper"] = interval(values)
    return record
