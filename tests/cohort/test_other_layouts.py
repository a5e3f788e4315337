"""Cohorts in other clocks and layouts end in the very same tables, cases, labels and prompts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from oncoraft.cases.build import main as cases
from oncoraft.cohort.convert import main as convert
from oncoraft.cohort.ingest import main as ingest
from oncoraft.cohort.meds_export import main as export_meds
from oncoraft.evidence.mapping import main as mapping
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.tables import TABLES
from oncoraft.prompts.build import main as prompts
from oncoraft.twin.twin import main as twin


def made(study: Path, home: Path) -> Path:
    """Tables, cases and prompts of a study below `home`."""
    assert ingest([str(study), "--out", str(home / "tables")]) == 0
    assert cases([str(home / "tables"), "--out", str(home / "cases")]) == 0
    assert prompts([str(home / "tables"), str(home / "cases"), "--out", str(home / "prompts.jsonl")]) == 0
    return home


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A twin of sixty patients with its tables, cases and prompts."""
    home = tmp_path_factory.mktemp("first")
    assert twin(["--patients", "60", "--seed", "5", "--clean", "--out", str(home / "study"), "--processes", "1"]) == 0
    return made(home / "study", home)


def same_cases(one: Path, other: Path) -> None:
    for name in ("cases", "labels", "folds"):
        pd.testing.assert_frame_equal(
            pd.read_parquet(one / "cases" / f"{name}.parquet"), pd.read_parquet(other / "cases" / f"{name}.parquet")
        )


def test_a_study_that_counts_from_another_day_gives_the_same_cases_labels_and_prompts(first: Path, tmp_path: Path) -> None:
    shifted = tmp_path / "study"
    shutil.copytree(first / "study", shifted)
    for table in TABLES:
        days = [column.source for column in table.columns if column.kind == "day"]
        if table.layout != "rows" or not days:
            continue
        path = shifted / table.file
        rows = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
        # Every patient by another constant, as a diagnosis is another day for each.
        by = rows["PATIENT_ID"].str.removeprefix("P-").astype(int) * 7 + 100
        for name in [name for name in days if name in rows]:
            rows[name] = [str(int(cell) + more) if cell else "" for cell, more in zip(rows[name], by, strict=True)]
        rows.to_csv(path, sep="\t", index=False, quoting=3)
    with pytest.raises(InputError, match="the earliest sequencing must be day 0"):
        ingest([str(shifted), "--out", str(tmp_path / "tables")])
    assert convert([str(shifted), "--reader", "cbioportal", "--out", str(tmp_path / "aligned")]) == 0
    other = made(tmp_path / "aligned", tmp_path)
    same_cases(first, other)
    assert (first / "prompts.jsonl").read_bytes() == (other / "prompts.jsonl").read_bytes()


@pytest.fixture(scope="module")
def meds(first: Path) -> Path:
    assert export_meds([str(first / "tables"), str(first / "cases"), "--out", str(first / "meds")]) == 0
    return first / "meds"


def test_meds_out_and_in_again_gives_the_same_cases_and_labels(first: Path, meds: Path, tmp_path: Path) -> None:
    assert convert([str(meds), "--reader", "meds", "--out", str(tmp_path / "study")]) == 0
    same_cases(first, made(tmp_path / "study", tmp_path))


def test_meds_files_keep_the_rules_that_validators_do_not_see(meds: Path) -> None:
    seen: set[int] = set()
    for path in sorted((meds / "data").glob("*.parquet")):
        table = parquet.read_table(path)
        assert table.schema.field("time").type == pa.timestamp("us")
        assert table.schema.field("subject_id").type == pa.int64()
        assert table.schema.field("code").type == pa.string()
        assert table.schema.field("numeric_value").type == pa.float32()
        rows = table.select(["subject_id", "time"]).to_pandas()
        subjects = rows["subject_id"].to_numpy()
        assert not seen & set(subjects)
        seen |= set(subjects)
        assert (np.diff(subjects) >= 0).all()
        for _, times in rows.groupby("subject_id")["time"]:
            known = times.notna().to_numpy()
            assert (np.diff(known.astype(int)) >= 0).all()
            assert times[known].is_monotonic_increasing


