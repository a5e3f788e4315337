"""Comparisons of the flow: label definitions with one another, the published rule with ours, folds with the whole."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.cases.definitions import PUBLISHED
from oncoraft.cases.flow_tables import share


def kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Cohen's kappa of two binary vectors: agreement beyond chance over the most there could be (Cohen 1960); None if undefined."""
    observed = float(np.mean(first == second)) if len(first) else np.nan
    p, q = (float(np.mean(one)) if len(one) else np.nan for one in (first, second))
    chance = p * q + (1 - p) * (1 - q)
    return None if np.isnan(observed) or chance == 1 else (observed - chance) / (1 - chance)


def agreement(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """How often two definitions give the same `responder`, of the cases that both can judge; every pair once.

    Args:
        labels: case_id, definition, responder, all definitions.
    """
    wide = labels.pivot(index="case_id", columns="definition", values="responder")
    values = {name: wide[name].to_numpy(dtype=float, na_value=np.nan) for name in sorted(wide.columns)}
    rows = []
    for first, second in combinations(values, 2):
        both = ~np.isnan(values[first]) & ~np.isnan(values[second])
        one, other = values[first][both] == 1, values[second][both] == 1
        agree = int((one == other).sum())
        rows.append(
            {
                "first": first,
                "second": second,
                "both_evaluable": int(both.sum()),
                "agree": agree,
                "share": share(agree, int(both.sum())),
                "kappa": kappa(one, other),
            }
        )
    return rows


def published_rule(labels: pd.DataFrame) -> dict[str, Any]:
    """What the published rule calls a response: how many were never imaged in its window, or not evaluable or progressed by `strict`.

    Args:
        labels: rows of the definitions `oncoraft` and `strict`, with scan_days.
    """
    theirs = labels[(labels["definition"] == PUBLISHED) & labels["category"].isin(["CR", "PR"])]
    ours = labels[labels["definition"] == "strict"].set_index("case_id")["category"].reindex(theirs["case_id"])
    unseen = int((theirs["scan_days"].map(len) == 0).sum())
    return {
        "responders": len(theirs),
        "responders_never_imaged": unseen,
        "share_never_imaged": share(unseen, len(theirs)),
        "responders_not_evaluable": int((ours == "NE").sum()),
        "responders_progressed": int((ours == "PD").sum()),
    }


def against_published(labels: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Cases by category of `strict` and of the published rule."""
    strict, theirs = (labels[labels["definition"] == name].set_index("case_id")["category"] for name in ("strict", PUBLISHED))
    table = pd.crosstab(strict.to_numpy(), theirs.reindex(strict.index).to_numpy())
    return {str(row): {str(column): int(n) for column, n in found.items() if n} for row, found in table.to_dict("index").items()}


def fold_tables(folds: pd.DataFrame, cases: pd.DataFrame, chosen: pd.DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is in each fold of each design, and how far its make-up is from that of all folds.

    Args:
        folds: folds.parquet.
        cases: cases.parquet.
        chosen: labels of the definition that trains.

    Returns:
        rows of `folds` and of `fold_balance`. A design that holds out by cancer type deviates by construction.
    """
    table = folds.merge(cases[["case_id", "cancer_type"]], on="case_id").merge(chosen[["case_id", "responder"]], on="case_id")
    rows, balance = [], []
    for design, whole in table.groupby("design", sort=True):
        told = whole[whole["responder"].notna()]
        types, rate = whole["cancer_type"].value_counts(normalize=True), share(told["responder"].eq(True).sum(), len(told))
        type_gap, rate_gap = 0.0, []
        for fold in sorted(set(whole["fold"].tolist())):
            part = whole[whole["fold"] == fold]
            evaluable, responders = int(part["responder"].notna().sum()), int(part["responder"].eq(True).sum())
            own = part["cancer_type"].value_counts(normalize=True).reindex(types.index, fill_value=0.0)
            rows.append(
                {
                    "design": design,
                    "fold": fold,
                    "cases": len(part),
                    "patients": part["patient_id"].nunique(),
                    "tuning_patients": part.loc[part["is_tuning"], "patient_id"].nunique(),
                    "evaluable": evaluable,
                    "responders": responders,
                    "responder_share": share(responders, evaluable),
                    "cancer_types": {str(name): float(value) for name, value in own.sort_index().items()},
                }
            )
            # Fold -1 only ever trains; its make-up says nothing of what is held out.
            if fold >= 0:
                type_gap = max(type_gap, float((own - types).abs().max()))
                if evaluable and rate is not None:
                    rate_gap.append(abs(responders / evaluable - rate))
        balance.append(
            {
                "design": design,
                "largest_cancer_type_deviation": type_gap,
                "largest_responder_deviation": max(rate_gap, default=None),
                "cases_in_no_part": len(cases) - len(whole),
                "patients_in_no_part": cases["patient_id"].nunique() - whole["patient_id"].nunique(),
            }
        )
    return rows, balance
