"""What the evaluation reads, checked before a number is made of it: predictions, cases, labels, folds, baselines.

A row that is there twice, a score that is none, a case that nobody knows, or a patient that is not the case's would each change
numbers without a word; they are refused with file, line or case, and column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.artefacts import read_table
from oncoraft.foundation.errors import InputError
from oncoraft.predictions import read_predictions

CASE_COLUMNS = ("case_id", "patient_id", "cancer_type", "regimen", "index_day", "drug_class", "line_of_therapy")
CASE_EXTRAS = ("gene_panel", "setting", "line_overall")


def read_held_out(predictions: Path, cases: Path, design: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """Predictions with what the case list says of their cases, and how many held-out cases have none.

    Raises:
        InputError: a case without one of `CASE_COLUMNS`, a prediction of an unknown case, of another patient than the case's, or of another fold than holds it out.
    """
    table = read_table(cases / "cases.parquet", CASE_COLUMNS, ["case_id"], optional=CASE_EXTRAS)
    for name in CASE_COLUMNS:
        if (missing := np.flatnonzero(table[name].isna())).size:
            # A group of no name would fall out of what is counted by group.
            raise InputError("expected a value", file=cases / "cases.parquet", line=int(missing[0]) + 1, column=name, found="none")
    found = read_predictions(predictions, table).sort_values("case_id", ignore_index=True)
    if found.empty:
        raise InputError("expected at least one prediction", file=predictions)
    folds = read_table(cases / "folds.parquet", ("case_id", "design", "fold"), ["case_id", "design"], filters=[("design", "==", design)])
    held_out = folds.loc[folds["fold"] >= 0, ["case_id", "fold"]]
    joined = found.merge(table.drop(columns="patient_id"), on="case_id", how="left", validate="one_to_one")
    joined = joined.merge(held_out, on="case_id", how="left", suffixes=("", "_of_design"), validate="one_to_one")
    # NaN equals nothing, so that a case which the design never holds out is found too.
    if (elsewhere := joined[joined["fold"] != joined["fold_of_design"]]).size:
        one = elsewhere.sort_values("line").iloc[0]
        wanted = int(one["fold_of_design"]) if pd.notna(one["fold_of_design"]) else "none"
        expected = f"expected the fold that holds the case out in design {design}; case {one['case_id']} has {wanted}"
        raise InputError(
            f"{expected} ({len(elsewhere)} such lines)", file=predictions, line=int(one["line"]), column="fold", found=str(one["fold"])
        )
    counts = {"predicted": len(found), "held_out": len(held_out), "without_prediction": len(held_out) - len(found)}
    return joined.drop(columns=["fold_of_design", "line"]), counts


def read_folds(cases: Path, design: str, *, is_any: bool = True) -> pd.DataFrame:
    """Folds and tuning patients of one design: case_id, design, fold, is_tuning.

    Args:
        cases: folder of folds.parquet.
        design: its name.
        is_any: whether there are cases, so that some must be of the design.

    Raises:
        InputError: the design is not there, or a case has two folds of it.
    """
    path = cases / "folds.parquet"
    columns = ("case_id", "design", "fold", "is_tuning")
    folds = read_table(path, columns, ["case_id", "design"], filters=[("design", "==", design)])
    if folds.empty and is_any:
        raise InputError(f"expected rows of the design {design!r}", file=path, column="design")
    return folds


def read_labels(cases: Path, definition: str | None = None) -> pd.DataFrame:
    """Labels, one row a case and definition; of one definition where one is asked for.

    Raises:
        InputError: the definition is not there, or a case has two labels of one definition.
    """
    path = cases / "labels.parquet"
    filters = None if definition is None else [("definition", "==", definition)]
    labels = read_table(path, ("case_id", "definition", "responder", "is_immortal"), ["case_id", "definition"], filters=filters)
    if labels.empty:
        raise InputError(f"expected labels of definition {definition!r}", file=path, column="definition")
    return labels


def read_baselines(path: Path, held_out: pd.DataFrame) -> pd.DataFrame:
    """Baseline scores, a predictor a column, in the order of the held-out cases; nan where a baseline did not score a case.

    Raises:
        InputError: a case twice for one predictor, a score that is none, or a fold that is not the case's.
    """
    rows = read_table(path, ("case_id", "fold", "predictor", "score"), ["case_id", "predictor"])
    # NaN lies between no bounds and is refused with the others.
    wrong = rows[~rows["score"].between(0, 1)]
    if len(wrong):
        one = wrong.iloc[0]
        expected = f"expected scores between 0 and 1; {one['predictor']} gives case {one['case_id']} another ({len(wrong)} such rows)"
        raise InputError(expected, file=path, column="score", found=str(one["score"]))
    joined = rows.merge(held_out[["case_id", "fold"]], on="case_id", suffixes=("", "_of_case"), validate="many_to_one")
    if (elsewhere := joined[joined["fold"] != joined["fold_of_case"]]).size:
        one = elsewhere.iloc[0]
        expected = f"expected the fold of the prediction, {one['fold_of_case']}, for case {one['case_id']} ({len(elsewhere)} such rows)"
        raise InputError(expected, file=path, column="fold", found=str(one["fold"]))
    # No row at all: no baseline could be fitted. Rows of other cases: it is the file of another cohort.
    if joined.empty and len(rows):
        raise InputError("expected scores of the predicted cases", file=path, column="case_id")
    return joined.pivot(index="case_id", columns="predictor", values="score").reindex(held_out["case_id"]).reset_index(drop=True)
