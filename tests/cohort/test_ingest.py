from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort import ingestion
from oncoraft.cohort.ingest import main
from oncoraft.foundation import ranges
from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES
from oncoraft.planning.edge import run

Read = Callable[[str], pa.Table]


def rows(table: pa.Table, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in table.select(list(columns)).to_pylist()]


def ledger_line(ingested: Read, table: str) -> dict[str, object]:
    return next(line for line in ingested("ledger").to_pylist() if line["table"] == table)


def test_patients_get_days_of_follow_up_and_keep_their_source_lines(ingested: Read) -> None:
    assert rows(ingested("clinical_patient"), "patient_id", "os_days", "is_deceased", "current_age_deid", "hr", "source_line") == [
        ("P-0000002", 730, False, 70, None, 6),
        ("P-0000001", 365, True, 61, True, 7),
        ("P-0000003", 100, True, None, None, 8),
    ]


def test_words_are_matched_without_regard_to_case_and_spelt_as_specified(ingested: Read) -> None:
    assert ingested("clinical_patient")["gender"].to_pylist() == ["Male", "Female", "Female"]
    assert ingested("timeline_progression")["progression"].to_pylist() == ["N", "Y", "Indeterminate"]
    assert set(ingested("timeline_specimen")["event_type"].to_pylist()) == {"Sequencing"}


def test_all_four_spellings_of_a_boolean_are_booleans(ingested: Read) -> None:
    treatment = ingested("timeline_treatment")
    assert treatment["rx_investigative"].to_pylist() == [False, False, True]
    assert treatment["flag_orotopical"].to_pylist() == [False, False, True]
    assert ingested("timeline_mmr")["mmr_absent"].to_pylist() == [True]
    assert ingested("clinical_sample")["pdl1_positive"].to_pylist() == [True, None, False]
    sites = ingested("timeline_tumor_sites")
    assert (sites["chest"][0].as_py(), sites["abdomen"][0].as_py(), sites["pelvis"][0].as_py()) == (True, False, None)


def test_padding_is_stripped_and_the_literal_not_applicable_is_a_word(ingested: Read) -> None:
    assert ingested("timeline_diagnosis")["summary"].to_pylist() == ["N/A", "Localized"]
    assert set(ingested("timeline_psa_labs")["lr_unit_measure"].to_pylist()) == {"ng/ml"}


def test_headers_are_matched_without_regard_to_case(ingested: Read) -> None:
    assert ingested("timeline_prior_meds")["treatment_type"].to_pylist() == ["Medical Therapy"]


def test_an_exact_duplicate_is_counted_and_the_first_is_kept(ingested: Read) -> None:
    assert ingested("timeline_treatment")["source_line"].to_pylist() == [2, 3, 4]
    line = ledger_line(ingested, "timeline_treatment")
    assert (line["rows_read"], line["rows_kept"], line["rows_refused"], line["rows_duplicate"]) == (4, 3, 0, 1)


def test_a_bad_cell_sets_its_row_aside_verbatim_with_its_line(ingested: Read) -> None:
    assert ingested("rejects").to_pylist() == [
        {
            "table": "timeline_psa_labs",
            "file": "data_timeline_psa_labs.txt",
            "source_line": 3,
            "column": "START_DATE",
            "reason": "expected an integer number of days from -60000 to 60000, not empty, found 'ten'",
            "raw": "P-0000002\tten\t\tLab_Test\tPSA\t1.25\tng/ml          ",
        }
    ]
    assert ingested("timeline_psa_labs")["source_line"].to_pylist() == [2, 4]


def test_every_table_is_written_and_an_absent_one_is_empty_but_typed(ingested: Read) -> None:
    for table in (*TABLES, *DERIVED_TABLES):
        assert {column.name for column in table.columns} <= set(ingested(table.name).column_names)
    assert ingested("timeline_gleason").num_rows == 0
    assert ingested("timeline_gleason").schema.field("start_day").type == pa.int32()
    line = ledger_line(ingested, "timeline_gleason")
    assert (line["status"], line["sha256"]) == ("absent", None)


def test_the_copy_number_matrix_becomes_long_without_zeros(ingested: Read) -> None:
    assert rows(ingested("cna"), "sample_id", "gene", "call", "source_line") == [
        ("P-0000001-T01-IM6", "ERBB2", 2.0, 2),
        ("P-0000002-T01-IM5", "PTEN", -2.0, 3),
        ("P-0000001-T01-IM6", "TP53", -1.5, 5),
        ("P-0000003-T01-IM6", "TP53", -2.0, 5),
    ]


