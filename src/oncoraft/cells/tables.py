"""Tables that the steps of a single-cell cohort leave for one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.artefacts import read_table
from oncoraft.foundation.errors import InputError

CASE_COLUMNS = ("case_id", "patient_id", "data_set", "drug", "regimen", "therapy_class", "tissue", "cancer", "score", "responder", "cells")
FOLD_COLUMNS = ("case_id", "design", "fold", "held_out")


def read_cases(folder: Path) -> pd.DataFrame:
    """Cases, sorted by `case_id`."""
    return read_table(folder / "cases.parquet", CASE_COLUMNS, key=("case_id",))


def read_genes(folder: Path) -> np.ndarray:
    """Names of the genes, in order."""
    path = folder / "genes.txt"
    if not path.is_file():
        raise InputError("expected the genes written by `oncoraft cell-cases`", file=path)
    return np.array(path.read_text(encoding="utf-8").split("\n")[:-1], dtype=object)


def read_folds(folder: Path, design: str) -> pd.DataFrame:
    """Folds of one design, a row a case.

    Raises:
        InputError: the folds know no such design.
    """
    path = folder / "folds.parquet"
    folds = read_table(path, FOLD_COLUMNS, key=("case_id", "design"))
    found = folds[folds["design"] == design]
    if found.empty:
        raise InputError(f"expected design {design}; there are {', '.join(sorted(folds['design'].unique()))}", file=path, column="design")
    return found


def parts_of_fold(cases: pd.DataFrame, folds: pd.DataFrame, fold: int, leaks: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `cases` to train on and held out in a fold.

    No donor stands on both sides: where a donor has cases in the fold that is held out, his other cases (under another drug, of another
    tissue) train nothing. Only a design that leaks by intent keeps them.

    Args:
        cases: case_id, patient_id.
        folds: of one design; a case of fold -1 is never held out.
        fold: held out now.
        leaks: whether the design may share donors.

    Raises:
        InputError: a side without cases.
    """
    of = pd.Series(folds["fold"].to_numpy(), index=folds["case_id"]).reindex(cases["case_id"]).to_numpy(float)
    if np.isnan(of).any():
        raise InputError("expected a fold of every case", found=str(cases["case_id"].to_numpy()[np.isnan(of)][0]))
    held = of == fold
    donor = cases["patient_id"].to_numpy(object)
    train = ~held
    if not leaks:
        train &= ~pd.Series(donor).isin(set(donor[held])).to_numpy()
        shared = set(donor[train]) & set(donor[held])
        assert not shared, f"{len(shared)} donors are on both sides, the first {min(shared)}"
    for what, side in (("to train on", train), ("held out", held)):
        if not side.any():
            raise InputError(f"expected at least one case {what} in fold {fold}; a design with fewer folds may leave some")
    return np.flatnonzero(train), np.flatnonzero(held)
