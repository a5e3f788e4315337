"""Reading the tables that a step of this folder asks for; a study may lack some of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.ranges import Range, RangedTable, patient_ranges

log = logging.getLogger("oncoraft")
# What a study need not have: without it nothing is registered, operated on, radiated, seen or told of a specimen.
OPTIONAL: dict[str, dict[str, str]] = {
    "timeline_diagnosis": {"start_day": "int32"},
    "timeline_surgery": {"start_day": "int32"},
    "timeline_radiation": {"start_day": "int32"},
    "timeline_specimen_surgery": {"start_day": "int32"},
    "timeline_tumor_sites": {"start_day": "int32"},
    "timeline_cancer_presence": {"start_day": "int32"},
}
OPTIONAL_COLUMNS = {"clinical_sample": ("sample_type", "metastatic_site")}
SAMPLES = "clinical_sample"
WRITERS = {"cases": "regimens", "labels": "labels", "followup": "followup", "folds": "folds"}


def completed(tables: dict[str, pd.DataFrame], columns: dict[str, list[str]]) -> dict[str, pd.DataFrame]:
    """The tables, with an empty one for each optional one that is not there, and a null column for each optional column.

    Args:
        tables: by name.
        columns: what the step reads of each.
    """
    found = dict(tables)
    for name, wanted in columns.items():
        if name not in tables and (name in OPTIONAL or name in OPTIONAL_COLUMNS):
            types = OPTIONAL.get(name, {})
            found[name] = pd.DataFrame({column: pd.Series(dtype=types.get(column, "object")) for column in wanted})
        elif name in OPTIONAL_COLUMNS:
            absent = [column for column in OPTIONAL_COLUMNS[name] if column in wanted and column not in tables[name]]
            found[name] = tables[name].assign(**dict.fromkeys(absent, None))
    return found


def open_tables(folder: Path, names: Iterable[str], columns: dict[str, list[str]] | None = None) -> dict[str, RangedTable]:
    """Tables by name, open to be read by patient; samples by their own id, and what was made of cases by case.

    Args:
        folder: of ingested tables, or of cases.
        names: file stems.
        columns: by table, the only columns to read; a table that is not named is read whole.

    Returns:
        those that are there; an optional one that is not is told in a warning (`completed` puts an empty one in its place).

    Raises:
        InputError: a file is not there, is not Parquet, or lacks a column.
    """
    found = {}
    for name in names:
        path = folder / f"{name}.parquet"
        if not path.is_file() and name in OPTIONAL:
            log.warning("%s is not there: taken as empty", path)
            continue
        if not path.is_file():
            raise InputError(f"expected a table written by `oncoraft {WRITERS.get(name, 'ingest')}`", file=path)
        wanted = (columns or {}).get(name)
        try:
            there = pq.read_schema(path).names
        except pa.ArrowInvalid as error:
            raise InputError(f"expected a Parquet table ({str(error).splitlines()[0]})", file=path) from None
        if wanted is not None:
            wanted = [column for column in wanted if column in there or column not in OPTIONAL_COLUMNS.get(name, ())]
        if missing := sorted(set(wanted or ()) - set(there)):
            raise InputError("expected this column", file=path, column=missing[0], found="none of that name")
        key = "sample_id" if name == SAMPLES else "case_id" if name in WRITERS else "patient_id"
        # A table that is read whole alone, such as the folds of an earlier run, needs no key.
        found[name] = RangedTable(path, key if key in there else there[0], wanted)
    return found


def read_tables(folder: Path, names: Iterable[str], columns: dict[str, list[str]] | None = None) -> dict[str, pd.DataFrame]:
    """Tables by name, of everybody; arguments and errors as `open_tables`."""
    return {name: table.every() for name, table in open_tables(folder, names, columns).items()}


def of_patients(tables: Mapping[str, RangedTable], patient_ids: pa.Array) -> dict[str, pd.DataFrame]:
    """Their rows of open tables; of samples, those that their other tables name."""
    found = {name: table.rows(patient_ids) for name, table in tables.items() if name != SAMPLES}
    if SAMPLES in tables:
        named = {sample for rows in found.values() if "sample_id" in rows for sample in rows["sample_id"].dropna()}
        found[SAMPLES] = tables[SAMPLES].rows(pa.array(sorted(named), pa.string()))
    return found


def ranges_of(cases: RangedTable) -> list[Range]:
    """The ranges of the cases of an open `cases.parquet`."""
    ids = RangedTable(cases.path, "case_id", ["case_id", "patient_id"], ["patient_id"]).whole()
    case_ids, owners = (column.combine_chunks() for column in ids.columns)
    return patient_ranges(case_ids, owners)


def distinct(table: RangedTable, columns: list[str]) -> pd.DataFrame:
    """Combinations of those of some columns that an open table has, each once."""
    there = [name for name in columns if name in table.columns]
    groups = (table.file.read_row_group(number, columns=there, use_threads=False) for number in range(table.file.num_row_groups))
    parts = [table.file.schema_arrow.empty_table().select(there), *(group.group_by(there).aggregate([]) for group in groups)]
    return pa.concat_tables(parts, promote_options="permissive").to_pandas().drop_duplicates(ignore_index=True)


def coded(table: RangedTable) -> RangedTable:
    """The same table, every text as a number of a dictionary."""
    texts = [field.name for field in table.file.schema_arrow if pa.types.is_string(field.type)]
    return RangedTable(table.path, table.key, table.columns, texts)


def spelt(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with words where it has numbers of them."""
    return frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, object))
