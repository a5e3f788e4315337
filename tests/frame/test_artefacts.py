"""Rows of a table that another step left, chosen by a value: the same whatever its row groups, refused in one line where it is not one."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oncoraft.artefacts import refuse_repeated, rows_where
from oncoraft.foundation.errors import InputError

ROWS = pa.table(
    {
        "case_id": [f"c{number}" for number in range(12)],
        "definition": pa.array(["strict", "broad", None] * 4).dictionary_encode(),
        "score": [None if number % 4 == 0 else number / 10 for number in range(12)],
        "is_last": [number == 11 for number in range(12)],
    }
)


@pytest.mark.parametrize("rows_a_group", [1, 5, 100])
def test_rows_are_those_with_the_value_in_the_order_of_the_file_whatever_its_row_groups(tmp_path: Path, rows_a_group: int) -> None:
    pq.write_table(ROWS, tmp_path / "labels.parquet", row_group_size=rows_a_group)
    found = rows_where(tmp_path / "labels.parquet", ["score", "definition", "case_id"], "definition", "broad")
    assert found.column_names == ["score", "definition", "case_id"]
    assert found["case_id"].to_pylist() == ["c1", "c4", "c7", "c10"]
    assert found["score"].to_pylist() == [0.1, None, 0.7, 1.0]
    assert found["definition"].to_pylist() == ["broad"] * 4
    assert rows_where(tmp_path / "labels.parquet", ["is_last"], "definition", "nobody's").num_rows == 0


def test_what_is_no_such_table_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    with pytest.raises(InputError, match="of the steps before"):
        rows_where(path, ["case_id"], "definition", "strict")
    path.write_text("case_id\n")
    with pytest.raises(InputError, match="expected a Parquet file"):
        rows_where(path, ["case_id"], "definition", "strict")
    pd.DataFrame({"case_id": ["c1"]}).to_parquet(path)
    with pytest.raises(InputError, match="expected this column"):
        rows_where(path, ["case_id"], "definition", "strict")
    pd.DataFrame({"case_id": ["c1"], "definition": [1]}).to_parquet(path)
    with pytest.raises(InputError, match="column definition: expected a column of text, found 'int64'"):
        rows_where(path, ["case_id"], "definition", "strict")


def test_ids_that_are_missing_or_there_twice_are_told_apart_and_named(tmp_path: Path) -> None:
    path = tmp_path / "folds.parquet"
    refuse_repeated(pa.chunked_array([["a"], ["b"]]), "one fold of a case", path, "case_id")
    with pytest.raises(InputError, match=r"column case_id: expected one fold of a case \(2 too many\), found 'b'"):
        refuse_repeated(pa.chunked_array([["a", "b"], ["b", "b"]]), "one fold of a case", path, "case_id")
    with pytest.raises(InputError, match="expected one fold of a case, found 'nothing in 1 rows'"):
        refuse_repeated(pa.chunked_array([["a", None]]), "one fold of a case", path, "case_id")
