"""A MEDS data set that `oncoraft export-meds` wrote, back into tables: each event names the table, row and column where it stood.

Another data set is refused: codes alone do not say which drug was given with which, nor what a scan was of; such a cohort comes in by its
own tables and a mapping file.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from oncoraft.cohort.conversion import BY_NAME, Converted, Origin
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.knowledge.meds import ANCHOR, DATA, DATASET, EXTRA

COLUMNS = ("time", "text_value", "patient_id", *EXTRA)


def read_meds(source: Path, mapping: Path | None = None) -> Converted:
    """The tables of a data set.

    Args:
        source: folder with data/ and metadata/.
        mapping: not taken.

    Raises:
        InputError: no data set of ours, a clock that is not declared relative, a file without the columns that say where values stood, or
            a value that stands twice.
    """
    if mapping is not None:
        raise InputError("expected no mapping file: this reader knows its columns", file=mapping)
    made = Converted()
    made.inputs.append(_declared(source))
    found = _events(source, made)
    _refuse_twice(found, source)
    for name, rows in found[found["source_table"] != ""].groupby("source_table", sort=True):
        if name not in BY_NAME:
            raise InputError("expected tables of this layout", file=source / DATA, column="source_table", found=str(name))
        made.put(str(name), *_table(str(name), rows))
    made.clock = {"clock": f"days from {ANCHOR}, which stands for each patient's first sequencing"}
    return made


def _declared(source: Path) -> Path:
    path = require_file(source / DATASET, "the metadata of a MEDS data set")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError("expected JSON", file=path) from None
    if not isinstance(told, dict) or told.get("etl_name") != "oncoraft" or told.get("time_is_relative") is not True:
        raise InputError(
            "expected a data set that `oncoraft export-meds` wrote, its clock declared relative", file=path, column="time_is_relative"
        )
    return path


def _events(source: Path, made: Converted) -> pd.DataFrame:
    paths = sorted((source / DATA).rglob("*.parquet"))
    if not paths:
        raise InputError("expected Parquet files", file=source / DATA, found="none")
    parts = []
    for path in paths:
        try:
            schema = parquet.read_schema(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"expected a Parquet file ({str(error).splitlines()[0][:80]})", file=path) from None
        for name in COLUMNS:
            if name not in schema.names:
                raise InputError("expected this column, which says where a value stood", file=path, column=name)
        kind = schema.field("time").type
        if not pa.types.is_timestamp(kind) or kind.tz is not None:
            raise InputError("expected times without a zone", file=path, column="time", found=str(kind))
        parts.append(parquet.read_table(path, columns=list(COLUMNS)).to_pandas())
        made.inputs.append(path)
    # Events of no table, such as a death, have none to name; some tools write that as a missing text.
    return pd.concat(parts, ignore_index=True).fillna({"source_table": ""})


def _refuse_twice(found: pd.DataFrame, source: Path) -> None:
    """Whether a value of one place stands twice, as where a shard was copied or a subject is in two.

    Raises:
        InputError: the first.
    """
    kept = found[found["source_table"] != ""]
    twice = kept[kept.duplicated(["source_table", "source_row", "source_column"])]
    if len(twice):
        one = twice.iloc[0]
        place = f"{one['source_table']}, row {one['source_row']}, {one['source_column']}"
        expected = f"expected every subject in one file and each value once; {len(twice)} stand twice, the first"
        raise InputError(expected, file=source / DATA, column="source_row", found=place)


def _table(name: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Origin]]:
    """One table as text, rows in their old order."""
    day = (rows["time"] - pd.Timestamp(ANCHOR)) // pd.Timedelta(days=1)
    text = (
        rows["text_value"]
        .astype(object)
        .where(rows["source_column"] != "start_day", day.map(lambda value: "" if np.isnan(value) else str(int(value))))
    )
    wide = rows.assign(text=text).pivot(index="source_row", columns="source_column", values="text").sort_index()
    wide["patient_id"] = rows.drop_duplicates("source_row").set_index("source_row")["patient_id"]
    headers = {column.name: column.source for column in BY_NAME[name].columns}
    made = wide[[column for column in wide.columns if column in headers]].rename(columns=headers).astype(object).fillna("")
    return made, {header: Origin("mapped", "the same column, through MEDS") for header in made.columns}
