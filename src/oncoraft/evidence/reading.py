"""What evidence is collected from: ingested tables, cases, and the fields that are wanted, each read and checked.

Cases may lie in several folders: one stands in more than one where more than one question is asked on its day.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from oncoraft.evidence.allow_list import declared_columns
from oncoraft.evidence.fields import BY_NAME
from oncoraft.evidence.known import Tables
from oncoraft.foundation.errors import InputError

CASE_COLUMNS = (
    "case_id",
    "patient_id",
    "index_day",
    "cancer_type",
    "diagnosis_day",
    "has_other_cancer",
    "agents",
    "agents_at_index",
    "is_chemoradiation_at_index",
    "setting",
    "line_of_therapy",
    "line_overall",
)
SAME = ("patient_id", "index_day", "cancer_type", "diagnosis_day")  # what a case is, whatever is asked of it


def read_tables(folder: Path, whole: bool = False) -> Tables:
    """The tables that evidence reads, by name.

    Args:
        folder: written by `oncoraft ingest`.
        whole: every column, for the audit; otherwise only those that a field declares.

    Raises:
        InputError: a table or a declared column is not there.
    """
    tables = {}
    for name, columns in declared_columns().items():
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise InputError("expected a table written by `oncoraft ingest`", file=path)
        if absent := sorted(set(columns) - set(pq.read_schema(path).names)):
            raise InputError("expected this column", file=path, column=absent[0])
        tables[name] = pd.read_parquet(path, columns=None if whole else columns)
    return tables


def read_cases(folder: Path, columns: Sequence[str] = CASE_COLUMNS) -> pd.DataFrame:
    """`cases.parquet` of a cases folder.

    Args:
        folder: where it is.
        columns: those that the reader cannot do without; all that evidence reads.

    Raises:
        InputError: it is absent, or lacks one of the columns.
    """
    path = folder / "cases.parquet"
    if not path.is_file():
        raise InputError("expected cases written by `oncoraft regimens`", file=path)
    if absent := sorted(set(columns) - set(pq.read_schema(path).names)):
        raise InputError("expected this column", file=path, column=absent[0])
    return pd.read_parquet(path)


def read_fields(path: Path | None) -> frozenset[str] | None:
    """Fields that a file names, one a line; None where there is no file.

    Raises:
        InputError: it cannot be read, or names one that is not declared.
    """
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError("expected a readable file of fields, one a line", file=path) from None
    for number, name in enumerate(lines, 1):
        if name not in BY_NAME:
            raise InputError("expected a field of the allow-list", file=path, line=number, found=name)
    return frozenset(lines)


def pooled_cases(folders: Sequence[Path]) -> pd.DataFrame:
    """Cases of all folders, each once.

    Raises:
        InputError: see `read_cases`; or a case that is another one in another folder.
    """
    first = read_cases(folders[0])
    if len(folders) == 1:
        return first
    joined = pd.concat([first, *map(read_cases, folders[1:])], ignore_index=True)[list(CASE_COLUMNS)]
    differs = joined.drop_duplicates(["case_id", *SAME])["case_id"]
    if differs.duplicated().any():
        named = differs[differs.duplicated()].iloc[0]
        raise InputError(f"expected a case to be the same in all folders of cases, by {', '.join(SAME)}", file=folders[-1], found=named)
    return joined.drop_duplicates("case_id").sort_values("case_id", ignore_index=True)


def pooled_fields(paths: Sequence[Path]) -> frozenset[str] | None:
    """Fields that any of the files names; None, which is all of them, where there is no file.

    Raises:
        InputError: see `read_fields`.
    """
    return frozenset().union(*(read_fields(path) or () for path in paths)) if paths else None
