"""`oncoraft ingest`: a study folder into typed Parquet, every row accounted for.

For each file, rows read = kept + refused + duplicate, asserted. A table that the study lacks is written
empty, so that later steps find every table.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from oncoraft.cohort.accounts import COUNTS, DUPLICATES, LEDGER, REJECTS
from oncoraft.cohort.checks import check_all, sentences
from oncoraft.cohort.ingestion import Ingestion
from oncoraft.cohort.recognise import recognise, sentence
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, sealed, write_json
from oncoraft.foundation.publishing import MANIFEST
from oncoraft.foundation.ranges import without_cycle_search
from oncoraft.knowledge.study_files import case_list_files, study_name
from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")

NOTES = {
    "quoted_cells": "cells in quotes, read without them",
    "unknown_words": "cells with words of no known vocabulary",
    "bounds": "cells that give a bound, read as the nearest whole number that keeps it",
    "log2_called": "calls made from log2 ratios, from a fold change of two",
    "told_by_oncotree": "cancer types told by ONCOTREE_CODE",
    "unknown_oncotree_codes": "specimens with a code that the table of OncoTree codes lacks; they have no cancer type",
}
# What the step writes in its folder, by the pattern of its name.
WRITTEN = ("*.parquet", "checks.json", "manifest.json")
RECORDS = {"ledger": LEDGER, "rejects": REJECTS, "duplicates": DUPLICATES}
EPILOG = """\
STUDY holds the data files of a study in cBioPortal's layout (docs/tables.md lists them; the two clinical ones are required). They are found
by the released name, in any case, or by what the study's meta files say. TABLES receives one Parquet file a table, and
  ledger.parquet      a line per file: digest, rows read = kept + refused + duplicate, columns not used
  rejects.parquet     rows set aside, verbatim, with file, line, column and reason
  duplicates.parquet  exact duplicates that were dropped: their line, and the line of the row that stays
  checks.json         which release it is, ids, time zero, months and days, events after the end of follow-up, notes
  manifest.json       digests of all that went in and came out
With `ingest.strictness: fail` the first bad row ends the run.

example:
  oncoraft twin --out study --patients 500 && oncoraft ingest study --out tables
"""


@dataclass(frozen=True)
class Ingested:
    """What one run found: records of the ledger, of refused and of duplicate rows, the checks, the files that were read."""

    ledger: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    duplicates: list[dict[str, Any]]
    checks: dict[str, Any]
    files: list[Path]


def ingest(study: Path, outputs: dict[str, Path], strictness: str, accepted: Collection[str] = ()) -> Ingested:
    """Read every table of `study` into `outputs` (table name -> Parquet path).

    Args:
        strictness: `refuse` sets bad rows aside, `fail` ends at the first.
        accepted: tables that may lose most of their rows.

    Returns:
        records in the order of the specification, then of lines.

    Raises:
        InputError: a required file or column is missing, a file is no table of text, most rows of a table cannot be kept,
            day 0 is not the first sequencing, or, with `fail`, any bad row.
    """
    names = [table.name for table in TABLES]
    if unknown := [name for name in accepted if name not in names]:
        raise InputError(f"expected tables among {', '.join(names)}", column="ingest.accept_mostly_refused", found=unknown[0])
    ingestion = Ingestion(study, outputs, strictness, accepted)
    for table in sorted(TABLES, key=lambda table: table.layout != "rows"):  # the matrix last: its coverage needs the panels
        ingestion.read(table)
    lists = case_list_files(study)
    ingestion.write_profiled(lists)
    order = {table.name: position for position, table in enumerate(TABLES)}
    ledger = sorted(ingestion.ledger, key=lambda record: order[record["table"]])
    rejects = sorted(ingestion.rejects, key=lambda record: (order[record["table"]], record["source_line"]))
    repeated = [
        {"table": name, "file": ingestion.duplicates[name][0], "source_line": line, "first_line": first}
        for name in names
        if name in ingestion.duplicates
        for line, first in ingestion.duplicates[name][1].tolist()
    ]
    digests = {line["file"]: line["sha256"] for line in ledger if line["status"] == "read"}
    found = recognise(study_name(study), digests, ingestion.layout)
    checks = check_all(ingestion.clinical, ingestion.checks(), ingestion.stray, ingestion.constant, ingestion.sequencing)
    others = sorted(path.name for path in study.iterdir() if path.name.casefold().startswith("data_") and path.name not in digests)
    absent = [line["table"] for line in ledger if line["status"] == "absent"]
    checks = {"study": found, **checks, "notes": ingestion.notes, "tables_absent": absent, "files_not_read": others}
    _say(checks)
    return Ingested(ledger, rejects, repeated, checks, [*ingestion.files.values(), *lists.values()])


def _say(checks: dict[str, Any]) -> None:
    log.info(sentence(checks["study"]))
    for said in sentences(checks):
        log.info(said)
    for note in checks["notes"]:
        log.info("%s.%s: %d %s, e.g. %r", note["table"], note["column"], note["rows"], NOTES[note["what"]], note["first_words"][0])
    if checks["files_not_read"]:
        log.info("files that are no table of the specification: %s", ", ".join(checks["files_not_read"]))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the step."""
    parser = step_parser("ingest", EPILOG)
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder with the study's data files")
    parser.add_argument("--out", type=Path, required=True, metavar="TABLES", help="folder for the Parquet tables")
    options = parser.parse_args(arguments)
    settings = read_settings("ingest", options)
    if not options.study.is_dir():
        raise InputError("expected the folder of a study", file=options.study, found="no such folder")
    # One folder that is swapped at once: file by file, a kill could leave old tables beside new ones.
    with publishing(options.out, step="ingest", folders=[options.out], own=WRITTEN) as (folder,):
        folder.mkdir()
        names = [*(table.name for table in (*TABLES, *DERIVED_TABLES)), *RECORDS]
        places = {name: folder / f"{name}.parquet" for name in names}
        with without_cycle_search():  # tables hold none; to look for them takes a tenth of the time
            found = ingest(options.study, places, settings["ingest"].strictness, settings["ingest"].accept_mostly_refused)
        for name, schema in RECORDS.items():
            parquet.write_table(pa.Table.from_pylist(getattr(found, name), schema), places[name])
        write_json(folder / "checks.json", found.checks)
        record = manifest(
            "ingest",
            inputs=found.files,
            outputs={options.out / path.name: path for path in (*places.values(), folder / "checks.json")},
            settings=settings_record(options, settings),
            counts={line["table"]: {key: line[key] for key in COUNTS} for line in found.ledger},
            beside=options.out / MANIFEST,
            digests={options.study / line["file"]: line["sha256"] for line in found.ledger if line["status"] == "read"},
        )
        write_json(folder / MANIFEST, sealed(record | {"study": found.checks["study"]}))
    totals = [sum(line[key] for line in found.ledger) for key in ("rows_read", "rows_refused", "rows_duplicate")]
    log.info("%d rows read, %d set aside, %d duplicates dropped", *totals)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
