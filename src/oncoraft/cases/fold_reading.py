"""What folds are made of, read a row group at a time: with numbers instead of ids, which take a tenth of the memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cases.fold_designs import Frozen
from oncoraft.cases.tables import read_tables
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.ranges import RangedTable
from oncoraft.planning.config import Folds


def read_frozen(settings: Folds) -> Frozen:
    """Folds of an earlier run's `kfold_stratified`; empty where none is configured.

    Raises:
        InputError: no such file, not a folds table, or folds beyond the configured number.
    """
    if settings.frozen is None:
        return {}
    path = Path(settings.frozen)
    wanted = ["patient_id", "design", "fold"]
    rows = read_tables(path.parent, [path.stem], {path.stem: wanted})[path.stem]
    # The other designs go by hash or by configuration: their folds stay without being frozen.
    rows = rows[rows["design"] == "kfold_stratified"].drop_duplicates("patient_id")
    if rows.empty:
        raise InputError("expected rows of design kfold_stratified", file=path, column="design")
    if int(rows["fold"].max()) >= settings.folds:
        raise InputError(
            f"expected folds below {settings.folds}, as folds.folds says", file=path, column="fold", found=int(rows["fold"].max())
        )
    return {str(patient): int(fold) for patient, fold in zip(rows["patient_id"], rows["fold"])}


class Cases(NamedTuple):
    """Cases in the order of their file. case_id and patient_id are places among the sorted `case_ids` and `patients`."""

    table: pd.DataFrame
    case_ids: pa.Array
    patients: pa.Array


def read_cases(table: RangedTable) -> Cases:
    """Read cases: a cohort's ids as objects of Python take as much memory as all else here."""
    words = [name for name in table.columns if name != table.key]
    table = RangedTable(table.path, table.key, table.columns, words)
    rows = [table.file.schema_arrow.empty_table().select(table.columns)]
    rows += (table.file.read_row_group(number, columns=table.columns, use_threads=False) for number in range(table.file.num_row_groups))
    case_ids = pa.concat_arrays([chunk for group in rows for chunk in group["case_id"].chunks] or [pa.array([], pa.string())])
    order = pc.sort_indices(case_ids).to_numpy()
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order))
    patients, owners = _numbered([chunk for group in rows for chunk in group["patient_id"].chunks])
    own = pa.concat_tables(group.drop_columns(["case_id", "patient_id"]) for group in rows).unify_dictionaries()
    # In the order of the file: the first case of a patient says of which cancer type the patient is.
    numbered = own.append_column("case_id", pa.array(place)).append_column("patient_id", owners)
    del rows, own
    return Cases(numbered.to_pandas(ignore_metadata=True), case_ids.take(pa.array(order)), patients)


def _numbered(chunks: Sequence[pa.Array]) -> tuple[pa.Array, pa.Array]:
    """The different words of a column, sorted, and of every row the place of its own among them; null where there is none."""
    coded = [chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode() for chunk in chunks]
    words = pc.unique(pa.concat_arrays([chunk.dictionary for chunk in coded] or [pa.array([], pa.string())]))
    words = words.take(pc.sort_indices(words))
    places = [pc.index_in(chunk.dictionary, value_set=words).take(chunk.indices) for chunk in coded]
    return words, pa.concat_arrays(places or [pa.array([], pa.int32())])


def read_labels(table: RangedTable, definition: str, case_ids: pa.Array) -> pd.DataFrame:
    """Labels of a definition: case_id (place among some ids), definition, responder."""
    found = [table.file.schema_arrow.empty_table().select(table.columns)]
    for number in range(table.file.num_row_groups):
        rows = table.file.read_row_group(number, columns=table.columns, use_threads=False)
        found.append(rows.filter(pc.equal(rows["definition"], definition)))
    rows = pa.concat_tables(found)
    place = pc.index_in(rows["case_id"], value_set=case_ids)
    rows = rows.set_column(rows.column_names.index("case_id"), "case_id", place)
    return rows.filter(pc.is_valid(place)).to_pandas()
