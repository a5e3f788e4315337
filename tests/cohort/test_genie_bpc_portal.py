"""The consortium's cBioPortal folder tells what the CSV tables do, as far as it goes, and says where it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cohort.convert import main as convert
from oncoraft.cohort.ingest import main as ingest
from oncoraft.foundation.errors import InputError

from .release import NO, YES, A, B, rows, write

SAMPLE = f"{A}-T01-IM6"


def portal(folder: Path, cohort: str = "NSCLC", **changes: str) -> Path:
    """Patients A and B of the small release as the export pipeline writes them; B has two index cancers, both on day 0."""
    home = folder / cohort / "2.0-public" / "cBioPortal_files"
    home.mkdir(parents=True)
    files = {
        "data_timeline_treatment": f"PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tTREATMENT_TYPE\tAGENT\n{A}\t110\t180\tTREATMENT\tSystemic Therapy\tPemetrexed Disodium\n{A}\t300\t\tTREATMENT\tSystemic Therapy\tInvestigational Drug\n{A}\t120\t134\tTREATMENT\tRadiation Therapy\t\n{B}\t110\t150\tTREATMENT\tSystemic Therapy\tCetuximab\n",
        "data_timeline_imaging": f"PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSCAN_SITES\tIMAGE_SCAN_TYPE\tCANCER_STATUS\tCURATED_CANCER_STATUS\n{A}\t90\t\tIMAGING\tChest, Abdomen\tCT\t{YES}\tStable/No change\n{A}\t150\t\tIMAGING\tChest, Abdomen\tCT\t{NO}\t\n{A}\t200\t\tIMAGING\tChest, Abdomen\tCT\t{YES}\tMixed\n{B}\t1150\t\tIMAGING\tChest\tCT\t{YES}\tProgressing/Worsening/Enlarging\n",
        "data_timeline_sequencing": f"# made by hand\nPATIENT_ID\tSTART_DATE\tSAMPLE_ID\n{A}\t100\t{SAMPLE}\n{B}\t100\t{B}-11\n",
        "data_timeline_sample_acquisition": f"PATIENT_ID\tSTART_DATE\tSAMPLE_ID\n{A}\t70\t{SAMPLE}\n",
        "data_timeline_pathology": f"PATIENT_ID\tSTART_DATE\tPDL1_POSITIVE_ANY\n{A}\t80\tYes\n",
        "data_timeline_cancer_diagnosis": f"PATIENT_ID\tSTART_DATE\tINDEX_CANCER\tSTAGE_DX\tCA_HISTOLOGY\n{A}\t0\tYes\tStage IV\tAdenocarcinoma\n{B}\t0\tYes\t\t\n{B}\t0\tYes\t\t\n",
        "data_clinical_patient": f"PATIENT_ID\tNAACCR_SEX_CODE\n{A}\tFemale\n{B}\tMale\n",
        "data_clinical_sample": f"PATIENT_ID\tSAMPLE_ID\tSEQ_ASSAY_ID\tONCOTREE_CODE\tSAMPLE_TYPE\tAGE_AT_SEQUENCING\n{A}\t{SAMPLE}\tDFCI-ONCOPANEL-3\tLUAD\tPrimary tumor\t55\n{B}\t{B}-11\tDFCI-ONCOPANEL-3\tLUAD\tPrimary tumor\t52\n",
        "data_clinical_supp_survival": f"PATIENT_ID\tOS_STATUS\tOS_MONTHS\n{A}\t1:DECEASED\t{500 / 30.4:.4f}\n{B}\t0:LIVING\t20\n",
    }
    for name, text in files.items():
        (home / f"{name}.txt").write_text(changes.get(name, text))
    return folder


def tables(source: Path, home: Path) -> Path:
    assert convert([str(source), "--reader", "genie_bpc", "--out", str(home / "study")]) == 0
    assert ingest([str(home / "study"), "--out", str(home / "tables")]) == 0
    return home / "tables"


def table(folder: Path, name: str, *columns: str) -> list[tuple[object, ...]]:
    """Rows of patient A, sorted."""
    frame = pd.read_parquet(folder / f"{name}.parquet")
    mine = frame[frame["patient_id"] == A][list(columns)].astype(object)
    return sorted((tuple(None if pd.isna(cell) else cell for cell in row) for row in mine.to_numpy().tolist()), key=str)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same patients from the CSV tables and from the portal's folder."""
    one, other = tmp_path_factory.mktemp("csv"), tmp_path_factory.mktemp("portal")
    return tables(write(one / "source", rows()), one), tables(portal(other / "source"), other)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("timeline_treatment", ("start_day", "stop_day", "agent", "rx_investigative")),
        ("timeline_progression", ("start_day", "progression", "procedure_type")),
        ("timeline_cancer_presence", ("start_day", "has_cancer", "chest", "pelvis")),
        ("clinical_sample", ("sample_id", "cancer_type", "sample_type", "oncotree_code")),
        ("clinical_patient", ("gender", "os_days", "is_deceased", "current_age_deid")),
        ("timeline_diagnosis", ("start_day", "stage_cdm_derived")),
    ],
)
def test_days_and_readings_are_those_of_the_csv_tables(both: tuple[Path, Path], name: str, columns: tuple[str, ...]) -> None:
    assert table(both[1], name, *columns) == table(both[0], name, *columns)


