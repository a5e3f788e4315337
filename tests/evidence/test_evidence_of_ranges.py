"""Evidence of a whole study, from its files: the same bytes however many patients are worked through at a time."""

from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases.build import main as cases
from oncoraft.cohort.ingest import main as ingest
from oncoraft.evidence.evidence import collect, main
from oncoraft.evidence.reading import read_cases, read_tables
from oncoraft.foundation import ranges
from oncoraft.twin.twin import main as twin


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    twin(["--out", str(folder / "study"), "--patients", "50", "--seed", "3"])
    ingest([str(folder / "study"), "--out", str(folder / "tables")])
    cases([str(folder / "tables"), "--out", str(folder / "cases")])
    # A range costs a fixed time, and here some are of one patient.
    listed = pd.read_parquet(folder / "cases" / "cases.parquet")
    listed[listed["patient_id"].isin(listed["patient_id"].unique()[:10])].to_parquet(folder / "cases" / "cases.parquet", index=False)
    return folder


def test_how_many_patients_are_in_a_range_changes_no_byte(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, told = set(), set()
    for patients in (1, 4, 10**9):
        monkeypatch.setattr(ranges, "PATIENTS", patients)
        out = study / "evidence.parquet"
        assert main([str(study / "tables"), str(study / "cases"), "--out", str(out)]) == 0
        written.add(out.read_bytes())
        told.add(out.with_name("evidence.parquet.manifest.json").read_bytes())
    assert len(written) == len(told) == 1
    expected = collect(read_tables(study / "tables"), read_cases(study / "cases"), "sequenced", 3)
    assert len(expected) > 500
    pd.testing.assert_frame_equal(pd.read_parquet(study / "evidence.parquet"), expected)


def test_what_another_folder_knows_is_taken_range_by_range(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (study / "cases" / "fields.txt").write_text("drug\nstage\nmutation\n", encoding="utf-8")
    words = [str(study / "tables"), str(study / "cases"), "--fields", str(study / "cases" / "fields.txt"), "--out"]
    assert main([*words, str(study / "cases" / "evidence.parquet")]) == 0
    written = set()
    for patients in (3, 10**9):
        monkeypatch.setattr(ranges, "PATIENTS", patients)
        assert main([*words, str(study / "taken.parquet"), "--taken", str(study / "cases")]) == 0
        written.add((study / "taken.parquet").read_bytes())
    assert written == {(study / "cases" / "evidence.parquet").read_bytes()}
