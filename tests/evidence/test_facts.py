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
    assert texts("stage", found, {"cancer_type": "Pancreatic Cancer"}) == []  # another cancer's stage says nothing of this one
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
    assert texts(field, {name: rows}) == [f"{words[0]} (10 days before treatment), earlier {words[1]} (70 days before treatment)"]


def test_an_impossible_date_is_no_record() -> None:
    assert texts("gleason", {"timeline_gleason": [{"start_day": -43_624, "gleason_score": 7}]}, {"cancer_type": "Prostate Cancer"}) == []


def test_of_two_diagnoses_of_the_organ_the_one_that_the_case_names_is_told() -> None:
    found = {"timeline_diagnosis": [DIAGNOSES[0], DIAGNOSES[0] | {"start_day": 20, "stage_cdm_derived": "Stage 4", "clinical_group": "4A"}]}
    assert texts("diagnosed", found) == ["diagnosed 80 days before treatment"]
    assert texts("diagnosed", found, {"diagnosis_day": -400}) == ["diagnosed 500 days before treatment"]
    assert texts("stage", found, {"diagnosis_day": -400}) == ["Stage 1-3 at diagnosis"]


def test_another_cancer_is_told_once_with_its_name_and_first_day_where_the_case_knows_of_one() -> None:
    skin = {"dx_description": "MELANOMA, NOS | SKIN OF TRUNK (M8720/3 | C445)"}
    nodes = {"dx_description": "CARCINOMA, NOS | LYMPH NODES OF AXILLA (M8010/3 | C773)"}
    rows = [DIAGNOSES[0], DIAGNOSES[1], DIAGNOSES[1] | {"start_day": 60}, skin | {"start_day": 10}, nodes | {"start_day": 11}, DIAGNOSES[2]]
    found = {"timeline_diagnosis": rows}
    assert texts("other_cancer", found) == []
    assert texts("other_cancer", found, {"has_other_cancer": True}) == [
        "another cancer of the patient: melanoma, diagnosed 90 days before treatment",
        "another cancer of the patient: prostate cancer, diagnosed 50 days before treatment",
    ]


@pytest.mark.parametrize(
    ("stage", "group", "summary", "expected"),
    [
        ("Stage 4", "4B", "Distant", (["clinical stage group 4B"], ["extent at diagnosis: distant metastases"])),
        ("Stage 4", "2A", "Localized", ([], [])),
        ("Stage 4", "2A", "Regional both 2and 3", ([], [])),
        ("Stage 4", "4", "In situ", (["clinical stage group 4"], [])),
        ("Stage 1-3", "4", "Distant metastases/systemic disease", ([], [])),
        (
            "Stage 1-3",
            "3C",
            "Regional both 2and 3",
            (["clinical stage group 3C"], ["extent at diagnosis: regional by direct extension and to lymph nodes"]),
        ),
        (None, "4", "Localized", (["clinical stage group 4"], ["extent at diagnosis: localized"])),
    ],
)
def test_group_and_extent_that_contradict_the_stage_are_not_told(
    stage: str | None, group: str, summary: str, expected: tuple[list[str], list[str]]
) -> None:
    found = {"timeline_diagnosis": [DIAGNOSES[0] | {"stage_cdm_derived": stage, "clinical_group": group, "summary": summary}]}
    assert (texts("clinical_group", found), texts("extent", found)) == expected


def test_markers_of_one_cancer_are_not_told_of_another() -> None:
    gleason = {"timeline_gleason": [{"start_day": 10, "gleason_score": 7}]}
    assert texts("gleason", gleason) == []
    assert texts("gleason", gleason, {"cancer_type": "Prostate Cancer"}) == ["Gleason score 7 (90 days before treatment)"]
    receptors = {"clinical_patient": [{"hr": True, "her2": False}], "timeline_diagnosis": DIAGNOSES}
    assert texts("her2", receptors) == texts("hormone_receptor", receptors) == []


SMALL_CELL = {
    "start_day": 80,
    "dx_description": "SMALL CELL CARCINOMA, NOS | LUNG, UPPER LOBE (M8041/3 | C341)",
    "stage_cdm_derived": "Stage 4",
}
EARLIER = {"start_day": -900, "dx_description": "ADENOCARCINOMA, NOS | LUNG, UPPER LOBE (M8140/3 | C341)", "stage_cdm_derived": "Stage 1-3"}
ANAL = {"start_day": 80, "dx_description": "SQUAMOUS CELL CARCINOMA, NOS | ANAL CANAL (M8070/3 | C211)", "stage_cdm_derived": "Stage 4"}
TRACHEA = {"start_day": 80, "dx_description": "SQUAMOUS CELL CARCINOMA, NOS | TRACHEA (M8070/3 | C339)", "stage_cdm_derived": "Stage 4"}


@pytest.mark.parametrize(
    ("cancer_type", "rows", "other"),
    [
        ("Small Cell Lung Cancer", [SMALL_CELL, EARLIER], ["non-small cell lung cancer"]),
        (
            "Non-Small Cell Lung Cancer",
            [EARLIER | {"start_day": 80, "stage_cdm_derived": "Stage 4"}, SMALL_CELL],
            ["small cell lung cancer"],
        ),
        ("Non-Small Cell Lung Cancer", [TRACHEA], []),
        ("Anal Cancer", [ANAL], []),
    ],
)
def test_a_diagnosis_is_of_the_cancer_that_the_cases_take_it_for(cancer_type: str, rows: list[dict[str, object]], other: list[str]) -> None:
    case = {"cancer_type": cancer_type, "diagnosis_day": 80, "has_other_cancer": bool(other)}
    assert texts("stage", {"timeline_diagnosis": rows}, case) == ["Stage 4 at diagnosis"]
    assert texts("diagnosed", {"timeline_diagnosis": rows}, case) == ["diagnosed 20 days before treatment"]
    told = texts("other_cancer", {"timeline_diagnosis": rows}, case)
    assert [text.removeprefix("another cancer of the patient: ").rsplit(", diagnosed", 1)[0] for text in told] == other
