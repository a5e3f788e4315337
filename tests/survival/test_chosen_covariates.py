"""Covariates of one's own: read, joined, counted; each thing wrong with them is one line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.covariates import COVARIATES
from oncoraft.foundation.errors import InputError
from oncoraft.planning.settings.analysis import AT_INDEX, Survival
from oncoraft.survival.chosen_covariates import read_covariates, with_chosen

from .test_stratify import N, survival, write_study


def test_the_settings_name_every_covariate_of_the_evidence() -> None:
    assert set(AT_INDEX) == set(COVARIATES)


def chosen(names: list[str], **more: object) -> list[str]:
    return ["--settings", json.dumps({"survival": {"endpoints": ["overall_survival"], "covariates": names, **more}})]


def test_columns_of_a_file_and_of_the_clinical_tables_are_adjusted_for_and_counted(tmp_path: Path) -> None:
    tables = write_study(tmp_path)
    cases = tables["cases"].assign(specimen_id=tables["cases"]["patient_id"] + "-T1")
    cases.to_parquet(tmp_path / "cases" / "cases.parquet")
    folder = tmp_path / "tables"
    folder.mkdir()
    draw = np.random.default_rng(1)
    purity, hr = draw.uniform(10, 90, N), draw.random(N) < 0.5
    pd.DataFrame({"sample_id": cases["specimen_id"], "tumor_purity": purity}).iloc[5:].to_parquet(folder / "clinical_sample.parquet")
    pd.DataFrame({"patient_id": cases["patient_id"], "hr": hr}).to_parquet(folder / "clinical_patient.parquet")
    lines = [f'"{name}",{number % 7},{["north", "south", "unknown"][number % 3]}' for number, name in enumerate(cases["patient_id"][:-10])]
    (tmp_path / "own.csv").write_text("\n".join(["\ufeffpatient_id,frailty,region", *lines, "ghost,3,north", ""]), encoding="utf-8")
    names = ["frailty", "region", "age", "clinical_sample.tumor_purity", "clinical_patient.hr"]
    words = chosen(names, covariate_file=str(tmp_path / "own.csv"))
    assert survival(tmp_path, "--tables", str(folder), *words) == 0
    result = json.loads((tmp_path / "survival" / "survival.json").read_text())
    assert (result["counts"]["patients_without_covariate_row"], result["counts"]["covariate_rows_of_others"]) == (10, 1)
    told = result["cancer_types"][0]["covariates"]
    assert [(one["covariate"], one["state"]) for one in told] == [(name, "used") for name in names]
    assert {one["covariate"]: one["unknown"] for one in told}["clinical_sample.tumor_purity"] == 5
    assert [one["source"] for one in told][-1] == "clinical_patient, not dated"
    assert {"frailty", "region: south", "clinical_patient.hr"} <= set(result["cancer_types"][0]["adjusted_for"])
    inputs = json.loads((tmp_path / "survival" / "manifest.json").read_text())["inputs"]
    assert any("own.csv" in str(one) for one in inputs)


BAD = {
    "no key": ("id,frailty\nx,1\n", "own.csv, line 1, column patient_id: expected this column once, found '0 times'"),
    "no such column": ("patient_id,other\nx,1\n", "line 1, column frailty: expected this column once"),
    "a column twice": ("patient_id,frailty,frailty\nx,1,2\n", "column frailty: expected this column once, found '2 times'"),
    "a patient twice": (
        "patient_id,frailty\nx,1\ny,2\nx,3\n",
        "line 4, column patient_id: expected each patient once, the first was line 2",
    ),
    "a patient without a name": ("patient_id,frailty\n,1\n", "line 2, column patient_id: expected the id of a patient"),
    "a row too short": ("patient_id,frailty\nx\n", "line 2: expected 2 cells, as in the header, found 1"),
    "a word among numbers": ("patient_id,frailty\nx,1\ny,2\nz,frail\n", "line 4, column frailty: expected a number, as in the other rows"),
    "a number among words": ("patient_id,frailty\nx,a\ny,b\nz,3\n", "line 4, column frailty: expected a word, as in the other rows"),
    "an infinite number": ("patient_id,frailty\nx,1\ny,inf\nz,2\n", "line 3, column frailty: expected a number"),
    "names": ("patient_id,frailty\n" + "".join(f"p{n},w{n}\n" for n in range(30)), "expected numbers, or at most 20 different words"),
    "a decimal comma": ('patient_id,frailty\nx,1\ny,"0,5"\n', "line 3, column frailty: expected a point in a number, found '0,5'"),
    "nothing": ("", "expected a header with patient_id, frailty, found 'nothing'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    text, said = BAD[name]
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_covariates(tmp_path / "own.csv", ["frailty"])
    assert said in str(caught.value)


FRAME = pd.DataFrame({"case_id": ["0071-1"], "patient_id": ["0071"], "score": [0.4]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patient_id,score\n0071,3\n", "column score: expected another name, which no column of the cases has"),
        ("patient_id,event\n0071,3\n", "column event: expected another name"),
        ("patient_id,frailty\n71,3\n", "column patient_id: expected rows of these patients, as '0071', found '71'"),
    ],
)
def test_a_file_of_other_patients_and_a_column_that_would_take_the_place_of_the_score_are_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "own.csv").write_text(text)
    settings = Survival(covariates=(text.splitlines()[0].split(",")[1],), covariate_file=str(tmp_path / "own.csv"))
    with pytest.raises(InputError) as caught:
        with_chosen(FRAME, settings, None)
    assert said in str(caught.value)


def test_bytes_that_are_no_text_and_no_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(b"patient_id,frailty\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_covariates(tmp_path / "own.csv", ["frailty"])
    with pytest.raises(InputError, match=r"none\.csv: expected a CSV with patient_id, frailty"):
        read_covariates(tmp_path / "none.csv", ["frailty"])


def test_words_for_nothing_are_missing_and_quoted_cells_are_read(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text('patient_id,score,place\n"a","1.5",\n\nb,NA,"x, y"\nc,,unknown\n')
    found = read_covariates(tmp_path / "own.csv", ["place", "score"])
    assert found["score"].tolist() == [1.5, pytest.approx(np.nan, nan_ok=True), pytest.approx(np.nan, nan_ok=True)]
    assert found["place"].tolist() == [None, "x, y", None]


def test_a_clinical_column_without_its_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_study(tmp_path)
    assert survival(tmp_path, *chosen(["clinical_patient.gender"])) == 2
    assert "expected --tables, the folder of clinical_patient.parquet" in capsys.readouterr().err
    (tmp_path / "tables").mkdir()
    pd.DataFrame({"patient_id": ["00001"]}).to_parquet(tmp_path / "tables" / "clinical_patient.parquet")
    assert survival(tmp_path, "--tables", str(tmp_path / "tables"), *chosen(["clinical_patient.gender"])) == 2
    assert "column gender: expected this column" in capsys.readouterr().err
    assert not (tmp_path / "survival").exists()
