"""The person, the diagnosis, pathology: derived age, the organ's own stage, dated reports."""

import pytest

from tests.evidence.study import texts


@pytest.mark.parametrize(
    ("recorded", "os_days", "expected"),
    [
        (70, 100 + 1461, ["age 60 to 69"]),  # 70.5 - 4 years = 66.5
        (62, 100 + 913, ["age 60 to 69"]),  # 62.5 - 2.4997 = 60.0003
        (62, 100 + 914, ["age 50 to 59"]),  # 62.5 - 2.5024 = 59.9976
        (88, 100, ["age 80 or over"]),
        (89, 100 + 365, ["age 80 or over"]),  # capped, and surely over 80
        (89, 100 + 4383, []),  # capped: at least 77.5, nothing more is known
        (19, 100, ["age under 20"]),
        (None, 100, []),
    ],
)
def test_age_is_that_at_the_end_less_the_years_since_in_bands(recorded: int | None, os_days: int, expected: list[str]) -> None:
    assert texts("age_at_index", {"clinical_patient": [{"current_age_deid": recorded, "os_days": os_days}]}) == expected


DIAGNOSES = [
    {
        "start_day": -400,
        "stage_cdm_derived": "Stage 1-3",
        "clinical_group": "2",
        "dx_description": "ADENOCARCINOMA, NOS | LUNG, LOWER LOBE (M8140/3 | C343)",
    },
    {
        "start_day": 50,
        "stage_cdm_derived": "Stage 4",
        "clinical_group": "4",
        "dx_description": "ADENOCARCINOMA, NOS | PROSTATE GLAND (M8140/3 | C619)",
    },
    {
        "start_day": 101,
        "stage_cdm_derived": "Stage 4",
        "clinical_group": "4B",
        "dx_description": "CARCINOMA, NOS | LUNG, NOS (M8010/3 | C349)",
    },
]


def test_the_diagnosis_is_that_of_the_organ_known_at_index() -> None:
    found = {"timeline_diagnosis": DIAGNOSES}
    assert texts("stage", found) == ["Stage 1-3 at diagnosis"]
    assert texts("stage", found, {"cancer_type": "Prostate Cancer"}) == ["Stage 4 at diagnosis"]
    assert texts("stage", found, {"cancer_type": "Pancreatic Cancer"}) == ["Stage 4 at diagnosis"]
    assert texts("stage", found, {"index_day": 101}) == ["Stage 4 at diagnosis"]
    assert texts("diagnosed", found) == ["diagnosed 500 days before treatment"]
    assert texts("diagnosed", found, {"index_day": 101}) == ["diagnosed on the day treatment starts"]
    assert texts("histology", found) == ["histology: adenocarcinoma"]
    assert texts("primary_site", found) == ["primary site: lung, lower lobe"]
    assert texts("clinical_group", found) == ["clinical stage group 2"]


def test_a_stage_that_only_stands_for_unknown_groups_is_not_told() -> None:
    unknown = {"start_day": 0, "stage_cdm_derived": "Stage 1-3", "clinical_group": "99", "path_group": "88", "ajcc": "UNK"}
    assert texts("stage", {"timeline_diagnosis": [unknown]}) == []
    assert texts("stage", {"timeline_diagnosis": [unknown | {"ajcc": "II"}]}) == ["Stage 1-3 at diagnosis"]
    assert texts("extent", {"timeline_diagnosis": [unknown | {"summary": "N/A"}]}) == []


def test_receptors_are_shown_once_breast_cancer_is_diagnosed_or_never() -> None:
    person = {"clinical_patient": [{"hr": True, "her2": False}]}
    known = person | {"timeline_diagnosis": [{"start_day": 100}]}
    assert texts("her2", known, {"cancer_type": "Breast Cancer"}) == ["HER2 negative"]
    assert texts("her2", person | {"timeline_diagnosis": [{"start_day": 101}]}) == []
    assert texts("hormone_receptor", known, receptor_status="never") == []


@pytest.mark.parametrize(("field", "name", "column"), [("pdl1", "timeline_pdl1", "pdl1_positive"), ("mmr", "timeline_mmr", "mmr_absent")])
def test_pathology_is_dated_and_tells_the_earlier_reports(field: str, name: str, column: str) -> None:
    words = {"pdl1": ("PD-L1 positive", "negative"), "mmr": ("mismatch repair deficient", "intact")}[field]
    rows = [
        {"start_day": 90, column: True},
        {"start_day": 90, column: False},
        {"start_day": 30, column: False},
        {"start_day": 100, column: False},
    ]
    assert texts(field, {name: rows}) == [f"{words[0]} (10 days before treatment), earlier {words[1]} (70 days before)"]


def test_an_impossible_date_is_no_record() -> None:
    assert texts("gleason", {"timeline_gleason": [{"start_day": -43_624, "gleason_score": 7}]}) == []
