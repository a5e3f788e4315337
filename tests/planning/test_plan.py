"""What a plan knows of a study before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oncoraft.planning.config import PRETRAINING
from oncoraft.planning.plan import Plan

FILES = ("clinical_patient", "clinical_sample", "timeline_treatment", "timeline_specimen")


def plan_of(study: Path, without: str = "", **more: Any) -> Plan:
    for name in FILES:
        if name != without:
            (study / f"data_{name}.txt").write_text("PATIENT_ID\n", encoding="utf-8")
    return Plan({"study": str(study), "models": {"tiny": {"build": {}}}} | more)


@pytest.mark.parametrize("name", FILES)
def test_a_study_without_what_every_case_rests_on_is_told_before_anything_runs(name: str, tmp_path: Path) -> None:
    (line,) = plan_of(tmp_path, without=name).missing()
    assert f"data_{name}.txt: missing; " in line


def test_a_study_without_a_progression_timeline_is_planned(tmp_path: Path) -> None:
    assert plan_of(tmp_path).missing() == []


def test_the_cohorts_limits_hold_for_the_cohort_and_not_for_the_tiny_models_population(tmp_path: Path) -> None:
    limits = {"patients": str(tmp_path / "patients.txt")}
    plan = plan_of(tmp_path, cohort_filter=limits)
    assert plan.filter_files(plan.config.cohort) == [limits["patients"]]
    assert plan.filter_files(PRETRAINING) == []
    assert limits["patients"] in plan.settings("regimens", cohort=plan.config.cohort)
    assert limits["patients"] not in plan.settings("regimens", cohort=PRETRAINING)
    assert "cohort_filter" not in plan.settings("ingest", cohort=plan.config.cohort)
    assert plan.missing() == [f"{limits['patients']}: no such file (configuration key `cohort_filter.patients`)"]
