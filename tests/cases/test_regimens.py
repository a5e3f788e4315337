"""Cases from treatment rows: what is set aside is counted, bad input is one line, names are safe for paths."""

import logging
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.cases.regimens import build, display_name, slug
from oncoraft.cases.treatment_rows import treatment_intervals
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.drugs import drugs
from oncoraft.planning.config import Regimens
from oncoraft.planning.config_files import check_config


def treatment(*rows: tuple[str, int, int, str | None, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["patient_id", "start_day", "stop_day", "agent", "subtype"])
    return frame.assign(source_line=range(2, len(frame) + 2))


def cohort(rows: pd.DataFrame, with_specimen: tuple[str, ...] = ("a", "b")) -> dict[str, pd.DataFrame]:
    people = sorted(set(rows["patient_id"]))
    samples = [f"{person}-T01" for person in with_specimen]
    return {
        "timeline_treatment": rows,
        "clinical_patient": pd.DataFrame({"patient_id": people, "prior_med_to_msk": "Unknown"}),
        "clinical_sample": pd.DataFrame({"sample_id": samples, "cancer_type": "Breast Cancer", "gene_panel": "IMPACT468"}),
        "timeline_specimen": pd.DataFrame({"patient_id": with_specimen, "start_day": 0, "sample_id": samples}),
        "timeline_progression": pd.DataFrame({"patient_id": ["a"], "start_day": [500], "progression": ["Y"]}),
    }


def test_every_row_that_makes_no_regimen_is_counted_by_reason() -> None:
    rows = treatment(
        ("a", 0, 10, "CARBOPLATIN", "Chemo"),
        ("a", 0, 10, "LEUCOVORIN", "Chemo"),
        ("a", 5, 5, "BCG", "Biologic"),
        ("a", 6, 6, "INVESTIGATIONAL", "Investigational"),
        ("a", 7, 7, None, "Chemo"),
        ("b", 0, 0, "ZOLEDRONIC ACID", "Bone Treatment"),
        ("c", 0, 9, "GEMCITABINE", "Chemo"),
    )
    cases, counts = build(cohort(rows), Regimens(investigational="set_aside"))
    assert list(cases["case_id"]) == ["a_+0"]
    assert counts == {
        "rows": 7,
        "rows_without_agent": 1,
        "rows_of_one_agent": 6,
        "resolved": {},
        "supportive_rows": 2,
        "tracer_rows": 0,
        "other_indication_rows": 1,
        "investigational_rows_set_aside": 1,
        "rows_of_unknown_agents": 0,
        "unknown_agents": {},
        "patients_without_anticancer_agent": 1,
        "patients_without_clinical_row": 0,
        "rows_without_specimen": 1,
        "patients_without_specimen": 1,
        "no_cancer_rows": 0,
        "patients_with_no_cancer_rows_only": 0,
        "before_diagnosis_rows": 0,
        "patients_with_before_diagnosis_rows_only": 0,
        "other_cancer_rows": 0,
        "patients_with_other_cancer_rows_only": 0,
        "patients_with_rows_before_diagnosis": 0,
        "regimens": 1,
        "regimens_without_registered_diagnosis": 1,
        "protocol_continuations": 0,
        "chemoradiation": 0,
        "settings": {"unknown": 1},
    }


def registry(*rows: tuple[str, int, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["patient_id", "start_day", "dx_description"])
    return frame.assign(ajcc=None, clinical_group="2", path_group="2", stage_cdm_derived="Stage 1-3", summary="Localized")


def test_regimens_of_two_cancers_that_start_on_one_day_are_two_cases() -> None:
    rows = treatment(
        ("a", 0, 300, "LETROZOLE", "Hormone"), ("a", 0, 60, "CARBOPLATIN", "Chemo"), ("a", 100, 160, "OSIMERTINIB", "Targeted")
    )
    diagnoses = registry(("a", -900, "CARCINOMA | BREAST (M8500/3 | C509)"), ("a", -20, "CARCINOMA | LUNG (M8140/3 | C341)"))
    cases, _ = build(cohort(rows) | {"timeline_diagnosis": diagnoses}, Regimens())
    assert list(cases["case_id"]) == ["a_+0", "a_+0_2", "a_+100"]
    assert list(cases["regimen"]) == ["letrozole", "carboplatin", "osimertinib"]
    assert list(cases["line_overall"]) == [1, 1, 2]
    assert list(cases["next_treatment_day"].fillna(-1)) == [-1, 100, -1], "the lung's regimen does not end the breast's"
    assert list(cases["has_other_cancer"]) == [True, True, True]


def test_patients_who_are_set_aside_are_counted_under_one_reason_each() -> None:
    rows = treatment(
        ("a", 0, 9, "CARBOPLATIN", "Chemo"),
        ("b", -200, -150, "CARBOPLATIN", "Chemo"),
        ("b", 5, 9, "ABIRATERONE", "Hormone"),
        ("c", 5, 9, "ABIRATERONE", "Hormone"),
    )
    diagnoses = registry(*((who, -20, "CARCINOMA | BREAST (M8500/3 | C509)") for who in "abc"))
    _, counts = build(cohort(rows, ("a", "b", "c")) | {"timeline_diagnosis": diagnoses}, Regimens())
    assert (counts["before_diagnosis_rows"], counts["other_cancer_rows"]) == (1, 2)
    assert (counts["patients_with_before_diagnosis_rows_only"], counts["patients_with_other_cancer_rows_only"]) == (1, 1)


def test_treated_patients_without_a_clinical_row_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    tables = cohort(
        treatment(("a", 0, 9, "CARBOPLATIN", "Chemo"), ("b", 0, 9, "CARBOPLATIN", "Chemo"), ("b", 90, 99, "DOCETAXEL", "Chemo"))
    )
    tables["clinical_patient"] = tables["clinical_patient"].query("patient_id != 'b'")
    with caplog.at_level(logging.WARNING, logger="oncoraft"):
        cases, counts = build(tables, Regimens())
    assert (list(cases["patient_id"]), counts["patients_without_clinical_row"], counts["regimens"]) == (["a"], 1, 1)
    assert caplog.messages == ["1 treated patients have no clinical row; they are left out"]


def test_a_cohort_whose_treatment_all_precedes_its_diagnoses_is_one_line() -> None:
    rows = treatment(("a", 0, 9, "CARBOPLATIN", "Chemo"))
    diagnoses = registry(("a", 31, "CARCINOMA | BREAST (M8500/3 | C509)"))
    with pytest.raises(InputError, match="expected a treatment that begins after its cancer's diagnosis"):
        build(cohort(rows) | {"timeline_diagnosis": diagnoses}, Regimens())


def test_names_are_read_whatever_their_case_spaces_and_synonyms() -> None:
    kept, _ = treatment_intervals(treatment(("a", 0, 1, " 5-fu", "Chemo"), ("a", 0, 1, "Paclitaxel  Protein-Bound", "Chemo")), Regimens())
    assert list(kept["agent"]) == ["FLUOROURACIL", "PACLITAXEL PROTEIN-BOUND"]


def test_other_names_of_an_agent_open_no_line_and_are_counted_by_what_they_took() -> None:
    rows = treatment(
        ("a", 0, 40, "TRASTUZUMAB", "Biologic"),
        ("a", 60, 90, "trastuzumab-dkst", "Biologic"),
        ("a", 110, 150, "Ogivri", "Biologic"),
        ("a", 400, 430, "Kadcyla", "Biologic"),
        ("b", 0, 40, "mFOLFOX6", "Chemo"),
        ("b", 0, 40, "bevacizumab-awwb", "Biologic"),
        ("b", 50, 90, "Oxaliplatin + fluorouracil", "Chemo"),
    )
    cases, counts = build(cohort(rows), Regimens())
    assert cases["regimen"].tolist() == ["trastuzumab", "ado-trastuzumab-emtansine", "bevacizumab-fluorouracil-oxaliplatin"]
    assert counts["resolved"] == {"brand": 2, "suffix": 2, "combination": 2}
    assert counts["rows_of_one_agent"] == 10


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ("GALLIUM GA-68 PSMA-11", "tracer_rows"),
        ("fludeoxyglucose F-18", "tracer_rows"),
        ("SODIUM IODIDE I-131", "other_cancer_rows"),
        ("RITUXIMAB", "other_cancer_rows"),
        ("IBRUTINIB", "other_cancer_rows"),
        ("truxima", "other_cancer_rows"),
        ("DEXAMETHASONE", "supportive_rows"),
        ("filgrastim-sndz", "supportive_rows"),
    ],
)
def test_tracers_premedication_and_agents_of_another_kind_of_cancer_make_no_regimen(agent: str, reason: str) -> None:
    rows = treatment(("a", 0, 40, "CARBOPLATIN", "Chemo"), ("a", 100, 140, agent, "Targeted"))
    cases, counts = build(cohort(rows), Regimens())
    assert cases["regimen"].tolist() == ["carboplatin"]
    assert counts[reason] == 1


