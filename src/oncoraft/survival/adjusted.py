"""What the score adds to what a clinician knows: Cox models of the clinical covariates with and without it.

Age, sex, stage, line and performance status at the index date, stratified by fold, with delayed entry (lifelines' CoxPHFitter). The
gain is the likelihood-ratio test of one degree of freedom; the adjusted hazard ratio is per standard deviation of the score's log odds.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError
from scipy import stats

SMALLEST_SHARE = 0.02  # a covariate that nearly everybody shares cannot be estimated
EVENTS_PER_COVARIATE = 5
ADVANCED = r"IV|4"


def design(group: pd.DataFrame) -> pd.DataFrame:
    """Clinical covariates as numbers, columns without spread left out; missing values are the median and have a flag."""
    columns = {
        "age_decades": group["age"].fillna(group["age"].median()) / 10,
        "is_male": group["sex"].eq("Male"),
        "is_stage_iv": group["stage"].str.contains(ADVANCED, regex=True),
        "stage_unknown": group["stage"].eq("unknown"),
        "later_line": group["line"] >= 2,
        "third_line": group["line"] >= 3,
        "ecog_2_or_more": group["ecog"] >= 2,
        "ecog_unknown": group["ecog"].isna(),
    }
    table = pd.DataFrame(columns).astype(float)
    share = table.drop(columns="age_decades").mean()
    flat = share[(share < SMALLEST_SHARE) | (share > 1 - SMALLEST_SHARE)].index.tolist()
    if not table["age_decades"].std() > 0:
        flat.append("age_decades")
    table = table.drop(columns=flat)
    return table.loc[:, ~table.T.duplicated()]


def _fit(table: pd.DataFrame) -> CoxPHFitter:
    """A Cox model of every column but follow-up and fold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # collinearity and slow convergence end as an error below, or as wide intervals
        return CoxPHFitter().fit(table, duration_col="exit", event_col="event", entry_col="entry", strata=["fold"])


def gain(group: pd.DataFrame) -> dict[str, Any]:
    """What the score adds to the clinical covariates.

    Args:
        group: cases with score, fold, entry_days, exit_days, event and the columns of `covariates.clinical_covariates`.

    Returns:
        adjusted_hazard_ratio (per standard deviation towards lower scores), adjusted_lower, adjusted_upper, adjusted_p,
        likelihood_ratio_chi2, likelihood_ratio_p, adjusted_for (the covariates), not_adjusted (why there is no estimate, or null).
    """
    empty = dict.fromkeys(
        ("adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper", "adjusted_p", "likelihood_ratio_chi2", "likelihood_ratio_p")
    )
    covariates = design(group)
    events = int(group["event"].sum())
    inside = np.clip(group["score"].to_numpy(float), 1e-6, 1 - 1e-6)
    odds = np.log(inside / (1 - inside))
    if events < EVENTS_PER_COVARIATE * (covariates.shape[1] + 1):
        return {**empty, "adjusted_for": [], "not_adjusted": f"{events} events for {covariates.shape[1] + 1} covariates"}
    if not odds.std() > 0:
        return {**empty, "adjusted_for": [], "not_adjusted": "all scores are equal"}
    table = covariates.assign(
        entry=group["entry_days"].to_numpy(float),
        exit=group["exit_days"].to_numpy(float),
        event=group["event"].to_numpy(bool),
        fold=group["fold"].to_numpy(),
    )
    try:
        base, full = _fit(table), _fit(table.assign(low_score=-odds / odds.std()))
    except ConvergenceError:
        return {**empty, "adjusted_for": list(covariates.columns), "not_adjusted": "the model does not converge"}
    chi2 = max(0.0, 2 * (full.log_likelihood_ - base.log_likelihood_))
    row = full.summary.loc["low_score"]
    return {
        "adjusted_hazard_ratio": float(row["exp(coef)"]),
        "adjusted_lower": float(row["exp(coef) lower 95%"]),
        "adjusted_upper": float(row["exp(coef) upper 95%"]),
        "adjusted_p": float(row["p"]),
        "likelihood_ratio_chi2": float(chi2),
        "likelihood_ratio_p": float(stats.chi2.sf(chi2, 1)),
        "adjusted_for": list(covariates.columns),
        "not_adjusted": None,
    }
