"""Cohorts as one: nobody in two, the folds of home kept, and a cohort held out at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases.fold_designs import kfold
from oncoraft.cases.folds import patient_table
from oncoraft.cases.pool import main as pool
from oncoraft.cases.pool import refuse_shared
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Folds

SETTINGS = {"folds": {"folds": 2, "seed": 3}, "pooling": {"designs": ["kfold", "leave_cohort_out"]}}


def cohort(home: Path, name: str, patients: int, prefix: str, **more: list[int]) -> Path:
    """Results of a cohort of two cases a patient, as far as pooling reads them."""
    folder = home / name
    (folder / "cases").mkdir(parents=True)
    (folder / "prompts").mkdir()
    cases = pd.DataFrame(
        {
            "case_id": [f"{prefix}{k // 2}_{k}" for k in range(2 * patients)],
            "patient_id": [f"{prefix}{k // 2}" for k in range(2 * patients)],
        }
    )
    cases = cases.assign(cancer_type="x", gene_panel=None, **more)
    cases.to_parquet(folder / "cases" / "cases.parquet")
    for table in ("labels", "followup"):
        cases[["case_id"]].assign(value=1).to_parquet(folder / "cases" / f"{table}.parquet")
    cases[["case_id"]].assign(field="ecog").to_parquet(folder / "prompts" / "evidence.parquet")
    (folder / "prompts" / "rationales.jsonl").write_text(
        "".join(json.dumps({"case_id": one, "rationale": "r"}) + "\n" for one in cases["case_id"])
    )
    (folder / "prompts" / "audit.json").write_text(json.dumps({"cases": len(cases)}))
    return folder


def pooled(*cohorts: Path) -> Path:
    out = cohorts[0].parent / "pooled"
    assert pool([*map(str, cohorts), "--out", str(out), "--settings", json.dumps(SETTINGS)]) == 0
    return out


def test_patients_stay_in_the_folds_that_they_have_at_home(tmp_path: Path) -> None:
    first, second = cohort(tmp_path, "msk", 20, "P-"), cohort(tmp_path, "bpc", 10, "B-")
    folds = pd.read_parquet(pooled(first, second) / "cases" / "folds.parquet")
    patients = patient_table(pd.read_parquet(first / "cases" / "cases.parquet"), None, "strict")
    at_home = dict(zip(patients["patient_id"], kfold(patients, Folds(folds=2, seed=3), {}), strict=True))
    mine = folds[(folds["design"] == "kfold") & folds["patient_id"].str.startswith("P-")]
    assert dict(zip(mine["patient_id"], mine["fold"], strict=True)) == at_home
    assert len(folds) == 2 * 60
    assert (folds.groupby(["design", "patient_id"])["fold"].nunique() == 1).all()


def test_each_cohort_is_held_out_once(tmp_path: Path) -> None:
    out = pooled(cohort(tmp_path, "msk", 20, "P-"), cohort(tmp_path, "bpc", 10, "B-"))
    folds = pd.read_parquet(out / "cases" / "folds.parquet").query("design == 'leave_cohort_out'")
    origin = pd.read_parquet(out / "cases" / "origin.parquet").set_index("patient_id")["cohort"]
    assert set(zip(folds["patient_id"].map(origin), folds["fold"], strict=True)) == {("msk", 0), ("bpc", 1)}


def test_every_file_holds_the_cases_of_both_and_a_column_that_one_lacks_is_null_there(tmp_path: Path) -> None:
    out = pooled(cohort(tmp_path, "msk", 3, "P-", line=[1] * 6), cohort(tmp_path, "bpc", 2, "B-"))
    cases = pd.read_parquet(out / "cases" / "cases.parquet")
    assert list(cases["line"].isna()) == [False] * 6 + [True] * 4
    for name in ("cases/labels.parquet", "cases/followup.parquet", "prompts/evidence.parquet"):
        assert list(pd.read_parquet(out / name)["case_id"]) == list(cases["case_id"])
    assert len((out / "prompts" / "rationales.jsonl").read_text().splitlines()) == 10
    assert json.loads((out / "prompts" / "audit.json").read_text()) == {"msk": {"cases": 6}, "bpc": {"cases": 4}}


def test_a_patient_of_two_cohorts_is_refused(tmp_path: Path) -> None:
    first, second = cohort(tmp_path, "msk", 3, "P-"), cohort(tmp_path, "bpc", 2, "P-")
    with pytest.raises(InputError, match="expected nobody in two cohorts; 2 of bpc are in msk too"):
        pooled(first, second)
    assert not (tmp_path / "pooled").exists()


@pytest.mark.parametrize("prefix", ["p-", " P-"])
def test_a_patient_whom_two_cohorts_write_in_another_case_or_with_a_blank_is_one(tmp_path: Path, prefix: str) -> None:
    first, second = cohort(tmp_path, "msk", 3, "P-"), cohort(tmp_path, "bpc", 2, prefix)
    with pytest.raises(InputError, match=f"expected nobody in two cohorts; 2 of bpc are in msk too.*{prefix}"):
        pooled(first, second)


def test_one_cohort_alone_is_no_pool(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected two or more cohorts of different names"):
        pooled(cohort(tmp_path, "msk", 3, "P-"))


@pytest.mark.parametrize("column", ["patient_id", "case_id"])
def test_a_row_without_an_id_is_refused_by_its_column_and_cohort(column: str) -> None:
    home = pd.DataFrame({"patient_id": ["p1"], "case_id": ["p1_+0"]})
    away = pd.DataFrame({"patient_id": ["p2"], "case_id": ["p2_+0"]}).assign(**{column: None})
    with pytest.raises(InputError, match=f"{column}: expected an id in every row, found 'nothing in 1 of away'"):
        refuse_shared([home, away], ["home", "away"])
