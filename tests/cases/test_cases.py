"""Regimens, labels, follow-up and folds at their boundaries."""

import numpy as np
import pandas as pd
import pytest

from oncoraft.cases.folds import assign
from oncoraft.cases.followup import follow
from oncoraft.cases.labels import label
from oncoraft.cases.regimen_rules import Interval, group_patient, traits
from oncoraft.config import Folds, Labels, Regimens
from oncoraft.errors import InputError
from oncoraft.knowledge.drugs import drugs

RULES = Regimens()


def names(*intervals: tuple[int, int, str]) -> list[tuple[int, list[str]]]:
    return [
        (regimen.index_day, sorted(regimen.first))
        for regimen in group_patient([Interval(*one) for one in sorted(intervals)], RULES, traits(RULES, drugs()))
    ]


def test_an_agent_started_on_day_28_belongs_to_the_regimen_and_on_day_29_opens_the_next() -> None:
    assert names((0, 60, "CARBOPLATIN"), (28, 60, "PEMETREXED")) == [(0, ["CARBOPLATIN", "PEMETREXED"])]
    assert names((0, 60, "CARBOPLATIN"), (29, 60, "PEMETREXED")) == [(0, ["CARBOPLATIN"]), (29, ["PEMETREXED"])]


def test_a_gap_of_90_days_continues_a_regimen_and_91_ends_it() -> None:
    assert len(names((0, 10, "DOCETAXEL"), (100, 110, "DOCETAXEL"))) == 1
    assert len(names((0, 10, "DOCETAXEL"), (101, 110, "DOCETAXEL"))) == 2


def test_oral_targeted_and_endocrine_agents_are_exempt_from_the_gap() -> None:
    assert len(names((0, 10, "OSIMERTINIB"), (300, 400, "OSIMERTINIB"))) == 1


def test_substitution_of_a_platinum_does_not_open_a_regimen() -> None:
    assert len(names((0, 80, "CISPLATIN"), (0, 80, "PEMETREXED"), (45, 80, "CARBOPLATIN"))) == 1


def case(index_day: int = 0, next_index_day: float | None = None) -> pd.DataFrame:
    row = {"case_id": "p_0", "patient_id": "p", "index_day": index_day, "next_index_day": next_index_day, "drug_class": "Chemo"}
    return pd.DataFrame([row]).astype({"next_index_day": "Int32"})


def timeline(rows: list[tuple], *columns: str) -> pd.DataFrame:
    return pd.DataFrame([("p", *row) for row in rows], columns=["patient_id", "start_day", *columns])


def judged(
    scans: list[tuple[int, str]],
    *,
    sites: list[tuple[int, str]] = (),
    presence: list[tuple[int, str]] = (),
    os_days: int = 1000,
    died: bool = False,
    next_index_day: float | None = None,
) -> pd.Series:
    tables = {
        "clinical_patient": pd.DataFrame({"patient_id": ["p"], "os_days": [os_days], "is_deceased": [died]}),
        "timeline_progression": timeline([(day, word, 0.99) for day, word in scans], "progression", "nlp_progression_probability"),
        "timeline_cancer_presence": timeline(list(presence), "has_cancer"),
        "timeline_tumor_sites": timeline(list(sites), "tumor_site"),
    }
    labels = label(case(next_index_day=next_index_day), tables, Labels())
    return labels.set_index("definition").loc["strict"]


LIVER_AND_LUNG = [(-10, "Liver"), (-10, "Lung")]


