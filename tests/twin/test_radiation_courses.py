"""Made-up courses follow their stated law, stay outside the study, and do not depend on who else is there."""

import pandas as pd
import pytest

from oncoraft.tasks.courses import read_courses
from oncoraft.tasks.regimen_text import parse_regimen
from oncoraft.twin.radiation_courses import LAWS, PALLIATIVE, courses, main, plans_of, text_of

PATIENTS = 1500
LUNG = "ADENOCARCINOMA, NOS | UPPER LOBE, LUNG (M8140/3 | C341)"


def drawn(patients: int = PATIENTS, stage: str = "Stage 1-3") -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [f"P-{number}" for number in range(patients)]
    radiation = pd.DataFrame({"patient_id": names * 2, "start_day": [10] * patients + [20] * patients})
    diagnoses = pd.DataFrame({"patient_id": names, "start_day": -5, "dx_description": LUNG, "stage_cdm_derived": stage})
    return courses(radiation, diagnoses, 30, 61)


def test_every_laws_chances_add_up_and_the_likeliest_comes_first() -> None:
    for plans in (PALLIATIVE, *(law.plans for law in LAWS)):
        chances = [chance for _, chance in plans]
        assert sum(chances) == pytest.approx(1)
        assert max(chances) == chances[0]


def test_plans_are_drawn_as_often_as_the_law_says_and_a_course_is_one_row() -> None:
    rows, truth = drawn()
    assert len(rows) == len(truth) == PATIENTS  # two starts ten days apart are one course
    ((phases, _, _), chance), *_ = plans_of("Non-Small Cell Lung Cancer", LUNG, False)
    share = (rows["fractions"] == phases[0][1]).mean()
    assert share == pytest.approx(chance, abs=4 * (chance * (1 - chance) / PATIENTS) ** 0.5)
    assert set(truth["radiation_regimen"]) == {"60 Gy in 30 fractions"}


def test_distant_disease_is_treated_palliatively() -> None:
    assert set(drawn(50, "Stage 4")[1]["radiation_regimen"]) == {"30 Gy in 10 fractions"}


def test_other_patients_change_nothing() -> None:
    few, many = drawn(20)[0], drawn(200)[0]
    kept = many[many["patient_id"].isin(few["patient_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(few.sort_values("patient_id", ignore_index=True), kept.sort_values("patient_id", ignore_index=True))


def test_a_cancer_without_a_law_has_no_course() -> None:
    assert plans_of("Melanoma", "MELANOMA | SKIN", False) == ()


def test_words_of_every_plan_are_read_as_the_regimen_that_they_are() -> None:
    for plans in (PALLIATIVE, *(law.plans for law in LAWS)):
        for plan, _ in plans:
            found = parse_regimen(text_of(plan))
            assert found is not None
            assert found.text() == text_of(plan)


def test_the_table_reads_as_a_groups_own(tmp_path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    pd.DataFrame({"patient_id": ["A", "A", "B"], "start_day": [0, 5, 9]}).to_parquet(folder / "timeline_radiation.parquet")
    pd.DataFrame(
        {
            "patient_id": ["A"],
            "start_day": [-3],
            "dx_description": ["DUCT | OVERLAPPING LESION OF BREAST (M8500/3 | C508)"],
            "stage_cdm_derived": ["Stage 1-3"],
        }
    ).to_parquet(folder / "timeline_diagnosis.parquet")
    assert main([str(folder), "--out", str(tmp_path / "courses.csv"), "--truth", str(tmp_path / "law.parquet")]) == 0
    read = read_courses(tmp_path / "courses.csv")
    assert read["patient_id"].tolist() == ["A"]  # B has no diagnosis by then
    assert read["regimen"].iloc[0].fractions in {25, 30}
