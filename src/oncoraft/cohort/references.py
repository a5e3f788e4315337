"""Whether rows name patients and specimens that the clinical tables have, and the right ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.identifiers import Identifiers
from oncoraft.cohort.reader import Refusal
from oncoraft.cohort.rows import Known, TypedTable
from oncoraft.knowledge.tables import TABLES, Table

FIRST_IDS = 5
HOMES = {"patient": ("clinical_patient", "patient_id"), "sample": ("clinical_sample", "sample_id")}


def positions(column: pa.ChunkedArray, ids: Identifiers) -> np.ndarray:
    """Where each row's id stands among `ids`; -1: nowhere. Each distinct id of a dictionary column is looked up once."""
    whole = column.combine_chunks()
    chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
    found = [np.empty(0, np.int64)]
    for chunk in chunks:
        coded = chunk if isinstance(chunk, pa.DictionaryArray) else chunk.dictionary_encode()
        found.append(ids.places(coded.dictionary)[coded.indices.to_numpy()])
    return np.concatenate(found)


def orphans(found: Mapping[str, Mapping[str, list[str]]]) -> list[dict[str, Any]]:
    """Rows that name a patient or a specimen which the clinical files do not have, per table and column.

    Args:
        found: table -> column -> the unknown ids, one a row (of the copy-number matrix: a column), for tables that were read.
    """
    return [
        {
            "table": table.name,
            "column": column.name,
            "refers_to": column.refers,
            "rows": len(ids),
            "ids": len(set(ids)),
            "first_ids": sorted(set(ids))[:FIRST_IDS],
        }
        for table in TABLES
        if table.name in found
        for column in table.columns
        if column.refers and table.name != HOMES[column.refers][0]
        for ids in [found[table.name].get(column.name, [])]
    ]


def clinical_ids(tables: Mapping[str, pa.Table]) -> Known:
    """Ids of the rows of the two clinical tables."""
    return {kind: Identifiers(tables[table][column].combine_chunks().cast(pa.string())) for kind, (table, column) in HOMES.items()}


def without_clinical_row(tables: Mapping[str, pa.Table], known: Known, of: Sequence[Table] = TABLES) -> list[dict[str, Any]]:
    """Kept rows of patients and specimens whose own clinical row was set aside, where there are any; of some tables.

    Args:
        known: `clinical_ids`.
    """
    found = []
    for table in of:
        for column in table.columns:
            if column.refers and table.name in tables and table.name != HOMES[column.refers][0]:
                ids = tables[table.name][column.name]
                stray = np.flatnonzero(positions(ids, known[column.refers]) < 0)
                first = sorted(set(ids.take(pa.array(stray)).to_pylist()))[:FIRST_IDS]
                found.append({"table": table.name, "column": column.name, "rows": len(stray), "first_ids": first})
    return [record for record in found if record["rows"]]


def rows_of_others(table: Table, rows: pa.Table, samples: pa.Table) -> np.ndarray:
    """Positions of rows that give a specimen to another patient than the sample table does; none where a table does not name both."""
    names = {column.refers: column.name for column in table.columns if column.refers}
    if table.name == "clinical_sample" or not {"patient", "sample"} <= set(names):
        return np.empty(0, np.int64)
    specimens = Identifiers(samples["sample_id"].combine_chunks().cast(pa.string()))
    patients = Identifiers(pc.unique(samples["patient_id"].combine_chunks().cast(pa.string())))
    owner = positions(samples["patient_id"], patients)
    specimen = positions(rows[names["sample"]], specimens)
    return np.flatnonzero((specimen >= 0) & (owner[specimen] != positions(rows[names["patient"]], patients)))


def rows_that_repeat(table: Table, rows: pa.Table, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that date a specimen again, of a table in which only the first counts: their positions, and those of the first rows.

    Args:
        others: positions of rows that do not count at all.
    """
    if not table.first_of or not rows.num_rows:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    frame = pd.DataFrame(
        {
            "id": rows[table.first_of].combine_chunks().cast(pa.string()).to_pandas(),
            "day": rows["start_day"].to_numpy(),
            "line": rows["source_line"].to_numpy(),
        }
        # Before the first is looked for: a stranger's row must not date the specimen.
    ).drop(index=list(others))
    ordered = frame.sort_values(["id", "day", "line"])
    first = ordered.assign(at=ordered.index).groupby("id", sort=False)["at"].transform("first")
    again = ordered.index[first != ordered.index]
    return again.to_numpy(), first[again].to_numpy()


def specimens_of_others(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Rows that give a specimen to another patient than the sample table does, per table that names both."""
    found = []
    for table in TABLES:
        if table.name in tables and {"patient", "sample"} <= {column.refers for column in table.columns}:
            rows = tables[table.name]
            wrong = rows_of_others(table, rows, tables["clinical_sample"])
            found.append({"table": table.name, "rows": len(wrong), "first_ids": _first_samples(table, rows, wrong)})
    return [record for record in found if record["table"] != "clinical_sample"]


def specimens_repeated(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Rows that date a specimen again, per table in which only the first counts."""
    found = []
    for table in TABLES:
        if table.first_of and table.name in tables:
            rows = tables[table.name]
            again, _ = rows_that_repeat(table, rows, rows_of_others(table, rows, tables["clinical_sample"]))
            found.append({"table": table.name, "rows": len(again), "first_ids": _first_samples(table, rows, again)})
    return found


def _first_samples(table: Table, rows: pa.Table, which: np.ndarray) -> list[str]:
    column = next(column.name for column in table.columns if column.refers == "sample")
    ids: list[str] = rows[column].take(pa.array(which, pa.int64())).to_pylist()
    return sorted(set(ids))[:FIRST_IDS]


def of_their_owners(table: Table, typed: TypedTable, samples: pa.Table) -> TypedTable:
    """A table without the rows that give a specimen to a stranger or date it again; both are refused with their reason."""
    rows = typed.rows
    others = rows_of_others(table, rows, samples)
    again, first = rows_that_repeat(table, rows, others)
    if not len(others) and not len(again):
        return typed
    columns = {column.refers: column for column in table.columns if column.refers}
    lines = rows["source_line"].to_numpy()
    patient, sample = (rows[columns[kind].name].combine_chunks().cast(pa.string()) for kind in ("patient", "sample"))
    owner = "the patient to whom the sample table gives this specimen"
    refusals = [Refusal(int(lines[row]), columns["patient"].source, owner, patient[int(row)].as_py()) for row in others]
    for row, one in zip(again, first, strict=True):
        expected = f"a specimen that is dated once (its first day stands on line {lines[one]})"
        refusals.append(Refusal(int(lines[row]), columns["sample"].source, expected, sample[int(row)].as_py()))
    keep = np.ones(rows.num_rows, dtype=bool)
    keep[others], keep[again] = False, False
    ordered = sorted([*typed.refusals, *refusals], key=lambda refusal: refusal.line)
    return replace(typed, rows=rows.filter(pa.array(keep)), refusals=ordered)
