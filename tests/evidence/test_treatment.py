"""Treatment so far: earlier lines with what imaging said, agents, radiation, surgery."""

from typing import Any

import pandas as pd
import pytest

from oncoraft.evidence.evidence import collect
from tests.evidence.study import LUNG, cases, tables, texts


def line_history() -> tuple[dict[str, list[dict[str, Any]]], pd.DataFrame]:
    """Three lines on days 0, 200 and 400: a scan on day 14 of the first (too early), progression on day 150, clearance in the second."""
    treatment = [(0, "CARBOPLATIN"), (0, "PEMETREXED"), (200, "OSIMERTINIB"), (400, "DOCETAXEL")]
    rows = {
        "timeline_treatment": [{"patient_id": "P-0000001", "start_day": day, "agent": agent} for day, agent in treatment],
        "timeline_progression": [
            {"patient_id": "P-0000001", "start_day": day, "progression": verdict}
            for day, verdict in [(14, "Y"), (80, "N"), (150, "Y"), (300, "N"), (450, "Y")]
        ],
        "timeline_cancer_presence": [
            {"patient_id": "P-0000001", "start_day": day, "has_cancer": verdict} for day, verdict in [(80, "Y"), (300, "N")]
        ],
    }
    base = {"patient_id": "P-0000001", "cancer_type": LUNG}
    lines = [(0, ["CARBOPLATIN", "PEMETREXED"]), (200, ["OSIMERTINIB"]), (400, ["DOCETAXEL"])]
    listed = cases(
        *(base | {"index_day": day, "agents": agents, "line_of_therapy": number} for number, (day, agents) in enumerate(lines, 1))
    )
    return rows, listed


def test_earlier_lines_tell_what_imaging_said_while_they_lasted() -> None:
    rows, listed = line_history()
    found = collect(tables(**rows), listed, "sequenced", 3)
    prior = found[found["field"] == "prior_regimen"].groupby("case_id")["text"].agg(list).to_dict()
    first = "metastatic line 1, carboplatin + pemetrexed (begun {} days before treatment): progression on imaging {} days before treatment"
    assert prior == {
        "P-0000001_+200": [first.format(200, 50)],
        "P-0000001_+400": [
            "metastatic line 2, osimertinib (begun 200 days before treatment): no cancer seen on imaging",
            first.format(400, 250),
        ],
    }


def test_an_agent_of_an_earlier_line_that_began_after_the_index_date_is_not_named() -> None:
    rows, listed = line_history()
    rows["timeline_treatment"][1]["start_day"] = 205  # pemetrexed, of line 1 by the case list, began within the second line
    found = collect(tables(**rows), listed, "sequenced", 3)
    (text,) = found.loc[(found["field"] == "prior_regimen") & (found["case_id"] == "P-0000001_+200"), "text"]
    assert text.startswith("metastatic line 1, carboplatin (")


def test_a_line_of_another_cancer_is_no_earlier_line_of_this_one() -> None:
    given = [(-690, "LEUPROLIDE"), (0, "CARBOPLATIN"), (100, "DOCETAXEL")]
    rows = {"timeline_treatment": [{"patient_id": "P-0000001", "start_day": day, "agent": agent} for day, agent in given]}
    rows["timeline_progression"] = [{"patient_id": "P-0000001", "start_day": 90, "progression": "Y"}]
    base = {"patient_id": "P-0000001"}
    listed = cases(
        base | {"index_day": -690, "agents": ["LEUPROLIDE"], "cancer_type": "Prostate Cancer", "setting": "neoadjuvant"},
        base | {"index_day": 0, "agents": ["CARBOPLATIN"], "cancer_type": LUNG},
        base | {"index_day": 100, "agents": ["DOCETAXEL"], "cancer_type": LUNG, "line_of_therapy": 2},
    )
    found = collect(tables(**rows), listed, "sequenced", 3)
    prior = found[found["field"] == "prior_regimen"].groupby("case_id")["text"].agg(list).to_dict()
    told = "metastatic line 1, carboplatin (begun 100 days before treatment): progression on imaging 10 days before treatment"
    assert prior == {"P-0000001_+100": [told]}
    other = found[found["field"] == "agents_of_other_cancer"].groupby("case_id")["text"].agg(list).to_dict()
    assert set(other) == {"P-0000001_+0", "P-0000001_+100"}


def test_radiation_and_surgery_count_days_and_leave_specimen_taking_out() -> None:
    radiation = [{"start_day": day} for day in (10, 10, 40, 70, 99)]
    assert texts("radiation", {"timeline_radiation": radiation}) == [
        "radiation therapy begun 4 times (the last 3: 1, 30, 60 days before treatment)"
    ]
    surgery = [{"start_day": 99, "subtype": "PROCEDURE"}, {"start_day": 50, "subtype": "SAMPLE"}]
    assert texts("surgery", {"timeline_surgery": surgery}) == ["surgery on one day (1 day before treatment)"]