def test_coverage_says_which_genes_a_panel_measures(ingested: Read) -> None:
    covered = {(gene, panel): known for gene, panel, known in rows(ingested("cna_coverage"), "gene", "panel", "is_covered")}
    assert covered["PTEN", "IMPACT410"]
    assert not covered["PTEN", "IMPACT468"]
    assert not covered["KIT", "IMPACT468"]
    assert covered["ERBB2", "IMPACT410"]
    assert len(covered) == 8


def test_ledger_and_manifest_hold_the_digest_of_every_file(ingested: Read, study: Path, tmp_path: Path) -> None:
    manifest = json.loads((tmp_path / "tables" / "manifest.json").read_text())
    for line in ingested("ledger").to_pylist():
        if line["status"] == "read":
            digest = hashlib.sha256((study / line["file"]).read_bytes()).hexdigest()
            assert line["sha256"] == digest
            assert manifest["inputs"][f"../study/{line['file']}"] == digest
        assert line["rows_read"] == line["rows_kept"] + line["rows_refused"] + line["rows_duplicate"]


def test_checks_hold_orphans_time_zero_and_late_events(study: Path, tmp_path: Path) -> None:
    path = study / "data_timeline_mmr.txt"
    path.write_text(path.read_text() + "\nP-9999999\t1\t\tPathology\tMMR (IHC)\tFALSE")
    assert main([str(study), "--out", str(tmp_path / "tables")]) == 0
    checks = json.loads((tmp_path / "tables" / "checks.json").read_text())
    assert checks["day_zero"]["share"] == 1.0
    assert checks["months_to_days"]["chosen"] == "365/12"
    orphan = [record for record in checks["orphans"] if record["rows"]]
    assert orphan == [
        {"table": "timeline_mmr", "column": "patient_id", "refers_to": "patient", "rows": 1, "ids": 1, "first_ids": ["P-9999999"]}
    ]
    late = [record for record in checks["after_follow_up"] if record["rows"]]  # a scan on day 400, death on day 100
    assert [(record["table"], record["rows"], record["rows_beyond_grace"]) for record in late] == [("timeline_progression", 1, 1)]


def test_another_study_with_fewer_tables_and_other_words_is_read(other_study: Path, tmp_path: Path) -> None:
    assert main([str(other_study), "--out", str(tmp_path / "tables")]) == 0
    sample = parquet.read_table(tmp_path / "tables" / "clinical_sample.parquet")
    assert sample["cancer_type"].to_pylist() == ["Glioma", "Glioma"]
    assert parquet.read_table(tmp_path / "tables" / "timeline_progression.parquet")["stop_day"].null_count == 1
    ledger = parquet.read_table(tmp_path / "tables" / "ledger.parquet").to_pylist()
    assert ledger[0]["ignored_columns"] == ["SMOKER"]
    assert sum(line["status"] == "read" for line in ledger) == 5


