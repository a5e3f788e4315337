"""The predictions of held-out cases, as every step reads them that compares scores with what happened.

Ids stay text: a reader that guesses types melts patients 0071 and 71 together. A prediction of a case that the cohort does not have, or
of another patient than the case's, belongs to another cohort: it is refused, since a join would drop it without a word.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import iterate_jsonl

COLUMNS = ("case_id", "patient_id", "fold", "score")
MAY_LACK = ("score_from_text", "probability", "threshold")


def read_predictions(path: Path, cases: pd.DataFrame) -> pd.DataFrame:
    """Scores of held-out cases.

    Args:
        path: predictions.jsonl, written by `oncoraft gather`.
        cases: cases.parquet, at least `case_id` and `patient_id`.

    Returns:
        One row a case in the order of the file: case_id and patient_id (text), fold (int), score (float), score_from_text (float, nan
        where none was read from the text, or the file does not tell), probability (recalibrated) and threshold (of the score; both nan
        where nothing was fitted, or the file does not tell), line (of the file, from 1).

    Raises:
        InputError: a line that is no prediction, a case twice, a case that `cases` lacks, or the patient of another case.
    """
    patients = dict(zip(cases["case_id"], cases["patient_id"], strict=True))
    rows: dict[str, list[Any]] = {}
    lines: dict[str, int] = {}
    for number, _, row in iterate_jsonl(path, "predictions written by `oncoraft gather`"):
        place: dict[str, Any] = {"file": path, "line": number}
        for name in COLUMNS:
            if name not in row:
                raise InputError("expected this column of a prediction", column=name, **place)
        case_id = row["case_id"]
        if (first := lines.setdefault(case_id, number)) != number:
            raise InputError(f"expected one prediction a case, the first was line {first}", found=case_id, **place)
        if case_id not in patients:
            raise InputError("expected a case of the cohort", column="case_id", found=case_id, **place)
        if row["patient_id"] != patients[case_id]:
            raise InputError(
                f"expected {patients[case_id]!r}, the patient of {case_id}", column="patient_id", found=row["patient_id"], **place
            )
        if type(row["fold"]) is not int:
            raise InputError("expected a whole number", column="fold", found=str(row["fold"]), **place)
        rows[case_id] = [
            case_id,
            row["patient_id"],
            row["fold"],
            _number(row, "score", place),
            *(_number(row, name, place) for name in MAY_LACK),
            number,
        ]
    frame = pd.DataFrame(list(rows.values()), columns=[*COLUMNS, *MAY_LACK, "line"])
    kinds = {"case_id": object, "patient_id": object, "fold": int, "line": int}
    return frame.astype(kinds | dict.fromkeys(("score", *MAY_LACK), float))


def _number(row: dict[str, Any], name: str, place: dict[str, Any]) -> float:
    """A probability; none stands for "not read from the text" or "nothing was fitted", and only there."""
    value = row.get(name)
    if value is None and name in MAY_LACK:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError("expected a number from 0 to 1", column=name, found=str(value), **place)
    return float(value)
