"""The audit passes on sound evidence and fails, naming field and case, wherever a leak is planted."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.evidence import disease, facts, fields, genomics, known, treatment
from oncoraft.evidence.perturb import PERTURBATIONS, followed_for_longer, own_space, perturb, undated_columns
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Evidence
from oncoraft.prompts import audit as audit_module
from oncoraft.prompts.audit import Audited, audit, check_words, sample
from oncoraft.prompts.render import Renderer
from tests.evidence.study import draw_study

TABLES, CASES = draw_study(12, seed=4)
AUDITED = Audited(Evidence(), Renderer("full"), 3072, seed=1)
STRICT = Audited(Evidence(index_day="excluded"), Renderer("full"), 3072, seed=1)


def test_the_audit_passes_and_counts_what_lay_beyond_the_index_date() -> None:
    report = audit(TABLES, CASES, AUDITED)
    assert report["passed"]
    assert report["cases"] == report["prompts"] == 36
    assert set(report["perturbations"]) == {"deleted", "shuffled", "replaced", "injected"}
    for part in report["perturbations"].values():
        assert all(number > 0 for number in part["by_table"].values())  # every table holds something that could leak
        assert part["changed_statements"] == part["changed_prompts"] == 0


@pytest.mark.parametrize("template", ["compact", "oncoraft"])
def test_the_audit_passes_with_every_template(template: str) -> None:
    assert audit(TABLES, CASES.head(6), Audited(Evidence(genomics_known="acquired"), Renderer(template), 3072, 2), CASES)["passed"]


def of_any_date(field: str) -> Callable[[pytest.MonkeyPatch], None]:
    """The rule of one field forgotten: its records count whatever their date, the latest first."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        sound = known.is_known
        monkeypatch.setattr(
            known, "is_known", lambda rule, days: pd.Series(True, index=days.index) if rule.name == field else sound(rule, days)
        )

    return plant


def of_the_index_day(field: str) -> Callable[[pytest.MonkeyPatch], None]:
    """The declaration of one field altered: records of the index day count, whatever the setting says."""
    return lambda monkeypatch: monkeypatch.setitem(fields.BY_NAME, field, replace(fields.BY_NAME[field], known="by_index"))


