"""What being in the cohort tells: models that see nothing but which kinds of evidence a case has, and how long before or after its first sequencing it begins.

Everybody in the cohort is sequenced some day, and who is sequenced late has lived until then. A field whose presence depends on that
knows the future, whatever it says. All is measured within cancer type and regimen, so that a kind of evidence which merely follows the choice of
treatment (as a marker that is tested in one cancer alone) tells nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from oncoraft.survival.adjusted import ratio_of, strata_of, subjects_of
from oncoraft.survival.assumptions import DAYS_PER_MONTH
from oncoraft.survival.concordance import concordance
from oncoraft.survival.cox import cox, fit_cox
from oncoraft.survival.risk_sets import Array, Subjects

SMALLEST_SHARE = 0.02  # a kind that fewer cases have, or lack, is not judged
LARGEST_COEFFICIENT = 3.0  # of a kind whose coefficient has no maximum: twentyfold
REGIMEN = ["cancer_type", "regimen"]
TIMES = ["is_before_sequencing", "months_before_sequencing", "months_after_sequencing"]


def presence(cases: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Whether each case has each kind of evidence: a column of 0 and 1 a field, in the order of the cases; fields that vary alone."""
    found = pd.crosstab(evidence["case_id"], evidence["field"]).clip(upper=1).reindex(cases["case_id"]).fillna(0).set_axis(cases.index)
    share = found.mean()
    return found.loc[:, (share >= SMALLEST_SHARE) & (share <= 1 - SMALLEST_SHARE)].astype(float)


def sequencing_times(cases: pd.DataFrame) -> pd.DataFrame:
    """Index-to-sequencing time as three columns; day 0 is the first sequencing."""
    day = cases["index_day"].to_numpy(float)
    columns = (day < 0, np.maximum(0, -day) / DAYS_PER_MONTH, np.maximum(0, day) / DAYS_PER_MONTH)
    return pd.DataFrame(dict(zip(TIMES, map(np.asarray, columns))), index=cases.index).astype(float)


def centred(features: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Features less their mean in the cancer type and regimen."""
    return features - features.groupby([frame[name] for name in REGIMEN]).transform("mean")


def response_scores(frame: pd.DataFrame, features: pd.DataFrame) -> pd.Series:
    """Cross-fitted log odds of response; nan where a fold's training cases are all of one kind.

    Args:
        frame: cases with fold, responder (null where not evaluable), cancer_type and regimen.
        features: in the order of the cases.
    """
    within, found = centred(features, frame), pd.Series(np.nan, index=frame.index)
    known = frame["responder"].notna()
    for fold in frame["fold"].unique():
        train = known & (frame["fold"] != fold)
        target = frame.loc[train, "responder"].astype(bool)
        if target.nunique() == 2:
            spread = within[train].std().replace(0, 1.0)
            model = LogisticRegression(max_iter=1000).fit(within[train] / spread, target)
            mine = frame["fold"] == fold
            found[mine] = model.decision_function(within[mine] / spread)
    return found


def hazard_scores(frame: pd.DataFrame, features: pd.DataFrame) -> pd.Series:
    """Cross-fitted log hazards of Cox models stratified by cancer type and regimen, with delayed entry; first uses only enter the fit."""
    found = pd.Series(np.nan, index=frame.index)
    names = list(features.columns)
    for fold in frame["fold"].unique():
        train = frame["fold"] != fold
        part = frame[train]
        fit = fit_cox(subjects_of(part), features[train].to_numpy(float), names, strata_of(part, REGIMEN, sequenced=False))
        largest = [LARGEST_COEFFICIENT if name in fit.separated else np.inf for name in fit.names]
        mine = frame["fold"] == fold
        found[mine] = features.loc[mine, list(fit.names)].to_numpy(float) @ np.clip(fit.coefficients, np.negative(largest), largest)
    return found


def response_record(frame: pd.DataFrame, scores: Array) -> dict[str, Any]:
    """AUROC of a score for response within cancer type, regimen and fold, with the interval of patients as clusters."""
    known = (frame["responder"].notna() & np.isfinite(scores)).to_numpy()
    mine = frame[known]
    responder = mine["responder"].astype(bool).to_numpy()
    # A responder "dies" at 1 and the others are seen beyond: the pairs of concordance are then those of the AUROC.
    pairs = Subjects(np.zeros(len(mine)), np.where(responder, 1.0, 2.0), responder)
    ranked = concordance(pairs, scores[known], strata_of(mine, [*REGIMEN, "fold"], sequenced=False), mine["patient_id"].to_numpy())
    lower, upper = ranked.interval() if ranked else (None, None)
    return {
        "auroc": ranked.estimate if ranked else None,
        "auroc_lower": lower,
        "auroc_upper": upper,
        "evaluable": len(mine),
        "responders": int(responder.sum()),
    }


def hazard_record(frame: pd.DataFrame, risk: Array, by: Sequence[str]) -> dict[str, Any]:
    """Hazard ratio of a unit of the risk, within strata; null where the risk does not vary."""
    known = np.isfinite(risk)
    mine = frame[known]
    varies = len(mine) > 1 and np.ptp(risk[known]) > 0
    found = cox(subjects_of(mine), risk[known], strata_of(mine, by, sequenced=False)) if varies else None
    return {"cases": len(mine), "events": int(mine["event"].sum()), **ratio_of("", found)}