def test_agents_of_a_blood_cancer_make_regimens_of_a_patient_who_has_one_or_where_the_configuration_says_so() -> None:
    rows = treatment(("a", 0, 40, "RITUXIMAB", "Biologic"), ("a", 200, 400, "IBRUTINIB", "Targeted"))
    tables = cohort(rows)
    tables["clinical_sample"]["cancer_type"] = "Mature B-Cell Neoplasms"
    assert build(tables, Regimens())[0]["regimen"].tolist() == ["rituximab", "ibrutinib"]
    assert build(cohort(rows), Regimens(regimen_agents=("IBRUTINIB",)))[0]["regimen"].tolist() == ["ibrutinib"]


def test_a_missing_stop_is_the_start() -> None:
    rows = treatment(("a", 3, 9, "CARBOPLATIN", "Chemo")).assign(stop_day=float("nan"))
    assert list(treatment_intervals(rows, Regimens())[0]["stop_day"]) == [3]


def test_unknown_agents_are_kept_and_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    rows = treatment(("a", 0, 1, "NOVELIMAB", "Biologic"), ("a", 50, 60, "NOVELIMAB", "Biologic"), ("b", 0, 1, "CISPLATIN", "Chemo"))
    with caplog.at_level(logging.WARNING, logger="oncoraft"):
        cases, counts = build(cohort(rows), Regimens())
    assert counts["unknown_agents"] == {"NOVELIMAB": 2}
    assert cases.set_index("case_id").loc["a_+0", "drug_class"] == "Biologic"
    assert [record.getMessage() for record in caplog.records] == [
        "data_timeline_treatment.txt: 2 rows of 1 agents that the drug table lacks, first on line 2, take the class of their rows: NOVELIMAB (2)"
    ]


