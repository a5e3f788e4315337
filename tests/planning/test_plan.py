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


def test_jobs_of_one_model_share_settings_and_digest_and_those_of_another_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = {name: {"path": str(tmp_path / name)} for name in ("one", "other")}
    for name in models:
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(f'{{"of": "{name}"}}')
    monkeypatch.chdir(tmp_path)
    plan = Plan({"study": "study", "models": models, "strategies": {"raft": {}, "mse": {"score_loss": "mse"}}})

    def settings(model: str, strategy: str, fold: str) -> str:
        return plan.settings("train", cohort="msk-chord", model=model, strategy=strategy, fold=fold)

    assert settings("one", "raft", "0") == settings("one", "raft", "1")
    assert settings("one", "raft", "0") != settings("one", "mse", "0")
    digest = plan.base_content("one")
    assert digest == plan.base_content("one") != plan.base_content("other")
    (tmp_path / "one" / "config.json").write_text("{}")
    # A plan is of one moment; the next sees the change.
    assert plan.base_content("one") == digest
    assert Plan({"study": "study", "models": models}).base_content("one") != digest
