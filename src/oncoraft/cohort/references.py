"""Whether rows name patients and specimens that the clinical tables have, and the right ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.knowledge.tables import TABLES

FIRST_IDS = 5
HOMES = {"patient": ("clinical_patient", "patient_id"), "sample": ("clinical_sample", "sample_id")}


def positions(column: pa.ChunkedArray, ids: pa.StringArray) -> np.ndarray:
    """Where each row's id stands among `ids`; -1: nowhere. Each distinct id of a dictionary column is looked up once."""
    whole = column.combine_chunks()
    chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
    found = [np.empty(0, np.int64)]
    for chunk in chunks:
        coded = chunk if isinstance(chunk, pa.DictionaryArray) else chunk.dictionary_encode()
        places = pc.fill_null(pc.index_in(coded.dictionary, value_set=ids), -1).to_numpy().astype(np.int64)
        found.append(places[coded.indices.to_numpy()])
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


def without_clinical_row(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Kept rows of patients and specimens whose own clinical row was set aside, where there are any."""
    known = {kind: tables[table][column].combine_chunks().cast(pa.string()) for kind, (table, column) in HOMES.items()}
    found = []
    for table in TABLES:
        for column in table.columns:
            if column.refers and table.name in tables and table.name != HOMES[column.refers][0]:
                ids = tables[table.name][column.name]
                stray = np.flatnonzero(positions(ids, known[column.refers]) < 0)
                first = sorted(set(ids.take(pa.array(stray)).to_pylist()))[:FIRST_IDS]
                found.append({"table": table.name, "column": column.name, "rows": len(stray), "first_ids": first})
    return [record for record in found if record["rows"]]


def specimens_of_others(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Rows that give a specimen to another patient than the sample table does, per table that names both."""
    samples = tables["clinical_sample"]
    specimens = samples["sample_id"].combine_chunks().cast(pa.string())
    patients = pc.unique(samples["patient_id"].combine_chunks().cast(pa.string()))
    owner = positions(samples["patient_id"], patients)
    found = []
    for table in TABLES:
        names = {column.refers: column.name for column in table.columns if column.refers}
        if table.name != "clinical_sample" and table.name in tables and {"patient", "sample"} <= set(names):
            rows = tables[table.name]
            specimen = positions(rows[names["sample"]], specimens)
            wrong = np.flatnonzero((specimen >= 0) & (owner[specimen] != positions(rows[names["patient"]], patients)))
            ids = sorted(set(rows[names["sample"]].take(pa.array(wrong)).to_pylist()))
            found.append({"table": table.name, "rows": len(wrong), "first_ids": ids[:FIRST_IDS]})
    return found
