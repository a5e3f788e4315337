"""Where the cases of each task come from, and that whoever is left out is counted with a reason."""

from pathlib import Path

import pandas as pd
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.tasks.courses import joined_starts, read_courses
from oncoraft.tasks.find_cases import main
from oncoraft.tasks.registry import declared, task_of

from . import cohort


def answers(kind: str, tmp_path: Path, **task: object) -> tuple[dict[str, str], dict[str, int]]:
    found = task_of(kind).find(cohort.material(tmp_path, **task))
    return dict(zip(found.cases["case_id"], found.cases["answer"])), {reason: count for reason, count in found.left_out.items() if count}


def test_a_diagnosis_has_its_code_and_what_is_of_no_cancer_of_the_cohort_is_counted(tmp_path: Path) -> None:
    found, left_out = answers("icd10", tmp_path)
    assert found == {"P-1_-100": "C34.3", "P-2_-50": "C50.9", "P-3_-20": "C61", "P-4_-10": "C34.3", "P-4_5": "C50.9"}
    assert left_out == {"not mapped: lymphoma and leukaemia: morphology decides among C81 to C96": 1}


def test_a_course_has_its_regimen_and_a_patient_with_two_cancers_is_counted(tmp_path: Path) -> None:
    found, left_out = answers("radiation_regimen", tmp_path)
    assert found == {
        "P-1_-10": "60 Gy in 30 fractions",
        "P-2_0": "30 Gy in 10 fractions",
        "P-3_40": "50 Gy in 25 fractions + 10 Gy in 5 fractions",
    }
    assert left_out == {"patient with cancers of several kinds by then": 1}


def test_a_course_of_two_modalities_has_no_answer_to_which(tmp_path: Path) -> None:
    found, left_out = answers("modality", tmp_path)
    assert found == {"P-1_-10": "photon", "P-2_0": "photon"}
    assert left_out["answer not told"] == 1


def test_the_regimen_that_starts_is_the_answer_unless_it_is_masked(tmp_path: Path) -> None:
    found, left_out = answers("drug_regimen", tmp_path)
    assert found == {
        "P-1_-90": "Drugs: carboplatin (platinum); pemetrexed (antifolate)",
        "P-2_-40": "Drugs: letrozole (aromatase inhibitor)",
    }
    assert left_out == {"an agent under trial, masked in the source": 1, "an agent that the drug table lacks": 1}


@pytest.mark.parametrize(
    "answer",
    [
        "Drugs: carboplatin (platinum); pemetrexed (antifolate)",
        "pemetrexed + carboplatin",
        "Carboplatin and pemetrexed.",
        "Alimta, carboplatin",
    ],
)
def test_agents_are_read_however_they_are_joined_and_whatever_is_said_of_them(answer: str) -> None:
    assert task_of("drug_regimen").read(answer) == {"CARBOPLATIN", "PEMETREXED"}


@pytest.mark.parametrize("answer", ["", "Drugs:", "carboplatin; something else", "chemotherapy"])
def test_an_answer_with_a_word_that_is_no_agent_is_not_read(answer: str) -> None:
    assert task_of("drug_regimen").read(answer) is None


def test_radiation_is_no_soon_or_later_and_who_was_not_followed_is_counted(tmp_path: Path) -> None:
    # P-1 begins 80 days after; P-2 40 days after; P-3 at 40 days; P-4 21 days after.
    found, left_out = answers("radiation_start", tmp_path)
    assert found == {"P-1_-90": "Later", "P-2_-40": "Later", "P-3_0": "Later", "P-4_9": "Soon"}
    assert answers("radiation_start", tmp_path, horizon_days=39)[0] == {"P-1_-90": "No", "P-2_-40": "No", "P-3_0": "No", "P-4_9": "Soon"}
    assert answers("radiation_start", tmp_path, horizon_days=70) == (
        {"P-1_-90": "No", "P-2_-40": "Later", "P-3_0": "Later", "P-4_9": "Soon"},
        {},
    )
    assert not left_out


@pytest.mark.parametrize(("dead", "last", "answer"), [(False, 30, None), (True, 30, "No"), (False, 300, "No"), (None, 30, None)])
def test_who_died_has_no_course_and_who_was_lost_has_no_answer(tmp_path: Path, dead: bool | None, last: int, answer: str | None) -> None:
    material = cohort.material(tmp_path)
    assert material.tables is not None
    file = material.tables / "clinical_patient.parquet"
    pd.DataFrame({"patient_id": ["P-1"], "os_days": [last - 90], "is_deceased": pd.array([dead], dtype="boolean")}).to_parquet(file)
    pd.DataFrame({"patient_id": ["P-9"], "start_day": [0]}).to_parquet(material.tables / "timeline_radiation.parquet")
    found = task_of("radiation_start").find(material)
    assert dict(zip(found.cases["case_id"], found.cases["answer"])).get("P-1_-90") == answer


