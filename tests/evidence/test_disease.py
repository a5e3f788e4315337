"""Disease before treatment: each record until it is stale, several of a day as the worst, contradictions of a day settled."""

import pytest

from tests.evidence.study import texts


def ecog(day: int, grade: int) -> dict[str, int]:
    return {"start_day": day, "ecog": grade}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (99, ["ECOG performance status 1 (1 day before treatment)"]),
        (100, ["ECOG performance status 1 (on the day treatment starts)"]),  # taken before the first dose
        (101, []),
        (-265, ["ECOG performance status 1 (365 days before treatment)"]),
        (-266, []),  # stale after 365 days
    ],
)
def test_performance_status_counts_from_its_day_until_it_is_stale(day: int, expected: list[str]) -> None:
    assert texts("ecog", {"timeline_performance_status": [ecog(day, 1)]}) == expected


def test_the_three_closest_records_are_shown_and_the_worst_of_a_day() -> None:
    rows = [ecog(10, 0), ecog(40, 1), ecog(70, 3), ecog(70, 2), ecog(90, 1)]
    assert texts("ecog", {"timeline_performance_status": rows}) == [
        "ECOG performance status 1 (10 days before treatment)",
        "ECOG performance status 3 (30 days before treatment)",
        "ECOG performance status 1 (60 days before treatment)",
    ]


def test_imaging_days_say_progression_where_any_report_does_and_leave_indeterminate_out() -> None:
    rows = [
        {"start_day": 80, "progression": "N", "procedure_type": "CT"},
        {"start_day": 80, "progression": "Y", "procedure_type": "MR"},
        {"start_day": 60, "progression": "Indeterminate", "procedure_type": "CT"},
        {"start_day": 50, "progression": "N", "procedure_type": "Submitted Films"},
    ]
    found = {"timeline_progression": rows}
    assert texts("progression", found) == [
        "progression on MR (20 days before treatment)",
        "no progression on imaging from elsewhere (50 days before treatment)",
    ]
    assert texts("imaging_days", found) == ["imaged on 2 days so far"]
    assert texts("imaging_history", found) == ["progression on 1 of 2 imaging days so far"]
    assert texts("imaging_history", {"timeline_progression": rows[3:]}) == ["progression on 0 of 1 imaging day so far"]


def test_sites_are_those_of_the_last_ninety_days_each_once() -> None:
    rows = [(10, "Liver"), (9, "Bone"), (40, "CNS/Brain"), (60, "CNS/Brain"), (100, "Lung"), (101, "Pleura")]
    found = {"timeline_tumor_sites": [{"start_day": day, "tumor_site": site} for day, site in rows]}
    assert texts("tumor_sites", found) == [
        "brain or central nervous system (40 days before treatment)",
        "liver (90 days before treatment)",
        "lung (on the day treatment starts)",
    ]


@pytest.mark.parametrize(
    ("before", "now", "reading"),
    [
        (10.0, 12.0, "12 ng/ml, steady"),  # a fifth up exactly is not more than a fifth
        (10.0, 12.1, "12.1 ng/ml, rising"),
        (10.0, 8.0, "8 ng/ml, steady"),
        (10.0, 7.9, "7.9 ng/ml, falling"),
        (0.0, 0.2, "0.2 ng/ml, rising"),
        (0.0, 0.0, "below detection, steady"),
        (5.0, 0.0, "below detection, falling"),
        (900_000.0, 1_270_000.0, "1270000 ng/ml, rising"),
    ],
)
def test_a_marker_reads_with_unit_and_direction(before: float, now: float, reading: str) -> None:
    rows = [{"start_day": 60, "result": before, "lr_unit_measure": "ng/ml"}, {"start_day": 90, "result": now, "lr_unit_measure": "ng/ml"}]
    (text,) = texts("tumor_marker", {"timeline_psa_labs": rows})
    assert text.startswith(f"PSA {reading} (10 days before treatment), earlier ")
    assert text.endswith(" (40 days before treatment)")


def test_markers_older_than_180_days_are_stale_and_a_single_one_has_no_direction() -> None:
    rows = [{"start_day": -80, "result": 5.0}, {"start_day": -81, "result": 1.0}]
    assert texts("tumor_marker", {"timeline_cea_labs": rows}) == ["CEA 5, measured once (180 days before treatment)"]


INDEX_DAY = {
    "ecog": {"timeline_performance_status": [{"start_day": 100, "ecog": 1}]},
    "tumor_marker": {"timeline_cea_labs": [{"start_day": 100, "result": 5.0}]},
    "tumor_sites": {"timeline_tumor_sites": [{"start_day": 100, "tumor_site": "Liver"}]},
    "cancer_presence": {"timeline_cancer_presence": [{"start_day": 100, "has_cancer": "Y"}]},
}


@pytest.mark.parametrize("field", INDEX_DAY)
def test_what_is_taken_before_the_first_dose_counts_on_the_index_day_unless_excluded(field: str) -> None:
    (text,) = texts(field, INDEX_DAY[field])
    assert "on the day treatment starts" in text
    assert texts(field, INDEX_DAY[field], index_day="excluded") == []


def test_a_verdict_of_progression_of_the_index_day_never_counts() -> None:
    found = {"timeline_progression": [{"start_day": 100, "progression": "Y", "procedure_type": "CT"}]}
    assert texts("progression", found) == texts("imaging_history", found) == texts("imaging_days", found) == []
    found["timeline_cancer_presence"] = [{"start_day": 100, "has_cancer": "N"}]
    assert texts("cancer_presence", found) == ["no cancer seen on imaging (on the day treatment starts)"]


@pytest.mark.parametrize(
    "other",
    [
        {"timeline_tumor_sites": [{"start_day": 80, "tumor_site": "Liver"}]},
        {"timeline_progression": [{"start_day": 80, "progression": "Y"}]},
        {"timeline_cancer_presence": [{"start_day": 80, "has_cancer": "N"}, {"start_day": 80, "has_cancer": "Y"}]},
    ],
)
def test_a_site_or_progression_of_the_day_overrules_no_cancer_seen(other: dict[str, list[dict[str, object]]]) -> None:
    quiet = {"timeline_cancer_presence": [{"start_day": 80, "has_cancer": "N"}]}
    assert texts("cancer_presence", quiet) == ["no cancer seen on imaging (20 days before treatment)"]
    assert texts("cancer_presence", quiet | other) == ["cancer seen on imaging (20 days before treatment)"]
    later = {name: [row | {"start_day": 81} for row in rows] for name, rows in other.items() if name != "timeline_cancer_presence"}
    if later:
        assert texts("cancer_presence", quiet | later) == ["no cancer seen on imaging (20 days before treatment)"]
