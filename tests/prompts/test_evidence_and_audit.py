"""Evidence knows nothing of the future, and the audit finds a planted leak; budgets never cut what is protected."""

from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases import build
from oncoraft.cohort import ingest, twin
from oncoraft.errors import InputError
from oncoraft.prompts import facts
from oncoraft.prompts.audit import audit
from oncoraft.prompts.evidence import collect, read_cases, read_tables
from oncoraft.prompts.render import Renderer, estimated_tokens, render
from oncoraft.prompts.split import fold_parts


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[facts.Tables, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("cohort")
    assert twin.main(["--patients", "60", "--seed", "5", "--out", str(folder / "study")]) == 0
    assert ingest.main([str(folder / "study"), "--out", str(folder / "tables")]) == 0
    assert build.main([str(folder / "tables"), "--out", str(folder / "cases")]) == 0
    return read_tables(Path(folder / "tables")), read_cases(Path(folder / "cases"))


def test_the_audit_passes_on_a_cohort_and_counts_what_it_perturbed(cohort) -> None:
    report = audit(*cohort, "acquired", 3, seed=1)
    assert report["passed"]
    assert all(part["records_after_index"] > 100 for part in report["perturbations"].values())


@pytest.mark.parametrize("leak", ["same-day scans", "nearest record in either direction", "whole-history column"])
def test_the_audit_names_field_and_case_of_a_planted_leak(cohort, monkeypatch: pytest.MonkeyPatch, leak: str) -> None:
    if leak == "same-day scans":
        original = facts.records_before
        monkeypatch.setattr(
            facts, "records_before", lambda cases, rows, within_days=None, same_day=False: original(cases, rows, within_days, True)
        )
    elif leak == "nearest record in either direction":

        def nearest(cases, rows, within_days=None, same_day=False):
            joined = cases[["case_id", "patient_id", "index_day"]].merge(rows, on="patient_id")
            joined["days_before_index"] = (joined["index_day"] - joined["start_day"]).abs()
            return joined.sort_values(["case_id", "days_before_index"], kind="stable")

        monkeypatch.setattr(facts, "records_before", nearest)
    else:
        own = facts.patient

        def patient(cases, tables):
            joined = cases.merge(tables["clinical_patient"], on="patient_id")
            return own(cases, tables) | {"race": facts.facts(joined, joined["os_status"])}

        monkeypatch.setattr(facts, "patient", patient)
    with pytest.raises(InputError, match=r"look-ahead: .* field \w+ of case P-\d{7}_"):
        audit(*cohort, "acquired", 3, seed=1)


def test_no_prompt_names_a_patient_or_a_label(cohort) -> None:
    tables, cases = cohort
    for template in ("full", "compact"):
        for prompt in render(collect(tables, cases, "sequenced", 3), Renderer(template), 3072, estimated_tokens):
            text = prompt["instruction"] + prompt["input"]
            assert "P-00" not in text
            assert "responder" not in text


def test_a_short_budget_cuts_low_value_evidence_and_never_drugs_or_genomics(cohort) -> None:
    tables, cases = cohort
    evidence = collect(tables, cases, "acquired", 3)
    prompts = render(evidence, Renderer("compact"), 130, estimated_tokens)
    assert any(prompt["cut"] for prompt in prompts)
    for prompt in prompts:
        assert prompt["prompt_tokens"] <= 130
        assert not set(prompt["cut"]) & {"drug", "cancer_type", "mutation", "tmb", "copy_number", "structural_variant"}
    with pytest.raises(InputError, match="token_budget"):
        render(evidence, Renderer("full"), 64, estimated_tokens)


def test_training_and_held_out_rows_share_no_patient_and_the_cap_is_stable() -> None:
    people = [f"p{number}" for number in range(40)]
    frame = pd.DataFrame({"case_id": people, "patient_id": people, "output": ["x"] * 40})
    folds = pd.DataFrame(
        {"case_id": people, "design": "kfold", "fold": [n % 4 for n in range(40)], "is_tuning": [n % 10 == 1 for n in range(40)]}
    )
    train, held_out = fold_parts(frame, folds, "kfold", 0, None)
    assert len(held_out) == 10
    assert len(train) == 26  # 30 of other folds less the tuning patients 1, 11, 21 and 31
    capped, _ = fold_parts(frame.sample(frac=1, random_state=1), folds, "kfold", 0, 20)
    again, _ = fold_parts(frame, folds, "kfold", 0, 20)
    assert set(capped["case_id"]) == set(again["case_id"])
    with pytest.raises(InputError, match="expected a fold"):
        fold_parts(frame, folds, "kfold", 9, None)
