"""`oncoraft convert`: a cohort in another layout becomes a study folder in MSK-CHORD's, with a mapping report.

What is written is what `oncoraft ingest` reads, so that everything after it is the same for every cohort. Days are aligned to the first
sequencing here, once and explicitly; a calendar date is refused and none is made.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.cohort.conversion import Converted
from oncoraft.cohort.readers import READERS
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, sealed, write_json
from oncoraft.foundation.publishing import MANIFEST
from oncoraft.knowledge.curated import FILE as CURATED
from oncoraft.knowledge.tables import TABLES, Table
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
MAPPING = "mapping.json"
WRITTEN = ("data_*", "meta_*", "case_lists/*", MAPPING, CURATED, MANIFEST)
EPILOG = """\
SOURCE is a cohort in another layout. STUDY receives the tables that it has, in the layout of MSK-CHORD (docs/tables.md), and mapping.json:
where every column comes from (mapped, approximated and how, absent and why), the rows that were set aside, and how days were aligned;
of a source whose scans people read also curated.csv: what they say of each (patient_id, start_day, reading).

readers: cbioportal (a study of that layout, counted from another day: --mapping says which), genie_bpc (the CSV tables of a release),
csv (a group's own tables, by a mapping file), meds (what `oncoraft export-meds` wrote); docs/external.md

example:
  oncoraft convert release --reader genie_bpc --out study && oncoraft ingest study --out tables
"""


def origins_of(made: Converted) -> list[dict[str, str]]:
    """Every column of the layout with its status and how, in the order of the specification."""
    found = []
    for table in TABLES:
        for column in table.columns:
            name = f"{table.name}.{column.source}"
            origin = made.origins.get(name)
            has = (table.name in made.tables or table.file in made.files) and origin is not None
            status = origin.status if origin is not None and has else "absent"
            how = (
                origin.how
                if origin is not None
                else "the source has no such column"
                if table.name in made.tables
                else "the source has no such table"
            )
            if origin is not None and not has:
                how = f"the source has no row of it ({origin.how})"
            found.append({"table": table.name, "column": column.source, "status": status, "how": how})
    return found


def write_tables(folder: Path, made: Converted) -> None:
    """Every table as text in its file; cells that would break a row lose their tabs and line ends. What needs no change is copied."""
    for table in TABLES:
        if table.name in made.tables:
            write_table(folder / table.file, table, made.tables[table.name])
    if made.readings is not None:
        write_csv(folder / CURATED, made.readings)
    for name, path in made.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, folder / name)


def write_table(path: Path, table: Table, rows: pd.DataFrame) -> None:
    """One table, tab-separated, nothing quoted."""
    text = rows.astype(str) if table.layout == "gene_by_sample" else rows.astype(str).replace(r"[\t\r\n]+", " ", regex=True)
    lines = ["\t".join(map(str, text.columns)), *("\t".join(cells) for cells in text.itertuples(index=False, name=None))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def document(made: Converted, reader: str) -> dict[str, Any]:
    """What stands in mapping.json."""
    return {
        "reader": reader,
        "clock": made.clock,
        "rows": [one._asdict() for one in made.counts],
        "columns": origins_of(made),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a source, write a study folder, whole or not at all."""
    parser = step_parser("convert", EPILOG)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="folder of the cohort")
    parser.add_argument("--reader", required=True, help=f"how the source is laid out: {', '.join(READERS)}")
    parser.add_argument("--mapping", type=Path, metavar="FILE", help="YAML file of the readers that need one")
    parser.add_argument("--out", type=Path, required=True, metavar="STUDY", help="study folder to write")
    given = parser.parse_args(arguments)
    settings = read_settings("convert", given)
    if given.reader not in READERS:
        raise InputError(f"--reader: expected one of {', '.join(READERS)}", found=given.reader)
    if not given.source.is_dir():
        raise InputError("expected the folder of a cohort", file=given.source, found="no such folder")
    made = READERS[given.reader](given.source, given.mapping)
    if given.mapping is not None:
        made.inputs.append(given.mapping)
    with publishing(given.out, step="convert", folders=[given.out], own=WRITTEN) as (folder,):
        folder.mkdir()
        write_tables(folder, made)
        write_json(folder / MAPPING, document(made, given.reader))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        record = manifest(
            "convert",
            inputs=made.inputs,
            outputs={given.out / path.relative_to(folder): path for path in files},
            settings=settings_record(given, settings),
            counts={table.name: len(made.tables[table.name]) for table in TABLES if table.name in made.tables},
            beside=given.out / MANIFEST,
        )
        write_json(folder / MANIFEST, sealed(record))
    for one in made.counts:
        log.info("%s: %d rows %s", one.file, one.rows, one.what)
    log.info("convert: %d tables in %s", len(made.tables), given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
