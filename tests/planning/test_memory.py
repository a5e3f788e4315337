"""What a job asks a cluster for follows the study that it reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from oncoraft.planning.memory import FLOOR_MB, memory_of_tables, study_megabytes
from oncoraft.planning.plan import Plan

FILES = ("clinical_patient", "clinical_sample", "timeline_treatment", "timeline_specimen")


def plan_of(study: Path | None = None, **more: Any) -> Plan:
    return Plan({"cohort": "own", "study": str(study) if study else None, "models": {"tiny": {"build": {}}}} | more)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of 1,000 MB, most of it a hole in one file."""
    for name in FILES:
        (tmp_path / f"data_{name}.txt").write_text("PATIENT_ID\n", encoding="utf-8")
    (tmp_path / "notes.bin").write_bytes(b"")
    os.truncate(tmp_path / "notes.bin", 10**10)
    (tmp_path / "data_mutations.txt").write_text("Hugo_Symbol\n", encoding="utf-8")
    os.truncate(tmp_path / "data_mutations.txt", 10**9)
    return tmp_path


def test_a_large_study_asks_for_more_and_a_job_that_is_tried_again_for_more_still(study: Path) -> None:
    plan = plan_of(study)
    assert study_megabytes(plan, "own") == pytest.approx(1000, abs=1)  # what is no file of the study does not count
    assert [memory_of_tables(plan, {"cohort": "own"}, attempt) for attempt in (1, 2, 3)] == [8000, 16000, 24000]


def test_a_small_study_and_the_pretraining_twin_ask_for_no_less_than_the_floor(tmp_path: Path) -> None:
    assert memory_of_tables(plan_of(tmp_path), {"cohort": "own"}, 1) == FLOOR_MB
    assert memory_of_tables(plan_of(tmp_path), {}, 1) == FLOOR_MB


def test_a_twin_is_judged_by_the_patients_that_it_will_have() -> None:
    plan = plan_of(twin={"patients": 100_000, "seed": 1})
    assert memory_of_tables(plan, {"cohort": "own", "fold": "0"}, 1) == 11_000


def test_a_pool_is_as_large_as_its_parts() -> None:
    second = {"other": {"reader": "genie_bpc", "role": "validate", "twin": {"patients": 3_000, "seed": 2}}}
    plan = plan_of(twin={"patients": 1_000, "seed": 1}, cohorts=second, pooling={"designs": ["kfold"]})
    (pool,) = plan.pooled_cohort()
    assert study_megabytes(plan, pool) == study_megabytes(plan, "own") + study_megabytes(plan, "other") == pytest.approx(56)