@pytest.mark.parametrize(
    ("scans", "more", "category"),
    [
        ([(14, "Y")], {}, "NE"),  # the lag is 14 days: day 14 does not count yet
        ([(15, "Y")], {}, "PD"),
        ([(120, "Y")], {}, "PD"),  # last day of the window
        ([(121, "Y")], {}, "NE"),
        ([(60, "Indeterminate")], {"sites": LIVER_AND_LUNG}, "NE"),
        ([(60, "N"), (60, "Y")], {}, "PD"),  # both on one day is Y
        ([(60, "N"), (100, "Y")], {"sites": [*LIVER_AND_LUNG, (60, "Liver"), (60, "Lung")]}, "SD"),  # the first decides
        ([(60, "N")], {"sites": [*LIVER_AND_LUNG, (60, "Liver")]}, "PR"),  # one of two sites gone
        ([(60, "N")], {"sites": LIVER_AND_LUNG, "presence": [(-10, "Y"), (60, "N")]}, "CR"),
        ([(60, "N")], {"presence": [(-10, "N"), (60, "N")]}, "NED"),
        ([(60, "N")], {"presence": [(60, "N")]}, "NE"),  # never imaged before, nothing seen: no response to judge
        ([], {"os_days": 50, "died": True}, "PD"),  # death before any assessment
        ([(50, "N")], {"os_days": 50, "died": True, "sites": [(-5, "Liver"), (50, "Liver")]}, "SD"),  # a scan on the day of death counts
        ([], {"os_days": 50, "died": False}, "NE"),
        ([(60, "Y")], {"next_index_day": 60}, "NE"),  # a scan from the next regimen on is not this one's
        ([(59, "Y")], {"next_index_day": 60}, "PD"),
    ],
)
def test_the_strict_label_at_its_boundaries(scans: list, more: dict, category: str) -> None:
    assert judged(scans, **more)["category"] == category


def test_never_imaged_is_a_response_by_the_published_rule_and_not_evaluable_by_ours() -> None:
    tables = {
        "clinical_patient": pd.DataFrame({"patient_id": ["p"], "os_days": [1000], "is_deceased": [False]}),
        "timeline_progression": timeline([(-30, "N", 0.1)], "progression", "nlp_progression_probability"),
        "timeline_cancer_presence": timeline([], "has_cancer"),
        "timeline_tumor_sites": timeline([(-30, "Liver")], "tumor_site"),
    }
    found = label(case(), tables, Labels()).set_index("definition")["category"]
    assert (found["oncoraft"], found["strict"]) == ("PR", "NE")


@pytest.mark.parametrize(("index_day", "entry", "exit_days"), [(-40, 40, 140), (0, 0, 100), (30, 0, 70)])
def test_overall_survival_enters_at_sequencing(index_day: int, entry: int, exit_days: int) -> None:
    patients = pd.DataFrame({"patient_id": ["p"], "os_days": [100], "is_deceased": [True]})
    rows, _ = follow(case(index_day), patients, timeline([], "progression"))
    survival = rows[rows["endpoint"] == "os"].iloc[0]
    assert (survival["entry_days"], survival["exit_days"], survival["event"]) == (entry, exit_days, True)


def test_a_case_after_the_end_of_follow_up_is_left_out_and_counted() -> None:
    patients = pd.DataFrame({"patient_id": ["p"], "os_days": [100], "is_deceased": [True]})
    rows, counts = follow(case(100), patients, timeline([], "progression"))
    assert rows[rows["endpoint"] == "os"].empty
    assert counts["os"]["never_at_risk"] == 1


def patients_with_two_cases(count: int) -> pd.DataFrame:
    people = [f"P-{number:07d}" for number in range(count) for _ in range(2)]
    return pd.DataFrame({"patient_id": people, "case_id": [f"{who}_{n % 2}" for n, who in enumerate(people)]})


def test_folds_never_share_a_patient_and_new_patients_move_nobody() -> None:
    few, many = assign(patients_with_two_cases(100), Folds()), assign(patients_with_two_cases(150), Folds())
    assert few.groupby("patient_id")["fold"].nunique().max() == 1
    joined = few.merge(many, on="case_id")
    assert np.array_equal(joined["fold_x"], joined["fold_y"])
    assert set(few["fold"]) == set(range(5))


def test_fewer_patients_than_folds_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="expected at most 3, the number of patients, found 5"):
        assign(patients_with_two_cases(3), Folds())
