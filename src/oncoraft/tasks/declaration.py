"""What a text task declares, and what its functions are given. A task is one file in `declared/`, with a `TASK` in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import TextTask

Source = Literal["tables", "cohort", "file"]
# What evidence at an index date reads of a case; a case that is no treatment case starts nothing.
NOTHING_STARTS: dict[str, Any] = {
    "has_other_cancer": False,
    "is_chemoradiation_at_index": False,
    "setting": "unknown",
    "line_of_therapy": 1,
    "line_overall": 1,
    "gene_panel": None,
}


class Found(NamedTuple):
    """Cases of a task, and how many records were left out, by reason.

    Attributes:
        cases: case_id, patient_id, index_day, cancer_type, diagnosis_day, answer; of a file instruction, input, choices, part besides.
    """

    cases: pd.DataFrame
    left_out: dict[str, int]


@dataclass(frozen=True)
class Material:
    """Where a task finds its cases: ingested tables, treatment cases of the cohort, courses of radiation."""

    settings: TextTask
    tables: Path | None = None
    cohort: Path | None = None
    courses: Path | None = None
    gap_days: int = 30

    def table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Columns of an ingested table.

        Raises:
            InputError: it is not there, or lacks one of them.
        """
        if self.tables is None:
            raise InputError("expected TABLES, the folder written by `oncoraft ingest`")
        return read_columns(self.tables / f"{name}.parquet", columns, "ingest")

    def treatment_cases(self, columns: Sequence[str]) -> pd.DataFrame:
        """Columns of the cohort's treatment cases.

        Raises:
            InputError: they are not there, or lack one of them.
        """
        if self.cohort is None:
            raise InputError("--cohort: expected the folder that holds the cohort's cases.parquet")
        return read_columns(self.cohort / "cases.parquet", columns, "regimens")


def read_columns(path: Path, columns: Sequence[str], writer: str) -> pd.DataFrame:
    """Columns of a Parquet file.

    Raises:
        InputError: no file, or a column that it lacks.
    """
    if not path.is_file():
        raise InputError(f"expected a table written by `oncoraft {writer}`", file=path)
    if absent := sorted(set(columns) - set(pq.read_schema(path).names)):
        raise InputError("expected this column", file=path, column=absent[0])
    return pd.read_parquet(path, columns=list(columns))


@dataclass(frozen=True)
class Task:
    """One task.

    Args:
        kind: its name, that of its file.
        title: how the report calls it.
        instruction: what is asked, put before every case; "" where every case brings its own.
        source: tables: cases of its own, for which evidence is collected; cohort: the treatment cases, whose evidence is there; file.
        find: cases with their answers.
        fields: of the allow-list of evidence, in the order in which they read; only these enter a prompt.
        read: an answer as it is compared; None where it cannot be read.
        measures: name -> what an answer that was read is worth beside the right one, 0 to 1; the first is the one that is tested.
        category: the class of an answer that was read, for precision and recall; None: the task has no classes.
        forms: patterns of an answer that may not stand in its own prompt.
        needs_courses: whether it reads courses of radiation.
        has_law: whether a twin's law knows the likeliest answer of each case (`oncoraft task-law`); of courses it stands beside them.
        pool: tasks of one pool, which have the same fields, ask of the same patients on the same days: evidence is collected once; "": its own.
        scrub: whether codes of sites and histologies are taken out of every statement.
        note: what a reader of its results has to know.
    """

    kind: str
    title: str
    instruction: str
    source: Source
    find: Callable[[Material], Found]
    fields: tuple[str, ...]
    read: Callable[[str], Any]
    measures: dict[str, Callable[[Any, Any], float]]
    forms: Callable[[str], list[re.Pattern[str]]]
    category: Callable[[Any], str] | None = None
    needs_courses: bool = False
    has_law: bool = False
    pool: str = ""
    scrub: bool = False
    note: str = ""


def case_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Cases that start no treatment, with every column that evidence and folds read.

    Args:
        rows: patient_id, index_day, cancer_type, diagnosis_day, answer.
    """
    names = rows["patient_id"].astype(str) + "_" + rows["index_day"].astype(int).astype(str)
    cases = rows.assign(case_id=names, **NOTHING_STARTS).astype({"index_day": "int32", "gene_panel": object})
    cases["diagnosis_day"] = cases["diagnosis_day"].astype("Int32")
    for name in ("agents", "agents_at_index"):
        cases[name] = [[] for _ in range(len(cases))]
    return cases.sort_values("case_id", ignore_index=True)
