"""What the score adds in patients of one kind: hazard ratios beside the clinical covariates by cancer type, sex, age, stage, line, drug class and era.

Of each level the patient's first case of it, so that no patient counts twice in a number. Strata are fold, cancer type, regimen and the side of the first
sequencing. All ratios are of the same step, a standard deviation of the log odds over all cases, towards lower scores; they carry the same variance as the
headline's. Whether levels differ is Cochran's Q; it is a little too cautious where patients stand in several levels, as of the line of therapy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from oncoraft.covariates import AGE_BANDS, UNKNOWN, line_level
from oncoraft.survival.adjusted import EVENTS_PER_COLUMN, fit_clinical, fit_with, log_odds, ratio_of, strata_of, subjects_of
from oncoraft.survival.coding import Coding
from oncoraft.survival.cox import HazardRatio
from oncoraft.survival.cross_fitting import TARGET, variance_inflation, widened
from oncoraft.survival.dispersion import dispersion
from oncoraft.survival.risk_sets import Array

STRATA = ("fold", "cancer_type", "regimen")
USED = (*STRATA, "patient_id", "index_day", "entry_days", "exit_days", "event", "score", TARGET)


def levels(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """The level of each case by kind; a kind whose column is not there is passed over."""
    found = {name.replace("_", " "): frame[name] for name in ("cancer_type", "sex", "stage", "drug_class", "setting") if name in frame}
    found["age"] = pd.cut(frame["age"], AGE_BANDS[0], right=False, labels=AGE_BANDS[1]).astype(object)
    found["line"] = line_level(frame["line"])
    found["era"] = pd.Series(
        np.where(frame["index_day"] >= 0, "index on or after sequencing", "index before sequencing"), index=frame.index
    )
    return {name: values.fillna(UNKNOWN).astype(str) for name, values in found.items()}


def level_ratio(part: pd.DataFrame, spread: float, coding: Coding) -> HazardRatio | None:
    """Adjusted hazard ratio of `spread` of the log odds, towards lower scores; None where it has no estimate.

    Args:
        part: cases of one level, one a patient.
        spread: of the log odds.
        coding: of cases of which `part` is a part.
    """
    strata, subjects = strata_of(part, STRATA), subjects_of(part)
    base, table = fit_clinical(part, strata, coding.of(part))
    low_score: Array = -log_odds(part["score"].to_numpy()) / spread
    full = fit_with("low_score", low_score, subjects, table, strata)
    factor = variance_inflation(part, base.residuals, strata) or 1.0
    wider = table.assign(low_score=low_score)
    return widened(full.hazard_ratio("low_score"), factor * dispersion(full, "low_score", wider, subjects, strata).factor)


def subgroup_records(frame: pd.DataFrame, intended: Sequence[str], fewest: int) -> list[dict[str, Any]]:
    """A record a level of every kind.

    Args:
        frame: cases under observation with covariates.
        intended: covariates to adjust for.
        fewest: events without which no ratio is told.

    Returns:
        kind, level, cases (one a patient), events, adjusted_per_sd_hazard_ratio with lower, upper and p, heterogeneity_p (of the levels of the kind, in
        each of its records), not_adjusted (why there is no ratio, or null).
    """
    spread = float(log_odds(frame["score"].to_numpy()).std()) if len(frame) else 0.0
    coding = Coding(frame, intended)
    rows: list[dict[str, Any]] = []
    # Once in the order of each patient's cases, and without the covariates, which the coding holds: tables are slow to sort and to take apart.
    ordered = frame.sort_values(["index_day", "case_id"])
    slim = ordered[[name for name in USED if name in ordered]]
    for kind, values in levels(ordered).items():
        mine, effects = [], []
        for level in sorted(values.unique()):
            part = slim[(values == level).to_numpy()].drop_duplicates("patient_id")
            events = int(part["event"].sum())
            reason = f"fewer than {fewest} events" if events < max(fewest, 2 * EVENTS_PER_COLUMN) else None
            reason = reason or (None if spread > 0 else "all scores are equal")
            ratio = None if reason else level_ratio(part, spread, coding)
            told = {"kind": kind, "level": level, "cases": len(part), "events": events} | ratio_of("adjusted_per_sd_", ratio)
            mine.append(told | {"not_adjusted": reason or (None if ratio else "the score has no estimate beside the covariates")})
            effects += [(ratio.coefficient, ratio.standard_error)] if ratio else []
        rows += [row | {"heterogeneity_p": heterogeneity(np.array(effects).reshape(-1, 2))} for row in mine]
    return rows


def heterogeneity(effects: Array) -> float | None:
    """Cochran's Q that all effects, (k, 2) with their standard errors, are one: its p, None for fewer than two."""
    if len(effects) < 2:
        return None
    weight = 1 / effects[:, 1] ** 2
    apart = effects[:, 0] - weight @ effects[:, 0] / weight.sum()
    return float(chdtrc(len(effects) - 1, weight @ apart**2))
