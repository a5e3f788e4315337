"""`oncoraft ingest`: a study folder into typed Parquet, every row accounted for.

For each file, rows read = kept + refused + duplicate, asserted. A table that the study lacks is written
empty, so that later steps find every table.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as parquet

from oncoraft.cohort.cells import TypedTable, schema, type_table
from oncoraft.cohort.checks import add_follow_up, check_all, months_constant
from oncoraft.cohort.reader import Header, Refusal, raw_lines, read_header, read_rows
from oncoraft.cohort.wide import ANNOTATIONS, read_matrix
from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES, Table
from oncoraft.provenance import file_digest, manifest, publishing, write_json

log = logging.getLogger("oncoraft")

LEDGER = pa.schema(
    [
        ("table", pa.string()),
        ("file", pa.string()),
        ("status", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("rows_read", pa.int64()),
        ("rows_kept", pa.int64()),
        ("rows_refused", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("ignored_columns", pa.list_(pa.string())),
    ]
)
REJECTS = pa.schema(
    [
        ("table", pa.string()),
        ("file", pa.string()),
        ("source_line", pa.int32()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)
EPILOG = """\
STUDY holds the data files of a study in cBioPortal's layout (docs/tables.md lists them; five are required). TABLES receives
one Parquet file a table, ledger.parquet (a line per file: digest and counts), rejects.parquet (rows set aside, verbatim,
with the reason), checks.json (ids, time zero, follow-up) and manifest.json.

example:
  oncoraft twin --out study --patients 500 && oncoraft ingest study --out tables