def test_a_site_named_on_the_day_overrules_no_cancer_in_the_verdict_on_an_earlier_line() -> None:
    rows, listed = line_history()
    rows["timeline_tumor_sites"] = [{"patient_id": "P-0000001", "start_day": 300, "tumor_site": "Liver"}]
    found = collect(tables(**rows), listed, "sequenced", 3)
    text = found.loc[(found["field"] == "prior_regimen") & (found["case_id"] == "P-0000001_+400"), "text"].iloc[0]
    assert text.endswith(": no progression on imaging")


NOTE = {"start_day": 90, "prior_med_to_msk": "Prior medications to MSK"}
NONE_NOTED = {"start_day": 95, "prior_med_to_msk": "No prior medications"}


@pytest.mark.parametrize(
    ("case", "notes", "line", "overall"),
    [
        ({}, [], "first line of metastatic treatment", []),
        ({"line_of_therapy": 2}, [], "second line of metastatic treatment", []),
        ({"line_of_therapy": 14}, [], "number 14 line of metastatic treatment", []),
        ({"setting": "adjuvant"}, [], "first line of adjuvant treatment", []),
        ({"line_overall": 3}, [NONE_NOTED], "first line of metastatic treatment", ["systemic treatment number 3 overall"]),
        ({"setting": "unknown", "line_overall": 3}, [], "third line of systemic treatment", []),
        ({}, [NOTE], "metastatic treatment number 1 recorded here, after treatment elsewhere", []),
        ({"line_overall": 3}, [NOTE, NONE_NOTED], "metastatic treatment number 1 recorded here, after treatment elsewhere", []),
        ({"setting": "unknown"}, [NOTE], "systemic treatment number 1 recorded here, after treatment elsewhere", []),
        ({}, [NOTE | {"start_day": 100}], "first line of metastatic treatment", []),
    ],
)
def test_a_line_is_claimed_within_its_setting_and_not_after_treatment_elsewhere(
    case: dict[str, Any], notes: list[dict[str, Any]], line: str, overall: list[str]
) -> None:
    found = {"timeline_prior_meds": notes}
    assert texts("line", found, case) == [line]
    assert texts("line_overall", found, case) == overall
    if NOTE in notes:
        assert texts("outside_treatment", found, case) == ["treated elsewhere before (noted 10 days before treatment)"]


def test_setting_and_radiation_are_told_where_the_case_knows_them() -> None:
    assert texts("setting", {}) == ["treatment setting: metastatic"]
    assert texts("setting", {}, {"setting": "unknown"}) == texts("concurrent_radiation", {}) == []
    assert texts("concurrent_radiation", {}, {"is_chemoradiation_at_index": True}) == ["given together with radiation (chemoradiation)"]


def test_agents_begun_long_before_the_diagnosis_or_for_another_cancer_are_told_apart() -> None:
    given = [(-900, "DOCETAXEL"), (20, "CARBOPLATIN"), (50, "INVESTIGATIONAL"), (60, "LETROZOLE"), (70, "RITUXIMAB")]
    rows = [{"start_day": day, "agent": agent} for day, agent in given]
    found = {"timeline_treatment": rows}
    case = {"diagnosis_day": 50}
    assert texts("prior_agents", found, case) == [
        "investigational agent (50 days before treatment)",
        "carboplatin (80 days before treatment)",
    ]
    assert texts("agents_of_other_cancer", found, case) == [
        "rituximab (30 days before treatment)",
        "letrozole (40 days before treatment)",
        "docetaxel (1000 days before treatment)",
    ]
    assert len(texts("prior_agents", found)) == 3


def test_a_drug_reads_with_its_class_and_a_trial_drug_as_one_of_unknown_action() -> None:
    case = {"agents": ["INVESTIGATIONAL", "OSIMERTINIB", "UNHEARDOFMAB"]}
    assert texts("drug", {}, case) == ["investigational agent", "osimertinib (EGFR inhibitor)", "unheardofmab"]
    assert texts("drug_mechanism", {}, case) == ["mechanism of osimertinib: Blocks the kinase of mutant EGFR."]


def test_only_what_is_known_to_begin_at_the_index_date_is_named() -> None:
    case = {"agents": ["CAPECITABINE", "OXALIPLATIN"], "agents_at_index": ["CAPECITABINE"]}
    rows = {"timeline_treatment": [{"start_day": 100, "agent": "CAPECITABINE"}, {"start_day": 110, "agent": "OXALIPLATIN"}]}
    assert texts("drug", rows, case) == ["capecitabine (fluoropyrimidine)"]