def test_an_unknown_agent_is_refused_where_asked_with_the_nearest_name() -> None:
    rows = treatment(("a", 0, 1, "CISPLATIN", "Chemo"), ("a", 0, 1, "CARBOPLATN", "Chemo"))
    message = "data_timeline_treatment.txt, line 3, column AGENT: expected an agent of the drug table; did you mean 'CARBOPLATIN'?, found 'CARBOPLATN'"
    with pytest.raises(InputError) as caught:
        build(cohort(rows), Regimens(unknown_agents="refuse"))
    assert str(caught.value) == message


def test_an_unknown_agent_without_a_class_is_refused_always() -> None:
    rows = treatment(("a", 0, 1, "NOVELIMAB", None))
    with pytest.raises(InputError, match=r"line 2, column AGENT: expected an agent of the drug table, or a SUBTYPE among"):
        build(cohort(rows), Regimens())


def test_no_anticancer_row_at_all_is_one_line() -> None:
    with pytest.raises(InputError, match="expected at least one row of an anticancer agent"):
        build(cohort(treatment(("a", 0, 1, "LEUCOVORIN", "Chemo"))), Regimens())


def test_an_agent_of_the_configuration_that_nobody_knows_is_one_line() -> None:
    with pytest.raises(
        InputError, match=r"regimens\.set_aside_agents: expected agents of the drug table; did you mean 'LEUPROLIDE'\?, found 'LEUPROLID'"
    ):
        build(cohort(treatment(("a", 0, 1, "CISPLATIN", "Chemo"))), Regimens(set_aside_agents=("LEUPROLID",)))


def test_a_drug_class_of_the_configuration_that_nobody_knows_is_one_line() -> None:
    with pytest.raises(
        InputError, match=r"regimens\.backbone_classes: expected drug classes of the drug table; did you mean 'GnRH agonist'\?"
    ):
        build(cohort(treatment(("a", 0, 1, "CISPLATIN", "Chemo"))), Regimens(backbone_classes=("GnRH agonists",)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"combination_window_days": 5}, "combination_window_days: expected at least 7, as known_at_index_days says, found 5"),
        ({"gap_days": 27}, "gap_days: expected at least 28, as combination_window_days says, found 27"),
        ({"gap_days": 120, "merge_identical_days": 119}, "merge_identical_days: expected at least 120, as gap_days says, found 119"),
        ({"combination_window_days": 0}, "regimens.combination_window_days: expected greater than or equal to 1, found 0"),
        ({"gap_days": 0}, "regimens.gap_days: expected greater than or equal to 1, found 0"),
        ({"regimen_agents": ["MEGESTROL"], "set_aside_agents": ["MEGESTROL"]}, "set_aside_agents: expected agents that are not in"),
        ({"gap_day": 90}, "regimens.gap_day: unknown key; did you mean 'gap_days'?"),
    ],
)
def test_rules_that_contradict_one_another_are_refused_in_one_line(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        check_config({"regimens": values})
    assert "\n" not in str(caught.value)


def test_the_defaults_and_the_boundaries_of_the_checks_are_allowed() -> None:
    assert Regimens(gap_days=180).gap_days == 180
    assert Regimens(known_at_index_days=14, combination_window_days=14, gap_days=14, merge_identical_days=14).gap_days == 14


@given(st.lists(st.sampled_from(sorted(drugs())), min_size=1, max_size=5, unique=True))
def test_slugs_are_safe_for_paths_and_blind_to_order(agents: list[str]) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(agents))
    assert slug(agents) == slug(reversed(agents))
    assert display_name(agents).count(" + ") == len(agents) - 1


def test_no_two_agents_share_a_slug() -> None:
    assert len({slug([agent]) for agent in drugs()}) == len(drugs())