"""


class Ingestion:
    """One run: reads table after table into `outputs`, keeps counts, refusals and the columns that the checks need."""

    def __init__(self, study: Path, outputs: dict[str, Path], strictness: str) -> None:
        self.study, self.outputs, self.strictness = study, outputs, strictness
        self.ledger: list[dict[str, Any]] = []
        self.rejects: list[dict[str, Any]] = []
        self.kept: dict[str, pa.Table] = {}
        self.constant: dict[str, Any] = {}
        self.panels: dict[str, str] = {}

    def read(self, table: Table) -> None:
        """Read one table, write its Parquet, account for its rows."""
        path = self.study / table.file
        if not path.is_file():
            self._absent(table)
            return
        started = time.monotonic()
        if table.layout == "gene_by_sample":
            typed, ignored = self._matrix(table, path)
        else:
            typed, ignored = self._rows(table, path)
        self._account(table, path, typed, ignored)
        log.info("%s: %d rows in %.1f s", table.file, typed.rows_read, time.monotonic() - started)

    def _absent(self, table: Table) -> None:
        if table.required:
            raise InputError(
                f"missing; a study cannot be read without its {table.name} table ({table.note or 'required'})", file=self.study / table.file
            )
        self._write(table.name, schema(table).empty_table())
        if table.layout == "gene_by_sample":
            self._write(DERIVED_TABLES[0].name, schema(DERIVED_TABLES[0]).empty_table())
        empty: dict[str, Any] = {
            "sha256": None,
            "bytes": 0,
            "rows_read": 0,
            "rows_kept": 0,
            "rows_refused": 0,
            "rows_duplicate": 0,
            "ignored_columns": [],
        }
        self.ledger.append({"table": table.name, "file": table.file, "status": "absent", **empty})

    def _rows(self, table: Table, path: Path) -> tuple[TypedTable, list[str]]:
        header = read_header(path)
        ignored = _check_header(table, header, path)
        typed = type_table(table, read_rows(path, header))
        rows = typed.rows
        if table.required and not rows.num_rows:
            _nothing_left(table, path, typed)
        if table.name == "clinical_patient":
            self.constant = months_constant(rows["os_months"].to_numpy())
            rows = add_follow_up(rows, self.constant["days_per_month"])
        if table.name == "gene_panel_matrix":
            pairs = zip(rows["sample_id"].to_pylist(), rows["cna"].to_pylist(), strict=True)
            self.panels = {sample: panel for sample, panel in pairs if panel is not None}
        self._write(table.name, rows.cast(schema(table)))
        needed = [column.name for column in table.columns if column.refers or column.kind == "day"]
        self.kept[table.name] = rows.select([*needed, *(column.name for column in table.derived)])
        return typed, ignored

    def _matrix(self, table: Table, path: Path) -> tuple[TypedTable, list[str]]:
        matrix = read_matrix(path, self.panels)
        self._write(table.name, matrix.calls.cast(schema(table)))
        self._write(DERIVED_TABLES[0].name, matrix.coverage.cast(schema(DERIVED_TABLES[0])))
        self.kept[table.name] = matrix.calls.select(["sample_id"])
        ignored = [name for name in read_header(path).names if name.casefold() in ANNOTATIONS - {"hugo_symbol"}]
        return TypedTable(matrix.calls, matrix.refusals, matrix.rows_read, matrix.rows_duplicate), ignored

    def _account(self, table: Table, path: Path, typed: TypedTable, ignored: list[str]) -> None:
        refused = len(typed.refusals)
        # A gene without a call has no row in long form, so the matrix's kept rows are genes, not calls.
        is_matrix = table.layout == "gene_by_sample"
        kept = typed.rows_read - refused - typed.rows_duplicate if is_matrix else typed.rows.num_rows
        assert typed.rows_read == kept + refused + typed.rows_duplicate, table.name
        if refused:
            self._refuse(table, path, typed.refusals)
        if ignored:
            log.info("%s: columns not used: %s", table.file, ", ".join(ignored))
        self.ledger.append(
            {
                "table": table.name,
                "file": table.file,
                "status": "read",
                "sha256": file_digest(path),
                "bytes": path.stat().st_size,
                "rows_read": typed.rows_read,
                "rows_kept": kept,
                "rows_refused": refused,
                "rows_duplicate": typed.rows_duplicate,
                "ignored_columns": ignored,
            }
        )

    def _refuse(self, table: Table, path: Path, refusals: list[Refusal]) -> None:
        first = refusals[0]
        if self.strictness == "fail":
            raise InputError(f"expected {first.expected}", file=path, line=first.line, column=first.column or None, found=first.found)
        log.warning("%s: %d rows set aside, the first on line %d", table.file, len(refusals), first.line)
        raw = raw_lines(path, {refusal.line for refusal in refusals})
        self.rejects += [
            {
                "table": table.name,
                "file": table.file,
                "source_line": refusal.line,
                "column": refusal.column or None,
                "reason": f"expected {refusal.expected}, found {refusal.found!r}",
                "raw": raw[refusal.line],
            }
            for refusal in refusals
        ]

    def _write(self, name: str, rows: pa.Table) -> None:
        parquet.write_table(rows, self.outputs[name])


def _check_header(table: Table, header: Header, path: Path) -> list[str]:
    """Columns of the file that the specification does not know; a missing required column ends the run."""
    for column in table.columns:
        if column.required and header.position(column.source) is None:
            raise InputError("this column is required", file=path, line=header.line, column=column.source, found="no such header")
    known = {column.source.casefold() for column in table.columns}
    return [name for name in header.names if name.casefold() not in known]


def _nothing_left(table: Table, path: Path, typed: TypedTable) -> NoReturn:
    """A required table without a single good row ends the run, naming the first refusal if there is one."""
    if not typed.refusals:
        raise InputError(f"expected at least one row; a study cannot be read without its {table.name} table", file=path, found="none")
    first = typed.refusals[0]
    raise InputError(
        f"every row is refused, the first since it must hold {first.expected}",
        file=path,
        line=first.line,
        column=first.column or None,
        found=first.found,
    )


def ingest(study: Path, outputs: dict[str, Path], strictness: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Read every table of `study` into `outputs` (table name -> Parquet path).

    Args:
        strictness: `refuse` sets bad rows aside, `fail` ends at the first.

    Returns:
        ledger and rejects as records in the order of the specification, and the checks.

    Raises:
        InputError: a required file or column is missing, a file is not text, day 0 is not the first sequencing,
            or, with `fail`, any bad row.
    """
    ingestion = Ingestion(study, outputs, strictness)
    for table in sorted(TABLES, key=lambda table: table.layout != "rows"):  # the matrix last: its coverage needs the panels
        ingestion.read(table)
    checks = check_all(ingestion.kept, ingestion.constant, study / "data_timeline_specimen.txt")
    order = {table.name: position for position, table in enumerate(TABLES)}
    ledger = sorted(ingestion.ledger, key=lambda record: order[record["table"]])
    rejects = sorted(ingestion.rejects, key=lambda record: (order[record["table"]], record["source_line"]))
    return ledger, rejects, checks


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the step."""
    parser = step_parser("ingest", EPILOG)
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder with the study's data files")
    parser.add_argument("--out", type=Path, required=True, metavar="TABLES", help="folder for the Parquet tables")
    options = parser.parse_args(arguments)
    settings = read_settings("ingest", options)
    if not options.study.is_dir():
        raise InputError("expected the folder of a study", file=options.study, found="no such folder")
    names = [table.name for table in (*TABLES, *DERIVED_TABLES)]
    finals = [*(options.out / f"{name}.parquet" for name in (*names, "ledger", "rejects")), options.out / "checks.json"]
    with publishing(*finals, options.out / "manifest.json") as temporary:
        ledger, rejects, checks = ingest(options.study, dict(zip(names, temporary, strict=False)), settings["ingest"].strictness)
        parquet.write_table(pa.Table.from_pylist(ledger, LEDGER), temporary[len(names)])
        parquet.write_table(pa.Table.from_pylist(rejects, REJECTS), temporary[len(names) + 1])
        write_json(temporary[len(names) + 2], checks)
        record = manifest(
            "ingest",
            inputs=[options.study / line["file"] for line in ledger if line["status"] == "read"],
            outputs=dict(zip(finals, temporary, strict=False)),
            settings=settings_record(options, settings),
            counts={line["table"]: {key: line[key] for key in line if key.startswith("rows_")} for line in ledger},
            beside=options.out / "manifest.json",
        )
        write_json(temporary[-1], record)
    log.info("%d rows read, %d set aside, %d duplicates dropped", *_totals(ledger))
    return 0


def _totals(ledger: list[dict[str, Any]]) -> tuple[int, ...]:
    return tuple(sum(line[key] for line in ledger) for key in ("rows_read", "rows_refused", "rows_duplicate"))


if __name__ == "__main__":
    raise SystemExit(run(main))