def test_two_runs_write_the_same_bytes(study: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert main([str(study), "--out", str(tmp_path / name)]) == 0
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes(), file.name


FAULTS = {
    "missing required file": (
        "data_clinical_sample.txt",
        None,
        "",
        "data_clinical_sample.txt: missing; a study cannot be read without its clinical_sample table",
    ),
    "missing required column": (
        "data_timeline_progression.txt",
        "PROGRESSION\tNLP",
        "VERDICT\tNLP",
        "data_timeline_progression.txt, line 1, column PROGRESSION: this column is required, found 'no such header'",
    ),
    "a column twice": ("data_clinical_patient.txt", "GENDER", "os_status", "line 5, column OS_STATUS: expected each column once"),
    "day 0 is not the first sequencing": (
        "data_timeline_specimen.txt",
        "P-0000001\t0",
        "P-0000001\t7",
        "data_timeline_specimen.txt, column START_DATE: the earliest sequencing must be day 0 for at least 99% of patients, "
        "since survival counts from it, found '66.7% of 3 patients, e.g. P-0000001 on day 7'",
    ),
    "not text": ("data_timeline_mmr.txt", "PATHOLOGY", "\udcff", "data_timeline_mmr.txt, line 2: expected text in UTF-8"),
    "a carriage return inside a line": (
        "data_timeline_mmr.txt",
        "PATHOLOGY",
        "PATHO\rLOGY",
        "data_timeline_mmr.txt, line 2: expected lines that end in LF or CR LF, found 'a carriage return inside the line'",
    ),
    "no header": ("data_timeline_mmr.txt", "*", "", "data_timeline_mmr.txt: expected a header row"),
}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PATIENT_ID\tSTART_DATE\tPROGRESSION", "data_timeline_progression.txt: expected at least one row"),
        (
            "PATIENT_ID\tSTART_DATE\tPROGRESSION\nX1\t5\tbetter\n",
            "line 2, column PROGRESSION: every row is refused, the first since it must hold one of",
        ),
        ("PATIENT_ID\tSTART_DATE\tPROGRESSION\nX1\t5\n\nX1\n", "line 2: every row is refused, the first since it must hold 3 fields"),
    ],
)
def test_a_table_that_needs_rows_and_has_no_good_one_ends_the_run(
    text: str, message: str, other_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (other_study / "data_timeline_progression.txt").write_text(text)
    assert run(main, [str(other_study), "--out", str(tmp_path / "tables")]) == 2
    assert message in capsys.readouterr().err


def test_an_optional_table_whose_rows_are_all_malformed_is_empty(other_study: Path, tmp_path: Path) -> None:
    (other_study / "data_timeline_surgery.txt").write_text("PATIENT_ID\tSTART_DATE\nX1\n\n\nX2\t1\t2")
    assert main([str(other_study), "--out", str(tmp_path / "tables")]) == 0
    rejects = parquet.read_table(tmp_path / "tables" / "rejects.parquet")
    assert rejects["source_line"].to_pylist() == [2, 3, 5]  # line 4 is a duplicate of line 3
    assert parquet.read_table(tmp_path / "tables" / "timeline_surgery.parquet").num_rows == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_ends_with_one_line_and_writes_nothing(
    fault: str, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, old, new, message = FAULTS[fault]
    path = study / name
    if old is None:
        path.unlink()
    elif old == "*":
        path.write_bytes(b"")
    else:
        assert old in path.read_text()
        path.write_bytes(path.read_text().replace(old, new).encode("utf-8", "surrogateescape"))
    assert run(main, [str(study), "--out", str(tmp_path / "tables")]) == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]
    assert sum(line.startswith("error: ") for line in error) == 1
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "data_timeline_psa_labs.txt",
            "",
            "",
            "line 3, column START_DATE: expected an integer number of days from -60000 to 60000, not empty, found 'ten'",
        ),
        ("data_timeline_mmr.txt", "TRUE", "maybe", "line 2, column MMR_ABSENT: expected TRUE/FALSE or 1/0 or Yes/No or Y/N, found 'maybe'"),
        ("data_timeline_progression.txt", "\tY\t", "\tworse\t", "line 3, column PROGRESSION: expected one of Y, N, Indeterminate"),
        ("data_timeline_treatment.txt", "\tN\t0\n", "\tN\n", "line 2: expected 8 fields, found '7 fields'"),
        (
            "data_clinical_patient.txt",
            "P-0000003",
            "P-0000001",
            "line 7, column PATIENT_ID: expected an id that stands once (another row has it on line 8)",
        ),
        ("data_cna.txt", "\t-1.5", "\t-1.7", "line 5, column P-0000001-T01-IM6: expected one of -2, -1.5, -1, 0, 1, 2 or NA, found '-1.7'"),
    ],
)
def test_with_strictness_fail_the_first_bad_row_ends_the_run(
    file: str, old: str, new: str, message: str, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if old:
        (study / "data_timeline_psa_labs.txt").unlink()
        path = study / file
        path.write_text(path.read_text().replace(old, new, 1))
    settings = json.dumps({"ingest": {"strictness": "fail"}})
    assert run(main, [str(study), "--out", str(tmp_path / "tables"), "--settings", settings]) == 2
    assert f"{file}, {message}" in capsys.readouterr().err
    assert not (tmp_path / "tables").exists()


def test_a_table_of_several_row_groups_stands_in_the_order_of_its_patients_or_specimens(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ingestion, ranges):
        monkeypatch.setattr(module, "ROWS", 1)
    assert main([str(study), "--out", str(tmp_path / "tables")]) == 0
    seen = 0
    for path in sorted((tmp_path / "tables").glob("*.parquet")):
        table = parquet.read_table(path)
        keys = [name for name in ("patient_id", "sample_id", "tumor_sample_barcode") if name in table.column_names]
        if keys and "source_line" in table.column_names and table.num_rows:
            seen += 1
            places = list(zip(table[keys[0]].to_pylist(), table["source_line"].to_pylist()))
            assert places == sorted(places), path.name
            assert parquet.ParquetFile(path).num_row_groups == len(places)
    assert seen > 5
