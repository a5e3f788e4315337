"""Reading what survival stands on beside the predictions, each row proven before any is used: cases, follow-up, folds, baselines.

A score that is missing would fall on one side of every cut, a doubled row would count twice, and a prediction of another patient's case
would be tested on the wrong life: each is refused with its file, line and column. What is merely absent is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from oncoraft.foundation.errors import InputError


def read_table(path: Path, columns: Sequence[str], key: Sequence[str]) -> pd.DataFrame:
    """A Parquet file with these columns, one row a key.

    Raises:
        InputError: no such file, no Parquet, a column that is absent, or a key twice; a line is the row's number, from 1.
    """
    if not path.is_file():
        raise InputError(f"expected a Parquet file with {', '.join(columns)}", file=path)
    try:
        frame = pd.read_parquet(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"expected a Parquet file ({str(error).splitlines()[0]})", file=path) from None
    for name in columns:
        if name not in frame:
            raise InputError("expected this column", file=path, column=name)
    refuse_doubles(frame, key, path)
    return frame


def read_cases(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """The cases, each column of `columns` with a value in every row: a case without a regimen would fall out of every group without a word.

    Raises:
        InputError: as `read_table`; the first value that is missing.
    """
    cases = read_table(path, [*columns, *optional], ["case_id"])
    for name in columns:
        refuse_first(cases[name].isna(), path, name, "expected a value", cases[name])
    return cases


def refuse_doubles(frame: pd.DataFrame, key: Sequence[str], path: Path, lines: pd.Series | None = None) -> None:
    """Raise an InputError at the second row of a key."""
    doubled = np.flatnonzero(frame.duplicated(list(key)))
    if len(doubled):
        first = int(doubled[0])
        line = first + 1 if lines is None else int(lines.iloc[first])
        what = ", ".join(str(frame[name].iloc[first]) for name in key)
        raise InputError(f"expected each {' and '.join(key)} once", file=path, line=line, column=key[0], found=what)


def refuse_first(wrong: pd.Series, path: Path, column: str, expected: str, found: pd.Series, lines: pd.Series | None = None) -> None:
    """Raise an InputError at the first row that is wrong."""
    places = np.flatnonzero(wrong.to_numpy(bool))
    if len(places):
        line = int(places[0]) + 1 if lines is None else int(lines.iloc[places[0]])
        raise InputError(expected, file=path, line=line, column=column, found=str(found.iloc[places[0]]))


def read_followup(path: Path, endpoint: str) -> pd.DataFrame:
    """Follow-up of one endpoint: case_id, entry_days, exit_days, event (boolean); no row where the study tells nothing of it.

    Raises:
        InputError: as `read_table`; a time that is missing, an entry that is negative or not before its exit, an event that is neither true nor false.
    """
    frame = read_table(path, ["case_id", "endpoint", "entry_days", "exit_days", "event"], ["case_id", "endpoint"])
    mine = frame[frame["endpoint"] == endpoint]
    lines = pd.Series(np.flatnonzero(frame["endpoint"] == endpoint) + 1)
    entry, leave = (pd.to_numeric(mine[name], errors="coerce").astype(float) for name in ("entry_days", "exit_days"))
    for name, times in (("entry_days", entry), ("exit_days", leave)):
        # Not `>=`: a missing time compares false to everything and has to be refused too.
        refuse_first(~times.abs().lt(np.inf), path, name, "expected a number of days", mine[name], lines)
    refuse_first(entry < 0, path, "entry_days", "expected days from the index date, 0 or more", entry, lines)
    refuse_first(entry >= leave, path, "entry_days", "expected an entry before the exit", entry, lines)
    refuse_first(~mine["event"].isin([0, 1]), path, "event", "expected true or false", mine["event"], lines)
    return pd.DataFrame({"case_id": mine["case_id"], "entry_days": entry, "exit_days": leave, "event": mine["event"].astype(bool)})


# What the scan that decides has said no later one of these rules unsays; of the others the whole window must have passed.
DECIDED_BY_THE_WINDOW = ("oncoraft", "strict_any_scan")


def read_response(path: Path, definition: str) -> pd.DataFrame:
    """Response by one label definition: case_id, responder (null where not evaluable), label_day (days from index on which it is known).

    Raises:
        InputError: as `read_table`; no row of the definition.
    """
    columns = ["case_id", "definition", "responder", "scan_days", "window_end_days"]
    frame = read_table(path, columns, ["case_id", "definition"])
    mine = frame[frame["definition"] == definition]
    if mine.empty:
        raise InputError(f"expected rows of the definition {definition!r}", file=path, column="definition")
    scans = mine["scan_days"] if definition not in DECIDED_BY_THE_WINDOW else [()] * len(mine)
    days = [max(seen) if len(seen) else end for seen, end in zip(scans, mine["window_end_days"])]
    return mine[["case_id", "responder"]].assign(label_day=days)


def read_targets(path: Path, definition: str) -> pd.Series:
    """Labels that train, by one definition: 0 or 1 by case_id, nan where a case is not evaluable and so trains nobody.

    Raises:
        InputError: as `read_table`; no row of the definition.
    """
    frame = read_table(path, ["case_id", "definition", "responder"], ["case_id", "definition"])
    mine = frame[frame["definition"] == definition]
    if mine.empty:
        raise InputError(f"expected rows of the definition {definition!r}", file=path, column="definition")
    return mine.set_index("case_id")["responder"].astype("Float64").astype(float)


def check_folds(predictions: pd.DataFrame, folds: Path, design: str, file: Path) -> None:
    """Whether each prediction is of the fold that holds its case out; another fold's model may have trained on the patient.

    Raises:
        InputError: as `read_table`; the design is not there; the first prediction of another fold.
    """
    assigned = read_table(folds, ["case_id", "design", "fold"], ["case_id", "design"])
    mine = assigned[assigned["design"] == design]
    if mine.empty:
        raise InputError(f"expected rows of the design {design!r}", file=folds, column="design")
    fold = predictions["case_id"].map(mine.set_index("case_id")["fold"])
    expected = f"expected the fold that holds the case out in the design {design!r}"
    refuse_first(fold != predictions["fold"], file, "fold", expected, predictions["fold"], predictions["line"])


def read_baselines(path: Path) -> pd.DataFrame:
    """Scores of the baselines, a predictor a column, by case_id.

    Raises:
        InputError: as `read_table`; a score that is no number from 0 to 1.
    """
    frame = read_table(path, ["case_id", "predictor", "score"], ["case_id", "predictor"])
    refuse_first(~frame["score"].between(0, 1), path, "score", "expected a number from 0 to 1", frame["score"])
    return frame.pivot(index="case_id", columns="predictor", values="score")


def finite(value: float | None) -> float | None:
    """A number, or null where it is none."""
    return None if value is None or not math.isfinite(value) else float(value)
