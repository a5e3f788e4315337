"""`oncoraft mapping`: every field of the allow-list against what a cohort has of it: mapped, approximated (how), or absent.

Read off the ingested tables themselves, so that a column which is there but empty counts as absent, and held against the evidence: a
field that is absent may not be claimed by any case.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as parquet

from oncoraft.artefacts import read_table
from oncoraft.evidence.declaration import Field
from oncoraft.evidence.fields import FIELDS
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.knowledge.tables import table
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
CASES = "cases"  # the case list is made of the treatment timeline
FROM_TREATMENT = "timeline_treatment.agent"
# Columns that the reader of tables makes, and what it makes them of.
MADE_OF = {"os_days": "os_months"}


def values_of(tables: Path, source: str) -> int:
    """How many cells of `table.column` hold something.

    Raises:
        InputError: the table is not there.
    """
    name, column = source.split(".")
    path = require_file(tables / f"{name}.parquet", "a table written by `oncoraft ingest`")
    if column not in parquet.read_schema(path).names:
        return 0
    cells = parquet.read_table(path, columns=[column])[column]
    return len(cells) - cells.null_count


def origins(document: Path | None) -> dict[str, tuple[str, str]]:
    """`table.column`, as in Parquet -> status and how, by a reader's mapping.json; empty without one: every column is the source's own.

    Raises:
        InputError: it is no such document.
    """
    if document is None:
        return {}
    try:
        columns = json.loads(require_file(document, "the mapping.json of a reader").read_text(encoding="utf-8"))["columns"]
        names = {(one.name, column.source): column.name for one in map(table, {row["table"] for row in columns}) for column in one.columns}
        return {f"{row['table']}.{names[row['table'], row['column']]}": (row["status"], row["how"]) for row in columns}
    except (ValueError, KeyError, TypeError):
        raise InputError("expected the mapping.json that `oncoraft convert` writes", file=document) from None


def field_row(field: Field, filled: Mapping[str, int], known: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """What a cohort has of one field.

    Args:
        field: of the allow-list.
        filled: `table.column` -> cells that hold something.
        known: from `origins`.
    """
    sources = [FROM_TREATMENT if one.startswith(f"{CASES}.") else one for one in field.sources]
    there = [one for one in dict.fromkeys(sources) if filled[one]]
    told = {one: known.get(_column(one), ("mapped", "the same column")) for one in dict.fromkeys(sources)}
    status = "absent" if not there else "approximated" if any(told[one][0] == "approximated" for one in there) else "mapped"
    shown = there if there else list(told)
    how = [f"{one}: {told[one][1] if there or told[one][0] == 'absent' else 'no row has a value'}" for one in shown]
    lacking = [one for one in told if one not in there] if there else []
    return {"field": field.name, "section": field.section, "status": status, "how": "; ".join(how), "empty_sources": ", ".join(lacking)}


def _column(source: str) -> str:
    name, column = source.split(".")
    return f"{name}.{MADE_OF.get(column, column)}"


def mapping_rows(tables: Path, document: Path | None, evidence: pd.DataFrame, cases: int) -> pd.DataFrame:
    """One row a field: field, section, status, how, empty_sources, cases_with, cases.

    Raises:
        InputError: a case claims a field that the cohort does not have.
    """
    wanted = {FROM_TREATMENT if one.startswith(f"{CASES}.") else one for field in FIELDS for one in field.sources}
    filled, known = {one: values_of(tables, one) for one in sorted(wanted)}, origins(document)
    claims = evidence.groupby("field")["case_id"].nunique()
    rows = [field_row(field, filled, known) | {"cases_with": int(claims.get(field.name, 0)), "cases": cases} for field in FIELDS]
    for row in rows:
        if row["status"] == "absent" and row["cases_with"]:
            raise InputError(
                "expected no case to tell of a field that the cohort does not have", column=row["field"], found=row["cases_with"]
            )
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read tables, evidence and the reader's account; write the report."""
    parser = step_parser(
        "mapping", "example:\n  oncoraft mapping tables --evidence evidence.parquet --reader-mapping study/mapping.json --out mapping.csv"
    )
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("--evidence", type=Path, required=True, metavar="FILE", help="evidence.parquet of the cohort")
    parser.add_argument(
        "--reader-mapping", type=Path, metavar="FILE", help="mapping.json of `oncoraft convert`; none for MSK-CHORD's own layout"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV file to write")
    given = parser.parse_args(arguments)
    settings = read_settings("mapping", given)
    evidence = read_table(given.evidence, ["case_id", "field"])
    rows = mapping_rows(given.tables, given.reader_mapping, evidence, evidence["case_id"].nunique())
    counts = {str(status): int(number) for status, number in rows["status"].value_counts().sort_index().items()}
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step="mapping") as (out, note):
        write_csv(out, rows)
        inputs = [given.evidence, *([given.reader_mapping] if given.reader_mapping else []), *sorted(given.tables.glob("*.parquet"))]
        written = manifest(
            "mapping", inputs=inputs, outputs={given.out: out}, settings=settings_record(given, settings), counts=counts, beside=record
        )
        write_json(note, written)
    log.info("mapping: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
