"""What the evaluation reads, checked before a number is made of it: predictions, cases, labels, folds, baselines.

A row that is there twice, a score that is none, a case that nobody knows, or a patient that is not the case's would each change
numbers without a word; they are refused with file, line or case, and column.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from oncoraft.foundation.errors import InputError

PREDICTION = ("case_id", "patient_id", "fold", "score")


def read_predictions(path: Path) -> pd.DataFrame:
    """Predictions, one row a case: case_id and patient_id (text), fold, score, score_from_text (nan where none) and line, sorted by case.

    Raises:
        InputError: no file, no line; a line that is no JSON object, lacks a key, names a case a second time, or whose score is not a
            number in [0, 1].
    """
    if not path.is_file():
        raise InputError("expected predictions written by `oncoraft gather`", file=path)
    rows, seen = [], dict[str, int]()
    for number, text in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not text.strip():
            continue
        row = _prediction(text, path, number)
        if row["case_id"] in seen:
            expected = f"expected one prediction a case; this one has another in line {seen[row['case_id']]}"
            raise InputError(expected, file=path, line=number, column="case_id", found=row["case_id"])
        seen[row["case_id"]] = number
        rows.append(row)
    if not rows:
        raise InputError("expected at least one prediction", file=path)
    return pd.DataFrame(rows).sort_values("case_id", ignore_index=True)


def _prediction(text: str, path: Path, line: int) -> dict[str, Any]:
    """One line, checked."""
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"expected a JSON object ({error.msg})", file=path, line=line) from None
    if not isinstance(row, dict):
        raise InputError("expected a JSON object", file=path, line=line)
    for key in PREDICTION:
        if key not in row:
            raise InputError("expected this key", file=path, line=line, column=key)
    for key in ("case_id", "patient_id"):
        if not isinstance(row[key], str) or not row[key]:
            raise InputError("expected an identifier as text", file=path, line=line, column=key, found=repr(row[key]))
    if type(row["fold"]) is not int:
        raise InputError(
            "expected the number of the fold that holds the case out", file=path, line=line, column="fold", found=repr(row["fold"])
        )
    from_text = row.get("score_from_text")
    for key, value in (("score", row["score"]), ("score_from_text", from_text)):
        if (key == "score" or value is not None) and not _is_score(value):
            raise InputError("expected a score between 0 and 1", file=path, line=line, column=key, found=repr(value))
    return {name: row[name] for name in PREDICTION} | {"score_from_text": np.nan if from_text is None else float(from_text), "line": line}


def _is_score(value: object) -> bool:
    """A finite number in [0, 1]; a boolean is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1


def read_unique(path: Path, columns: Sequence[str], key: Sequence[str], filters: Any = None, optional: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of a Parquet table of which no two rows share a key.

    Args:
        path: the table.
        columns: those that must be there.
        key: columns that together name a row.
        filters: rows wanted, as pyarrow takes them.
        optional: columns read where they are there.

    Raises:
        InputError: no such file, a column is missing, or a key is there twice.
    """
    if not path.is_file():
        raise InputError("expected a table of the steps before", file=path)
    there = pq.read_schema(path).names
    if absent := [name for name in columns if name not in there]:
        raise InputError("expected this column", file=path, column=absent[0])
    table = pd.read_parquet(path, columns=[*columns, *(name for name in optional if name in there)], filters=filters)
    twice = table[table.duplicated(list(key))]
    if len(twice):
        found = ", ".join(str(value) for value in twice.iloc[0][list(key)])
        raise InputError(f"expected one row for each {' and '.join(key)} ({len(twice)} too many)", file=path, column=key[0], found=found)
    return table


CASE_COLUMNS = ("case_id", "patient_id", "cancer_type", "regimen", "index_day", "drug_class", "line_of_therapy")
CASE_EXTRAS = ("gene_panel", "setting", "line_overall")


def read_held_out(predictions: Path, cases: Path, design: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """Predictions with what the case list says of their cases, and how many held-out cases have none.

    Raises:
        InputError: a prediction of an unknown case, of another patient than the case's, or of another fold than holds it out.
    """
    found = read_predictions(predictions)
    table = read_unique(cases / "cases.parquet", CASE_COLUMNS, ["case_id"], optional=CASE_EXTRAS)
    folds = read_unique(cases / "folds.parquet", ("case_id", "design", "fold"), ["case_id", "design"], filters=[("design", "==", design)])
    held_out = folds.loc[folds["fold"] >= 0, ["case_id", "fold"]]
    joined = found.merge(table, on="case_id", how="left", suffixes=("", "_of_case"), validate="one_to_one", indicator=True)
    joined = joined.merge(held_out, on="case_id", how="left", suffixes=("", "_of_design"), validate="one_to_one")
    for wrong, column, expected in (
        (joined["_merge"] == "left_only", "case_id", f"expected a case of {cases / 'cases.parquet'}"),
        (joined["patient_id"] != joined["patient_id_of_case"], "patient_id", "expected the patient of the case"),
        (joined["fold"] != joined["fold_of_design"], "fold", f"expected the fold that holds the case out in design {design}"),
    ):
        if wrong.any():
            one = joined[wrong].sort_values("line").iloc[0]
            of_case = {"patient_id": "patient_id_of_case", "fold": "fold_of_design"}.get(column)
            told = f"; case {one['case_id']} has {one[of_case]}" if of_case and pd.notna(one[of_case]) else ""
            expected = f"{expected}{told} ({int(wrong.sum())} such lines)"
            raise InputError(expected, file=predictions, line=int(one["line"]), column=column, found=str(one[column]))
    counts = {"predicted": len(found), "held_out": len(held_out), "without_prediction": len(held_out) - len(found)}
    return joined.drop(columns=["_merge", "line", "patient_id_of_case", "fold_of_design"]), counts


def read_labels(cases: Path, definition: str | None = None) -> pd.DataFrame:
    """Labels, one row a case and definition; of one definition where one is asked for.

    Raises:
        InputError: the definition is not there, or a case has two labels of one definition.
    """
    path = cases / "labels.parquet"
    filters = None if definition is None else [("definition", "==", definition)]
    labels = read_unique(path, ("case_id", "definition", "responder", "is_immortal"), ["case_id", "definition"], filters=filters)
    if labels.empty:
        raise InputError(f"expected labels of definition {definition!r}", file=path, column="definition")
    return labels


def read_baselines(path: Path, held_out: pd.DataFrame) -> pd.DataFrame:
    """Baseline scores, a predictor a column, in the order of the held-out cases; nan where a baseline did not score a case.

    Raises:
        InputError: a case twice for one predictor, a score that is none, or a fold that is not the case's.
    """
    rows = read_unique(path, ("case_id", "fold", "predictor", "score"), ["case_id", "predictor"])
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
    if joined.empty:
        raise InputError("expected scores of the predicted cases", file=path, column="case_id")
    return joined.pivot(index="case_id", columns="predictor", values="score").reindex(held_out["case_id"]).reset_index(drop=True)
