"""Every evaluable case with its evidence and its label: what a rationale is written of, a range of cases at a time."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.artefacts import refuse_repeated, rows_where
from oncoraft.foundation import ranges
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.ranges import RangedTable, patient_ranges
from oncoraft.rationales.teacher import Lesson
from oncoraft.verifiers.record import Record

EVALUABLE = ("CR", "PR", "SD", "PD")


def lessons_of(evidence: pd.DataFrame, labels: pd.DataFrame, sees_label: bool, fields: Collection[str] | None = None) -> list[Lesson]:
    """Every evaluable case with its evidence, sorted by case.

    Args:
        evidence: columns of `evidence.parquet`.
        labels: rows of one definition.
        sees_label: whether the teacher is told the score.
        fields: fields that the prompt shows; None: all.

    Raises:
        InputError: an evaluable case has no evidence.
    """
    evaluable = labels[labels["category"].isin(EVALUABLE) & labels["score"].notna()].set_index("case_id")["score"]
    shown = evidence[evidence["case_id"].isin(evaluable.index)]
    if fields is not None:
        shown = shown[shown["field"].isin(fields)]
    codes, case_ids = pd.factorize(shown["case_id"], sort=True)
    refuse_absent(set(evaluable.index) - set(case_ids))
    scores = evaluable.reindex(case_ids).astype(float).tolist() if sees_label else [None] * len(case_ids)
    order = np.argsort(codes, kind="stable")  # within a case the order of the evidence stays
    statements = list(zip(*(shown[name].to_numpy(object)[order].tolist() for name in ("section", "text"))))
    bounds = np.searchsorted(codes[order], np.arange(len(case_ids) + 1)).tolist()
    own = [tuple(statements[start:end]) for start, end in pairwise(bounds)]
    return [
        Lesson(case_id, said, Record.from_statements(said), score)
        for case_id, said, score in zip(case_ids.tolist(), own, scores, strict=True)
    ]


def open_evidence(path: Path) -> RangedTable:
    """What is read of `evidence.parquet`."""
    return RangedTable(path, "case_id", ["case_id", "section", "field", "text"])


def lessons_of_range(evidence: RangedTable, own: pa.Table, sees_label: bool, fields: Collection[str] | None) -> list[Lesson]:
    """The cases of a range, given their labels; the rest as for `lessons_of`."""
    return lessons_of(evidence.rows(own["case_id"].combine_chunks()), own.to_pandas(), sees_label, fields)


def evaluable_labels(path: Path, definition: str) -> pa.Table:
    """Labels by which a case of one definition is evaluable, in the order of `labels.parquet`, read a row group at a time.

    Raises:
        InputError: no case has a label of that definition, or one has two, or the file is not one of labels.
    """
    labels = rows_where(path, ["case_id", "definition", "category", "score"], "definition", definition)
    if not labels.num_rows:
        raise InputError("expected labels of the configured definition", file=path, column="definition", found=definition)
    refuse_repeated(labels["case_id"], f"one label of a case by definition {definition!r}", path, "case_id")
    is_told = pc.invert(pc.is_null(labels["score"], nan_is_null=True))
    # A column of nothing but nulls has no type of its own, and is looked up among no text.
    return labels.filter(pc.and_(pc.is_in(labels["category"].cast(pa.string()), pa.array(EVALUABLE)), is_told)).combine_chunks()


class Lessons:
    """Every evaluable case with its evidence, sorted by case; read a range at a time, as often as it is asked for."""

    def __init__(self, given: argparse.Namespace, definition: str, sees_label: bool, fields: Collection[str] | None = None) -> None:
        """Open evidence and labels; `definition` is whose labels count, the rest as for `lessons_of`.

        Raises:
            InputError: a file is absent, no case has a label of that definition, or an evaluable one has no evidence.
        """
        path = given.cases / "labels.parquet"
        for file, made_by in ((given.evidence, "evidence"), (path, "labels")):
            if not file.is_file():
                raise InputError(f"expected a file written by `oncoraft {made_by}`", file=file)
        self.evidence = open_evidence(given.evidence)
        self.labels, self.sees_label, self.fields = evaluable_labels(path, definition), sees_label, fields
        case_ids = self.labels["case_id"].combine_chunks()
        refuse_absent(set(case_ids.filter(pc.invert(pc.is_in(case_ids, self.evidence.ids()))).to_pylist()))
        self.case_ids = case_ids

    def labels_of_ranges(self, processes: int = 1) -> list[pa.Table]:
        """The labels of each range; ranges are of one size, and as many are due to each of the processes that work."""
        # Labels do not say whose a case is, and a rationale tells of its case alone.
        # At most half as large as other steps' ranges, so that the last of several processes is not long alone.
        most = -(-ranges.PATIENTS // 2)
        rounds = max(1, -(-len(self.case_ids) // (most * processes)))
        found = patient_ranges(self.case_ids, None, max(1, -(-len(self.case_ids) // (rounds * processes))))
        return [self.labels.filter(pc.is_in(self.labels["case_id"], one.case_ids)) for one in found]

    def __iter__(self) -> Iterator[list[Lesson]]:
        return (lessons_of_range(self.evidence, own, self.sees_label, self.fields) for own in self.labels_of_ranges())


def refuse_absent(absent: Collection[str]) -> None:
    """Every evaluable case must have evidence."""
    if absent:
        raise InputError(f"expected evidence of every labelled case; {len(absent)} have none, the first {min(absent)}")
