"""Whether rows name patients and specimens that the clinical tables have, and the right ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

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


def clinical_ids(tables: Mapping[str, pa.Table], known: Known) -> Known:
    """Ids of the rows of the two clinical tables; those of `known`, which has ids of rows set aside too, where these are the same."""
    kept = {kind: tables[table][column].combine_chunks().cast(pa.string()) for kind, (table, column) in HOMES.items()}
    return {kind: known[kind] if ids.equals(known[kind].ids) else Identifiers(ids) for kind, ids in kept.items()}


def kind_of(table: Table, name: str) -> str:
    """What a column that holds ids refers to."""
    return next(column.refers for column in table.columns if column.name == name)


def without_clinical_row(table: Table, rows: pa.Table, where: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Kept rows of patients and specimens whose own clinical row was set aside, where there are any, per column.

    Args:
        table: the specification of the rows.
        rows: some of its kept rows, with their ids.
        where: column of ids -> `positions` among the `clinical_ids`.
    """
    found = []
    for column in table.columns:
        if column.refers and table.name != HOMES[column.refers][0]:
            stray = np.flatnonzero(where[column.name] < 0)
            first = sorted(set(rows[column.name].take(pa.array(stray)).to_pylist()))[:FIRST_IDS]
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


class Misplaced(NamedTuple):
    """Positions of rows that give a specimen to a stranger; of those that date one again, and of the first rows of these."""

    others: np.ndarray
    again: np.ndarray
    first: np.ndarray


def misplaced(table: Table, rows: pa.Table, samples: pa.Table) -> Misplaced:
    """Which rows of a whole table do not agree with the sample table, or with an earlier row, about a specimen."""
    others = rows_of_others(table, rows, samples)
    return Misplaced(others, *rows_that_repeat(table, rows, others))


def specimens_of_others(table: Table, rows: pa.Table, found: Misplaced) -> list[dict[str, Any]]:
    """Rows that give a specimen to another patient than the sample table does: a record of a table that names both."""
    if table.name == "clinical_sample" or not {"patient", "sample"} <= {column.refers for column in table.columns}:
        return []
    return [{"table": table.name, "rows": len(found.others), "first_ids": _first_samples(table, rows, found.others)}]


def specimens_repeated(table: Table, rows: pa.Table, found: Misplaced) -> list[dict[str, Any]]:
    """Rows that date a specimen again: a record of a table in which only the first counts."""
    if not table.first_of:
        return []
    return [{"table": table.name, "rows": len(found.again), "first_ids": _first_samples(table, rows, found.again)}]


def _first_samples(table: Table, rows: pa.Table, which: np.ndarray) -> list[str]:
    column = next(column.name for column in table.columns if column.refers == "sample")
    ids: list[str] = rows[column].take(pa.array(which, pa.int64())).to_pylist()
    return sorted(set(ids))[:FIRST_IDS]


def of_their_owners(table: Table, typed: TypedTable, found: Misplaced) -> TypedTable:
    """A table without the rows that give a specimen to a stranger or date it again; both are refused with their reason."""
    rows, (others, again, first) = typed.rows, found
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
