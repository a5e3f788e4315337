"""Comparisons of the flow: label definitions with one another, the published rule with ours, folds with the whole."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.cases.definitions import PUBLISHED
from oncoraft.cases.flow_tables import share


def kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Cohen's kappa of two binary vectors: agreement beyond chance over the most there could be (Cohen 1960); None if undefined."""
    return kappa_of_counts(len(first), int(np.sum(first)), int(np.sum(second)), int(np.sum(first == second)))


def kappa_of_counts(both: int, first: int, second: int, agree: int) -> float | None:
    """`kappa` of `both` cases, of which the one says yes of `first`, the other of `second`, and both say the same of `agree`."""
    if not both:
        return None
    p, q = first / both, second / both
    chance = p * q + (1 - p) * (1 - q)
    return None if chance == 1 else (agree / both - chance) / (1 - chance)


def agreement(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """How often two definitions give the same `responder`, of the cases that both can judge; every pair once.

    Args:
        labels: case_id, definition, responder, all definitions.
    """
    counted = LabelCounts()
    counted.pairs(labels)
    return counted.agreement()


def categories(labels: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Cases of each category by definition."""
    found: dict[str, dict[str, int]] = {}
    sizes = labels.groupby(["definition", "category"], observed=True).size().rename("cases").reset_index()
    for definition, category, count in sorted(zip(sizes["definition"], sizes["category"], sizes["cases"])):
        found.setdefault(str(definition), {})[str(category)] = int(count)
    return found


class LabelCounts:
    """What the flow counts of labels of all definitions, one part of the cases after another; a case is in one part."""

    def __init__(self) -> None:
        self.categories: dict[str, Counter[str]] = {}
        self.crossed: dict[str, Counter[str]] = {}
        self.published: Counter[str] = Counter()
        self.names: set[str] = set()
        self.agreed: dict[tuple[str, str], np.ndarray] = {}

    def add(self, labels: pd.DataFrame) -> None:
        """Take in all labels of some cases: case_id, definition, category, responder, scan_days."""
        for total, part in ((self.categories, categories(labels)), (self.crossed, against_published(labels))):
            for row, found in part.items():
                total.setdefault(row, Counter()).update(found)
        told = published_rule(labels)
        self.published.update({name: told[name] for name in told if name != "share_never_imaged"})
        self.pairs(labels)

    def pairs(self, labels: pd.DataFrame) -> None:
        """Of every two definitions: cases that both can judge, of these those with a yes of each, and those with one answer."""
        wide = labels.pivot(index="case_id", columns="definition", values="responder")
        names = sorted(wide.columns)
        answers = np.column_stack([wide[name].to_numpy(dtype=float, na_value=np.nan) for name in names])
        told, yes = (~np.isnan(answers)).astype(float), (answers == 1).astype(float)
        # Sums of products of zeros and ones, which doubles hold exactly.
        both, first, second, two = told.T @ told, yes.T @ told, told.T @ yes, yes.T @ yes
        found = np.stack([both, first, second, both - first - second + 2 * two], axis=-1).astype(np.int64)
        self.names.update(names)
        for (one, name), (other, another) in combinations(enumerate(names), 2):
            self.agreed[name, another] = self.agreed.get((name, another), 0) + found[one, other]

    def agreement(self) -> list[dict[str, Any]]:
        """As the function `agreement`."""
        rows = []
        for pair in combinations(sorted(self.names), 2):
            both, first, second, agree = self.agreed.get(pair, np.zeros(4, np.int64)).tolist()
            counts = {"first": pair[0], "second": pair[1], "both_evaluable": both, "agree": agree, "share": share(agree, both)}
            rows.append({**counts, "kappa": kappa_of_counts(both, first, second, agree)})
        return rows

    def told(self) -> dict[str, Any]:
        """The parts of `flow.json` that count labels of all definitions."""
        unseen, responders = self.published["responders_never_imaged"], self.published["responders"]
        names = ("responders", "responders_never_imaged", "share_never_imaged", "responders_not_evaluable", "responders_progressed")
        shared = {"share_never_imaged": share(unseen, responders)}
        return {
            "labels": _in_order(self.categories),
            "agreement": self.agreement(),
            "strict_against_published": _in_order(self.crossed),
            "published_rule": {name: shared[name] if name in shared else self.published[name] for name in names},
        }


def _in_order(counts: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {row: dict(sorted(counts[row].items())) for row in sorted(counts)}


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