def test_specimens_radiation_and_pd_l1_come_from_their_timelines(both: tuple[Path, Path]) -> None:
    assert table(both[1], "timeline_specimen_surgery", "start_day", "sequencing_day") == [(-30, 0)]
    assert table(both[1], "timeline_radiation", "start_day", "stop_day") == [(20, 34)]
    assert table(both[1], "timeline_pdl1", "start_day", "pdl1_positive") == [(-20, True)]


def test_a_patient_of_two_index_cancers_is_set_aside_and_counted(both: tuple[Path, Path]) -> None:
    assert set(pd.read_parquet(both[1] / "clinical_patient.parquet")["patient_id"]) == {A}
    told = json.loads((both[1].parent / "study" / "mapping.json").read_text())
    counts = {row["what"]: row["rows"] for row in told["rows"]}
    assert counts["set aside: patients of several index cancers, whose days count from more than one"] == 1
    status = {(row["table"], row["column"]): row["status"] for row in told["columns"]}
    assert status["timeline_tumor_sites", "TUMOR_SITE"] == "absent"
    assert status["clinical_patient", "CURRENT_AGE_DEID"] == "approximated"
    assert (both[1].parent / "study" / "curated.csv").is_file()


def test_the_csv_tables_are_taken_where_there_are_both(tmp_path: Path) -> None:
    portal(write(tmp_path / "source", rows()))
    found = tables(tmp_path / "source", tmp_path)
    assert set(pd.read_parquet(found / "clinical_patient.parquet")["patient_id"]) == {A, B}


def test_a_folder_that_tells_no_cohort_and_a_missing_column_end_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder named as its cohort"):
        tables(portal(tmp_path / "one", "mine"), tmp_path)
    broken = portal(tmp_path / "two", data_timeline_imaging="PATIENT_ID\tSTART_DATE\tCANCER_STATUS\n")
    with pytest.raises(InputError, match=r"data_timeline_imaging\.txt, column CURATED_CANCER_STATUS: this column is required"):
        tables(broken, tmp_path)


SAMPLES = f"PATIENT_ID\tSAMPLE_ID\tSEQ_ASSAY_ID\tONCOTREE_CODE\tSAMPLE_TYPE\tAGE_AT_SEQUENCING\n{A}\t{SAMPLE}\tDFCI-ONCOPANEL-3\tLUAD\tPrimary tumor\tAGE\n{B}\t{B}-11\tDFCI-ONCOPANEL-3\tLUAD\tPrimary tumor\t52\n"


@pytest.mark.parametrize(("age", "told"), [(">89", 89), ("Unknown", None), ("", None)])
def test_an_age_is_told_by_its_bound_or_not_at_all(age: str, told: int | None, tmp_path: Path) -> None:
    found = tables(portal(tmp_path / "source", data_clinical_sample=SAMPLES.replace("AGE", age).replace(f"{age}_AT", "AGE_AT")), tmp_path)
    assert table(found, "clinical_patient", "current_age_deid", "os_days") == [(told, 400)]


def test_words_that_decide_on_ages_and_index_cancers_are_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="column AGE_AT_SEQUENCING: expected an age in years from 0 to 130, or a bound such as >89, found 'old'"
    ):
        tables(portal(tmp_path / "one", data_clinical_sample=SAMPLES.replace("AGE\n", "old\n")), tmp_path)
    diagnoses = f"PATIENT_ID\tSTART_DATE\tINDEX_CANCER\n{A}\t0\tyes\n{B}\t0\tYes\n"
    with pytest.raises(InputError, match="line 2, column INDEX_CANCER: expected Yes or No, found 'yes'"):
        tables(portal(tmp_path / "two", data_timeline_cancer_diagnosis=diagnoses), tmp_path)


def test_a_patient_of_two_cohorts_is_set_aside_where_birth_is_not_told(tmp_path: Path) -> None:
    """Each folder counts from its own cancer's diagnosis; a third patient stands in one alone."""
    source = portal(tmp_path / "source")
    portal(tmp_path / "source", "CRC")
    with pytest.raises(InputError, match="expected at least one patient who stands in one cohort alone"):
        tables(source, tmp_path / "nobody")
    third = source / "CRC" / "2.0-public" / "cBioPortal_files"
    for path in third.glob("*.txt"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines, *(line.replace(A, "GENIE-VICC-3") for line in lines if A in line)]) + "\n")
    found = tables(source, tmp_path)
    assert set(pd.read_parquet(found / "clinical_patient.parquet")["patient_id"]) == {"GENIE-VICC-3"}
    told = json.loads((tmp_path / "study" / "mapping.json").read_text())["rows"]
    assert [row["rows"] for row in told if row["what"] == "set aside: patients of several cohorts, whose days have nothing in common"] == [
        1,
        1,
    ]
