"""The twin a block of patients at a time: columns of every table, truth, and the bytes of every file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from oncoraft.cohort import twin_copy_number, twin_genomics, twin_imaging, twin_records, twin_samples, twin_text
from oncoraft.cohort.twin_cohort import Cohort, make_cohort
from oncoraft.cohort.twin_parameters import NAMES
from oncoraft.cohort.twin_patients import patient_table
from oncoraft.cohort.twin_people import base_keys
from oncoraft.cohort.twin_records import Columns
from oncoraft.cohort.twin_regimens import OPTIONS, RESPONSES
from oncoraft.cohort.twin_samples import Samples
from oncoraft.knowledge.tables import TABLES

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
    tables: dict[str, Columns] = twin_imaging.reports(cohort)
    tables |= twin_records.pathology(cohort) | twin_samples.specimen_tables(cohort, samples)
    first = ~samples.is_second
    tables["timeline_treatment"] = twin_records.treatment(cohort, clean)
    tables["timeline_performance_status"] = twin_records.performance_status(cohort)
    tables["timeline_surgery"] = twin_records.surgery(cohort, samples.acquired[first])
    tables["timeline_radiation"] = twin_records.radiation(cohort)
    tables["timeline_prior_meds"] = twin_records.prior_meds(cohort)
    tables["timeline_diagnosis"] = twin_samples.diagnosis_table(cohort, samples)
    for test in twin_records.TESTS:
        tables[f"timeline_{test.lower().replace('-', '_')}_labs"] = twin_records.laboratory(cohort, test)
    tables["clinical_patient"] = patient_table(cohort, tables)
    tables["clinical_sample"] = twin_samples.sample_table(cohort, samples)
    tables["mutations"] = twin_genomics.mutation_table(cohort, samples)
    tables["sv"] = twin_genomics.variant_table(cohort, samples)
    tables["cna_segments"] = twin_copy_number.segment_table(samples)
    if clean:
        return tables
    dated = {name: twin_records.with_date_errors(name, columns, cohort) for name, columns in tables.items()}
    return {name: twin_records.with_duplicates(name, columns, cohort) for name, columns in dated.items()}


def truth_table(cohort: Cohort) -> pd.DataFrame:
    """One row a regimen on record: who, when, what, the true probability of response, the drawn response, the true hazard."""
    regimens = cohort.regimens
    option = regimens.option
    agents = np.empty(len(OPTIONS), dtype=object)
    agents[:] = [list(one.agents) for one in OPTIONS]
    null = np.array([one.is_null for one in OPTIONS])[option] & ~regimens.is_early
    return pd.DataFrame(
        {
            "patient_id": patient_ids(cohort.people.number)[regimens.person], "start_day": regimens.start.astype(np.int32), "agents": agents[option],
            "probability": regimens.probability, "response": np.array(RESPONSES, dtype=object)[regimens.response],
            "cancer_type": np.array(NAMES, dtype=object)[cohort.people.cancer[regimens.person]], "is_early": regimens.is_early, "is_null": null,
            "hazard_per_month": regimens.hazard,
        }
    )  # fmt: skip


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
    samples = twin_samples.make_samples(cohort)
    tables = all_columns(cohort, samples, task.clean)
    ids, keys = patient_ids(numbers), base_keys(task.seed, numbers)
    texts = {table.name: twin_text.block(table, tables[table.name], ids, keys, task.clean) for table in TABLES if table.layout == "rows"}
    lacking = ~samples.draws.chance("no matrix column", 0.0 if task.clean else NO_MATRIX_COLUMN)
    codes = twin_copy_number.call_codes(samples, cohort)[:, lacking]
    return Block(
        texts=texts, rows={name: length(columns) for name, columns in tables.items()}, matrix=twin_text.matrix_lines(codes),
        in_matrix=samples.sample_id[lacking].tolist(), truth=truth_table(cohort),
    )  # fmt: skip
