"""Comparisons of the flow: label definitions with one another, the published rule with ours, folds with the whole."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

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


class Cells:
    """Where labels stand in a table of cases and definitions; a definition judges a case once."""

    def __init__(self, labels: pa.Table) -> None:
        """Look at case_id and definition."""
        (case, cases), (definition, names) = coded(labels["case_id"]), coded(labels["definition"])
        self.names = sorted(names)
        self.shape = len(cases), len(names)
        self.place = case * len(names) + np.array([self.names.index(name) for name in names], dtype=np.int64)[definition]
        assert np.bincount(self.place).max(initial=0) <= 1, "a case is labelled twice by one definition"

    def of(self, values: np.ndarray) -> np.ndarray:
        """Numbers of labels, (cases, definitions); -1 where there is none."""
        found = np.full(self.shape, -1, dtype=np.int64)
        found.reshape(-1)[self.place] = values
        return found


def coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[Any]]:
    """A column as numbers of its distinct values, and these."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    one = pa.concat_arrays(column.unify_dictionaries().chunks) if column.num_chunks else pa.array([], column.type)
    return one.indices.to_numpy().astype(np.int64), one.dictionary.to_pylist()


def agreement(labels: pd.DataFrame) -> list[dict[str, Any]]:
    """How often two definitions give the same `responder`, of the cases that both can judge; every pair once.

    Args:
        labels: case_id, definition, responder, all definitions.
    """
    counted, table = LabelCounts(), pa.Table.from_pandas(labels, preserve_index=False)
    counted.pairs(Cells(table), table)
    return counted.agreement()


class LabelCounts:
    """What the flow counts of labels of all definitions, one part of the cases after another; a case is in one part."""

    def __init__(self) -> None:
        self.categories: dict[str, Counter[str]] = {}
        self.crossed: dict[str, Counter[str]] = {}
        self.published: Counter[str] = Counter()
        self.names: set[str] = set()
        self.agreed: dict[tuple[str, str], np.ndarray] = {}

    def add(self, labels: pa.Table) -> None:
        """Take in all labels of some cases: case_id, definition, category, responder, scan_days."""
        cells, (number, kinds) = Cells(labels), coded(labels["category"])
        category = cells.of(number)
        for name, column in zip(cells.names, category.T):
            counts = np.bincount(column[column >= 0], minlength=len(kinds)).tolist()
            self.categories.setdefault(name, Counter()).update({kind: count for kind, count in zip(kinds, counts) if count})
        for row, found in crossed(cells, category, kinds).items():
            self.crossed.setdefault(row, Counter()).update(found)
        self.published.update(of_published(cells, category, kinds, labels))
        self.pairs(cells, labels)

    def pairs(self, cells: Cells, labels: pa.Table) -> None:
        """Of every two definitions: cases that both can judge, of these those with a yes of each, and those with one answer."""
        answers = cells.of(labels["responder"].cast(pa.int8()).fill_null(-1).to_numpy())
        told, yes = (answers >= 0).astype(float), (answers == 1).astype(float)
        # Sums of products of zeros and ones, which doubles hold exactly.
        both, first, second, two = told.T @ told, yes.T @ told, told.T @ yes, yes.T @ yes
        found = np.stack([both, first, second, both - first - second + 2 * two], axis=-1).astype(np.int64)
        self.names.update(cells.names)
        for (one, name), (other, another) in combinations(enumerate(cells.names), 2):
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


def crossed(cells: Cells, category: np.ndarray, kinds: list[str]) -> dict[str, dict[str, int]]:
    """Cases by category of `strict` and of the published rule; `category`: numbers of `kinds`, (cases, definitions)."""
    if not {"strict", PUBLISHED} <= set(cells.names):
        return {}
    ours, theirs = (category[:, cells.names.index(name)] for name in ("strict", PUBLISHED))
    pairs = (ours * len(kinds) + theirs)[(ours >= 0) & (theirs >= 0)]
    table = np.bincount(pairs, minlength=len(kinds) ** 2).reshape(len(kinds), len(kinds)).tolist()
    found = {row: {column: count for column, count in zip(kinds, counts) if count} for row, counts in zip(kinds, table)}
    return {row: counts for row, counts in found.items() if counts}


