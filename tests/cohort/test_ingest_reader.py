"""Line numbers, malformed rows, typing and the matrix, against plain references; and that nothing is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.cohort.cells import type_distinct
from oncoraft.cohort.checks import DAYS_PER_MONTH, months_constant
from oncoraft.cohort.reader import read_rows
from oncoraft.cohort.rows import duplicates, type_table
from oncoraft.cohort.wide import read_matrix
from oncoraft.knowledge.tables import TABLES, table
from oncoraft.knowledge.tables_document import tables_document

PSA = table("timeline_psa_labs")
HEADER = ["PATIENT_ID", "START_DATE", "STOP_DATE", "EVENT_TYPE", "TEST", "RESULT", "LR_UNIT_MEASURE"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("final", ["", "end"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lines_are_the_files_own(tmp_path: Path, end: str, final: str, mark: bytes) -> None:
    lines = ["#comment", "# more", "a\tb", "1\t2", "short", "3\t4", "", "5\t6\t7", '"8\t9']
    path = tmp_path / "file.txt"
    path.write_bytes(mark + (end.join(lines) + (end if final else "")).encode())
    raw = read_rows(path)
    assert raw.header.names == ("a", "b")
    assert raw.source_line.tolist() == [4, 6, 7, 9]
    assert raw.columns[0].to_pylist() == ["1", "3", "", '"8']
    assert [(refusal.line, refusal.found) for refusal in raw.malformed] == [(5, "1 fields"), (8, "3 fields")]


def test_a_file_of_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    for text in ("\t".join(HEADER), "\t".join(HEADER) + "\r\n"):
        path.write_text(text)
        typed = type_table(PSA, read_rows(path))
        assert (typed.rows.num_rows, typed.rows_read) == (0, 0)


def test_a_row_longer_than_what_is_read_at_a_time_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"a\tb\n1\t2\n" + b"x" * 9_000_000 + b"\t3\nshort\n4\t5\n")
    raw = read_rows(path)
    assert raw.columns[1].to_pylist() == ["2", "3", "5"]
    assert (raw.source_line.tolist(), [refusal.line for refusal in raw.malformed]) == ([2, 3, 5], [4])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60))
def test_duplicates_are_those_of_a_plain_search(rows: list[tuple[int, ...]]) -> None:
    expected = [rows.index(row) for row in rows]
    assert duplicates([np.array(codes, dtype=np.int32) for codes in zip(*rows, strict=True)]).tolist() == expected


@pytest.mark.parametrize(
    ("text", "value", "bad"),
    [
        ("-12", -12, False),
        (" 7 ", 7, False),
        ("+7", 7, False),
        ("7.0", 7, False),
        ("7.5", None, True),
        ("", None, True),
        ("NA", None, True),
        ("1e3", None, True),
        ("2147483648", None, True),
        ("٣", None, True),
    ],
)
def test_a_day_is_a_whole_number_that_fits(text: str, value: int | None, bad: bool) -> None:
    values, wrong = type_distinct(PSA.columns[1], pa.array([text]))
    assert (values[0].as_py(), bool(wrong[0])) == (value, bad)


@pytest.mark.parametrize(
    ("text", "value", "bad"),
    [
        ("1.5", 1.5, False),
        (".5", 0.5, False),
        ("1E-3", 0.001, False),
        ("", None, False),
        ("nan", None, False),
        ("<0.1", None, True),
        ("1e999", None, True),
    ],
)
def test_a_number_is_finite(text: str, value: float | None, bad: bool) -> None:
    values, wrong = type_distinct(next(column for column in PSA.columns if column.name == "result"), pa.array([text]))
    assert (values[0].as_py(), bool(wrong[0])) == (value, bad)


def _typed(rows: list[list[str]], header: list[str]) -> tuple[list[dict[str, object]], list[int], int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.txt"
        path.write_bytes("\n".join("\t".join(cells) for cells in [header, *rows]).encode())
        typed = type_table(PSA, read_rows(path))
    return typed.rows.to_pylist(), [refusal.line for refusal in typed.refusals], typed.rows_duplicate


GOOD_ROW = st.tuples(st.integers(1, 4), st.integers(-9, 9), st.integers(0, 5)).map(
    lambda drawn: [f"P{drawn[0]}", str(drawn[1]), "", "Lab_Test", "PSA", str(drawn[2] / 2), "ng/ml   "]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(GOOD_ROW, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_order_of_rows_and_columns_changes_no_value(rows: list[list[str]], random: object) -> None:
    order = random.sample(range(len(HEADER)), len(HEADER))  # type: ignore[attr-defined]
    shuffled = random.sample(rows, len(rows))  # type: ignore[attr-defined]
    plain, refused, dropped = _typed(rows, HEADER)
    moved, refused_too, dropped_too = _typed([[row[i] for i in order] for row in shuffled], [HEADER[i].lower() for i in order])

    def content(found: list[dict[str, object]]) -> list[str]:
        return sorted(str({name: value for name, value in row.items() if name != "source_line"}) for row in found)

    assert content(plain) == content(moved)
    assert (refused, dropped) == (refused_too, dropped_too)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(GOOD_ROW, min_size=1, max_size=8),
    st.data(),
    st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs", "Cc"]), max_size=8),
)
def test_a_corrupted_cell_is_accepted_or_set_aside_and_no_row_is_lost(rows: list[list[str]], data: st.DataObject, junk: str) -> None:
    row, cell = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(HEADER) - 1))
    rows = [list(cells) for cells in rows]
    rows[row][cell] = junk
    kept, refused, dropped = _typed(rows, HEADER)
    assert len(kept) + len(refused) + dropped == len(rows)
    if rows[row] in rows[:row]:
        return
    line = row + 2
    assert (line in refused) != (line in [found["source_line"] for found in kept])
    if cell == 1:
        assert (line in refused) == (not _is_whole(junk))


def _is_whole(text: str) -> bool:
    try:
        return text.strip().isascii() and "_" not in text and float(text.strip()) == int(text.strip().split(".")[0])
    except (ValueError, OverflowError):
        return False


CELL = st.sampled_from(["0", "NA", "", "2", "-2", "-1.5", "1", "-1", "2.0", " 0"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CELL, min_size=4, max_size=4), min_size=1, max_size=6))
def test_the_matrix_reader_agrees_with_a_plain_loop(cells: list[list[str]]) -> None:
    samples = ["S1", "S2", "S3", "S4"]
    panels = {"S1": "A", "S2": "B", "S3": "A"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cna.txt"
        text = [["Hugo_Symbol", "Entrez_Gene_Id", *samples], *([f"G{i}", "17", *row] for i, row in enumerate(cells))]
        path.write_text("\n".join("\t".join(row) for row in text))
        matrix = read_matrix(path, panels)
    expected = [
        (sample, f"G{i}", float(cell), i + 2)
        for i, row in enumerate(cells)
        for sample, cell in zip(samples, row, strict=True)
        if cell not in ("NA", "") and float(cell) != 0
    ]
    assert [tuple(row.values()) for row in matrix.calls.to_pylist()] == expected
    for record in matrix.coverage.to_pylist():
        row = cells[int(record["gene"][1:])]
        on_panel = [cell for sample, cell in zip(samples, row, strict=True) if panels.get(sample) == record["panel"]]
        assert record["is_covered"] == any(cell not in ("NA", "") for cell in on_panel)
    assert matrix.coverage.num_rows == 2 * len(cells)


def test_a_gene_given_twice_is_a_duplicate_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "cna.txt"
    path.write_text("Hugo_Symbol\tS1\nA\t2\nA\t2\nA\t-2\nB\t1\t1\n")
    matrix = read_matrix(path, {})
    assert (matrix.rows_read, matrix.duplicates, matrix.calls.num_rows) == (4, [(3, 2)], 0)
    assert [(refusal.line, refusal.expected) for refusal in matrix.refusals] == [
        (2, "a gene that stands once (another row has it on line 4)"),
        (4, "a gene that stands once (another row has it on line 2)"),
        (5, "2 fields"),
    ]
    assert matrix.coverage.num_rows == 0


@pytest.mark.parametrize("name", DAYS_PER_MONTH)
def test_the_constant_that_made_the_months_is_found(name: str) -> None:
    days = np.random.default_rng(3).integers(1, 3600, 400)
    found = months_constant(np.round(days / DAYS_PER_MONTH[name], 9))
    assert found["chosen"] == name
    assert np.array_equal(np.rint(np.round(days / DAYS_PER_MONTH[name], 9) * found["days_per_month"]), days)


def test_specifications_are_consistent() -> None:
    assert len(TABLES) == 25
    assert len({table.file for table in TABLES}) == 25
    for specification in TABLES:
        names = [column.name for column in specification.columns]
        sources = [column.source.casefold() for column in specification.columns]
        assert len(set(names)) == len(names)
        assert len(set(sources)) == len(sources)
        assert set(specification.key) <= set(names)
        for column in specification.columns:
            assert bool(column.true) == (column.kind == "boolean"), column
            assert len({word.casefold() for word in column.vocabulary}) == len(column.vocabulary), column


def test_the_page_on_tables_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "tables.md"
    assert page.read_text(encoding="utf-8") == tables_document(), "run `make docs`"


def test_months_that_are_too_rounded_bear_out_no_constant() -> None:
    days = np.random.default_rng(4).integers(1, 3600, 400)
    assert months_constant(np.round(days / 30.44, 9))["is_calibrated"]
    rounded = months_constant(np.round(days / 30.44, 1))
    assert (rounded["chosen"], rounded["is_calibrated"]) == ("365/12", False)
