"""A cohort is limited by cancer type, panel or a list of patients; what falls out is counted, what cannot be meant is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from oncoraft.cases import build
from oncoraft.cases.chosen import choose, read_patients
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import CohortFilter

from .test_flow_falls import larger_study

CASES = pd.DataFrame(
    {
        "case_id": ["a1", "a2", "b1", "c1", "d1"],
        "patient_id": ["a", "a", "b", "c", "d"],
        "cancer_type": ["Breast Cancer", "Breast Cancer", "Prostate Cancer", "Breast Cancer", "Colorectal Cancer"],
        "gene_panel": ["IMPACT468", "IMPACT468", "IMPACT468", "IMPACT505", None],
    }
)
TABLES = {
    "clinical_patient": pd.DataFrame({"patient_id": list("abcd")}),
    "clinical_sample": CASES[["cancer_type", "gene_panel"]],
}


def listed(folder: Path, text: str) -> str:
    (folder / "patients.txt").write_text(text, encoding="utf-8")
    return str(folder / "patients.txt")


def test_without_limits_every_case_stays() -> None:
    kept, counts = choose(CASES, TABLES, CohortFilter())
    assert kept.equals(CASES)
    assert counts == {"cohort_filter": {}}


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"cancer_types": ["breast cancer"]}, ["a1", "a2", "c1"]),
        ({"gene_panels": ["IMPACT468"]}, ["a1", "a2", "b1"]),
        ({"cancer_types": ["Breast Cancer"], "gene_panels": ["IMPACT505"]}, ["c1"]),
        ({"cancer_types": ["Prostate Cancer", "Colorectal Cancer"]}, ["b1", "d1"]),
    ],
)
def test_a_limit_keeps_the_cases_that_it_names_and_counts_the_rest(limits: dict[str, Any], left: list[str]) -> None:
    kept, counts = choose(CASES, TABLES, CohortFilter(**limits))
    assert kept["case_id"].tolist() == left
    counted = counts["cohort_filter"]
    assert (counted["patients_before"], counted["cases_before"]) == (4, 5)
    assert sum(row["cases"] for row in counted["left_out"]) == 5 - len(left)


def test_a_list_of_patients_may_name_strangers_who_are_counted(tmp_path: Path) -> None:
    path = listed(tmp_path, "\ufeffPATIENT_ID\n# a note\nb\nd\tmore\n\n007\n")
    assert read_patients(Path(path)) == {"b", "d", "007"}
    kept, counts = choose(CASES, TABLES, CohortFilter(patients=path))
    assert kept["case_id"].tolist() == ["b1", "d1"]
    assert counts["cohort_filter"]["patients_unknown"] == 1


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"cancer_types": ["Brest Cancer"]}, r"cohort_filter\.cancer_types: .*did you mean 'Breast Cancer'\?, found 'Brest Cancer'"),
        ({"gene_panels": ["EXOME"]}, r"cohort_filter\.gene_panels: .*it has IMPACT468, IMPACT505, found 'EXOME'"),
        ({"cancer_types": ["Prostate Cancer"], "gene_panels": ["IMPACT505"]}, "expected at least one case within cohort_filter"),
        ({"patients": "nowhere.txt"}, r"nowhere\.txt: expected a list of patients, an id a line"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_one_line(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose(CASES, TABLES, CohortFilter(**limits))


@pytest.mark.parametrize("text", ["", "PATIENT_ID\n", "# nobody\n\n"])
def test_a_list_of_nobody_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a list of patients"):
        read_patients(Path(listed(tmp_path, text)))


@pytest.mark.parametrize("text", ['"b"\n"d"\n', "b,d\n", "'b' 'd'\n"])
def test_a_list_in_another_form_is_told_which_form_is_read(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected ids of patients as the study has them, one a line, without quotes, found"):
        choose(CASES, TABLES, CohortFilter(patients=listed(tmp_path, text)))


def test_the_limit_is_a_step_of_the_flow_and_leaves_each_case_as_it_was(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    larger_study(tables)
    settings = {"folds": {"folds": 2, "seed": 8}}
    found = {}
    for name, limits in (("all", {}), ("limited", {"patients": listed(tmp_path, "a\nf\nz\n")})):
        assert build.main([str(tables), "--out", str(tmp_path / name), "--settings", json.dumps(settings | {"cohort_filter": limits})]) == 0
        found[name] = json.loads((tmp_path / name / "flow.json").read_text())["steps"]
    assert [step["name"] for step in found["all"]] == [step["name"] for step in found["limited"] if step["name"] != "in the chosen cohort"]
    step = next(step for step in found["limited"] if step["name"] == "in the chosen cohort")
    assert (step["patients"], step["cases"], step["excluded_patients"], step["excluded_cases"]) == (2, 3, 2, 2)
    assert step["reasons"] == [{"reason": "not in the list of patients", "patients": 2, "cases": 2}]
    before, after = (pd.read_parquet(tmp_path / name / "cases.parquet") for name in ("all", "limited"))
    assert after.equals(before[before["patient_id"].isin(["a", "f"])].reset_index(drop=True))
