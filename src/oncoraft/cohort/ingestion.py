"""The reading of one study, table after table: what is written, counted, set aside, and kept for the checks."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from oncoraft.cohort.accounts import COUNTS, few_of
from oncoraft.cohort.cancer_types import with_cancer_types
from oncoraft.cohort.cells import kinds, schema, type_distinct
from oncoraft.cohort.checks import TableChecks, add_follow_up, months_constant, with_plain_ids
from oncoraft.cohort.copy_number import read_copy_number
from oncoraft.cohort.headers import check_header, lost_with
from oncoraft.cohort.identifiers import Identifiers
from oncoraft.cohort.losses import first_refusal, nothing_left, shown
from oncoraft.cohort.older import rows_of_test
from oncoraft.cohort.profiled import Profiling
from oncoraft.cohort.reader import Header, RawTable, raw_lines, read_header, read_rows
from oncoraft.cohort.recognise import Layout, columns_of_signs
from oncoraft.cohort.references import clinical_ids, misplaced, of_their_owners
from oncoraft.cohort.rows import HOME, Known, TypedTable, by_patient, type_table
from oncoraft.cohort.streamed import Streamed, is_streamed
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import file_digest
from oncoraft.foundation.ranges import ROWS, write_ranges
from oncoraft.knowledge.genomic_tables import CNA_COVERAGE, PROFILED
from oncoraft.knowledge.study_files import MARKERS_FILE, case_list, find_file, markers_file
from oncoraft.knowledge.tables import TABLES, Table

log = logging.getLogger("oncoraft")

MOSTLY, FEWEST_LOST = 0.5, 5  # more than this share of a table's rows, and at least so many, may not be lost without consent


class Ingestion:
    """One run. Tables must come in the order of the specification, the matrix last: ids and panels are looked up.

    Args:
        study: the study folder.
        outputs: table name -> Parquet file to write.
        strictness: `refuse` sets bad rows aside, `fail` ends at the first.
        accepted: tables that may lose most of their rows, or all for want of a required column.
    """

    def __init__(self, study: Path, outputs: dict[str, Path], strictness: str, accepted: Collection[str] = ()) -> None:
        self.study, self.outputs, self.strictness, self.accepted = study, outputs, strictness, accepted
        self.ledger: list[dict[str, Any]] = []
        self.rejects: list[dict[str, Any]] = []
        self.duplicates: dict[str, tuple[str, np.ndarray]] = {}  # table -> file, (line, first line) of each, sorted
        self.clinical: dict[str, pa.Table] = {}  # what is asked of the clinical tables when others are read
        self.sequencing: tuple[pa.Table, Path] | None = None
        self.parts: list[TableChecks] = []
        self.known: dict[str, Identifiers] = {}
        self.clinical_ids: Known = {}  # as `known`, of rows that are kept
        self.stray: dict[str, dict[str, list[str]]] = {}
        self.notes: list[dict[str, Any]] = []
        self.constant: dict[str, Any] = {}
        self.panels = pa.table({"sample_id": pa.array([], pa.string()), "cna": pa.array([], pa.string())})
        self.files: dict[str, Path] = {}
        self.absent_columns: dict[str, list[str]] = {}
        self.layout = Layout()
        self.profiling = Profiling()

    def read(self, table: Table) -> None:
        """Read one table, write its Parquet, account for its rows."""
        path = find_file(self.study, table) or markers_file(self.study, table)
        if path is None:
            self._absent(table)
            return
        started, before = time.monotonic(), path.stat()
        try:
            if self._is_given_up(table, path):
                return
            self.files[table.name] = path
            typed, ignored = (self._matrix if table.layout == "gene_by_sample" else self._rows)(table, path)
            self._account(table, path, typed, ignored)
            # It is read more than once: rows, digest and verbatim lines must be of one file.
            if marks_of(path.stat()) != marks_of(before):
                raise InputError("expected a file that stays as it is while it is read", file=path, found="another size, time or file")
        except OSError as error:
            if error.filename is None or Path(error.filename) != path:
                raise  # not the source's fault
            raise InputError("expected a file that can be read", file=path, found=error.strerror) from None
        log.info("%s: %d rows in %.1f s", path.name, typed.rows_read, time.monotonic() - started)
        pa.default_memory_pool().release_unused()  # or what one table took would be held beside what the next one takes

    def _absent(self, table: Table) -> None:
        if table.required:
            raise InputError(
                f"missing; a study cannot be read without its {table.name} table ({table.note or 'required'})", file=self.study / table.file
            )
        log.info("%s: absent; without it: %s", table.file, table.without)
        self._empty(table, table.file, "absent")

    def _empty(self, table: Table, file: str, status: str) -> None:
        """A table of which nothing is read is written empty, so that later steps find every table."""
        self._write(table.name, schema(table).empty_table())
        if table.layout == "gene_by_sample":
            self._write(CNA_COVERAGE.name, schema(CNA_COVERAGE).empty_table())
        none: dict[str, Any] = {"sha256": None, "bytes": 0, **dict.fromkeys(COUNTS, 0), "ignored_columns": [], "absent_columns": []}
        self.ledger.append({"table": table.name, "file": file, "status": status, **none, "without": table.without})

    def _is_given_up(self, table: Table, path: Path) -> bool:
        """Whether a table lacks a required column, and the configuration consents to doing without it."""
        if table.name not in self.accepted or table.required or table.layout != "rows":
            return False
        try:
            check_header(table, read_header(path), path)
        except InputError as error:
            log.warning("%s; the table is given up, as ingest.accept_mostly_refused says; without it: %s", error, table.without)
            self._empty(table, path.name, "given_up")
            return True
        return False

    def _rows(self, table: Table, path: Path) -> tuple[TypedTable, list[str]]:
        header = read_header(path)
        ignored, absent = check_header(table, header, path)
        self.absent_columns[table.name] = absent
        if is_streamed(table, path, header):
            return self._streamed(table, path, header), ignored
        raw = read_rows(path, header)
        if path.name.casefold() == MARKERS_FILE:
            raw = rows_of_test(table, raw, path)
        self._see(table, raw)
        typed = type_table(table, raw, self.known)
        self._check_loss(table, path, typed)
        rows = typed.rows
        if table.name == "clinical_patient":
            months = rows["os_months"].to_numpy()
            self.constant = months_constant(months[~np.isnan(months)])
            rows = add_follow_up(rows, self.constant["days_per_month"])
        if table.name == "clinical_sample":
            rows, notes = with_cancer_types(rows)
            self.notes += notes
        if table.name in HOME.values():
            self._know(table, raw)
        self.profiling.see_table(table, rows.num_rows, typed.rows_read)
        self.profiling.see_refused(table, raw, raw_lines(path, {refusal.line for refusal in typed.refusals}))
        if table.name == "gene_panel_matrix":
            self.profiling.see_panels(table, rows, raw)
            self.panels = rows.select(["sample_id", "cna"])
        del raw  # the texts of a file take as much as its rows, which are copied to be sorted
        needed = [column.name for column in table.columns if column.refers or column.kind == "day"]
        kept = rows.select([*needed, *(column.name for column in table.derived), "source_line"])
        if table.name in HOME.values():
            self.clinical[table.name] = with_plain_ids(kept)
        found = misplaced(table, rows, self.clinical.get("clinical_sample", rows))
        if table.name not in HOME.values():
            checks = self._checks(table)
            checks.add(kept)
            checks.see_misplaced(rows, found)
        if table.name == "timeline_specimen":
            self.sequencing = kept.select(["patient_id", "start_day"]), path
        typed = of_their_owners(table, replace(typed, rows=rows), found)
        self._write(table.name, typed.rows.select(schema(table).names))
        return typed, ignored

    def _checks(self, table: Table) -> TableChecks:
        self.clinical_ids = self.clinical_ids or clinical_ids(self.clinical, self.known)
        self.parts.append(TableChecks(table, self.clinical, self.clinical_ids))
        return self.parts[-1]

    def checks(self) -> list[TableChecks]:
        """Those of every table, when all are read."""
        for table in TABLES:
            if table.name in self.clinical:
                self._checks(table).add(self.clinical[table.name])
        return self.parts

    def _streamed(self, table: Table, path: Path, header: Header) -> TypedTable:
        """`_rows` of a large file, which is never held as a whole."""
        checks = self._checks(table)
        with tempfile.TemporaryDirectory(dir=self.outputs[table.name].parent) as folder:
            found = Streamed(table, path, header, self.known, Path(folder))
            self.layout.see(table.name, header.names, found.words)
            typed = found.typed()
            self._check_loss(table, path, typed)
            self.profiling.see_table(table, typed.rows_kept, typed.rows_read)
            self.profiling.refused[table.name] = frozenset(found.doubtful)
            written = write_ranges(self.outputs[table.name], map(checks.add, found.parts()), store_schema=False, kinds=kinds(table.name))
        return replace(typed, rows_written=written)

    def _check_loss(self, table: Table, path: Path, typed: TypedTable) -> None:
        """A table without any row, or of which most cannot be kept, ends the run, unless the configuration consents to it."""
        is_matrix = table.layout == "gene_by_sample"
        if not is_matrix and not typed.rows_kept and (table.required or (table.needs_rows and table.name not in self.accepted)):
            nothing_left(table, path, typed)
        # Of the older file of all markers, rows of other tests belong to no table of ours.
        of_other_tests = path.name.casefold() == MARKERS_FILE
        refused = sum(not (of_other_tests and refusal.column == "TEST") for refusal in typed.refusals)
        if refused < FEWEST_LOST or refused <= MOSTLY * typed.rows_read or table.name in self.accepted:
            return
        before = f"{refused} of {typed.rows_read} rows cannot be kept, the first since it must hold"
        remedy = f"; mend the file, take it away, or name {table.name} in ingest.accept_mostly_refused"
        raise first_refusal(typed, before, remedy, path)

    def _see(self, table: Table, raw: RawTable) -> None:
        """Headers and words that date a release, as they stand in the file."""
        places = {name: raw.header.position(name) for name in columns_of_signs(table.name)}
        words = {name: raw.columns[place].dictionary.to_pylist() for name, place in places.items() if place is not None}
        self.layout.see(table.name, raw.header.names, words)

    def _know(self, table: Table, raw: RawTable) -> None:
        """Ids that a clinical table has, also on rows that were set aside: rows that name these are no orphans."""
        kind = next(kind for kind, home in HOME.items() if home == table.name)
        column = next(column for column in table.columns if column.refers == kind)
        position = raw.header.position(column.source)
        assert position is not None
        values, bad = type_distinct(column, raw.columns[position].dictionary)
        self.known[kind] = Identifiers(values.filter(pa.array(~bad)))

    def _matrix(self, table: Table, path: Path) -> tuple[TypedTable, list[str]]:
        # Only here, since so many objects take several times the memory of their columns.
        pairs = zip(self.panels["sample_id"].to_pylist(), self.panels["cna"].to_pylist(), strict=True)
        panels = {sample: sys.intern(panel) for sample, panel in pairs if panel is not None}
        found = read_copy_number(table, path, panels, self.known)
        self._check_loss(table, path, found.typed)
        self._write(table.name, found.typed.rows.cast(schema(table)))
        self._write(CNA_COVERAGE.name, found.coverage.cast(schema(CNA_COVERAGE)))
        self._checks(table).add(found.typed.rows.select(["sample_id"]))
        kept = found.typed.rows_read - len(found.typed.refusals) - found.typed.rows_duplicate
        self.profiling.see_table(table, kept, found.typed.rows_read)
        self.profiling.see_measured(table, found.measured, found.spoken_of)
        self.profiling.refused[table.name] = frozenset(found.doubtful)
        return found.typed, found.ignored

    def write_profiled(self, lists: dict[str, Path]) -> None:
        """Which specimens of the clinical table were profiled for what.

        Args:
            lists: the study's case lists by name.
        """
        for name, path in lists.items():
            self.profiling.see_case_list(name, case_list(path))
        samples = self.clinical["clinical_sample"]["sample_id"].cast(pa.string()).combine_chunks()
        self._write(PROFILED.name, self.profiling.table(samples))

    def _account(self, table: Table, path: Path, typed: TypedTable, ignored: list[str]) -> None:
        refused = len(typed.refusals)
        # A gene without a call has no row in long form, so the matrix's kept rows are genes, not calls.
        is_matrix = table.layout == "gene_by_sample"
        kept = typed.rows_read - refused - typed.rows_duplicate if is_matrix else typed.rows_kept
        assert typed.rows_read == kept + refused + typed.rows_duplicate, table.name
        place = {"table": table.name, "file": path.name}
        if refused:
            self._refuse(place, path, typed)
        if typed.duplicates:
            self.duplicates[table.name] = path.name, np.array(sorted(typed.duplicates), dtype=np.int32)
        self.stray[table.name] = typed.orphans
        self.notes += typed.notes
        if ignored:
            log.info("%s: %d columns not used: %s", path.name, len(ignored), few_of(ignored))
        absent = self.absent_columns.get(table.name, [])
        without = lost_with(table.columns, absent)
        if absent:
            log.info(
                "%s: %d columns absent, read as empty: %s%s", path.name, len(absent), few_of(absent), f"; {without}" if without else ""
            )
        counts = dict(zip(COUNTS, (typed.rows_read, kept, refused, typed.rows_duplicate), strict=True))
        about = {"sha256": file_digest(path), "bytes": path.stat().st_size, **counts, "ignored_columns": ignored}
        self.ledger.append({**place, "status": "read", **about, "absent_columns": absent, "without": without or None})

    def _refuse(self, place: dict[str, str], path: Path, typed: TypedTable) -> None:
        refusals, first = typed.refusals, typed.refusals[0]
        if self.strictness == "fail":
            raise first_refusal(typed, "expected", "", path)
        log.warning("%s: %d rows set aside, the first on line %d: expected %s", path.name, len(refusals), first.line, first.expected)
        raw = raw_lines(path, {refusal.line for refusal in refusals})
        self.rejects += [
            {
                **place,
                "source_line": refusal.line,
                "column": refusal.column or None,
                "reason": f"expected {refusal.expected}, found {shown(refusal.found)!r}",
                "raw": raw[refusal.line],
            }
            for refusal in refusals
        ]

    def _write(self, name: str, rows: pa.Table) -> None:
        # Without Arrow's own schema in the file, so that dictionary-encoded text is read back as the text that it is.
        # One row group is read whole for any range of patients, in whatever order its rows are.
        ordered = by_patient(rows) if rows.num_rows > ROWS else rows
        write_ranges(self.outputs[name], [ordered], store_schema=False, kinds=kinds(name))


def marks_of(told: os.stat_result) -> tuple[int, ...]:
    """What tells one state of a file from another: which file it is, its size, its time."""
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns
