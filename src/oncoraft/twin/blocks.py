"""The twin a block of patients at a time: columns of every table, truth, and the bytes of every file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from oncoraft.knowledge.tables import TABLES
from oncoraft.twin import copy_number, genomics, imaging, procedures, records, text
from oncoraft.twin import samples as sample_tables
from oncoraft.twin.cohort import Cohort, make_cohort
from oncoraft.twin.patients import patient_table
from oncoraft.twin.people import base_keys
from oncoraft.twin.records import Columns
from oncoraft.twin.samples import Samples
from oncoraft.twin.truth import truth_table

BLOCK = 1250  # patients; the bytes depend on it, not on the number of processes
NO_MATRIX_COLUMN = 0.00024  # specimens without a copy-number column


class Task(NamedTuple):
    """A block of patients: numbers first to last, both included."""

    seed: int
    first: int
    last: int
    clean: bool


@dataclass
class Block:
    """What a block adds: bytes and rows per table, cells per gene of the matrix, specimens in the matrix, truth."""

    texts: dict[str, bytes]
    rows: dict[str, int]
    matrix: list[bytes]
    in_matrix: list[str]
    truth: pd.DataFrame


def tasks(patients: int, seed: int, clean: bool) -> list[Task]:
    """The blocks of a cohort."""
    return [Task(seed, first, min(first + BLOCK - 1, patients), clean) for first in range(1, patients + 1, BLOCK)]


def all_columns(cohort: Cohort, samples: Samples, clean: bool) -> dict[str, Columns]:
    """Columns of every table but the copy-number matrix."""
    tables: dict[str, Columns] = imaging.reports(cohort, clean)
    tables |= records.pathology(cohort) | sample_tables.specimen_tables(cohort, samples)
    first = ~samples.is_second
    tables["timeline_treatment"] = records.treatment(cohort, clean)
    tables["timeline_performance_status"] = records.performance_status(cohort)
    tables["timeline_surgery"] = procedures.surgery(cohort, samples.acquired[first])
    tables["timeline_radiation"] = procedures.radiation(cohort)
    tables["timeline_prior_meds"] = records.prior_meds(cohort)
    tables["timeline_diagnosis"] = sample_tables.diagnosis_table(cohort, samples, clean)
    for test in records.TESTS:
        tables[f"timeline_{test.lower().replace('-', '_')}_labs"] = records.laboratory(cohort, test)
    tables["clinical_patient"] = patient_table(cohort, tables)
    tables["clinical_sample"] = sample_tables.sample_table(cohort, samples)
    tables["mutations"] = genomics.mutation_table(cohort, samples)
    tables["sv"] = genomics.variant_table(cohort, samples)
    tables["cna_segments"] = copy_number.segment_table(samples)
    if clean:
        return tables
    dated = {name: records.with_date_errors(name, columns, cohort) for name, columns in tables.items()}
    return {name: records.with_duplicates(name, columns, cohort) for name, columns in dated.items()}


def patient_ids(numbers: Any) -> Any:
    """`P-` and seven digits."""
    return np.array([f"P-{number:07d}" for number in numbers], dtype=object)


def length(columns: Columns) -> int:
    """Rows of a table."""
    return max((len(values) for values in columns.values() if isinstance(values, np.ndarray)), default=0)


def make_block(task: Task) -> Block:
    """Everything of one block of patients."""
    numbers = np.arange(task.first, task.last + 1)
    cohort = make_cohort(task.seed, numbers)
    samples = sample_tables.make_samples(cohort)
    tables = all_columns(cohort, samples, task.clean)
    ids, keys = patient_ids(numbers), base_keys(task.seed, numbers)
    texts = {table.name: text.block(table, tables[table.name], ids, keys, task.clean) for table in TABLES if table.layout == "rows"}
    lacking = ~samples.draws.chance("no matrix column", 0.0 if task.clean else NO_MATRIX_COLUMN)
    codes = copy_number.call_codes(samples, cohort)[:, lacking]
    return Block(
        texts=texts, rows={name: length(columns) for name, columns in tables.items()}, matrix=text.matrix_lines(codes),
        in_matrix=samples.sample_id[lacking].tolist(), truth=truth_table(cohort, tables, ids, task.clean),
    )  # fmt: skip
