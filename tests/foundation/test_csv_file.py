"""CSV for spreadsheets: no text of the data is a formula there, and numbers stay what they are."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as draw

from oncoraft.foundation.csv_file import iterate_csv, write_csv
from oncoraft.foundation.errors import InputError

RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
TEXT = draw.text(draw.one_of(draw.characters(exclude_categories=["Cs"], exclude_characters="\x00"), draw.sampled_from("=+-@\t\r;,\"'")))


def cells_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


@given(header=TEXT, cells=draw.lists(TEXT, min_size=1))
def test_no_text_begins_like_a_formula_and_none_is_lost(header: str, cells: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    write_csv(path, pd.DataFrame({header: cells, "n": range(len(cells))}))
    found = [row[0] for row in cells_of(path)]
    assert not any(cell.startswith(RUN_BY_SPREADSHEETS) for cell in found)
    for before, after in zip([header, *cells], found, strict=True):
        assert after in (before, f"'{before}")


@pytest.mark.parametrize("kind", [object, "string", "category"])
def test_a_regimen_named_like_a_hyperlink_is_text_in_every_kind_of_column(kind: object, tmp_path: Path) -> None:
    name = '=HYPERLINK("http://example.invalid","osimertinib")'
    write_csv(tmp_path / "t.csv", pd.DataFrame({"regimen": pd.Series([name, None, "osimertinib"], dtype=kind)}))
    assert cells_of(tmp_path / "t.csv") == [["regimen"], [f"'{name}"], [""], ["osimertinib"]]


def test_numbers_below_zero_stay_numbers_and_a_table_reads_back(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"difference": [-1.5, 0.1 + 0.2, None], "n": [-3, 2, 1], "is_tested": [True, False, True], "name": ["a", "b;c", None]}
    )
    write_csv(tmp_path / "t.csv", table)
    assert "-1.5" in (tmp_path / "t.csv").read_text().split("\n")[1].split(",")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "t.csv", dtype={"name": object}, float_precision="round_trip"),
        table.astype({"name": object}),
        check_exact=True,
    )


def test_the_frame_that_is_written_is_left_as_it_was(tmp_path: Path) -> None:
    table = pd.DataFrame({"=a": ["=b"]})
    write_csv(tmp_path / "t.csv", table)
    assert table.columns.tolist() == ["=a"]
    assert table.iloc[0, 0] == "=b"


def test_numbers_in_a_column_of_mixed_values_stay_numbers(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", pd.DataFrame({"value": pd.Series([-1.5, "-x", None], dtype=object)}))
    assert (tmp_path / "t.csv").read_text() == '"value"\n-1.5\n"\'-x"\n""\n'


def test_whole_numbers_stay_whole_beside_what_is_missing(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", pd.DataFrame({"n": [20, None, "<10"], "m": [1, None, 3]}, dtype=object))
    assert (tmp_path / "x.csv").read_text() == '"n","m"\n20,1\n"",""\n"<10",3\n'


def read(path: Path, text: str) -> list[dict[str, str]]:
    path.write_text(text, encoding="utf-8-sig", newline="")
    return [row for _, row in iterate_csv(path, ("item", "grade"), "a table")]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_is_read_however_a_spreadsheet_parts_its_cells(tmp_path: Path, mark: str) -> None:
    rows = [["item", "grade", "comment"], ["1", "as is", '"a, b; c\r\nd"'], ["", " ", ""], ["2", "", "x"], ["", "", ""]]
    found = read(tmp_path / "t.csv", "".join(mark.join(row) + "\r\n" for row in rows))
    assert found == [{"item": "1", "grade": "as is", "comment": "a, b; c\r\nd"}, {"item": "2", "grade": "", "comment": "x"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item,grade,grade\n1,as is,\n", "line 1, column grade: expected this column once"),
        ("item;word\n1;as is\n", "line 1, column item: expected this column"),
        ("item,grade\n1\n", "line 2: expected 2 values"),
        ("item,grade\n1," + "x" * 200_000 + "\n", "expected a CSV"),
    ],
)
def test_a_table_that_cannot_be_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path / "t.csv", text)
