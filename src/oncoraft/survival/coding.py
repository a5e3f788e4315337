"""Covariates as columns of numbers: by their clinical coding, else a number as it is and a word as a column a level but the commonest.

All cases are coded at once and each regimen takes its rows, since the tables of a regimen are small and a step through pandas costs more than a Cox fit.
A missing number is the median of the regimen's others and has a flag.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.covariates import ADVANCED, UNKNOWN
from oncoraft.survival.risk_sets import Array

Columns = dict[str, dict[str, Array]]  # covariate -> column -> numbers

CODINGS: dict[str, Callable[[pd.Series], dict[str, Any]]] = {
    "age": lambda age: {"age_decades": age.astype(float) / 10, "age_unknown": age.isna()},
    "sex": lambda sex: {"is_male": sex.str.casefold().eq("male"), "sex_unknown": sex.fillna(UNKNOWN).eq(UNKNOWN)},
    "stage": lambda stage: {
        "is_stage_iv": stage.str.contains(ADVANCED, regex=True).fillna(False),
        "stage_unknown": stage.fillna(UNKNOWN).eq(UNKNOWN),
    },
    "line": lambda line: {"later_line": line >= 2, "third_line": line >= 3},
    "ecog": lambda ecog: {"ecog_2_or_more": ecog >= 2, "ecog_unknown": ecog.isna()},
}


def values_of(table: pd.DataFrame, names: Sequence[str]) -> Array:
    """Some columns as numbers, (n, names), without a table of them."""
    held = list(table.columns)
    found: Array = table.to_numpy(float)[:, [held.index(name) for name in names]]
    return found


class Coding:
    """The intended covariates of all cases as one matrix.

    Args:
        frame: cases, each with an index of its own.
        intended: covariates; one that is no column is passed over.
    """

    def __init__(self, frame: pd.DataFrame, intended: Sequence[str]) -> None:
        self.index, self.words = frame.index, set[str]()
        self.names: dict[str, list[str]] = {}
        columns: list[Array] = []
        for covariate in dict.fromkeys(intended):
            if covariate in frame:
                found = self._columns(frame[covariate])
                self.names[covariate] = list(found)
                columns += [np.asarray(values, dtype=float) for values in found.values()]
        self.matrix = np.column_stack(columns) if columns else np.zeros((len(frame), 0))

    def _columns(self, values: pd.Series) -> dict[str, Any]:
        name = str(values.name)
        if name in CODINGS:
            return CODINGS[name](values)
        if pd.api.types.is_numeric_dtype(values) or values.isna().all():
            return {name: values.astype(float), f"{name}_unknown": values.isna()}
        self.words.add(name)
        words = values.fillna(UNKNOWN).astype(str)
        return {f"{name}: {level}": words.eq(level) for level in sorted(words.unique())}

    def of(self, group: pd.DataFrame) -> Columns:
        """The columns of some of the cases, levels that they do not have and the commonest level of a word left out."""
        part = self.matrix[self.index.get_indexer(group.index)]
        unknown = np.isnan(part)
        for gap in np.flatnonzero(unknown.any(axis=0)):
            known = part[~unknown[:, gap], gap]
            part[unknown[:, gap], gap] = np.median(known) if len(known) else 0.0
        found: Columns = {}
        place = 0
        for covariate, names in self.names.items():
            mine = {name: part[:, place + number] for number, name in enumerate(names)}
            place += len(names)
            if covariate in self.words:
                counts = {name: column.sum() for name, column in mine.items()}
                commonest = min(mine, key=lambda name: (-counts[name], name))
                mine = {name: column for name, column in mine.items() if counts[name] and name != commonest}
            found[covariate] = mine
        return found
