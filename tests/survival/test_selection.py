"""The selection audit finds what the cohort's own selection tells, and leaves alone what only follows the choice of treatment."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.cli import main
from oncoraft.planning.config import Selection
from oncoraft.survival.selection import audit
from oncoraft.survival.selection_models import presence

REGIMENS = ("a", "b")


def cohort(seed: int, n: int = 2000, leaks: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One law of relapse and death for everybody. Half are sequenced at diagnosis, the others when they relapse, else never.

    Evidence: whether a specimen is known at the index date (`specimen`), a marker that is tested with one regimen alone (`marker`), and whether
    the disease had spread (`spread`), which shortens life whatever the sequencing. Without a leak the others are sequenced on a day of
    chance, and all of them who live to see it are in the cohort.
    """
    draw = np.random.default_rng(seed)
    regimen = draw.random(n) < 0.5
    spread = draw.random(n) < 0.4
    pace = np.exp(0.8 * spread + 0.5 * regimen)
    relapse = draw.exponential(3000 / pace)
    death = relapse + draw.exponential(700 / pace) if leaks else draw.exponential(1500 / pace)
    early, lost = draw.random(n) < 0.5, draw.uniform(800, 3500, n)
    sequenced = relapse if leaks else draw.uniform(30, 900, n)
    entry = np.where(early, 0, np.ceil(sequenced)).astype(int)
    leave = np.floor(np.minimum(death, lost)).astype(int) + 1
    keep = (entry < leave) & (early | (sequenced < lost))
    response = draw.random(n) < np.where(regimen, 0.6, 0.2)
    cases = pd.DataFrame({"case_id": [f"c{row}" for row in range(n)], "patient_id": [f"p{row}" for row in range(n)]})
    cases = cases.assign(cancer_type="Breast Cancer", regimen=np.where(regimen, *REGIMENS[::-1]), index_day=np.where(early, 30, -entry))
    cases = cases.assign(regimen_name=cases["regimen"].str.upper(), entry_days=entry, exit_days=leave, event=death <= lost)
    cases = cases.assign(fold=np.arange(n) % 4, responder=pd.array(response, dtype="boolean"))
    marker = regimen & (draw.random(n) < 0.95)
    rows = [
        cases.loc[mask, ["case_id"]].assign(field=field) for field, mask in (("specimen", early), ("marker", marker), ("spread", spread))
    ]
    evidence = pd.concat(rows, ignore_index=True)
    return cases[keep], evidence[evidence["case_id"].isin(cases.loc[keep, "case_id"])]


def found(seed: int, **options) -> dict:
    cases, evidence = cohort(seed, **options)
    return audit(cases, evidence, Selection())


@pytest.fixture(scope="module")
def leaking() -> dict:
    return found(1)


def test_a_planted_selection_leak_is_flagged_by_field_by_model_and_by_regimen(leaking: dict) -> None:
    assert set(leaking["flagged"]) == {"specimen", "is_before_sequencing"}
    kinds = {record["kind"]: record for record in leaking["kinds"]}
    assert kinds["specimen"]["all_hazard_ratio"] < 0.3
    assert kinds["specimen"]["sequenced_by_index_hazard_ratio"] is None
    models = {(record["model"], record["scope"]): record for record in leaking["models"]}
    for name in ("sequencing time", "kinds of evidence", "both"):
        assert models[name, "all"]["is_flagged"]
        assert {row["regimen"] for row in models[name, "all"]["regimens"] if row["is_flagged"]} == set(REGIMENS)
    assert "hazard ratio above 1.5 in" in models["both", "all"]["reason"]


def test_what_the_disease_tells_is_not_selection(leaking: dict) -> None:
    spread = next(record for record in leaking["kinds"] if record["kind"] == "spread")
    assert spread["all_hazard_ratio"] > 1.5
    assert spread["sequenced_by_index_hazard_ratio"] > 1.5
    assert not spread["is_flagged"]


def test_restricted_to_those_sequenced_by_the_index_date_nothing_of_the_leak_is_left(leaking: dict) -> None:
    models = {(record["model"], record["scope"]): record for record in leaking["models"]}
    assert models["sequencing time", "sequenced_by_index"]["reason"] == "nothing varies"
    assert models["both", "sequenced_by_index"]["cases"] == leaking["counts"]["sequenced_by_index"]


def test_a_field_that_only_follows_the_choice_of_treatment_is_not_flagged() -> None:
    """The marker goes with the regimen, and the regimens differ in response (0.6 against 0.2) and in survival."""
    for seed in range(4):
        result = found(seed, leaks=False)
        assert result["flagged"] == []
        marker = next(record for record in result["kinds"] if record["kind"] == "marker")
        assert marker["all_auroc"] == pytest.approx(0.5, abs=0.1)
        response = [record["auroc"] for record in result["models"] if record["scope"] == "all"]
        assert max(response) < 0.6


def test_entry_by_chance_is_not_flagged_in_any_model() -> None:
    result = found(3, leaks=False)
    assert not any(record["is_flagged"] for record in result["models"] if record["model"] == "sequencing time")


def test_presence_has_a_column_for_each_kind_that_varies() -> None:
    cases = pd.DataFrame({"case_id": list("abcd")})
    evidence = pd.DataFrame({"case_id": [*list("aabcd"), "c"], "field": ["x", "x", "all", "all", "all", "x"]})
    evidence = pd.concat([evidence, pd.DataFrame({"case_id": ["a"], "field": ["all"]})])
    assert presence(cases, evidence).to_dict("list") == {"x": [1, 0, 1, 0]}


def test_the_step_writes_the_audit_and_its_table(tmp_path: Path) -> None:
    cases, evidence = cohort(2, n=600)
    folder = tmp_path / "cases"
    folder.mkdir()
    cases.drop(columns=["entry_days", "exit_days", "event", "fold", "responder"]).to_parquet(folder / "cases.parquet")
    cases[["case_id", "entry_days", "exit_days", "event"]].assign(endpoint="os").to_parquet(folder / "followup.parquet")
    cases[["case_id", "fold"]].assign(design="kfold").to_parquet(folder / "folds.parquet")
    cases[["case_id", "responder"]].assign(definition="strict").to_parquet(folder / "labels.parquet")
    evidence.assign(order=evidence.groupby("case_id").cumcount()).to_parquet(tmp_path / "evidence.parquet")
    words = ["selection", str(folder), str(tmp_path / "evidence.parquet"), "--out", str(tmp_path / "selection")]
    assert main(words) == 0
    result = json.loads((tmp_path / "selection" / "selection.json").read_text())
    assert "specimen" in result["flagged"]
    assert set(pd.read_csv(tmp_path / "selection" / "selection.csv")["kind"]) == {"specimen", "marker", "spread", "is_before_sequencing"}
    first = (tmp_path / "selection" / "selection.json").read_bytes()
    assert main(words) == 0
    assert (tmp_path / "selection" / "selection.json").read_bytes() == first