@pytest.mark.parametrize(("day", "answer"), [(-91, None), (-90, "Soon"), (-60, "Soon"), (-59, "Later"), (0, "Later"), (1, None)])
def test_the_index_date_is_among_the_days_that_are_asked_for_since_nothing_of_it_is_shown(
    tmp_path: Path, day: int, answer: str | None
) -> None:
    material = cohort.material(tmp_path)
    assert material.tables is not None
    pd.DataFrame({"patient_id": ["P-1"], "start_day": [day]}).to_parquet(material.tables / "timeline_radiation.parquet")
    found = task_of("radiation_start").find(material).cases.set_index("case_id")["answer"]
    assert found["P-1_-90"] == (answer or "No")


def test_starts_are_joined_into_courses_by_the_gap() -> None:
    starts = pd.DataFrame(cohort.STARTS, columns=["patient_id", "start_day"])
    found = joined_starts(starts.sample(frac=1, random_state=1), 30)
    assert [tuple(row) for row in found.itertuples(index=False)] == [
        ("P-1", -10, 2),
        ("P-1", 60, 1),
        ("P-2", -60, 1),
        ("P-2", 0, 1),
        ("P-3", 40, 1),
        ("P-4", 30, 1),
    ]
    assert len(joined_starts(starts, 60)) == 4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("P-1,soon,a,60,Gy,30,photon,", "line 2, column start_day: expected a whole number of days"),
        ("P-1,1,a,60,Sv,30,photon,", "line 2, column unit: expected one of gy, cgy"),
        ("P-1,1,a,6000,Gy,30,photon,", "line 2, column dose: expected a dose above 0, at most 200 Gy"),
        ("P-1,1,a,nan,Gy,30,photon,", "line 2, column dose"),
        ("P-1,1,a,60,Gy,0,photon,", "line 2, column fractions"),
        ("P-1,1,a,60,Gy,30,x-rays,", "line 2, column modality: expected one of photon, proton"),
        ("P-1,1,a,60,Gy,30,photon,hourly", "line 2, column schedule"),
        (",1,a,60,Gy,30,photon,", "line 2, column patient_id"),
        ("P-1,1", "line 2: expected 8 values"),
    ],
)
def test_a_course_that_cannot_be_is_one_line(tmp_path: Path, wrong: str, said: str) -> None:
    file = cohort.courses(tmp_path, cohort.COURSES.splitlines()[0] + "\n" + wrong + "\n")
    with pytest.raises(InputError, match=said):
        read_courses(file)


def test_courses_without_a_column_or_a_row_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1, column modality: expected this column"):
        read_courses(cohort.courses(tmp_path, "patient_id,start_day,dose,unit,fractions\n"))
    with pytest.raises(InputError, match="expected at least one course"):
        read_courses(cohort.courses(tmp_path, cohort.COURSES.splitlines()[0] + "\n"))


def test_a_task_on_courses_needs_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--courses: expected a CSV of radiation courses"):
        main([str(cohort.tables(tmp_path / "tables")), "--out", str(tmp_path / "out"), *cohort.settings("modality")])


def test_the_step_writes_what_evidence_and_folds_read(tmp_path: Path) -> None:
    from oncoraft.evidence.reading import CASE_COLUMNS

    assert main([str(cohort.tables(tmp_path / "tables")), "--out", str(tmp_path / "out"), *cohort.settings("icd10")]) == 0
    cases = pd.read_parquet(tmp_path / "out/cases.parquet")
    assert {*CASE_COLUMNS, "gene_panel", "answer"} <= set(cases)
    assert (tmp_path / "out/fields.txt").read_text().split() == list(task_of("icd10").fields)


def test_every_declaration_is_whole_and_shows_declared_fields_alone() -> None:
    from oncoraft.evidence.fields import BY_NAME

    # What names the answer of a task, or is made of it, may not be among its fields.
    told = {"drug_regimen": {"drug", "drug_mechanism", "setting", "line", "concurrent_radiation"}, "icd10": {"diagnosis", "cancer_type"}}
    for kind, task in declared().items():
        assert task.kind == kind
        assert set(task.fields) <= set(BY_NAME)
        assert not set(task.fields) & ({"diagnosis"} | told.get(kind, set()))
        assert task.measures
        assert task.read("") is None


def test_what_the_workflow_reads_of_a_declaration_is_what_it_declares() -> None:
    from oncoraft.planning.settings.tasks import declared_value

    for kind, task in declared().items():
        assert declared_value(kind, "source") == task.source
        assert declared_value(kind, "needs_courses", False) == task.needs_courses
