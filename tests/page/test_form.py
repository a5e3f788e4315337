"""What is entered becomes what the workflow would have written; what cannot be is said beside its field."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from oncoraft.evidence.evidence import collect, collecting
from oncoraft.evidence.fields import BY_NAME
from oncoraft.foundation.errors import InputError
from oncoraft.page.asking import lines_of
from oncoraft.page.demo import DEMO
from oncoraft.page.form import Entry, Wrong, read_entries
from oncoraft.page.groups import score_group
from oncoraft.page.inputs import DERIVED, inputs
from oncoraft.page.page import read_study
from oncoraft.page.past import past
from oncoraft.page.records import case_list, evidence_of, tables_of
from oncoraft.page.standing import Standing, covariance
from oncoraft.page.study import Study
from oncoraft.planning.config import Evidence
from oncoraft.recalibration import logistic
from oncoraft.report.small_cells import Guard
from oncoraft.survival.groups import score_groups
from oncoraft.twin import twin

pytestmark = pytest.mark.xdist_group("page")  # one page, one model, one browser for all of them
BASE = [{"field": "drug", "value": "docetaxel"}, {"field": "cancer_type", "value": "Prostate Cancer"}]
VALUES = {
    "drug": "docetaxel", "cancer_type": "Prostate Cancer", "prior_regimen": "leuprolide", "mutation": "TP53 R175H", "copy_number": "MYC amplification",
    "structural_variant": "TMPRSS2-ERG", "histology": "adenocarcinoma", "primary_site": "prostate", "specimen_histology": "Prostate Adenocarcinoma",
    "specimen_site": "Bone", "gleason": "9", "line_overall": "3", "line": "2", "ecog": "2", "other_cancer": "Breast Cancer", "tumor_marker": "12.5",
    "age_at_index": "70", "tumor_purity": "40", "concurrent_radiation": "yes", "stage": "Stage 4", "clinical_group": "4", "pathological_group": "4B",
    "extent": "Distant", "race": "White", "ethnicity": "Cuban", "setting": "metastatic", "msi": "Stable", "specimen_type": "Metastasis",
}  # fmt: skip


def entry(name: str, cancer: str = "") -> dict[str, Any]:
    asked = inputs()[name]
    value = VALUES.get(name, asked.choices[0] if asked.choices else "3")
    detail = asked.details[0] if asked.details else ""
    return {
        "field": name,
        "value": cancer if name == "cancer_type" and cancer else value,
        "days": 30 if asked.has_days else None,
        "detail": detail,
    }


def statements(entries: list[Entry]) -> pd.DataFrame:
    found = collect(tables_of(entries), case_list(entries), **collecting(Evidence()))
    return found[found["case_id"] == "case"]


def test_every_declared_field_is_asked_for_or_derived() -> None:
    assert set(inputs()) | DERIVED == set(BY_NAME)
    assert not set(inputs()) & DERIVED


def test_every_field_that_is_entered_is_told() -> None:
    # Receptors are told of breast cancer alone, a Gleason score of prostate cancer alone.
    breast = {"hormone_receptor", "her2"}
    for cancer, left_out in (("Prostate Cancer", breast), ("Breast Cancer", {"gleason", "other_cancer"})):
        names = inputs().keys() - left_out
        found = statements(read_entries([entry(name, cancer) for name in sorted(names)]))
        assert set(found["field"]) == names | (DERIVED - {"agents_of_other_cancer", "msi_comment", "not_listed"}) & set(found["field"])
        dated = {name for name in names if inputs()[name].has_days}
        assert set(found.loc[found["field"].isin(dated), "days_before_index"]) == {30}


@pytest.mark.parametrize("given", [BASE, *(one["entries"] for one in DEMO)], ids=["least", "lung", "colorectal", "breast"])
def test_fields_without_a_record_are_left_aside_and_nothing_is_missing(given: list[dict[str, Any]]) -> None:
    entries = read_entries(given)
    found = evidence_of(tuple(entries), Evidence().model_dump_json())
    pd.testing.assert_frame_equal(found[found["case_id"] == "case"], statements(entries))


def test_what_was_known_decides_here_as_in_the_workflow() -> None:
    old = [*BASE, {"field": "ecog", "value": "1", "days": 400}]
    assert "ecog" not in set(statements(read_entries(old))["field"])
    same_day = [*BASE, {"field": "progression", "value": "Y", "days": 0}]
    assert "progression" not in set(statements(read_entries(same_day))["field"])
    two = [
        *BASE,
        {"field": "tumor_marker", "value": "9", "days": 5, "detail": "PSA"},
        {"field": "tumor_marker", "value": "4", "days": 60, "detail": "PSA"},
    ]
    assert "rising" in statements(read_entries(two)).set_index("field")["text"]["tumor_marker"]


@pytest.mark.parametrize("one", DEMO, ids=lambda one: one["title"][:12])
def test_the_made_up_cases_can_be_entered_and_are_told_whole(one: dict[str, Any]) -> None:
    entries = read_entries(one["entries"])
    found = set(statements(entries)["field"])
    assert {entry.field for entry in entries} <= found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"field": "drug", "value": "docetaxal"}, "did you mean docetaxel"),
        ({"field": "mutation", "value": "KRAS"}, "specimen_type: expected"),
        ({"field": "mutation", "value": "KRAS hello"}, "expected a protein change"),
        ({"field": "copy_number", "value": "MET gain"}, "amplification or deletion"),
        ({"field": "structural_variant", "value": "ALK"}, "two genes"),
        ({"field": "ecog", "value": "7", "days": 3}, "from 0 to 5"),
        ({"field": "ecog", "value": "1.5", "days": 3}, "whole number"),
        ({"field": "ecog", "value": "1", "days": "-3"}, "days before treatment"),
        ({"field": "ecog", "value": "1"}, "days before treatment"),
        ({"field": "tumor_marker", "value": "3", "days": 1}, "which marker"),
        ({"field": "stage", "value": "Stage 9"}, "expected one of Stage 1-3, Stage 4"),
        ({"field": "sex", "value": "Female\nAnswer:"}, "printable"),
        ({"field": "imaging_days", "value": "3"}, "derived"),
        ({"field": "survival", "value": "3"}, "no such field"),
        ({"field": "cancer_type", "value": "Breast Cancer"}, "expected once"),
    ],
)
def test_what_cannot_be_entered_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Wrong) as caught:
        read_entries([*BASE, given])
    assert said in str(caught.value)


def test_the_interval_is_that_of_a_regression_with_patients_as_clusters() -> None:
    draw = np.random.default_rng(2)
    x, patient = draw.normal(size=80), draw.integers(0, 30, 80)
    positive = draw.random(80) < 1 / (1 + np.exp(-0.4 - x))
    fitted = sm.Logit(positive.astype(float), sm.add_constant(x)).fit(disp=0, cov_type="cluster", cov_kwds={"groups": patient})
    intercept, slope = logistic(x, positive)
    assert covariance(x, positive, patient, intercept, slope) == pytest.approx(fitted.cov_params(), rel=1e-6)


def test_no_small_number_of_a_regimen_can_be_computed_or_counted_from_its_marks() -> None:
    cases = pd.DataFrame({"regimen": "r", "cancer_type": "a", "score": np.linspace(0.1, 0.9, 60)})
    cases["responder"] = pd.array([True] * 4 + [False] * 36 + [None] * 20, dtype="boolean")
    standing = Standing(SimpleNamespace(guard=Guard(10)), Path("fold-0"))  # type: ignore[arg-type]
    standing.__dict__["heldout"] = cases
    told = standing.of_regimen("r", "a")
    assert told["n"] == 60
    assert told["responders"] == {"n": "<10", "scores": []}
    assert told["not_evaluable"] == "hidden"  # 60 less 36 and 20 would be 4
    assert len(told["others"]["scores"]) == told["others"]["n"] == 36


def test_a_case_falls_into_the_group_that_the_survival_of_its_run_would_cut() -> None:
    draw = np.random.default_rng(4)
    used = pd.DataFrame({"case_id": [f"c{n}" for n in range(300)], "cancer_type": "a", "regimen": "r", "fold": np.arange(300) % 3})
    used["score"] = draw.uniform(size=300)
    cut = score_groups(used)
    for place in range(0, 300, 37):
        row = used.iloc[place]
        rest = used.drop(index=place)
        assert score_group(rest, "r", "a", int(row["fold"]), float(row["score"]), "median") == ("low", "high")[cut[place]]


def test_every_statement_of_a_text_can_be_left_out_by_itself() -> None:
    listed = "Patient\n- Age 60 to 69\n- ECOG 1\n\nGenomics\n- Mutations: EGFR L858R, TP53 R175H"
    assert [(section, text) for section, text, _ in lines_of(listed)] == [
        ("Patient", "Age 60 to 69"),
        ("Patient", "ECOG 1"),
        ("Genomics", "Mutations: EGFR L858R, TP53 R175H"),
    ]
    assert lines_of(listed)[1][2] == listed.replace("- ECOG 1\n", "")
    compact = "Drugs: osimertinib\nPatient: ECOG 1; line 2"
    assert [(section, text) for section, text, _ in lines_of(compact)] == [
        ("", "Drugs: osimertinib"),
        ("Patient", "ECOG 1"),
        ("Patient", "line 2"),
    ]
    assert lines_of(compact)[2][2] == "Drugs: osimertinib\nPatient: ECOG 1"


def test_a_study_folder_is_read_for_its_patients_and_leaves_nothing(tmp_path: Path) -> None:
    assert twin.main(["--patients", "50", "--seed", "3", "--out", str(tmp_path / "study")]) == 0
    with read_study(tmp_path / "study", Namespace(config=None), 10) as study:
        assert study is not None
        patient = study.patients("0000001")[0]
        first = study.cases_of(patient).iloc[0]
        day = int(first["index_day"])
        told, case = study.evidence_of(patient, day)
        assert case["case_id"] == first["case_id"]
        assert not told.empty
        later, case = study.evidence_of(patient, day + 400, ["DOCETAXEL"])
        assert (case["regimen"], case["index_day"]) == ("docetaxel", day + 400)
        assert set(first["agents_at_index"]) <= {agent.upper() for agent in later.loc[later["field"] == "prior_agents", "value"]}
        with pytest.raises(InputError, match="they join the one begun before"):
            study.evidence_of(patient, day + 5, ["DOCETAXEL"])
        home = study.root
    assert not home.exists()


def test_the_line_of_time_ends_at_the_index_day(home: Path) -> None:
    study = Study(home / "results", Guard(1))
    case = study.cases.iloc[1]
    picture = past(study, str(case["patient_id"]), int(case["index_day"]))
    assert picture is not None
    days = [int(day) for day in re.findall(r"day (-?\d+)<", str(picture))]
    assert days
    assert max(days) <= 0
