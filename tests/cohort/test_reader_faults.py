"""A planted fault gives one clear line or a counted refusal with its place: never a traceback, never a silent loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort import ingestion
from oncoraft.cohort.ingest import main
from oncoraft.foundation.errors import InputError
from oncoraft.planning.edge import run

from .conftest import STUDY, write_study

PATIENT, SAMPLE = "data_clinical_patient.txt", "data_clinical_sample.txt"
TREATMENT, PROGRESSION, SPECIMEN = "data_timeline_treatment.txt", "data_timeline_progression.txt", "data_timeline_specimen.txt"
MMR, CNA, LABS = "data_timeline_mmr.txt", "data_cna.txt", "data_timeline_psa_labs.txt"
STATUS, DIAGNOSIS = "data_timeline_performance_status.txt", "data_timeline_diagnosis.txt"
MUTATIONS = "data_mutations.txt"
MAF = b"Hugo_Symbol\tVariant_Classification\tHGVSp_Short\tTumor_Sample_Barcode\n"

Files = dict[str, bytes]
Edit = Callable[[Files], None]
# The base study has one bad row of its own, a day `ten` in the PSA file.
OWN = ("data_timeline_psa_labs.txt", 3, "START_DATE")


def swap(file: str, old: bytes, new: bytes) -> Edit:
    """Replace a text once, which must be there."""

    def edit(files: Files) -> None:
        assert old in files[file]
        files[file] = files[file].replace(old, new, 1)

    return edit


def put(file: str, content: bytes) -> Edit:
    """Write a file anew."""

    def edit(files: Files) -> None:
        files[file] = content

    return edit


def add(file: str, row: bytes) -> Edit:
    """Append a row to a file that has no final newline."""

    def edit(files: Files) -> None:
        files[file] = files[file].rstrip(b"\n") + b"\n" + row

    return edit


def ingested(tmp_path: Path, *edits: Edit) -> tuple[int, Path]:
    files = {name: text.encode() for name, text in STUDY.items()}
    for edit in edits:
        edit(files)
    study = write_study(tmp_path / "study", {})
    for name, content in files.items():
        (study / name).write_bytes(content)
    return run(main, [str(study), "--out", str(tmp_path / "tables")]), tmp_path / "tables"


REFUSED: dict[str, tuple[Edit, list[tuple[str, int, str | None]]]] = {
    "a row too short": (swap(MMR, b"\tTRUE", b""), [(MMR, 2, None)]),
    "a row too long": (swap(MMR, b"\tTRUE", b"\tTRUE\tTRUE"), [(MMR, 2, None)]),
    "a tab inside quotes": (swap(MMR, b"MMR (IHC)", b'"MMR\t(IHC)"'), [(MMR, 2, None)]),
    "a blank line": (add(MMR, b"\nP-0000003\t-38\t\tPathology\tMMR (IHC)\tFALSE"), [(MMR, 3, "PATIENT_ID")]),
    "a header again": (add(MMR, b"PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSUBTYPE\tMMR_ABSENT"), [(MMR, 3, "PATIENT_ID")]),
    "a commented row": (add(MMR, b"#P-0000003\t1\t\tPathology\tMMR (IHC)\tTRUE"), [(MMR, 3, "PATIENT_ID")]),
    "no day": (swap(MMR, b"-38", b""), [(MMR, 2, "START_DATE")]),
    "half a day": (swap(MMR, b"-38", b"-38.5"), [(MMR, 2, "START_DATE")]),
    "a date": (swap(MMR, b"-38", b"2019-03-01"), [(MMR, 2, "START_DATE")]),
    "a day of no life": (swap(MMR, b"-38", b"2000000000"), [(MMR, 2, "START_DATE")]),
    "a stop before the start": (swap(TREATMENT, b"-30\t200", b"200\t-30"), [(TREATMENT, 2, "STOP_DATE")]),
    "a boolean of no spelling": (swap(MMR, b"TRUE", b"maybe"), [(MMR, 2, "MMR_ABSENT")]),
    "a zero byte": (swap(MMR, b"TRUE", b"TR\0UE"), [(MMR, 2, "MMR_ABSENT")]),
    "a control character in a word": (swap(TREATMENT, b"LEUPROLIDE", b"LEU\x0bPROLIDE"), [(TREATMENT, 2, "AGENT")]),
    "no agent": (swap(TREATMENT, b"LEUPROLIDE", b"  "), [(TREATMENT, 2, "AGENT")]),
    "a verdict of no meaning": (swap(PROGRESSION, b"\tY\t", b"\tworse\t"), [(PROGRESSION, 3, "PROGRESSION")]),
    "a probability above one": (swap(PROGRESSION, b"0.93", b"1.93"), [(PROGRESSION, 3, "NLP_PROGRESSION_PROBABILITY")]),
    "an infinite number": (swap(PROGRESSION, b"0.93", b"1e999"), [(PROGRESSION, 3, "NLP_PROGRESSION_PROBABILITY")]),
    "a performance status of no scale": (put(STATUS, b"PATIENT_ID\tSTART_DATE\tECOG\nP-0000001\t3\t70\n"), [(STATUS, 2, "ECOG")]),
    "a laboratory value below zero": (swap(LABS, b"\t0\t", b"\t-1\t"), [(LABS, 4, "RESULT")]),
    "survival below zero": (swap(PATIENT, b"24.0", b"-24.0"), [(PATIENT, 6, "OS_MONTHS")]),
    "neither alive nor dead": (swap(PATIENT, b"0:LIVING", b"2:LOST"), [(PATIENT, 6, "OS_STATUS")]),
    "an unknown patient": (add(TREATMENT, b"P-9999999\t1\t2\tTreatment\tChemo\tCISPLATIN\tN\t0"), [(TREATMENT, 6, "PATIENT_ID")]),
    "a specimen of an unknown patient": (add(SAMPLE, b"P-9-T01-IM6\tP-9\tBreast Cancer\t\t"), [(SAMPLE, 9, "PATIENT_ID")]),
    "an unknown specimen": (put(MUTATIONS, MAF + b"TP53\tMissense_Mutation\tp.R1H\tNONE\n"), [(MUTATIONS, 2, "Tumor_Sample_Barcode")]),
    "two rows of one patient": (
        add(PATIENT, b"P-0000001\tMale\t61\tYes\t12.0\t1:DECEASED\tYes\tNo"),
        [(PATIENT, 7, "PATIENT_ID"), (PATIENT, 9, "PATIENT_ID")],
    ),
    "a copy-number call of no meaning": (swap(CNA, b"\t-1.5", b"\t-1.7"), [(CNA, 5, "P-0000001-T01-IM6")]),
    "two rows of one gene": (add(CNA, b"ERBB2\t0\t0\t2\n"), [(CNA, 2, "Hugo_Symbol"), (CNA, 6, "Hugo_Symbol")]),
    "a gene without a name": (add(CNA, b"\t0\t0\t2\n"), [(CNA, 6, "Hugo_Symbol")]),
    "a gene's row too short": (swap(CNA, b"KIT\tNA\tNA\tNA", b"KIT\tNA\tNA"), [(CNA, 4, None)]),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_bad_row_is_set_aside_with_its_place_and_its_text(fault: str, tmp_path: Path) -> None:
    edit, expected = REFUSED[fault]
    status, tables = ingested(tmp_path, edit)
    assert status == 0
    rejects = parquet.read_table(tables / "rejects.parquet").to_pylist()
    assert [
        (row["file"], row["source_line"], row["column"]) for row in rejects if row["file"] != LABS or row["source_line"] != 3
    ] == expected
    for row in rejects:
        lines = (tmp_path / "study" / row["file"]).read_bytes().decode().split("\n")
        assert row["raw"] == lines[row["source_line"] - 1].rstrip("\r")
        assert row["reason"].startswith("expected ")
    for line in parquet.read_table(tables / "ledger.parquet").to_pylist():
        assert line["rows_read"] == line["rows_kept"] + line["rows_refused"] + line["rows_duplicate"]
        assert line["rows_refused"] == sum(row["table"] == line["table"] for row in rejects)


ENDED: dict[str, tuple[Edit, str]] = {
    "an empty file": (put(MMR, b""), f"{MMR}: expected a header row, found 'an empty file'"),
    "blank lines alone": (put(MMR, b"\n\n"), f"{MMR}: expected a header row, found 'none'"),
    "a required file with a header alone": (
        swap(SPECIMEN, STUDY[SPECIMEN].split("\n", 1)[1].encode(), b""),
        f"{SPECIMEN}: expected at least one row",
    ),
    "a pointer": (
        put(MMR, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        f"{MMR}: expected the table itself, found 'a Git LFS",
    ),
    "a packed file under the name": (put(MMR, b"\x1f\x8b\x08\x00rest"), f"{MMR}, line 1: expected text in UTF-8, found 'a gzip archive"),
    "UTF-16": (put(MMR, "PATIENT_ID\tSTART_DATE\n".encode("utf-16")), f"{MMR}, line 1: expected text in UTF-8, found 'UTF-16'"),
    "Latin-1 in a row": (swap(TREATMENT, b"LEUPROLIDE", b"LEUPROLID\xc9"), f"{TREATMENT}, line 2: expected text in UTF-8"),
    "Latin-1 in a gene": (swap(CNA, b"PTEN", b"PT\xc9N"), f"{CNA}, line 3: expected text in UTF-8"),
    "commas": (put(MMR, b"PATIENT_ID,START_DATE,MMR_ABSENT\n"), f"{MMR}, line 1: expected columns separated by tabs"),
    "line ends of old": (put(MMR, STUDY[MMR].replace("\n", "\r").encode()), f"{MMR}, line 1: expected lines that end in LF or CR LF"),
    "a column twice in two cases": (swap(MMR, b"SUBTYPE", b"event_type"), f"{MMR}, line 1, column event_type: expected each column once"),
    "no required column": (swap(TREATMENT, b"AGENT", b"DRUG"), f"{TREATMENT}, line 1, column AGENT: this column is required"),
    "diagnoses without a column of days": (
        swap(DIAGNOSIS, b"START_DATE", b"DATE"),
        f"{DIAGNOSIS}, line 1, column START_DATE: this column is required",
    ),
    "diagnoses without dates": (
        put(
            DIAGNOSIS,
            "\n".join([STUDY[DIAGNOSIS].split("\n")[0], *(f"P-0000001\t\t\tDiagnosis\tPrimary\t{row}" for row in range(25))]).encode(),
        ),
        f"{DIAGNOSIS}, line 2, column START_DATE: 25 of 25 rows cannot be kept",
    ),
    "no gene column": (swap(CNA, b"Hugo_Symbol", b"Gene"), f"{CNA}, line 1, column Hugo_Symbol: this column is required"),
    "a patient who was never sequenced": (
        swap(SPECIMEN, b"P-0000001\t0\t\tSequencing\t\tP-0000001-T01-IM6\n", b""),
        "found '66.7% of 3 patients; 1 of them have no sequencing'",
    ),
    "two files that differ in case": (put("data_CNA.txt", b"x"), "expected one file for cna"),
}


@pytest.mark.parametrize("fault", ENDED)
def test_a_fault_of_a_whole_file_ends_with_one_line(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit, message = ENDED[fault]
    edits = [edit, lambda files: files.update({"DATA_CNA.TXT": files.pop(CNA)})] if fault == "two files that differ in case" else [edit]
    status, tables = ingested(tmp_path, *edits)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert status == 2
    assert len(errors) == 1
    assert message in errors[0]
    assert not tables.exists()


def test_a_table_that_is_there_only_packed_is_not_taken_for_absent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _ = ingested(tmp_path, lambda files: files.update({f"{MMR}.gz": files.pop(MMR)}))
    assert status == 2
    assert f"{MMR}.gz: expected the unpacked table {MMR}" in capsys.readouterr().err


ACCEPTED: dict[str, tuple[Edit, str, str, list[Any]]] = {
    "quotes around a cell": (swap(MMR, b"TRUE", b'"TRUE"'), "timeline_mmr", "mmr_absent", [True]),
    "quotes around a header": (swap(MMR, b"MMR_ABSENT", b'"MMR_ABSENT"'), "timeline_mmr", "mmr_absent", [True]),
    "a doubled quote inside quotes": (swap(TREATMENT, b"LEUPROLIDE", b'"A ""B"" C"'), "timeline_treatment", "agent", ['A "B" C']),
    "a quote inside a word": (swap(TREATMENT, b"LEUPROLIDE", b"5'\"X"), "timeline_treatment", "agent", ["5'\"X"]),
    "a space that does not break": (swap(TREATMENT, b"LEUPROLIDE", b"\xc2\xa0LEUPROLIDE "), "timeline_treatment", "agent", ["LEUPROLIDE"]),
    "a trailing tab on every row": (put(MMR, b"PATIENT_ID\tSTART_DATE\tMMR_ABSENT\t\t\nP-0000003\t-38\t0\t\t"), "timeline_mmr", "mmr_absent", [False]),
    "mixed line ends": (put(MMR, b"PATIENT_ID\tSTART_DATE\tMMR_ABSENT\r\nP-0000003\t-38\tYes\r\nP-0000003\t-37\tN\n"), "timeline_mmr", "mmr_absent", [True, False]),
    "a byte-order mark": (put(MMR, b"\xef\xbb\xbfPATIENT_ID\tSTART_DATE\tMMR_ABSENT\nP-0000003\t-38\tF\n".replace(b"\tF", b"\tfalse")), "timeline_mmr", "mmr_absent", [False]),
    "not available": (swap(PROGRESSION, b"0.93", b"[Not Available]"), "timeline_progression", "nlp_progression_probability", [0.012345678, None, 0.5]),
    "the older word for alive": (swap(PATIENT, b"0:LIVING", b"living"), "clinical_patient", "os_status", ["0:LIVING", "1:DECEASED", "1:DECEASED"]),
    "sex by another header": (swap(PATIENT, b"PATIENT_ID\tGENDER", b"PATIENT_ID\tSEX"), "clinical_patient", "gender", ["Male", "Female", "Female"]),
    "a day of the released extremes": (swap(MMR, b"-38", b"-43624"), "timeline_mmr", "start_day", [-43624]),
}  # fmt: skip


@pytest.mark.parametrize("form", ACCEPTED)
def test_another_way_of_writing_the_same_is_read(form: str, tmp_path: Path) -> None:
    edit, table, column, expected = ACCEPTED[form]
    status, tables = ingested(tmp_path, edit)
    assert status == 0
    assert parquet.read_table(tables / f"{table}.parquet")[column].to_pylist()[: len(expected)] == expected
    rejects = parquet.read_table(tables / "rejects.parquet").to_pylist()
    assert [(row["file"], row["source_line"], row["column"]) for row in rejects] == [OWN]


def test_what_is_accepted_but_odd_is_told(tmp_path: Path) -> None:
    edits = [
        swap(MMR, b"TRUE", b'"TRUE"'),
        swap(MMR, b"PATHOLOGY", b"Biopsy"),
        put("data_timeline_transplant.txt", b"PATIENT_ID\tSTART_DATE\n"),
    ]
    status, tables = ingested(
        tmp_path, *edits, swap(SPECIMEN, b"P-0000003-T01-IM6", b"P-0000002-T01-IM5"), swap(CNA, b"P-0000003-T01-IM6\n", b"X9\n")
    )
    checks = json.loads((tables / "checks.json").read_text())
    assert status == 0
    assert {"table": "timeline_mmr", "column": "mmr_absent", "what": "quoted_cells", "rows": 1, "first_words": ["true"]} in checks["notes"]
    assert {"table": "timeline_mmr", "column": "event_type", "what": "unknown_words", "rows": 1, "first_words": ["Biopsy"]} in checks[
        "notes"
    ]
    assert checks["files_not_read"] == ["data_timeline_transplant.txt"]
    assert {"table": "timeline_specimen", "rows": 1, "first_ids": ["P-0000002-T01-IM5"]} in checks["specimens_of_others"]
    matrix = next(record for record in checks["orphans"] if record["table"] == "cna")
    assert (matrix["rows"], matrix["first_ids"]) == (1, ["X9"])
    ledger = {line["table"]: line for line in parquet.read_table(tables / "ledger.parquet").to_pylist()}
    assert ledger["cna"]["ignored_columns"] == ["X9"]
    assert set(parquet.read_table(tables / "cna.parquet")["sample_id"].to_pylist()) == {"P-0000001-T01-IM6", "P-0000002-T01-IM5"}


def test_rows_of_a_patient_who_is_set_aside_stay_and_are_counted(tmp_path: Path) -> None:
    status, tables = ingested(tmp_path, swap(PATIENT, b"24.0", b"two years"))
    checks = json.loads((tables / "checks.json").read_text())
    assert status == 0
    assert {"table": "timeline_treatment", "column": "patient_id", "rows": 1, "first_ids": ["P-0000002"]} in checks["without_clinical_row"]
    assert all(record["rows"] == 0 for record in checks["orphans"])


def test_a_dropped_duplicate_is_listed_with_the_row_that_stays(tmp_path: Path) -> None:
    _, tables = ingested(tmp_path, add(CNA, b"ERBB2\t2\t0\t0"))
    assert parquet.read_table(tables / "duplicates.parquet").to_pylist() == [
        {"table": "cna", "file": CNA, "source_line": 6, "first_line": 2},
        {"table": "timeline_treatment", "file": TREATMENT, "source_line": 5, "first_line": 4},
    ]


def test_a_file_that_is_replaced_while_it_is_read_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = write_study(tmp_path / "study", STUDY)
    read = ingestion.read_rows

    def replaced(path: Path, header: Any) -> Any:
        found = read(path, header)
        if path.name == TREATMENT:
            path.write_bytes(path.read_bytes() + b"\n")
        return found

    monkeypatch.setattr(ingestion, "read_rows", replaced)
    with pytest.raises(InputError, match=f"{TREATMENT}: expected a file that stays as it is while it is read"):
        main([str(study), "--out", str(tmp_path / "tables")])
    assert not (tmp_path / "tables").exists()
