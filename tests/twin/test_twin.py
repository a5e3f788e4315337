"""The twin's command: its contract, its determinism, its refusals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.knowledge.tables import TABLES
from oncoraft.planning.edge import run
from oncoraft.twin import blocks as twin_blocks
from oncoraft.twin import twin
from oncoraft.twin.genes import MATRIX_GENES
from oncoraft.twin.traps import SPELLINGS

PATIENTS = 120


def make(folder: Path, *more: str, patients: int = PATIENTS, seed: int = 5) -> Path:
    arguments = ["--patients", str(patients), "--seed", str(seed), "--out", str(folder / "study"), "--truth", str(folder / "truth.parquet")]
    assert twin.main([*arguments, *more]) == 0
    return folder / "study"


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin")
    make(folder)
    return folder


def test_every_data_file_has_a_meta_file(folder: Path) -> None:
    found = {path.name for path in (folder / "study").iterdir()}
    assert {table.file for table in TABLES} <= found
    named = [line.split(":")[1].strip() for path in (folder / "study").glob("meta_*") for line in path.read_text().splitlines() if line.startswith("data_filename")]  # fmt: skip
    assert sorted(named) == sorted(table.file for table in TABLES)


def test_truth_is_outside_the_study_and_complete(folder: Path) -> None:
    truth = pd.read_parquet(folder / "truth.parquet")
    assert list(truth.columns[:5]) == ["patient_id", "start_day", "agents", "probability", "response"]
    assert truth["probability"].between(0, 1, inclusive="neither").all()
    assert set(truth["response"]) == {"CR", "PR", "SD", "PD", "NED"}
    assert (truth["hazard_per_month"] > 0).all()
    assert not list((folder / "study").glob("*truth*"))


def test_every_regimen_of_the_truth_is_in_the_treatment_file(folder: Path) -> None:
    treatment = pd.read_csv(folder / "study/data_timeline_treatment.txt", sep="\t")
    given = set(zip(treatment["PATIENT_ID"], treatment["AGENT"], treatment["START_DATE"]))
    truth = pd.read_parquet(folder / "truth.parquet").explode("agents")
    for row in truth.itertuples():  # agents of one regimen start within two days of one another, an oral one at times long before
        names = {row.agents, *SPELLINGS.get(row.agents, ())} if row.trap_spelling else {row.agents}
        days = range(15 if row.trap_early_oral else 3)
        assert any((row.patient_id, name, row.start_day + shift) in given for shift in days for name in names), row


def test_same_seed_same_bytes_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    again, other = make(tmp_path / "again"), make(tmp_path / "other", seed=6)
    assert digests(again) == digests(folder / "study")
    assert (tmp_path / "again/truth.parquet").read_bytes() == (folder / "truth.parquet").read_bytes()
    different = {name for name, digest in digests(other).items() if digest != digests(folder / "study").get(name)}
    assert {table.file for table in TABLES} <= different


def test_more_patients_change_nobody(tmp_path: Path) -> None:
    small, large = make(tmp_path / "small", "--clean"), make(tmp_path / "large", "--clean", patients=PATIENTS + 40)
    for name in ("data_clinical_patient.txt", "data_timeline_treatment.txt", "data_mutations.txt", "data_timeline_progression.txt"):
        mine, theirs = (path / name for path in (small, large))
        assert set(mine.read_text().splitlines()) - set(theirs.read_text().splitlines()) == set(), name


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    count = twin_blocks.BLOCK + 60
    one = make(tmp_path / "one", "--processes", "1", patients=count)
    two = make(tmp_path / "two", "--processes", "2", patients=count)
    assert digests(one) == digests(two)


def test_manifest_counts_the_rows_of_every_file(folder: Path) -> None:
    counts = json.loads((folder / "truth.parquet.manifest.json").read_text())["counts"]
    for table in TABLES:
        lines = (folder / "study" / table.file).read_text().rstrip("\r\n").split("\n")
        assert counts[table.name] == len(lines) - 1 - table.header_rows, table.name
    assert counts["patients"] == PATIENTS
    assert counts["cna"] == len(MATRIX_GENES)


def test_an_earlier_study_is_replaced_and_another_folder_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make(tmp_path, patients=50)
    make(tmp_path, patients=60)
    assert len((study / "data_timeline_specimen.txt").read_text().splitlines()) >= 61
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.docx").write_text("keep")
    assert run(twin.main, ["--patients", "50", "--out", str(tmp_path / "mine")]) == 2
    assert "it holds other files" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.docx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--patients", "49"], "--patients: expected 50 or more, found 49"),
        (["--patients", "50", "--seed", "-1"], "--seed: expected 0 or more, found -1"),
        (["--patients", "50", "--seed", str(2**63)], f"--seed: expected less than 2**63, found {2**63}"),
        (["--patients", "50", "--processes", "0"], "--processes: expected 1 or more, found 0"),
    ],
)
def test_bad_arguments_end_in_one_line(arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(twin.main, [*arguments, "--out", str(tmp_path / "study")]) == 2
    assert capsys.readouterr().err.strip() == f"error: {message}"
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_failed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(twin, "write_meta", fail)
    with pytest.raises(OSError, match="disk full"):
        twin.main(["--patients", "50", "--out", str(tmp_path / "study")])
    assert not list(tmp_path.iterdir())


def test_blocks_cover_the_patients_once() -> None:
    todo = twin_blocks.tasks(3 * twin_blocks.BLOCK + 7, 1, False)
    numbers = np.concatenate([np.arange(task.first, task.last + 1) for task in todo])
    assert np.array_equal(numbers, np.arange(1, 3 * twin_blocks.BLOCK + 8))
