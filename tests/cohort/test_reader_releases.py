"""Known releases by digest, layouts by their signs, and files by name, case or meta file."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort.ingest import main
from oncoraft.cohort.recognise import Layout, recognise, sentence
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.releases import KNOWN_FILES, SIGNS
from oncoraft.knowledge.study_files import data_files, find_file, meta_fields
from oncoraft.knowledge.tables import TABLES, table

from .conftest import STUDY, write_study


def test_known_digests_are_whole_and_name_released_files() -> None:
    names = {table.file for table in TABLES} | {"data_timeline_tumor_markers.txt"}  # split into four laboratory files in 2024-12
    for digest, (file, version) in KNOWN_FILES.items():
        assert len(digest) == 64
        assert int(digest, 16) >= 0
        assert file in names
        assert version in {"first", "revised"}
    assert {file for file, _ in KNOWN_FILES.values()} == names


def test_a_known_file_is_recognised_by_its_digest() -> None:
    first = next(digest for digest, known in KNOWN_FILES.items() if known == ("data_sv.txt", "first"))
    found = recognise({"identifier": "msk_chord_2024", "name": ""}, {"data_sv.txt": first, "data_cna.txt": "0" * 64}, Layout())
    assert found["known_files"] == {"data_sv.txt": "first"}
    assert sentence(found) == "study msk_chord_2024: MSK-CHORD (msk_chord_2024): 1 of 2 files are known versions (1 first)"


def test_signs_bound_when_a_layout_was_served() -> None:
    layout = Layout()
    layout.see("timeline_treatment", ["PATIENT_ID", "AGENT"], {"AGENT": ["CISPLATIN", "INVESTIGATIVE"]})
    layout.see("timeline_surgery", ["PATIENT_ID", "EVENT_TYPE"], {"EVENT_TYPE": ["SURGERY"]})
    layout.see("clinical_sample", ["SAMPLE_ID"], {})
    assert (layout.period()["not_before"], layout.period()["before"]) == (None, "2024-12-11")
    layout = Layout()
    layout.see("timeline_treatment", ["PATIENT_ID", "AGENT"], {"AGENT": ["INVESTIGATIONAL"]})
    layout.see("timeline_prior_meds", ["PATIENT_ID", "Treatment_TYPE"], {})
    layout.see("sv", ["Sample_Id", "Comments"], {})
    assert (layout.period()["not_before"], layout.period()["before"]) == ("2026-01-30", "2026-04")
    assert len(layout.period()["signs"]) == 3
    assert all(sign.not_before or sign.before for sign in SIGNS)


OLDER = {
    "data_timeline_prior_meds.txt": ("Treatment_TYPE", "TREATMENT_TYPE"),
    "data_timeline_treatment.txt": ("Investigational\tINVESTIGATIONAL", "Chemo\tINVESTIGATIVE"),
    "data_clinical_sample.txt": ("TMB_NONSYNONYMOUS", "ARCHER"),
}


def test_an_older_release_is_read_and_dated(tmp_path: Path) -> None:
    files = {name: text.replace(*OLDER[name]) if name in OLDER else text for name, text in STUDY.items()}
    files["data_sv.txt"] = (
        "Sample_Id\tSV_Status\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\tComments\nP-0000001-T01-IM6\tSOMATIC\tEML4\tALK\tseen twice\n"
    )
    study = write_study(tmp_path / "study", files)
    assert main([str(study), "--out", str(tmp_path / "tables")]) == 0
    checks = json.loads((tmp_path / "tables" / "checks.json").read_text())
    assert checks["study"]["layout"]["before"] == "2024-12-11"
    assert checks["study"]["layout"]["not_before"] is None
    manifest = json.loads((tmp_path / "tables" / "manifest.json").read_text())
    assert manifest["study"] == checks["study"]


MARKERS = """PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tTEST\tRESULT
P-0000001\t3\t\tLAB_TEST\tCA 15-3\t25
P-0000002\t10\t\tLAB_TEST\tPSA\t1.25
P-0000003\t4\t\tLAB_TEST\tCEA\t2.3
P-0000003\t4\t\tLAB_TEST\tCEA\t2.3
P-0000002\t11\t\tLAB_TEST\tTSH\t2
P-0000002\t12
P-0000002\tx\t\tLAB_TEST\tPSA\t1.25
"""


def test_one_file_of_tumour_markers_is_split_by_test_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    files = {name: text for name, text in STUDY.items() if not name.endswith("_labs.txt")} | {"data_timeline_tumor_markers.txt": MARKERS}
    study = write_study(tmp_path / "study", files)
    assert main([str(study), "--out", str(tmp_path / "tables")]) == 0
    ledger = {line["table"]: line for line in parquet.read_table(tmp_path / "tables" / "ledger.parquet").to_pylist()}
    counts = {
        name: tuple(ledger[name][f"rows_{what}"] for what in ("read", "kept", "refused", "duplicate")) for name in ledger if "_labs" in name
    }
    assert counts == {
        "timeline_ca_15_3_labs": (3, 1, 2, 0),  # with the row of another test and the short one
        "timeline_ca_19_9_labs": (0, 0, 0, 0),
        "timeline_cea_labs": (2, 1, 0, 1),
        "timeline_psa_labs": (2, 1, 1, 0),
    }
    assert sum(read for read, *_ in counts.values()) == len(MARKERS.splitlines()) - 1
    marker = parquet.read_table(tmp_path / "tables" / "timeline_ca_15_3_labs.parquet").to_pylist()[0]
    assert (marker["test"], marker["result"], marker["source_line"]) == ("CA_15-3", 25.0, 2)
    rejects = parquet.read_table(tmp_path / "tables" / "rejects.parquet").to_pylist()
    assert [(row["source_line"], row["column"]) for row in rejects] == [(6, "TEST"), (7, None), (8, "START_DATE")]
    assert rejects[0]["reason"] == "expected one of CA_15-3, CA_19-9, CEA, PSA, found 'TSH'"
    checks = json.loads((tmp_path / "tables" / "checks.json").read_text())
    assert checks["files_not_read"] == []
    assert {name: path.name for name, path in data_files(study).items()} == {
        line["table"]: line["file"] for line in ledger.values() if line["sha256"]
    }


def test_a_file_is_found_by_name_then_case_then_meta_file(tmp_path: Path) -> None:
    cna = table("cna")
    (tmp_path / "study_CNA.txt").touch()
    (tmp_path / "meta_cna.txt").write_text(
        "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: DISCRETE\ndata_filename: study_CNA.txt \n"
    )
    assert find_file(tmp_path, cna) == tmp_path / "study_CNA.txt"
    (tmp_path / "data_CNA.txt").touch()
    assert find_file(tmp_path, cna) == tmp_path / "data_CNA.txt"
    (tmp_path / "data_cna.txt").touch()
    assert find_file(tmp_path, cna) == tmp_path / "data_cna.txt"
    assert find_file(tmp_path, table("sv")) is None
    assert find_file(tmp_path / "nowhere", cna) is None


def test_a_packed_file_is_not_taken_for_absent(tmp_path: Path) -> None:
    (tmp_path / "data_sv.txt.GZ").touch()
    with pytest.raises(InputError, match=r"data_sv\.txt\.GZ: expected the unpacked table data_sv\.txt"):
        find_file(tmp_path, table("sv"))


def test_a_meta_file_that_is_no_text_has_no_fields(tmp_path: Path) -> None:
    (tmp_path / "meta_study.txt").write_bytes(b"name: \xff\n")
    assert meta_fields(tmp_path / "meta_study.txt") == {}
    assert meta_fields(tmp_path / "absent.txt") == {}