def from_undated(field: str, column: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A field filled from a column of the patient table that has no date."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        sound = facts.pathology

        def pathology(cases: pd.DataFrame, tables: known.Tables, count: int) -> facts.Found:
            joined = cases[["case", "person"]].merge(tables["clinical_patient"], on="person")
            return sound(cases, tables, count) | {field: known.facts(joined, joined[column], earlier="")}

        monkeypatch.setattr(facts, "pathology", pathology)

    return plant


def age_as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Age at the end of follow-up shown as age at the index date."""
    sound = facts.patient

    def patient(cases: pd.DataFrame, tables: known.Tables) -> facts.Found:
        joined = cases[["case", "person"]].merge(tables["clinical_patient"], on="person")
        return sound(cases, tables) | {"age_at_index": known.facts(joined, joined["current_age_deid"], reading="")}

    monkeypatch.setattr(facts, "patient", patient)


def forbidden_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """The allow-list itself altered: race is declared to come from survival."""
    changed = tuple(replace(field, sources=("clinical_patient.os_status",)) if field.name == "race" else field for field in fields.FIELDS)
    monkeypatch.setattr(fields, "FIELDS", changed)


LEAKS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "future progression": ("progression", of_any_date("progression")),
    "future imaging counted": ("imaging_history", of_any_date("imaging_history")),
    "cancer seen later": ("cancer_presence", of_any_date("cancer_presence")),
    "future performance status": ("ecog", of_any_date("ecog")),
    "performance status of the index day": ("ecog", of_the_index_day("ecog")),
    "scan of the index day": ("progression", of_the_index_day("progression")),
    "future tumour site": ("tumor_sites", of_any_date("tumor_sites")),
    "future laboratory value": ("tumor_marker", of_any_date("tumor_marker")),
    "future PD-L1": ("pdl1", of_any_date("pdl1")),
    "future mismatch repair": ("mmr", of_any_date("mmr")),
    "future Gleason score": ("gleason", of_any_date("gleason")),
    "later diagnosis with its stage": ("diagnosis|diagnosed|stage", of_any_date("stage")),
    "agent given later": ("prior_agents", of_any_date("prior_agents")),
    "response of the next line": ("prior_regimen", of_any_date("prior_regimen")),
    "radiation to come": ("radiation", of_any_date("radiation")),
    "surgery to come": ("surgery", of_any_date("surgery")),
    "specimen sequenced later": ("specimen_type|mutation|mutations_profiled", of_any_date("mutation")),
    "PD-L1 ever": ("pdl1", from_undated("pdl1", "history_of_pdl1")),
    "highest Gleason score": ("gleason", from_undated("gleason", "gleason_highest_reported")),
    "survival status": ("mmr", from_undated("mmr", "is_deceased")),
    "highest stage": ("mmr", from_undated("mmr", "stage_highest_recorded")),
    "liver ever involved": ("mmr", from_undated("mmr", "liver")),
    "smoking over all notes": ("mmr", from_undated("mmr", "smoking_predictions_3_classes")),
    "length of follow-up": ("mmr", from_undated("mmr", "os_days")),
    "age at the end of follow-up": ("age_at_index", age_as_recorded),
    "a declaration of survival": ("race", forbidden_source),
}


UNDER_STRICT_RULE = {"performance status of the index day"}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_audit_names_field_and_case_of_a_planted_leak(monkeypatch: pytest.MonkeyPatch, leak: str) -> None:
    field, plant = LEAKS[leak]
    plant(monkeypatch)
    with pytest.raises(InputError, match=rf"look-ahead: .*field ({field}) of case P-\d{{7}}_[+-]\d+"):
        audit(TABLES, CASES, STRICT if leak in UNDER_STRICT_RULE else AUDITED)


def test_the_audit_passes_where_the_index_day_is_left_out() -> None:
    assert audit(TABLES, CASES, STRICT)["passed"]


@pytest.mark.parametrize("field", ["ecog", "tumor_marker", "tumor_sites", "cancer_presence"])
def test_what_is_taken_before_the_first_dose_is_no_leak_by_default_and_one_where_the_index_day_is_left_out(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    of_the_index_day(field)(monkeypatch)
    assert audit(TABLES, CASES.head(6), AUDITED)["passed"]
    with pytest.raises(InputError, match=f"look-ahead: .*field {field} of case"):
        audit(TABLES, CASES.head(6), STRICT)


@pytest.mark.parametrize(
    "field", ["progression", "pdl1", "mmr", "gleason", "prior_agents", "radiation", "surgery", "outside_treatment|line"]
)
def test_verdicts_reports_and_treatment_of_the_index_day_are_leaks_under_either_rule(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    of_the_index_day(field.partition("|")[0])(monkeypatch)
    for audited in (AUDITED, STRICT):
        with pytest.raises(InputError, match=f"look-ahead: .*field ({field}) of case"):
            audit(TABLES, CASES if field == "gleason" else CASES.head(9), audited)  # the first few hold no prostate cancer


def test_a_cancer_that_is_registered_or_sequenced_only_later_is_no_cancer_of_the_case() -> None:
    person = CASES["patient_id"].iloc[0]
    own = CASES[CASES["patient_id"] == person]
    registry = TABLES["timeline_diagnosis"]
    breast = registry[registry["patient_id"] == person].tail(1).assign(dx_description="DUCT CARCINOMA | BREAST, UOQ (M8500/3 | C504)")
    first = int(own["index_day"].min())
    for days, passes in ((30, True), (31, False)):
        more = TABLES | {"timeline_diagnosis": pd.concat([registry, breast.assign(start_day=first + days)], ignore_index=True)}
        changed = own[own["index_day"] == first].assign(cancer_type="Breast Cancer")
        if passes:
            assert audit(more, changed, AUDITED)["passed"]
        else:
            with pytest.raises(
                InputError, match=r"look-ahead: field cancer_type of case P-\d+_[+-]\d+ is a cancer that was registered more than 30"
            ):
                audit(more, changed, AUDITED)
    late = own.assign(diagnosis_day=(own["index_day"] + 31).astype("Int32"))
    with pytest.raises(InputError, match="look-ahead: field cancer_type"):
        audit(TABLES, late, AUDITED)


def test_another_cancer_that_nothing_had_shown_by_then_is_a_leak() -> None:
    registry = TABLES["timeline_diagnosis"]
    sole = TABLES | {"timeline_diagnosis": registry[registry["patient_id"] == "none"]}
    case = CASES[CASES["cancer_type"] == "Non-Small Cell Lung Cancer"].head(1).assign(has_other_cancer=True)
    with pytest.raises(InputError, match=r"look-ahead: field other_cancer of case P-\d+_[+-]\d+ was not known at the index date"):
        audit(sole, case, AUDITED)
    earlier = registry.head(1).assign(
        patient_id=case["patient_id"].iloc[0],
        start_day=case["index_day"].iloc[0] - 900,
        dx_description="DUCT CARCINOMA | BREAST, UOQ (M8500/3 | C504)",
    )
    assert audit(TABLES | {"timeline_diagnosis": earlier}, case, AUDITED)["passed"]


def worded(text: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A planted word in the sex of every case."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        sound = facts.patient

        def patient(cases: pd.DataFrame, tables: known.Tables) -> facts.Found:
            found = sound(cases, tables)
            return found | {"sex": found["sex"].assign(value=text)}

        monkeypatch.setattr(facts, "patient", patient)

    return plant


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("P-0000001", "patient or specimen id"),
        ("P-0000001-T01-IM6", "patient or specimen id"),
        ("seen 2019-03-01", "calendar date"),
        ("seen on 3/1/2019", "calendar date"),
        ("March 2019", "calendar date"),
        ("responder", "label word"),
        ("Partial Response", "label word"),
        ("stable disease", "label word"),
        ("best PR", "label word"),
        ("died", "label word"),
    ],
)
def test_an_id_a_date_or_a_label_word_is_named_with_field_and_case(monkeypatch: pytest.MonkeyPatch, text: str, what: str) -> None:
    worded(text)(monkeypatch)
    with pytest.raises(InputError, match=rf"no {what} in a prompt.* field sex of case P-\d+"):
        audit(TABLES, CASES, AUDITED)


def test_ids_of_another_form_are_found_too_and_ordinary_words_are_not_taken_for_labels() -> None:
    cases = pd.DataFrame({"case_id": ["c"], "patient_id": ["GENIE-UHN-0042"]})
    specimens = pd.DataFrame({"patient_id": ["GENIE-UHN-0042"], "sample_id": ["UHN-0042-A"]})
    nothing = pd.DataFrame({"case_id": [], "field": [], "text": [], "value": []})
    for text in ("PD-L1 positive, PD-1 inhibitor; microsatellite stable; SDHA loss", "HER2 positive (2012 days before treatment)"):
        check_words(nothing, {"c": text}, cases, specimens)
    for text in ("of GENIE-UHN-0042.", "sample UHN-0042-A"):
        with pytest.raises(InputError, match="patient or specimen id"):
            check_words(nothing, {"c": text}, cases, specimens)


def test_each_perturbation_changes_only_what_lies_beyond_the_border() -> None:
    tables = TABLES | {treatment.REGIMENS: treatment.regimens_table(CASES)}
    copies, own = own_space(tables, CASES, "sequenced")
    for how in PERTURBATIONS:
        changed = perturb(copies, how, 3)
        for name in ("timeline_progression", "timeline_performance_status", "timeline_psa_labs"):
            before = copies[name][copies[name]["start_day"] < copies[name]["border_day"]]
            after = changed[name][changed[name]["start_day"] < changed[name]["border_day"]]
            assert before.reset_index(drop=True).astype(str).equals(after.reset_index(drop=True).astype(str)), (how, name)
            assert not copies[name].astype(str).reset_index(drop=True).equals(changed[name].astype(str).reset_index(drop=True)), (how, name)
    assert (own["patient_id"] == own["case_id"]).all()


def test_longer_follow_up_moves_age_and_days_together_and_not_over_the_cap() -> None:
    people = pd.DataFrame({"current_age_deid": [60, 84, 85, 89], "os_days": [100, 100, 100, 100], "os_months": [3.0] * 4})
    found = followed_for_longer(people)
    assert found["current_age_deid"].tolist() == [64, 88, 85, 89]
    assert found["os_days"].tolist() == [100 + 1461, 100 + 1461, 100, 100]  # 4 years of 365.25 days


def test_undated_columns_are_those_that_no_field_may_use() -> None:
    columns = set(undated_columns("clinical_patient"))
    assert {"os_status", "stage_highest_recorded", "history_of_pdl1", "liver", "smoking_predictions_3_classes", "is_deceased"} <= columns
    assert not columns & {"current_age_deid", "os_days", "hr", "her2", "gender", "race"}


def test_the_sample_hangs_on_the_case_and_not_on_its_place() -> None:
    chosen = set(sample(CASES, 10, seed=3)["case_id"])
    assert len(chosen) == 10
    assert set(sample(CASES.iloc[::-1], 10, seed=3)["case_id"]) == chosen
    assert len(sample(CASES, None, 3)) == len(CASES)


def test_the_command_writes_its_counts_and_nothing_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, rows in TABLES.items():
        rows.to_parquet(tmp_path / f"{name}.parquet")
    CASES.to_parquet(tmp_path / "cases.parquet")
    out = tmp_path / "out" / "audit.json"
    arguments = [str(tmp_path), str(tmp_path), "--out", str(out), "--settings", json.dumps({"audit": {"cases": 8}})]
    assert audit_module.main(arguments) == 0
    assert json.loads(out.read_text())["cases"] == 8
    assert json.loads((out.parent / "audit.json.manifest.json").read_text())["outputs"]
    of_any_date("ecog")(monkeypatch)
    other = tmp_path / "other" / "audit.json"
    with pytest.raises(InputError, match="field ecog"):
        audit_module.main([*arguments[:3], str(other), *arguments[4:]])
    assert not list(other.parent.glob("*")) if other.parent.exists() else True


def test_the_modules_that_find_facts_use_the_one_rule() -> None:
    for module in (disease, facts, genomics, treatment):
        assert module.known_records is known.known_records
