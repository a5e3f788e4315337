"""What separates survival beside the model: the baselines' scores and the extent of disease at the index date.

A score that repeats how far the disease has spread separates survival in any regimen of mixed settings. So each regimen has the
hazard ratios of the same cases by other scores, and the model's own within strata of the extent of disease.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from oncoraft.survival.adjusted import log_odds, ratio_of, subjects_of
from oncoraft.survival.concordance import concordance
from oncoraft.survival.cox import cox
from oncoraft.survival.groups import low_score
from oncoraft.survival.risk_sets import Array, Subjects

EXTENT = "disease_extent"  # covariates.disease_extent: stage IV, a positive last verdict, an organ site, counted
PREFIX = "score_of_"  # of the columns that hold the baselines' scores


def with_baselines(frame: pd.DataFrame, baselines: pd.DataFrame | None) -> pd.DataFrame:
    """Cases with a column of scores for each baseline, nan where it has none."""
    if baselines is None:
        return frame
    return frame.join(baselines.add_prefix(PREFIX), on="case_id", validate="many_to_one")


def comparator_records(group: pd.DataFrame, wider: list[pd.DataFrame], strata: Array) -> list[dict[str, Any]]:
    """Hazard ratios by each baseline's score, cut as the model's is, and by the extent of disease.

    Args:
        group: cases of a regimen, with the columns of `with_baselines`.
        wider: of its cancer type, then all; where a fold's cut has too few others.
        strata: of the tests.

    Returns:
        A record a comparator: predictor, cases, events, hazard_ratio of low against high (of the extent: of some against none) with lower, upper and wald_p,
        per_sd_hazard_ratio likewise, concordance.
    """
    records, subjects = [], subjects_of(group)
    for column in sorted(str(name) for name in group if str(name).startswith(PREFIX)):
        known = group[column].notna().to_numpy()
        mine = group if known.all() else group[known]
        low = low_score(mine, *wider, score=column) if known.any() else np.zeros(0, dtype=bool)
        odds = -log_odds(mine[column].to_numpy())
        records.append(_record(column.removeprefix(PREFIX), subjects, known, low, odds, strata))
    if EXTENT in group:
        known = group[EXTENT].notna().to_numpy()
        extent = group.loc[known, EXTENT].to_numpy(float)
        records.append(_record(EXTENT, subjects, known, extent > 0, extent, strata))
    return records


def _record(name: str, subjects: Subjects, known: Array, worse: Array, risk: Array, strata: Array) -> dict[str, Any]:
    """The record of a comparator whose groups (`worse`) and `risk` are of the `known` subjects alone."""
    # Subjects as they are, where all are known, share their risk sets with those of the other comparators.
    subjects, strata = (subjects, strata) if known.all() else (subjects.where(known), strata[known])
    varies = len(risk) > 1 and risk.std() > 0
    ranked = concordance(subjects, risk, strata) if varies else None
    return {
        "predictor": name,
        "cases": len(subjects),
        "events": int(subjects.event.sum()),
        **ratio_of("", cox(subjects, worse, strata) if len(subjects) else None),
        **ratio_of("per_sd_", cox(subjects, risk / risk.std(), strata) if varies else None),
        "concordance": ranked.estimate if ranked else None,
    }


def within_extent(group: pd.DataFrame, low: Array, strata: Array) -> dict[str, float | None]:
    """The model's hazard ratio, low against high, within strata of the extent of disease; what is not known is a stratum."""
    if EXTENT not in group:
        return ratio_of("within_extent_", None)
    extents = ("unknown" if pd.isna(extent) else f"{extent:g}" for extent in group[EXTENT].tolist())
    labels = np.array([f"{stratum}|{extent}" for stratum, extent in zip(strata.tolist(), extents, strict=True)])
    return ratio_of("within_extent_", cox(subjects_of(group), low, labels))
