"""The reading of one study, table after table: what is written, counted, set aside, and kept for the checks."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as parquet

from oncoraft.cohort.cells import schema, type_distinct
from oncoraft.cohort.checks import add_follow_up, months_constant
from oncoraft.cohort.older import rows_of_test
from oncoraft.cohort.profiled import Profiling
from oncoraft.cohort.reader import Header, RawTable, Refusal, raw_lines, read_header, read_rows
from oncoraft.cohort.recognise import Layout, columns_of_signs
from oncoraft.cohort.rows import HOME, TypedTable, type_table
from oncoraft.cohort.wide import ANNOTATIONS, read_matrix
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import file_digest
from oncoraft.knowledge.genomic_tables import CNA_COVERAGE, PROFILED
from oncoraft.knowledge.study_files import MARKERS_FILE, case_list, find_file, markers_file
from oncoraft.knowledge.tables import Column, Table

log = logging.getLogger("oncoraft")

COUNTS = ("rows_read", "rows_kept", "rows_refused", "rows_duplicate")
LEDGER = pa.schema(
    [("table", pa.string()), ("file", pa.string()), ("status", pa.string()), ("sha256", pa.string()), ("bytes", pa.int64())]
    + [(name, pa.int64()) for name in COUNTS]
    + [("ignored_columns", pa.list_(pa.string()))]
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
DUPLICATES = pa.schema([("table", pa.string()), ("file", pa.string()), ("source_line", pa.int32()), ("first_line", pa.int32())])


class Ingestion:
    """One run. Tables must come in the order of the specification, the matrix last: ids and panels are looked up.

    Args:
        study: the study folder.
        outputs: table name -> Parquet file to write.
        strictness: `refuse` sets bad rows aside, `fail` ends at the first.
    """

    def __init__(self, study: Path, outputs: dict[str, Path], strictness: str) -> None:
        self.study, self.outputs, self.strictness = study, outputs, strictness
        self.ledger: list[dict[str, Any]] = []
        self.rejects: list[dict[str, Any]] = []
        self.duplicates: list[dict[str, Any]] = []
        self.kept: dict[str, pa.Table] = {}
        self.known: dict[str, pa.Array] = {}
        self.stray: dict[str, dict[str, list[str]]] = {}
        self.notes: list[dict[str, Any]] = []
        self.constant: dict[str, Any] = {}
        self.panels: dict[str, str] = {}
        self.files: dict[str, Path] = {}
        self.layout = Layout()
        self.profiling = Profiling()

    def read(self, table: Table) -> None:
        """Read one table, write its Parquet, account for its rows."""
        path = find_file(self.study, table) or markers_file(self.study, table)
        if path is None:
            self._absent(table)
            return
        self.files[table.name] = path
        started = time.monotonic()
        try:
            typed, ignored = (self._matrix if table.layout == "gene_by_sample" else self._rows)(table, path)
            self._account(table, path, typed, ignored)
        except OSError as error:
            if error.filename is None or Path(error.filename) != path:
                raise  # not the source's fault
            raise InputError("expected a file that can be read", file=path, found=error.strerror) from None
        log.info("%s: %d rows in %.1f s", path.name, typed.rows_read, time.monotonic() - started)

    def _absent(self, table: Table) -> None:
        if table.required:
            raise InputError(
                f"missing; a study cannot be read without its {table.name} table ({table.note or 'required'})", file=self.study / table.file
            )
        self._write(table.name, schema(table).empty_table())
        if table.layout == "gene_by_sample":
            self._write(CNA_COVERAGE.name, schema(CNA_COVERAGE).empty_table())
        empty: dict[str, Any] = {"sha256": None, "bytes": 0, **dict.fromkeys(COUNTS, 0), "ignored_columns": []}
        self.ledger.append({"table": table.name, "file": table.file, "status": "absent", **empty})

    def _rows(self, table: Table, path: Path) -> tuple[TypedTable, list[str]]:
        header = read_header(path)
        ignored = _check_header(table, header, path)
        raw = read_rows(path, header)
        if path.name.casefold() == MARKERS_FILE:
            raw = rows_of_test(table, raw, path)
        self._see(table, raw)
        typed = type_table(table, raw, self.known)
        rows = typed.rows
        if table.required and not rows.num_rows:
            _nothing_left(table, path, typed)
        if table.name == "clinical_patient":
            self.constant = months_constant(rows["os_months"].to_numpy())
            rows = add_follow_up(rows, self.constant["days_per_month"])
        if table.name in HOME.values():
            self._know(table, raw)
        self.profiling.see_table(table, rows.num_rows, typed.rows_read)
        self.profiling.see_refused(table, raw, {refusal.line for refusal in typed.refusals})
        if table.name == "gene_panel_matrix":
            self.profiling.see_panels(rows, raw)
            pairs = zip(rows["sample_id"].to_pylist(), rows["cna"].to_pylist(), strict=True)
            self.panels = {sample: panel for sample, panel in pairs if panel is not None}
        self._write(table.name, rows.select(schema(table).names))
        needed = [column.name for column in table.columns if column.refers or column.kind == "day"]
        self.kept[table.name] = rows.select([*needed, *(column.name for column in table.derived)])
        return typed, ignored

    def _see(self, table: Table, raw: RawTable) -> None:
        """Headers and words that date a release, as they stand in the file."""
        words = {}
        for name in columns_of_signs(table.name):
            position = raw.header.position(name)
            if position is not None:
                words[name] = raw.columns[position].dictionary.to_pylist()
        self.layout.see(table.name, raw.header.names, words)

    def _know(self, table: Table, raw: RawTable) -> None:
        """Ids that a clinical table has, also on rows that were set aside: rows that name these are no orphans."""
        kind = next(kind for kind, home in HOME.items() if home == table.name)
        column = next(column for column in table.columns if column.refers == kind)
        position = raw.header.position(column.source)
        assert position is not None
        values, bad = type_distinct(column, raw.columns[position].dictionary)
        self.known[kind] = values.filter(pa.array(~bad))

    def _matrix(self, table: Table, path: Path) -> tuple[TypedTable, list[str]]:
        matrix = read_matrix(path, self.panels, set(self.known["sample"].to_pylist()))
        self._write(table.name, matrix.calls.cast(schema(table)))
        self._write(CNA_COVERAGE.name, matrix.coverage.cast(schema(CNA_COVERAGE)))
        self.kept[table.name] = matrix.calls.select(["sample_id"])
        kept = matrix.rows_read - len(matrix.refusals) - len(matrix.duplicates)
        self.profiling.see_table(table, kept, matrix.rows_read, matrix.measured_samples)
        ignored = [name for name in read_header(path).names if not name or name.casefold() in ANNOTATIONS - {"hugo_symbol"}]
        stray = {"sample_id": matrix.unknown_samples}
        typed = TypedTable(matrix.calls, matrix.refusals, matrix.rows_read, len(matrix.duplicates), matrix.duplicates, stray)
        return typed, [*ignored, *matrix.unknown_samples]

    def write_profiled(self, lists: dict[str, Path]) -> None:
        """Which specimens of the clinical table were profiled for what.

        Args:
            lists: the study's case lists by name.
        """
        self.profiling.see_case_lists({name: case_list(path) for name, path in lists.items()})
        samples = self.kept["clinical_sample"]["sample_id"].cast(pa.string()).to_pylist()
        self._write(PROFILED.name, self.profiling.table(samples))

    def _account(self, table: Table, path: Path, typed: TypedTable, ignored: list[str]) -> None:
        refused = len(typed.refusals)
        # A gene without a call has no row in long form, so the matrix's kept rows are genes, not calls.
        is_matrix = table.layout == "gene_by_sample"
        kept = typed.rows_read - refused - typed.rows_duplicate if is_matrix else typed.rows.num_rows
        assert typed.rows_read == kept + refused + typed.rows_duplicate, table.name
        place = {"table": table.name, "file": path.name}
        if refused:
            self._refuse(place, path, typed.refusals)
        self.duplicates += [{**place, "source_line": line, "first_line": first} for line, first in sorted(typed.duplicates)]
        self.stray[table.name] = typed.orphans
        self.notes += typed.notes
        if ignored:
            log.info("%s: %d columns not used: %s", path.name, len(ignored), _few(ignored))
        counts = dict(zip(COUNTS, (typed.rows_read, kept, refused, typed.rows_duplicate), strict=True))
        about = {"sha256": file_digest(path), "bytes": path.stat().st_size, **counts, "ignored_columns": ignored}
        self.ledger.append({**place, "status": "read", **about})

    def _refuse(self, place: dict[str, str], path: Path, refusals: list[Refusal]) -> None:
        first = refusals[0]
        if self.strictness == "fail":
            raise InputError(f"expected {first.expected}", file=path, line=first.line, column=first.column or None, found=first.found)
        log.warning("%s: %d rows set aside, the first on line %d: expected %s", path.name, len(refusals), first.line, first.expected)
        raw = raw_lines(path, {refusal.line for refusal in refusals})
        self.rejects += [
            {
                **place,
                "source_line": refusal.line,
                "column": refusal.column or None,
                "reason": f"expected {refusal.expected}, found {refusal.found!r}",
                "raw": raw[refusal.line],
            }
            for refusal in refusals
        ]

    def _write(self, name: str, rows: pa.Table) -> None:
        # Without Arrow's own schema in the file, so that dictionary-encoded text is read back as the text that it is.
        parquet.write_table(rows, self.outputs[name], store_schema=False)


def _few(names: list[str], limit: int = 8) -> str:
    """Some names for the log."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(name or "(without a name)" for name in names[:limit]) + more


def _check_header(table: Table, header: Header, path: Path) -> list[str]:
    """Columns of the file that the specification does not know; a missing required column ends the run."""
    used: set[int] = set()
    for column in table.columns:
        position = header.position(column.source, *column.other_headers)
        if position is None and column.required:
            raise _no_such_column(column, header, path)
        used |= set() if position is None else {position}
    return [name for position, name in enumerate(header.names) if position not in used]


def _no_such_column(column: Column, header: Header, path: Path) -> InputError:
    return InputError("this column is required", file=path, line=header.line, column=column.source, found="no such header")


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
