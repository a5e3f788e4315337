"""What evidence is collected from: ingested tables, cases, and the fields that are wanted, each read and checked.

A case stands in several folders where more than one question is asked on its day; its statements can be taken from the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from oncoraft.evidence.allow_list import GENOMIC_KEYS, declared_columns
from oncoraft.evidence.fields import BY_NAME
from oncoraft.evidence.known import Tables
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.ranges import Range, RangedTable, patient_ranges

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
OF_OTHER_CASES = frozenset({"prior_regimen"})  # fields that say of a case what its patient's other cases are


def open_tables(folder: Path, whole: bool = False) -> dict[str, RangedTable]:
    """The tables that evidence reads, by name, open: patients by `patient_id`, genomic tables by the id of the specimen.

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
        (key,) = GENOMIC_KEYS.get(name, ("patient_id",))
        tables[name] = RangedTable(path, key, None if whole else columns)
    return tables


def read_tables(folder: Path, whole: bool = False) -> Tables:
    """The tables that evidence reads, of everybody; arguments and errors as `open_tables`."""
    return {name: table.every() for name, table in open_tables(folder, whole).items()}


def of_patients(tables: Mapping[str, RangedTable], patient_ids: pa.Array) -> Tables:
    """Their rows of tables that `open_tables` opened; of genomic tables, those of the specimens that the sample table gives them."""
    specimens = tables["clinical_sample"].rows(patient_ids)["sample_id"]
    sample_ids = pa.array(specimens.unique(), pa.string())
    return {name: table.rows(sample_ids if name in GENOMIC_KEYS else patient_ids) for name, table in tables.items()}


def read_cases(folder: Path, columns: Sequence[str] = CASE_COLUMNS) -> pd.DataFrame:
    """`cases.parquet` of a cases folder.

    Args:
        folder: where it is.
        columns: those that the reader cannot do without; all that evidence reads.

    Raises:
        InputError: it is absent, or lacks one of the columns.
    """
    return pd.read_parquet(open_cases(folder, columns).path)


def open_cases(folder: Path, columns: Sequence[str] = CASE_COLUMNS) -> RangedTable:
    """Those columns of `cases.parquet`, open to be read by case; arguments and errors as `read_cases`."""
    path = folder / "cases.parquet"
    if not path.is_file():
        raise InputError("expected cases written by `oncoraft regimens`", file=path)
    if absent := sorted(set(columns) - set(pq.read_schema(path).names)):
        raise InputError("expected this column", file=path, column=absent[0])
    return RangedTable(path, "case_id", columns)


def ranges_of(cases: RangedTable) -> list[Range]:
    """The ranges of the cases of an open `cases.parquet`; where it does not tell whose they are, each counts as a patient."""
    there = [name for name in ("case_id", "patient_id") if name in cases.file.schema_arrow.names]
    case_ids, *owners = (column.combine_chunks().cast(pa.string()) for column in cases.file.read(columns=there).columns)
    return patient_ranges(case_ids, *owners)


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


class Taken:
    """Evidence of those of some cases that another folder of cases has: what is asked changes nothing of what was known."""

    def __init__(self, folder: Path, fields: frozenset[str] | None) -> None:
        """Open it.

        Args:
            folder: holds cases.parquet, fields.txt and evidence.parquet.
            fields: that are wanted; those there have to be the same.

        Raises:
            InputError: a file is absent, the fields are others, or what one says depends on which other cases there are.
        """
        if fields is None or OF_OTHER_CASES & fields:
            raise InputError(f"--taken: expected fields, and none of other cases ({', '.join(sorted(OF_OTHER_CASES))})")
        if read_fields(folder / "fields.txt") != fields:
            raise InputError("--taken: expected evidence of the same fields", file=folder / "fields.txt")
        path = folder / "evidence.parquet"
        if not path.is_file():
            raise InputError("expected evidence written by `oncoraft evidence`", file=path)
        self.cases, self.evidence = open_cases(folder), RangedTable(path, "case_id")

    def of(self, cases: pd.DataFrame) -> pd.DataFrame:
        """Statements of those of the cases that stand there; one that is another case there, by `SAME`, has none."""
        columns = ["case_id", *SAME]
        there = self.cases.rows(pa.array(cases["case_id"], pa.string()))
        same = set(map(tuple, there[columns].astype(str).to_numpy())) & set(map(tuple, cases[columns].astype(str).to_numpy()))
        return self.evidence.rows(pa.array(sorted(case_id for case_id, *_ in same), pa.string()))
