"""What the score adds to what a clinician knows: Cox models of the clinical covariates with and without it.

Covariates are those known at the index date, disease at that date among them. The models are stratified by fold and by whether the index
date lies before the first sequencing, with delayed entry: everybody in the cohort is sequenced some day, so that a score which merely knows
"sequenced or not" would otherwise separate survival. The gain is the likelihood-ratio test of the score's log odds, with one degree of freedom.
Its statistic and the intervals of both ratios carry the variance that scores out of fold have of one another (`cross_fitting`), and what the
model's own variance leaves out (`dispersion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.covariates import COVARIATES, covariate_report
from oncoraft.survival.coding import Coding, Columns, values_of
from oncoraft.survival.concordance import concordance
from oncoraft.survival.cox import CoxFit, HazardRatio, fit_cox
from oncoraft.survival.cross_fitting import variance_inflation, widened
from oncoraft.survival.dispersion import dispersion
from oncoraft.survival.risk_sets import Array, Subjects
from oncoraft.survival.shape import NO_SHAPE, shape_record
from oncoraft.survival.tails import f_tail

SMALLEST_SHARE = 0.02  # a column that nearly everybody shares cannot be estimated
DECIMALS = 9  # of a log hazard
EVENTS_PER_COLUMN = 5  # Vittinghoff and McCulloch 2007: estimates of an adjusted effect hold from five to nine
# In the order in which few events admit them: first what prognosis depends on most.
INTENDED = (
    *("age", "stage", "ecog", "last_progression", "cancer_present", "n_sites", "line", "sex", "setting"),
    *("prior_lines", "site_liver", "site_brain", "site_bone", "site_lung", "drug_class", "cancer_type"),
)
RARE = f"fewer than {SMALLEST_SHARE:.0%} of the cases differ in it"
NO_MAXIMUM = "the score separates the deaths, so that the likelihood has no maximum"
PARTS = {"": "low_group", "per_sd_": "low_score"}


def subjects_of(group: pd.DataFrame) -> Subjects:
    """Follow-up of cases with entry_days, exit_days and event."""
    return Subjects(*(group[column].to_numpy() for column in ("entry_days", "exit_days", "event")))


def strata_of(group: pd.DataFrame, by: Sequence[str] = ("fold",), *, sequenced: bool = True) -> Array:
    """One number a case: fold, other columns, and whether the index date lies before the first sequencing."""
    codes = np.zeros(len(group), dtype=int)
    for column in by:
        mine, names = pd.factorize(group[column].to_numpy(), sort=True, use_na_sentinel=False)
        codes = codes * len(names) + mine
    if sequenced:
        codes = 2 * codes + (group["index_day"].to_numpy() < 0)
    return codes


def log_odds(scores: Array) -> Array:
    """Log odds of scores, which lie in [0, 1]."""
    # A score of exactly 0 or 1 would have infinite odds.
    inside = np.clip(np.asarray(scores, dtype=float), 1e-6, 1 - 1e-6)
    found: Array = np.log(inside / (1 - inside))
    return found


def design(group: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """All columns of `Coding.of` side by side; flags and levels that nearly everybody shares are left out."""
    table = {name: column for found in columns.values() for name, column in found.items()}
    kept = {name: column for name, column in table.items() if not is_rare(column)}
    # From one array, in the order in which pandas holds it: from a column each it takes over twice as long.
    return pd.DataFrame(np.array(list(kept.values())).reshape(len(kept), len(group)).T, index=group.index, columns=list(kept))


def is_rare(column: Array) -> bool:
    """Whether nearly everybody shares a value of a flag; a number that is not a flag is rare where it is constant."""
    if ((column == 0) | (column == 1)).all():
        return not SMALLEST_SHARE <= float(column.mean()) <= 1 - SMALLEST_SHARE
    return bool(np.ptp(column) == 0)


def covariate_states(
    group: pd.DataFrame, columns: Columns, fit: CoxFit, admitted: Sequence[str], intended: Sequence[str] = INTENDED
) -> list[dict[str, Any]]:
    """What became of each intended covariate: `covariates.covariate_report` with its source, the columns in the model, and those left out and why."""
    records, events = covariate_report(group, intended), int(group["event"].sum())
    for record in records:
        name = record["covariate"]
        record["source"] = source_of(name)
        found = columns.get(name, {})
        reasons: dict[str, str | None] = {
            column: RARE
            if is_rare(values)
            else fit.dropped.get(column) or (None if column in admitted else f"{events} events allow no more")
            for column, values in found.items()
        }
        record["columns"] = [column for column, reason in reasons.items() if reason is None]
        record["left_out"] = {column: reason for column, reason in reasons.items() if reason is not None}
        if record["state"] == "used" and not record["columns"]:
            record["state"] = "dropped"
    return records


def source_of(covariate: str) -> str:
    """Where a covariate is from, and whether it is known to be of the index date."""
    table, dot, _ = covariate.partition(".")
    return f"{table}, not dated" if dot else "evidence at the index date" if covariate in COVARIATES else "covariate file, as dated there"


def fit_clinical(group: pd.DataFrame, strata: Array, columns: Columns, own: int = 1) -> tuple[CoxFit, pd.DataFrame]:
    """The model without the score, and the columns in it: as many as the events allow beside `own` columns of the score."""
    table, subjects = design(group, columns), subjects_of(group)
    allowed = max(0, int(subjects.event.sum()) // EVENTS_PER_COLUMN - own)
    fit = fit_cox(subjects, table.to_numpy(float), list(table.columns), strata, most=allowed)
    return fit, table[list(fit.names)]


def ratio_of(prefix: str, found: HazardRatio | None) -> dict[str, float | None]:
    """A hazard ratio with its interval and Wald p as fields of a record."""
    lower, upper = found.interval if found else (None, None)
    ratio, p = (found.ratio, found.p) if found else (None, None)
    p_name = f"{prefix}p" if prefix else "wald_p"
    return {f"{prefix}hazard_ratio": ratio, f"{prefix}lower": lower, f"{prefix}upper": upper, p_name: p}


def gain(
    group: pd.DataFrame,
    low: Array | None = None,
    by: Sequence[str] = ("fold",),
    intended: Sequence[str] = INTENDED,
    columns: Columns | None = None,
    *,
    states: bool = True,
) -> dict[str, Any]:
    """What the score adds to the clinical covariates.

    Args:
        group: cases with score, fold, index_day, entry_days, exit_days, event, columns of `covariates.clinical_covariates`, and `cross_fitting.TARGET`
            where labels are known.
        low: which cases are of the low-score group; None: those below the median.
        by: columns that are strata of the models beside the side of the first sequencing.
        intended: covariates to adjust for.
        columns: the covariates of `group`, coded; None: they are coded here, by themselves.
        states: whether to tell what became of each.

    Returns:
        adjusted_hazard_ratio (low against high group) and adjusted_per_sd_hazard_ratio (per standard deviation of the log odds towards
        lower scores), each with lower, upper and p; likelihood_ratio_chi2 and _p (of the score per standard deviation); variance_inflation and
        dispersion, by both of which the variances are multiplied and the statistic is divided (null: labels not known, no estimate; nothing done);
        dispersion_df, the degrees of freedom beside its one of the F that the statistic is held against;
        concordance_clinical and concordance_with_score; the fields of `shape.shape_record`; adjusted_for (columns), covariates (a record each), separated (columns whose
        coefficient is infinite), not_adjusted (why there is no estimate, or null).
    """
    strata, subjects = strata_of(group, by), subjects_of(group)
    odds = log_odds(group["score"].to_numpy())
    terms = {"low_group": odds < np.median(odds) if low is None else low, "low_score": -odds / (odds.std() or 1.0)}
    columns = Coding(group, intended).of(group) if columns is None else columns
    base, table = fit_clinical(group, strata, columns)
    factor = variance_inflation(group, base.residuals, strata)
    found: dict[str, Any] = dict.fromkeys(("likelihood_ratio_chi2", "likelihood_ratio_p", "concordance_clinical", "concordance_with_score"))
    for prefix in PARTS:
        found |= ratio_of(f"adjusted_{prefix}", None)
    found |= {
        "variance_inflation": factor,
        "dispersion": None,
        "dispersion_df": None,
        "adjusted_for": list(table.columns),
        "separated": [],
        "not_adjusted": None,
    } | NO_SHAPE
    found["covariates"] = covariate_states(group, columns, base, list(table.columns), intended) if states else []
    if not odds.std() > 0:
        return found | {"not_adjusted": "all scores are equal"}
    if subjects.event.sum() < 2 * EVENTS_PER_COLUMN:
        return found | {"not_adjusted": f"{subjects.event.sum()} events for {table.shape[1] + 1} covariates"}
    fits = {term: fit_with(term, values, subjects, table, strata) for term, values in terms.items()}
    if "low_score" in fits["low_score"].names:
        found |= shape_record(subjects, odds, table, strata, fits["low_score"])
    return found | gain_of(base, fits, subjects, table.assign(low_score=terms["low_score"]), strata, factor)


def fit_with(term: str, values: Array, subjects: Subjects, table: pd.DataFrame, strata: Array) -> CoxFit:
    """The clinical model with a column more."""
    wider = table.assign(**{term: np.asarray(values, dtype=float)})
    return fit_cox(subjects, wider.to_numpy(float), list(wider.columns), strata)


def gain_of(
    base: CoxFit, fits: dict[str, CoxFit], subjects: Subjects, table: pd.DataFrame, strata: Array, factor: float | None
) -> dict[str, Any]:
    """The fields of `gain` that come of the fitted models."""
    full = fits["low_score"]
    if reason := full.dropped.get("low_score"):
        return {"not_adjusted": f"the score is {reason}"}
    wider = dispersion(full, "low_score", table, subjects, strata)
    both = wider.factor * (factor or 1.0)
    # The wider model cannot fit worse, but by rounding.
    chi2 = max(0.0, 2 * (full.log_likelihood - base.log_likelihood)) / both
    found: dict[str, Any] = {"likelihood_ratio_chi2": chi2, "likelihood_ratio_p": f_tail(chi2, wider.degrees)}
    found |= {"dispersion": wider.factor, "dispersion_df": wider.degrees if np.isfinite(wider.degrees) else None}
    for prefix, term in PARTS.items():
        found |= ratio_of(f"adjusted_{prefix}", widened(fits[term].hazard_ratio(term), both))
    for name, fit in (("concordance_clinical", base), ("concordance_with_score", full)):
        # Equal cases have equal risks only up to rounding, which would make a pair of a tie.
        risk = np.round(values_of(table, fit.names) @ fit.coefficients, DECIMALS)
        ranked = concordance(subjects, risk, strata)
        found[name] = ranked.estimate if ranked else None
    return found | {"separated": list(full.separated), "not_adjusted": None if full.hazard_ratio("low_score") else NO_MAXIMUM}
