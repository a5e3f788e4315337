"""Whole studies, permuted and corrupted: the same tables whatever the order, and no line that is not accounted for."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoraft.cohort.ingest import Ingested, ingest
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES, Table, table

from .conftest import STUDY

Grid = list[list[str]]


def grids() -> dict[str, tuple[list[str], Grid]]:
    """The made-up study of the other tests as comment lines and cells (header first), with duplicates, disputes and orphans."""
    found = {}
    for name, text in STUDY.items():
        lines = [line.rstrip("\r") for line in text.split("\n") if line]
        comments = [line for line in lines if line.startswith("#")]
        found[name] = comments, [line.split("\t") for line in lines[len(comments) :]]
    treatment = found["data_timeline_treatment.txt"][1]
    treatment += [treatment[1], ["P-9999999", *treatment[2][1:]], treatment[2][:-1], ["P-0000002", "9", "8", *treatment[1][3:]]]
    panels = found["data_gene_panel_matrix.txt"][1]
    panels += [[panels[3][0], "IMPACT505", "IMPACT505", "IMPACT505"], panels[2]]
    matrix = found["data_cna.txt"][1]
    matrix += [["TP53", "0", "0", "0"], matrix[1], ["KIT", "0", "9", "0"]]
    return found


def write(folder: Path, study: dict[str, tuple[list[str], Grid]]) -> None:
    folder.mkdir()
    for name, (comments, cells) in study.items():
        (folder / name).write_bytes("\n".join([*comments, *("\t".join(row) for row in cells)]).encode())


def read(study: dict[str, tuple[list[str], Grid]]) -> tuple[Ingested, dict[str, list[dict[str, Any]]]]:
    """Ingest a study; its records and its tables as rows."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "study", study)
        outputs = {table.name: Path(folder) / f"{table.name}.parquet" for table in (*TABLES, *DERIVED_TABLES)}
        found = ingest(Path(folder) / "study", outputs, "refuse")
        return found, {name: parquet.read_table(path).to_pylist() for name, path in outputs.items()}


def content(rows: list[dict[str, Any]]) -> list[str]:
    """Rows without their lines, in an order of their own."""
    return sorted(repr(sorted((key, str(value)) for key, value in row.items() if key != "source_line")) for row in rows)


def permuted(study: dict[str, tuple[list[str], Grid]], random: Random) -> dict[str, tuple[list[str], Grid]]:
    """Rows and columns of every file in another order, headers in another case."""
    shuffled = {}
    for name, (comments, (header, *rows)) in study.items():
        order = random.sample(range(len(header)), len(header))
        ragged = [row for row in rows if len(row) != len(header)]
        full = [row for row in rows if len(row) == len(header)]
        turned = [[row[position] for position in order] for row in full] + ragged
        names = [header[position] for position in order]
        if name != "data_cna.txt":  # its headers are ids
            names = [random.choice([str.upper, str.lower, str.title])(cell) for cell in names]
        shuffled[name] = comments, [names, *random.sample(turned, len(turned))]
    return shuffled


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_changes_no_table(random: Random) -> None:
    plain, tables = read(grids())
    moved, tables_too = read(permuted(grids(), random))
    for name, rows in tables.items():
        assert content(rows) == content(tables_too[name]), name
    counts = [[line[key] for key in ("table", "rows_read", "rows_kept", "rows_refused", "rows_duplicate")] for line in plain.ledger]
    assert counts == [[line[key] for key in ("table", "rows_read", "rows_kept", "rows_refused", "rows_duplicate")] for line in moved.ledger]
    assert plain.checks["orphans"] == moved.checks["orphans"]
    assert plain.checks["day_zero"] == moved.checks["day_zero"]
    assert sum(line["rows_refused"] for line in plain.ledger) >= 7  # the property is not empty


JUNK = st.one_of(
    st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(["", " ", "-1", "0", "1", "NA", "N/A", "1e5", "-99999", "2147483648", "nan", "Y", "TRUE", '""', '"', "P-0000001", "#"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), JUNK)
def test_a_corrupted_cell_is_accepted_or_set_aside_and_no_line_is_lost(data: st.DataObject, junk: str) -> None:
    study = grids()
    name = data.draw(st.sampled_from(sorted(study)))
    cells = study[name][1]
    row = data.draw(st.integers(1, len(cells) - 1))
    column = data.draw(st.integers(0, len(cells[row]) - 1))
    cells[row] = [*cells[row][:column], junk, *cells[row][column + 1 :]]
    try:
        found, tables = read(study)
    except InputError as error:
        message = str(error)
    else:
        message = ""
        _accounted(specification_of(name), study[name], (row, column), found, tables)
    assert not message or "day 0" in message or "every row is refused" in message


def specification_of(file: str) -> Table:
    return next(specification for specification in TABLES if specification.file == file)


def _accounted(
    specification: Table, file: tuple[list[str], Grid], at: tuple[int, int], found: Ingested, tables: dict[str, list[dict[str, Any]]]
) -> None:
    """Every line of the corrupted file is kept, refused or a duplicate; the corrupted one says what became of it."""
    (comments, cells), (row, column) = file, at
    line = len(comments) + row + 1
    for ledger in found.ledger:
        assert ledger["rows_read"] == ledger["rows_kept"] + ledger["rows_refused"] + ledger["rows_duplicate"]
    refused = {record["source_line"]: record["raw"] for record in found.rejects if record["table"] == specification.name}
    repeated = {record["source_line"] for record in found.duplicates if record["table"] == specification.name}
    kept = {record["source_line"] for record in tables[specification.name]}
    everything = set(range(len(comments) + 2, len(comments) + len(cells) + 1))
    if specification.layout == "rows":
        assert kept | set(refused) | repeated == everything
        assert len(kept) + len(refused) + len(repeated) == len(everything)
    if line in refused:
        assert refused[line] == "\t".join(cells[row])
    elif line in kept and specification.layout == "rows":
        _agrees(
            specification.name,
            next(record for record in tables[specification.name] if record["source_line"] == line),
            cells[0][column],
            cells[row][column],
        )


def _agrees(name: str, record: dict[str, Any], header: str, junk: str) -> None:
    """An accepted cell holds what was written: the number, the flag or the word, or nothing where nothing was written."""
    column = next((column for column in table(name).columns if column.source.casefold() == header.casefold()), None)
    if column is None:
        return
    value, text = record[column.name], junk.strip()
    text = text[1:-1].replace('""', '"').strip() if len(text) > 1 and text[0] == text[-1] == '"' else text
    if value is None:
        assert is_missing_word(text)
    elif column.kind in {"integer", "day", "number"}:
        assert float(text) == value
    elif column.kind == "boolean":
        assert text.lower() in {"true": {"true", "1", "yes", "y"}, "false": {"false", "0", "no", "n"}}[str(value).lower()]
    else:
        assert text.lower() == value.lower() or (text.lower(), value) in column.aliases or (text.upper(), value) in column.aliases