def test_no_outcome_stands_before_the_end_of_follow_up(first: Path, meds: Path) -> None:
    """Static rows are visible at every prediction time, so that nothing that looks ahead may be among them."""
    table = pd.concat([parquet.read_table(path).to_pandas() for path in (meds / "data").glob("*.parquet")])
    static = set(table.loc[table["time"].isna(), "source_column"])
    assert static <= {"gender", "race", "ethnicity"}
    end = pd.read_parquet(first / "tables" / "clinical_patient.parquet").set_index("patient_id")["os_days"]
    outcomes = table[table["source_column"].isin(["os_months", "os_status", "stage_highest_recorded"])]
    days = (outcomes["time"] - pd.Timestamp("1970-01-01")).dt.days
    assert (days.to_numpy() == outcomes["patient_id"].map(end).to_numpy()).all()


def test_labels_stand_before_their_index_day_and_none_is_null(first: Path, meds: Path) -> None:
    labels = parquet.read_table(meds / "labels" / "response.parquet")
    assert labels.schema.names == ["subject_id", "prediction_time", "boolean_value"]
    assert labels["boolean_value"].null_count == 0
    which = parquet.read_table(meds / "metadata" / "cases.parquet").to_pandas().set_index("case_id")["prediction_time"]
    found = pd.read_parquet(first / "cases" / "cases.parquet").set_index("case_id")["index_day"].reindex(which.index)
    index_day = pd.Timestamp("1970-01-01") + pd.to_timedelta(found, unit="D")
    assert (index_day - which == pd.Timedelta(microseconds=1)).all()
    strict = pd.read_parquet(first / "cases" / "labels.parquet", filters=[("definition", "==", "strict")])
    assert labels.num_rows == strict["responder"].notna().sum()


def test_meds_packages_validate_and_read_the_data_set(meds: Path, tmp_path: Path) -> None:
    schemas = pytest.importorskip("meds")
    reader = pytest.importorskip("meds_reader")
    for path in (meds / "data").glob("*.parquet"):
        schemas.DataSchema.validate(parquet.read_table(path))
    schemas.LabelSchema.validate(parquet.read_table(meds / "labels" / "response.parquet"))
    schemas.SubjectSplitSchema.validate(parquet.read_table(meds / "metadata" / "subject_splits.parquet"))
    schemas.CodeMetadataSchema.validate(parquet.read_table(meds / "metadata" / "codes.parquet"))
    code = "import sys; import meds_reader; sys.argv[0] = 'meds_reader_convert'; meds_reader.meds_reader_convert()"
    words = [sys.executable, "-c", code, str(meds), str(tmp_path / "database"), "--num_threads", "1"]
    subprocess.run(words, check=True, capture_output=True)
    database = reader.SubjectDatabase(str(tmp_path / "database"))
    read = {(subject, event.time, event.code) for subject in database for event in database[subject].events}
    table = pd.concat([parquet.read_table(path).to_pandas() for path in (meds / "data").glob("*.parquet")])
    assert sum(len(database[subject].events) for subject in database) == len(table)
    times = [None if pd.isna(time) else time.to_pydatetime() for time in table["time"]]
    assert read == set(zip(table["subject_id"], times, table["code"], strict=True))


