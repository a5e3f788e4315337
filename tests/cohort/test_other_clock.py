"""A study in the portal's layout and another clock: every table and every row that ingestion would take is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from oncoraft.cohort.convert import main as convert

FILES = {
    "data_clinical_patient.txt": "#Patient\nPATIENT_ID\tOS_MONTHS\tOS_STATUS\nx1\t24\t1:DECEASED\nx2\tsoon\t0:LIVING\nx3\t12\t0:LIVING\n",
    "data_clinical_sample.txt": "SAMPLE_ID\tPATIENT_ID\ns1\tx1\ns2\tx2\n",
    "data_timeline_specimen.txt": "patient_id\tstart_date\tsample_id\nx1\t365\ts1\nx2\t30\ts2\n",
    "data_timeline_treatment.txt": "Patient_ID\tStart_Date\tAgent\nx1\t375\tCETUXIMAB\nx3\t5\tCETUXIMAB\n",
    "data_timeline_tumor_markers.txt": "PATIENT_ID\tSTART_DATE\tTEST\tRESULT\nx1\t366\tCEA\t3\nx2\t30\tCA 19-9\t40\nx1\t370\tAFP\t2\n",
}


def made(home: Path) -> tuple[Path, dict[str, int]]:
    """The aligned study, and what its report counts."""
    (home / "source").mkdir()
    for name, text in FILES.items():
        (home / "source" / name).write_text(text)
    (home / "mapping.yaml").write_text("follow_up: clock\n")
    given = [str(home / "source"), "--reader", "cbioportal", "--mapping", str(home / "mapping.yaml"), "--out", str(home / "study")]
    assert convert(given) == 0
    told = json.loads((home / "study" / "mapping.json").read_text())["rows"]
    return home / "study", {f"{row['file']}: {row['what']}": row["rows"] for row in told}


def rows(study: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(study / name, sep="\t", dtype=str, keep_default_na=False)


def test_headers_in_another_case_are_those_of_the_layout(tmp_path: Path) -> None:
    study, counts = made(tmp_path)
    assert list(rows(study, "data_timeline_treatment.txt")["START_DATE"]) == ["10", ""]
    assert list(rows(study, "data_timeline_specimen.txt")["START_DATE"]) == ["0", "0"]
    assert counts["data_timeline_treatment.txt: events of patients without sequencing: no day can be told"] == 1


def test_the_one_file_of_tumour_markers_of_older_releases_is_shifted_too(tmp_path: Path) -> None:
    study, counts = made(tmp_path)
    assert rows(study, "data_timeline_cea_labs.txt")[["PATIENT_ID", "START_DATE", "RESULT"]].to_numpy().tolist() == [["x1", "1", "3"]]
    assert rows(study, "data_timeline_ca_19-9_labs.txt")[["PATIENT_ID", "START_DATE", "RESULT"]].to_numpy().tolist() == [["x2", "0", "40"]]
    assert counts["data_timeline_tumor_markers.txt: set aside: markers of a test that has no table"] == 1


def test_follow_up_is_moved_kept_for_ingestion_to_refuse_or_counted(tmp_path: Path) -> None:
    study, counts = made(tmp_path)
    assert list(rows(study, "data_clinical_patient.txt")["OS_MONTHS"]) == ["12.000000000", "soon", ""]
    assert counts["data_clinical_patient.txt: follow-up of patients without sequencing; left empty"] == 1
