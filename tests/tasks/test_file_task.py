"""A group's own file: what it may look like, and one line for whatever is wrong with it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.tasks.find_cases import main

from .cohort import settings

ROW = {"instruction": "Which?", "input": "a case", "output": "photon", "patient": "A", "choices": ["photon", "proton"], "part": "train"}


def called(tmp_path: Path, rows: list[dict[str, object]], name: str = "cases.jsonl", parts: str = "from_file") -> int:
    file = tmp_path / name
    if name.endswith(".csv"):
        pd.DataFrame(rows).to_csv(file, index=False)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return main(["--out", str(tmp_path / "out"), *settings("file", file=str(file), parts=parts)])


@pytest.mark.parametrize("name", ["cases.jsonl", "cases.csv"])
def test_both_forms_are_read_alike(tmp_path: Path, name: str) -> None:
    choices = "photon|proton" if name.endswith(".csv") else ["photon", "proton"]
    assert called(tmp_path, [ROW | {"choices": choices}, ROW | {"choices": choices, "patient": "B", "part": "heldout"}], name) == 0
    cases = pd.read_parquet(tmp_path / "out/cases.parquet")
    assert cases["answer"].tolist() == ["photon", "photon"]
    assert [list(row) for row in cases["choices"]] == [["photon", "proton"]] * 2
    assert cases["part"].tolist() == ["train", "heldout"]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"output": "neutron"}, "line 2, column output: expected one of its choices: photon, proton, found 'neutron'"),
        ({"output": " "}, "line 2, column output: expected an answer"),
        ({"input": ""}, "line 2, column input: expected text, found nothing"),
        ({"output": 3}, "line 2, column output: expected text, found 'int'"),
        ({"choices": [1]}, "line 2, column choices: expected a list of texts"),
        ({"choices": "photon, proton"}, "line 2, column choices: expected at least two choices, in a text with | between them"),
        ({"output": "...", "choices": []}, "line 2, column output: expected an answer"),
        ({"part": "test"}, "line 2, column part: expected one of train, heldout, found 'test'"),
        ({"patient": "A", "part": "heldout"}, "line 2, column part: expected every patient on one side, in line 1 this one is in train"),
    ],
)
def test_a_case_that_cannot_be_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], second: dict[str, object], said: str
) -> None:
    from oncoraft.planning.edge import run

    file = tmp_path / "cases.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in (ROW, ROW | {"patient": "B"} | second)))
    assert run(main, ["--out", str(tmp_path / "out"), *settings("file", file=str(file), parts="from_file")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("error: ") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["cases.jsonl", "cases.csv"])
def test_a_missing_column_is_one_line(tmp_path: Path, name: str) -> None:
    from oncoraft.foundation.errors import InputError

    row = {key: value for key, value in ROW.items() if key not in {"patient", "choices"}}
    with pytest.raises(InputError, match=f"line 1, column patient: expected this {'column' if name.endswith('csv') else 'key'}"):
        called(tmp_path, [row], name)


def test_an_empty_file_and_one_of_another_kind_are_one_line(tmp_path: Path) -> None:
    from oncoraft.foundation.errors import InputError

    with pytest.raises(InputError, match="expected at least one case"):
        called(tmp_path, [])
    with pytest.raises(InputError, match=r"expected a name that ends in \.jsonl or \.csv"):
        called(tmp_path, [ROW], "cases.txt")


def test_a_case_that_stands_twice_is_one_and_counted(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"input": "a case "}, ROW | {"input": "another case"}, ROW | {"patient": "B", "part": "heldout"}]
    assert called(tmp_path, rows) == 0
    assert pd.read_parquet(tmp_path / "out/cases.parquet")["case_id"].tolist() == ["A_1", "A_3", "B_4"]
    assert json.loads((tmp_path / "out/cases.parquet.manifest.json").read_text())["counts"]["left_out"] == {"the same case again": 1}
