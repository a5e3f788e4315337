"""A twin with its quirks, read back: every value is the one in the file, by a reader of a few lines; refusals are those planted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort.ingest import main as ingest
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.knowledge.tables import TABLES, Column, Table, table
from oncoraft.twin.twin import main as twin

ROWS = [table for table in TABLES if table.layout == "rows"]
TRUE = {"true", "1", "yes", "y"}
# Cells that no column of the kind can hold.
BAD = {"day": "soon", "integer": "1.5", "number": "high", "boolean": "perhaps"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("round-trip")
    assert twin(["--patients", "150", "--seed", "21", "--out", str(folder / "study"), "--truth", str(folder / "truth.parquet")]) == 0
    assert ingest([str(folder / "study"), "--out", str(folder / "tables")]) == 0
    return folder


def lines_of(path: Path) -> tuple[list[str], list[tuple[int, str]]]:
    """Header cells, and line number and text of every row."""
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(path.read_bytes().decode().split("\n"), start=1)]
    body = [(number, line) for number, line in lines if not line.startswith("#")]
    return body[0][1].split("\t"), [pair for pair in body[1:] if pair[1]]


def value_of(column: Column, cell: str) -> Any:
    """What a cell means, told as plainly as can be."""
    text = cell.strip()
    if is_missing_word(text) and text not in {*column.vocabulary, *column.literal}:
        return None
    if column.kind == "boolean":
        return text.lower() in TRUE
    if column.kind == "number":
        return float(text)
    if column.kind in {"day", "integer"}:
        return int(text)
    if column.name == "hgvsp_short":
        return text.removeprefix("p.")  # the only notation of the twin
    return next((word for word in column.vocabulary if word.lower() == text.lower()), text)


def expected_rows(specification: Table, path: Path, skipped: set[int]) -> list[dict[str, Any]]:
    """The table as it should be: exact duplicates and skipped lines left out."""
    header, rows = lines_of(path)
    place = {name.lower(): position for position, name in enumerate(header)}
    seen: set[str] = set()
    expected = []
    for number, line in rows:
        if line in seen or number in skipped:
            seen.add(line)
            continue
        seen.add(line)
        cells = line.split("\t")
        record: dict[str, Any] = {}
        for column in specification.columns:
            position = place.get(column.source.lower())
            record[column.name] = None if position is None else value_of(column, cells[position])
        expected.append(record | {"source_line": number})
    return expected


def agrees(study: Path, tables: Path, skipped: dict[str, set[int]]) -> None:
    for specification in ROWS:
        found = parquet.read_table(tables / f"{specification.name}.parquet").to_pylist()
        added = {column.name for column in specification.derived}
        plain = [{key: value for key, value in row.items() if key not in added} for row in found]
        assert plain == expected_rows(specification, study / specification.file, skipped.get(specification.name, set())), specification.name


def test_every_value_of_every_table_is_the_one_in_the_file(study: Path) -> None:
    agrees(study / "study", study / "tables", {})
    assert parquet.read_table(study / "tables" / "rejects.parquet").num_rows == 0


def test_every_call_of_the_matrix_is_the_one_in_the_file(study: Path) -> None:
    header, rows = lines_of(study / "study" / "data_cna.txt")
    expected = {
        (cells[0], sample, float(cell), number)
        for number, line in rows
        for cells in [line.split("\t")]
        for sample, cell in zip(header[1:], cells[1:], strict=True)
        if cell not in {"0", "NA", ""}
    }
    found = parquet.read_table(study / "tables" / "cna.parquet").to_pylist()
    assert len(expected) == len(found) > 0
    assert {(row["gene"], row["sample_id"], row["call"], row["source_line"]) for row in found} == expected


def test_counts_are_those_that_the_twin_says_it_wrote(study: Path) -> None:
    written = json.loads((study / "truth.parquet.manifest.json").read_text())["counts"]
    for line in parquet.read_table(study / "tables" / "ledger.parquet").to_pylist():
        assert line["rows_read"] == written[line["table"]], line["table"]


def test_follow_up_is_in_whole_days(study: Path) -> None:
    for row in parquet.read_table(study / "tables" / "clinical_patient.parquet").to_pylist():
        assert abs(row["os_months"] * 365 / 12 - row["os_days"]) < 1e-4
        assert row["is_deceased"] == (row["os_status"] == "1:DECEASED")


def plant(path: Path, specification: Table, random: Random, count: int) -> dict[int, str]:
    """Put a bad cell into some rows that are no duplicates; line -> column."""
    header, rows = lines_of(path)
    column = random.choice([column for column in specification.columns if column.kind in BAD and column.source in header])
    times = Counter(line for _, line in rows)
    chosen = random.sample([pair for pair in rows if times[pair[1]] == 1], count)
    data = path.read_bytes().decode().split("\n")
    for number, line in chosen:
        cells = line.split("\t")
        cells[header.index(column.source)] = BAD[column.kind]
        data[number - 1] = "\t".join(cells) + ("\r" if data[number - 1].endswith("\r") else "")
    path.write_bytes("\n".join(data).encode())
    return {number: column.source for number, _ in chosen}


def test_refusals_are_exactly_those_planted(study: Path, tmp_path: Path) -> None:
    random = Random(5)
    folder = tmp_path / "study"
    folder.mkdir()
    for path in (study / "study").glob("data_*"):
        (folder / path.name).write_bytes(path.read_bytes())
    names = (
        "clinical_patient",
        "clinical_sample",
        "mutations",
        "cna_segments",
        "timeline_treatment",
        "timeline_tumor_sites",
        "timeline_psa_labs",
    )
    planted = {name: plant(folder / table(name).file, table(name), random, 2) for name in names}
    assert ingest([str(folder), "--out", str(tmp_path / "tables")]) == 0
    rejects = parquet.read_table(tmp_path / "tables" / "rejects.parquet").to_pylist()
    assert sorted((row["table"], row["source_line"], row["column"]) for row in rejects) == sorted(
        (name, line, column) for name, lines in planted.items() for line, column in lines.items()
    )
    agrees(folder, tmp_path / "tables", {name: set(lines) for name, lines in planted.items()})
