"""Random effects over regimens: the mean effect, how much regimens differ, and where a further regimen's effect would lie.

Between-regimen variance by restricted maximum likelihood, interval of the mean by Hartung and Knapp (2001), prediction interval with
k - 2 degrees of freedom (Higgins, Thompson and Spiegelhalter 2009). The variance is that of R's metafor, rma(method="REML", test="knha").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import chdtrc, stdtr, stdtrit  # scipy.stats, of which these are the functions, takes half a second to import

from oncoraft.survival.risk_sets import Array

METHOD = "random effects, restricted maximum likelihood, Hartung-Knapp interval"
FEWEST = 3  # with two a prediction interval has no degree of freedom


def between_variance(effects: Array, variances: Array) -> float:
    """Variance between studies by restricted maximum likelihood, by Fisher scoring (Viechtbauer 2005), not below 0."""
    tau2 = float(max(0.0, np.var(effects, ddof=1) - np.mean(variances)))
    for _ in range(1000):
        weight = 1 / (variances + tau2)
        rest = effects - np.sum(weight * effects) / np.sum(weight)
        trace = np.sum(weight) - np.sum(weight**2) / np.sum(weight)
        second = np.sum(weight**2) - 2 * np.sum(weight**3) / np.sum(weight) + (np.sum(weight**2) / np.sum(weight)) ** 2
        step = float((np.sum(weight**2 * rest**2) - trace) / second)
        moved = max(0.0, tau2 + step)
        if abs(moved - tau2) < 1e-12 * (1 + tau2):
            return moved
        tau2 = moved
    return tau2


def pooled(effects: Array, standard_errors: Array, confidence: float = 0.95) -> dict[str, Any] | None:
    """Mean of several effects on the log scale, as ratios; None for fewer than three.

    Args:
        effects: log ratios of k regimens.
        standard_errors: theirs.
        confidence: level of the intervals.

    Returns:
        regimens (k), hazard_ratio, lower, upper, p, prediction_lower, prediction_upper, tau (on the log scale), heterogeneity_share (I squared),
        heterogeneity_p (Cochran's Q), method.
    """
    effects, variances = np.asarray(effects, dtype=float), np.asarray(standard_errors, dtype=float) ** 2
    k = len(effects)
    if k < FEWEST:
        return None
    tau2 = between_variance(effects, variances)
    weight = 1 / (variances + tau2)
    mean = float(np.sum(weight * effects) / np.sum(weight))
    error = float(np.sqrt(np.sum(weight * (effects - mean) ** 2) / (k - 1) / np.sum(weight)))
    fixed = 1 / variances
    heterogeneity = float(np.sum(fixed * (effects - np.sum(fixed * effects) / np.sum(fixed)) ** 2))
    typical = (k - 1) * np.sum(fixed) / (np.sum(fixed) ** 2 - np.sum(fixed**2))  # Higgins and Thompson's typical variance
    width = float(stdtrit(k - 1, 0.5 + confidence / 2)) * error
    reach = float(stdtrit(k - 2, 0.5 + confidence / 2)) * float(np.sqrt(tau2 + error**2))
    return {
        "regimens": k,
        "hazard_ratio": float(np.exp(mean)),
        "lower": float(np.exp(mean - width)),
        "upper": float(np.exp(mean + width)),
        "p": float(2 * stdtr(k - 1, -abs(mean) / error)) if error > 0 else 0.0,
        "prediction_lower": float(np.exp(mean - reach)),
        "prediction_upper": float(np.exp(mean + reach)),
        "tau": float(np.sqrt(tau2)),
        "heterogeneity_share": float(tau2 / (tau2 + typical)),
        "heterogeneity_p": float(chdtrc(k - 1, heterogeneity)),
        "method": METHOD,
    }
