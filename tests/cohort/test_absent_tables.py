"""A study that lacks MSK's own columns or whole tables is read as far as it goes, and what is absent is named with what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort.cells import schema
from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES, table

from .conftest import STUDY
from .test_reader_faults import PATIENT, PROGRESSION, SAMPLE, SPECIMEN, TREATMENT, Edit, Files, ingested, put, swap

BARE_PATIENT = b"PATIENT_ID\nP-0000001\nP-0000002\nP-0000003\n"


def only(*names: str) -> list[str]:
    return [name for name in STUDY if name not in names]


def without(*names: str) -> Edit:
    def edit(files: Files) -> None:
        for name in names:
            del files[name]

    return edit


@pytest.mark.parametrize("names", [[TREATMENT], [PROGRESSION], [SPECIMEN], only(PATIENT, SAMPLE)])
def test_a_study_without_a_table_gives_an_empty_typed_one_and_says_once_what_it_costs(
    names: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="oncoraft"):
        status, tables = ingested(tmp_path, without(*names))
    assert status == 0
    ledger = {line["table"]: line for line in parquet.read_table(tables / "ledger.parquet").to_pylist()}
    for specification in TABLES:
        if specification.file in names:
            rows = parquet.read_table(tables / f"{specification.name}.parquet")
            assert (rows.num_rows, rows.schema.remove_metadata()) == (0, schema(specification))
            assert (ledger[specification.name]["status"], ledger[specification.name]["without"]) == ("absent", specification.without)
            said = [message for message in caplog.messages if specification.file in message]
            assert len(said) == 1
            assert specification.without in said[0]


def test_every_table_that_may_be_absent_says_what_is_impossible_without_it() -> None:
    assert [specification.name for specification in TABLES if not specification.required and not specification.without] == []
    assert [specification.name for specification in TABLES if specification.required] == ["clinical_patient", "clinical_sample"]


def test_columns_of_one_hospital_may_be_absent_and_are_null(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    progression = b"PATIENT_ID\tSTART_DATE\tPROGRESSION\nP-0000001\t60\tN\n"
    with caplog.at_level("INFO", logger="oncoraft"):
        status, tables = ingested(tmp_path, put(PATIENT, BARE_PATIENT), put(PROGRESSION, progression))
    assert status == 0
    patients = parquet.read_table(tables / "clinical_patient.parquet")
    assert patients.schema.remove_metadata() == schema(table("clinical_patient"))
    for name in ("hr", "her2", "gender", "os_months", "os_days", "is_deceased", "gleason_highest_reported"):
        assert patients[name].to_pylist() == [None, None, None]
    assert parquet.read_table(tables / "timeline_progression.parquet")["nlp_progression_probability"].to_pylist() == [None]
    ledger = {line["table"]: line for line in parquet.read_table(tables / "ledger.parquet").to_pylist()}
    assert ledger["timeline_progression"]["absent_columns"][:3] == ["STOP_DATE", "EVENT_TYPE", "SUBTYPE"]
    assert "without OS_MONTHS no survival" in ledger["clinical_patient"]["without"]
    assert sum("without OS_MONTHS" in message for message in caplog.messages) == 1


def test_a_table_that_is_derived_is_empty_and_typed_without_its_source(tmp_path: Path) -> None:
    _, tables = ingested(tmp_path, without("data_cna.txt"))
    for specification in (*DERIVED_TABLES, table("cna")):
        rows = parquet.read_table(tables / f"{specification.name}.parquet")
        assert rows.schema.remove_metadata() == schema(specification)
        assert rows.num_rows == (3 if specification.name == "profiled" else 0)
    assert parquet.read_table(tables / "profiled.parquet")["copy_number"].to_pylist() == [False] * 3


def test_the_cancer_type_is_told_by_the_oncotree_code_where_the_table_does_not_tell_it(tmp_path: Path) -> None:
    header = b"SAMPLE_ID\tPATIENT_ID\tCANCER_TYPE\tONCOTREE_CODE\n"
    rows = (
        b"P-0000001-T01-IM6\tP-0000001\tNA\tidc\nP-0000002-T01-IM5\tP-0000002\tAnother Cancer\tPRAD\nP-0000003-T01-IM6\tP-0000003\t\tXYZ\n"
    )
    status, tables = ingested(tmp_path, put(SAMPLE, header + rows))
    assert status == 0
    assert parquet.read_table(tables / "clinical_sample.parquet")["cancer_type"].to_pylist() == ["Breast Cancer", "Another Cancer", None]
    notes = {note["what"]: note for note in _checks(tables)["notes"]}
    assert notes["told_by_oncotree"]["rows"] == 1
    assert (notes["unknown_oncotree_codes"]["rows"], notes["unknown_oncotree_codes"]["first_words"]) == (1, ["XYZ"])


@pytest.mark.parametrize(("months", "status"), [(b"", b"0:LIVING"), (b"[Not Available]", b"[Not Available]"), (b"NA", b"")])
def test_a_patient_without_survival_keeps_everything_else(months: bytes, status: bytes, tmp_path: Path) -> None:
    edit = swap(PATIENT, b"Male\t70\tNo\t24.0\t0:LIVING", b"Male\t70\tNo\t" + months + b"\t" + status)
    code, tables = ingested(tmp_path, edit)
    row = parquet.read_table(tables / "clinical_patient.parquet").to_pylist()[0]
    assert (code, row["patient_id"], row["gender"], row["current_age_deid"]) == (0, "P-0000002", "Male", 70)
    assert (row["os_months"], row["os_days"]) == (None, None)
    assert _checks(tables)["follow_up_unknown"] == 1
    assert pa.types.is_int32(parquet.read_table(tables / "clinical_patient.parquet")["os_days"].type)


def test_a_study_that_does_not_date_its_specimens_says_that_day_zero_is_not_checked(tmp_path: Path) -> None:
    _, tables = ingested(tmp_path, without(SPECIMEN))
    assert _checks(tables)["day_zero"] is None


def _checks(tables: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tables / "checks.json").read_text())
    return found