def of_published(cells: Cells, category: np.ndarray, kinds: list[str], labels: pa.Table) -> dict[str, int]:
    """What the published rule calls a response: how many were never imaged in its window, or not evaluable or progressed by `strict`."""
    numbers, scans = {kind: number for number, kind in enumerate(kinds)}, cells.of(pc.list_value_length(labels["scan_days"]).to_numpy())
    theirs, days = (table[:, cells.names.index(PUBLISHED)] for table in (category, scans))
    ours = category[:, cells.names.index("strict")]
    response = np.isin(theirs, [numbers[kind] for kind in ("CR", "PR") if kind in numbers])
    return {
        "responders": int(response.sum()),
        "responders_never_imaged": int((response & (days == 0)).sum()),
        "responders_not_evaluable": int((response & (ours == numbers.get("NE", len(kinds)))).sum()),
        "responders_progressed": int((response & (ours == numbers.get("PD", len(kinds)))).sum()),
    }


def published_rule(labels: pd.DataFrame) -> dict[str, Any]:
    """`of_published` rows of the definitions `oncoraft` and `strict`, with scan_days, and the share of responders never imaged."""
    table = pa.Table.from_pandas(labels, preserve_index=False)
    cells, (number, kinds) = Cells(table), coded(table["category"])
    found = of_published(cells, cells.of(number), kinds, table)
    return found | {"share_never_imaged": share(found["responders_never_imaged"], found["responders"])}


def against_published(labels: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Cases by category of `strict` and of the published rule."""
    table = pa.Table.from_pandas(labels, preserve_index=False)
    cells, (number, kinds) = Cells(table), coded(table["category"])
    return crossed(cells, cells.of(number), kinds)


def shares(words: pd.Series) -> pd.Series:
    """The share of each word that is there, whether words stand in the column or numbers of them."""
    found = words.value_counts(normalize=True)
    return found[found > 0].rename(index=str)


def places_of(ids: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Where each of the numbers asked for stands among different ones; -1 where it does not. They are small: memory is that of the largest."""
    found = np.full(max(ids.max(initial=-1), asked.max(initial=-1)) + 1, -1, dtype=np.int32)
    found[ids] = np.arange(len(ids))
    return found[asked]


def fold_tables(folds: pd.DataFrame, cases: pd.DataFrame, chosen: pd.DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is in each fold of each design, and how far its make-up is from that of all folds.

    Args:
        folds: folds.parquet, case_id a number.
        cases: cases.parquet, case_id such a number.
        chosen: labels of the definition that trains, case_id such a number.

    Returns:
        rows of `folds` and of `fold_balance`. A design that holds out by cancer type deviates by construction.
    """
    # Without a join, which would copy every column of a cohort twice.
    places = [places_of(told["case_id"].to_numpy(), folds["case_id"].to_numpy()) for told in (cases, chosen)]
    is_there = (places[0] >= 0) & (places[1] >= 0)
    rows, balance = [], []
    for design in sorted(set(folds.loc[is_there, "design"])):
        mine = np.flatnonzero(is_there & (folds["design"] == design).to_numpy())
        whole = pd.DataFrame({name: folds[name].to_numpy()[mine] for name in ("patient_id", "fold", "is_tuning")})
        whole["cancer_type"], whole["responder"] = (
            column.array[place[mine]] for column, place in zip((cases["cancer_type"], chosen["responder"]), places)
        )
        told = whole[whole["responder"].notna()]
        types, rate = shares(whole["cancer_type"]), share(told["responder"].eq(True).sum(), len(told))
        type_gap, rate_gap = 0.0, []
        for fold in sorted(set(whole["fold"].tolist())):
            part = whole[whole["fold"] == fold]
            evaluable, responders = int(part["responder"].notna().sum()), int(part["responder"].eq(True).sum())
            own = shares(part["cancer_type"]).reindex(types.index, fill_value=0.0)
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
