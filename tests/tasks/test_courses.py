"""Phases of a course are its rows; a row that stands twice is one."""

from pathlib import Path

from oncoraft.tasks.courses import read_courses

HEADER = "patient_id,start_day,dose,unit,fractions,modality,course"


def test_the_same_dose_on_another_day_is_a_phase_and_on_the_same_day_a_repetition(tmp_path: Path) -> None:
    file = tmp_path / "courses.csv"
    first, second = "P1,10,20,Gy,10,photon,1", "P1,24,20,Gy,10,photon,1"
    file.write_text("\n".join([HEADER, first, second, second, "P2,10,20,Gy,10,photon,1", "P2,10,20,Gy,10,photon,1"]) + "\n")
    read = read_courses(file).set_index("patient_id")["regimen"]
    assert [len(one.phases) for one in read] == [2, 1]
    assert [one.fractions for one in read] == [20, 10]


def test_blanks_in_the_column_of_courses_name_none(tmp_path: Path) -> None:
    file = tmp_path / "courses.csv"
    file.write_text("\n".join([HEADER, 'P1,0,50,Gy,25,photon," "', 'P1,400,8,Gy,1,photon," "']) + "\n")
    assert [regimen.text() for regimen in read_courses(file)["regimen"]] == ["50 Gy in 25 fractions", "8 Gy in 1 fraction"]