def test_a_data_set_of_others_is_refused(meds: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(meds, other)
    path = other / "metadata" / "dataset.json"
    path.write_text(path.read_text().replace('"oncoraft"', '"somebody"'))
    with pytest.raises(InputError, match="column time_is_relative: expected a data set that `oncoraft export-meds` wrote"):
        convert([str(other), "--reader", "meds", "--out", str(tmp_path / "study")])


MAPPING = """
clocks:
  diagnosis: {file: samples.csv, patient: id, first_sequencing: weeks_from_diagnosis, unit: weeks}
tables:
  clinical_patient:
    file: people.csv
    clock: diagnosis
    columns:
      PATIENT_ID: id
      GENDER: {column: sex, words: {m: Male, f: Female}}
      OS_MONTHS: {column: followed_days, unit: days}
      OS_STATUS: {column: dead, words: {'1': '1:DECEASED', '0': '0:LIVING'}}
  clinical_sample:
    file: samples.csv
    columns: {SAMPLE_ID: sample, PATIENT_ID: id, CANCER_TYPE: {value: Colorectal Cancer}}
  timeline_specimen:
    file: samples.csv
    clock: diagnosis
    columns: {PATIENT_ID: id, SAMPLE_ID: sample, START_DATE: {column: weeks_from_diagnosis, unit: weeks}}
  timeline_treatment:
    file: drugs.tsv
    clock: diagnosis
    columns: {PATIENT_ID: id, START_DATE: start, STOP_DATE: stop, AGENT: drug}
  timeline_progression:
    file: scans.csv
    clock: diagnosis
    columns:
      PATIENT_ID: id
      START_DATE: day
      PROGRESSION: {column: response, words: {PD: Y, SD: N, PR: N}, approximated: one reader's word}
"""
FILES = {
    "people.csv": "id,sex,followed_days,dead\nx1,m,407,1\nx2,f,507,0\n",
    "samples.csv": "sample,id,weeks_from_diagnosis\ns1,x1,1\ns1b,x1,9\ns2,x2,2\n",
    "drugs.tsv": "id\tstart\tstop\tdrug\nx1\t17\t90\tFOLFOX\nx2\t24\t\tCetuximab\n",
    "scans.csv": 'id,day,response\nx1,70,SD\nx2,"80",PD\n',
}


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., list[str]]:
    """A group's own tables and mapping file, some of their text replaced; the arguments that convert them."""

    def write(**changes: tuple[str, str]) -> list[str]:
        home = tmp_path / "own"
        home.mkdir()
        for name, text in {**FILES, "mapping.yaml": MAPPING}.items():
            old, new = changes.get(name.replace(".", "_"), ("", ""))
            assert old in text
            (home / name).write_text(text.replace(old, new) if old else text)
        return [str(home), "--reader", "csv", "--mapping", str(home / "mapping.yaml"), "--out", str(tmp_path / "study")]

    return write


CURATED = """
  curated_readings:
    file: scans.csv
    clock: diagnosis
    columns: {PATIENT_ID: id, START_DATE: day, READING: {column: response, words: {PD: progressing, SD: stable}}}
"""


def test_what_people_said_of_scans_comes_in_by_the_mapping_file_too(own: Callable[..., list[str]], tmp_path: Path) -> None:
    told = MAPPING.rstrip() + CURATED
    assert convert(own(mapping_yaml=(MAPPING, told))) == 0
    found = pd.read_csv(tmp_path / "study" / "curated.csv")
    assert found.to_numpy().tolist() == [["x1", 63, "stable"], ["x2", 66, "progressing"]]


def test_a_reading_that_is_no_reading_is_refused(own: Callable[..., list[str]]) -> None:
    told = MAPPING.rstrip() + CURATED.replace("SD: stable", "SD: smaller")
    with pytest.raises(InputError, match=r"scans\.csv, line 2, column response: expected one of progressing, stable"):
        convert(own(mapping_yaml=(MAPPING, told)))


