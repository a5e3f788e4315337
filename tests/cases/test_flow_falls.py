"""The flow only falls, whoever lacks survival, a clinical row or a verdict, and a study without a timeline goes as far as it can."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoraft.cases import build
from oncoraft.cases.flow import check_falls, stage
from oncoraft.foundation.errors import InputError

from .test_flow import study

SETTINGS = json.dumps({"folds": {"folds": 2, "seed": 8}})


def edited(folder: Path, name: str, rows: pd.DataFrame) -> None:
    rows.to_parquet(folder / f"{name}.parquet")


def larger_study(folder: Path) -> Path:
    """The study of `test_flow` with three more patients: f and g are treated once, h has only a bone agent."""
    study(folder)
    for name in ("clinical_patient", "timeline_treatment", "timeline_specimen", "clinical_sample"):
        rows = pd.read_parquet(folder / f"{name}.parquet")
        key = "sample_id" if name == "clinical_sample" else "patient_id"
        kind = rows[key].str[0]
        copies = [rows[kind == old].assign(**{key: rows[key].str.replace(old, new)}) for old, new in (("b", "f"), ("b", "g"), ("c", "h"))]
        if "sample_id" in rows and name != "clinical_sample":
            copies = [part.assign(sample_id=part["patient_id"] + "-T01-IM6") for part in copies]
        edited(folder, name, pd.concat([rows, *copies], ignore_index=True))
    return folder


def built(folder: Path) -> list[dict[str, Any]]:
    assert build.main([str(folder), "--out", str(folder / "cases"), "--settings", SETTINGS]) == 0
    steps: list[dict[str, Any]] = json.loads((folder / "cases" / "flow.json").read_text())["steps"]
    return steps


def falls(steps: list[dict[str, Any]]) -> None:
    for before, after in itertools.pairwise(steps):
        assert 0 <= after["patients"] <= before["patients"]
        assert after["excluded_patients"] == before["patients"] - after["patients"]
        if before["cases"] is None:
            lost = after["excluded_patients"], sum(reason["patients"] for reason in after["reasons"])
        else:
            assert 0 <= after["cases"] <= before["cases"]
            lost = after["excluded_cases"], sum(reason["cases"] for reason in after["reasons"])
        assert lost[0] == lost[1]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.sampled_from("abcdefgh")), st.sets(st.sampled_from("abcdefgh")))
def test_the_flow_falls_whoever_is_without_survival(no_months: set[str], no_status: set[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = larger_study(Path(name))
        patients = pd.read_parquet(folder / "clinical_patient.parquet")
        patients["os_days"] = patients["os_days"].astype(float).mask(patients["patient_id"].isin(no_months))
        patients["is_deceased"] = patients["is_deceased"].astype("boolean").mask(patients["patient_id"].isin(no_status))
        edited(folder, "clinical_patient", patients)
        steps = built(folder)
        falls(steps)
        risk = next(step for step in steps if step["name"] == "with follow-up at risk")
        assert risk["patients"] == len(set("abfg") - no_months - no_status)
        told = {reason["reason"]: reason["patients"] for reason in risk["reasons"]}
        assert told.get("no survival recorded", 0) == len(set("abfg") & (no_months | no_status))
        followup = pd.read_parquet(folder / "cases" / "followup.parquet")
        cases = pd.read_parquet(folder / "cases" / "cases.parquet").set_index("case_id")["patient_id"]
        assert not set(followup["case_id"].map(cases)) & (no_months | no_status)


def test_patients_whose_clinical_row_is_set_aside_are_not_in_the_flow(tmp_path: Path) -> None:
    folder = larger_study(tmp_path)
    patients = pd.read_parquet(folder / "clinical_patient.parquet")
    edited(folder, "clinical_patient", patients[patients["patient_id"] != "g"])
    steps = built(folder)
    falls(steps)
    assert [step["patients"] for step in steps[:3]] == [7, 6, 3], "g is treated, but not of the study"


def test_without_a_progression_timeline_there_are_cases_and_survival_and_no_labels(tmp_path: Path) -> None:
    folder = study(tmp_path)
    edited(folder, "timeline_progression", pd.read_parquet(folder / "timeline_progression.parquet").iloc[:0])
    steps = built(folder)
    falls(steps)
    assert (steps[-2]["cases"], steps[-1]["cases"]) == (3, 0)
    labels = pd.read_parquet(folder / "cases" / "labels.parquet")
    assert set(labels["category"]) == {"NE"}
    followup = pd.read_parquet(folder / "cases" / "followup.parquet")
    assert set(followup["endpoint"]) == {"os", "ttnt"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "timeline_treatment",
            r"data_timeline_treatment\.txt: expected at least one row of an anticancer agent, found 'no treatment timeline",
        ),
        ("timeline_specimen", r"data_timeline_specimen\.txt: expected at least one treated patient with a sequenced specimen"),
    ],
)
def test_without_treatment_or_specimens_there_are_no_cases_and_one_line_says_so(table: str, message: str, tmp_path: Path) -> None:
    folder = study(tmp_path)
    edited(folder, table, pd.read_parquet(folder / f"{table}.parquet").iloc[:0])
    with pytest.raises(InputError, match=message):
        build.main([str(folder), "--out", str(folder / "cases"), "--settings", SETTINGS])
    assert not (folder / "cases" / "cases.parquet").exists()


def test_without_a_cancer_type_of_any_specimen_one_line_names_the_columns_that_tell_it(tmp_path: Path) -> None:
    folder = study(tmp_path)
    edited(folder, "clinical_sample", pd.read_parquet(folder / "clinical_sample.parquet").assign(cancer_type=None))
    with pytest.raises(InputError, match=r"data_clinical_sample\.txt, column CANCER_TYPE: expected the cancer type .* or by ONCOTREE_CODE"):
        build.main([str(folder), "--out", str(folder / "cases"), "--settings", SETTINGS])


def test_a_patient_whose_first_specimen_has_no_cancer_type_is_described_by_the_next_that_has(tmp_path: Path) -> None:
    folder = study(tmp_path)
    before = built(folder)
    samples, specimens = (pd.read_parquet(folder / f"{name}.parquet") for name in ("clinical_sample", "timeline_specimen"))
    own = samples["sample_id"].str.startswith("b")
    later = samples[own].assign(sample_id="b-T02-IM6")
    edited(folder, "clinical_sample", pd.concat([samples.assign(cancer_type=samples["cancer_type"].mask(own)), later], ignore_index=True))
    day = specimens[specimens["patient_id"] == "b"].assign(sample_id="b-T02-IM6", start_day=1)
    edited(folder, "timeline_specimen", pd.concat([specimens, day], ignore_index=True))
    assert built(folder) == before
    cases = pd.read_parquet(folder / "cases" / "cases.parquet")
    assert set(cases.loc[cases["patient_id"] == "b", "cancer_type"]) == set(later["cancer_type"])


@pytest.mark.parametrize(
    ("patients", "cases", "reasons"),
    [(11, 20, [("x", 1, 0)]), (9, 21, [("x", 1, 0)]), (9, 18, [("x", 1, 1)]), (9, 18, [("x", 1, 3)])],
)
def test_a_flow_that_rises_or_does_not_sum_is_one_line(patients: int, cases: int, reasons: list[tuple[str, int, int]]) -> None:
    before = stage("before", 10, 20, None, [])
    with pytest.raises(InputError, match="flow, step 'after': expected a loss of at least none, every one with its reason"):
        check_falls([before, stage("after", patients, cases, before, reasons)])
    check_falls([before, stage("after", 9, 18, before, [("x", 1, 2)])])