def test_own_tables_come_in_by_a_mapping_file(own: Callable[..., list[str]], tmp_path: Path) -> None:
    assert convert(own()) == 0
    assert ingest([str(tmp_path / "study"), "--out", str(tmp_path / "tables")]) == 0
    treated = pd.read_parquet(tmp_path / "tables" / "timeline_treatment.parquet")
    # Sequenced a week and two weeks after diagnosis: day 17 is day 10, day 24 is day 10.
    assert list(treated["start_day"]) == [10, 10]
    people = pd.read_parquet(tmp_path / "tables" / "clinical_patient.parquet").set_index("patient_id")
    assert dict(people["os_days"]) == {"x1": 400, "x2": 493}
    assert dict(people["gender"]) == {"x1": "Male", "x2": "Female"}
    scans = pd.read_parquet(tmp_path / "tables" / "timeline_progression.parquet")
    assert list(zip(scans["start_day"], scans["progression"], strict=True)) == [(63, "N"), (66, "Y")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mapping_yaml": ("AGENT: drug", "AGENT: medicine")}, "(tables.timeline_treatment.columns.AGENT); it has id, start, stop, drug, found 'no such header'"),
        ({"mapping_yaml": ("AGENT: drug", "AGENT: Drugs")}, "mapping.yaml (tables.timeline_treatment.columns.AGENT); did you mean 'drug'?, found 'no such header'"),
        ({"mapping_yaml": ("AGENT: drug", "AGENT: medicine")}, "drugs.tsv, column medicine: this column is required by"),
        ({"mapping_yaml": ("patient: id, first", "patient: patient, first")}, "mapping.yaml (clocks.diagnosis.patient); it has sample, id, weeks_from_diagnosis"),
        # The header before the cells: scans.csv is mapped last, people.csv has a word that is refused.
        ({"mapping_yaml": ("column: response", "column: answer"), "people_csv": ("x1,m", "x1,q")}, "scans.csv, column answer: this column is required by"),
        ({"mapping_yaml": (", AGENT: drug", "")}, "tables.timeline_treatment.columns: expected a source of AGENT"),
        ({"mapping_yaml": ("AGENT: drug", "AGENT: drug, DOSE: dose")}, "tables.timeline_treatment: expected a column of timeline_treatment"),
        ({"mapping_yaml": ("    clock: diagnosis\n    columns: {PATIENT_ID: id, START", "    clock: birth\n    columns: {PATIENT_ID: id, START")}, "tables.timeline_treatment.clock: expected sequencing or a name in clocks"),
        ({"scans_csv": ("x1,70,SD", "x1,70,CR")}, "scans.csv, line 2, column response: expected one of 'PD', 'SD', 'PR', found 'CR'"),
        ({"drugs_tsv": ("17", "2021-03-04")}, "drugs.tsv, line 2, column start: expected a whole number of days"),
        ({"mapping_yaml": ("column: sex,", "colum: sex,")}, "unknown key; did you mean 'column'?"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_ends_in_one_line(
    own: Callable[..., list[str]], changes: dict[str, tuple[str, str]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        convert(own(**changes))
    assert message in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_absent_fields_are_told_and_a_claim_of_one_is_refused(first: Path, tmp_path: Path) -> None:
    lacking = tmp_path / "tables"
    shutil.copytree(first / "tables", lacking)
    path = lacking / "timeline_performance_status.parquet"
    parquet.write_table(parquet.read_table(path).slice(0, 0), path)
    from oncoraft.evidence.evidence import main as evidence

    assert evidence([str(lacking), str(first / "cases"), "--out", str(tmp_path / "evidence.parquet")]) == 0
    assert mapping([str(lacking), "--evidence", str(tmp_path / "evidence.parquet"), "--out", str(tmp_path / "mapping.csv")]) == 0
    found = pd.read_csv(tmp_path / "mapping.csv").set_index("field")
    assert found.loc["ecog", "status"] == "absent"
    assert found.loc["ecog", "cases_with"] == 0
    assert found.loc["drug", "status"] == "mapped"
    told = pd.read_parquet(tmp_path / "evidence.parquet")
    told.loc[0, "field"] = "ecog"
    told.to_parquet(tmp_path / "claims.parquet")
    with pytest.raises(InputError, match="ecog: expected no case to tell of a field that the cohort does not have"):
        mapping([str(lacking), "--evidence", str(tmp_path / "claims.parquet"), "--out", str(tmp_path / "claims.csv")])
