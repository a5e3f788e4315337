"""A group's own tables: what a mapping file says is applied to the letter, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cohort.convert import main as convert
from oncoraft.foundation.errors import InputError

from .test_other_layouts import CURATED, FILES, MAPPING

Own = Callable[..., Path]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """The study that a mapping file and tables make, with some of their text replaced."""

    def made(mapping: tuple[str, str] = ("", ""), **files: str) -> Path:
        home = tmp_path / "own"
        home.mkdir()
        assert mapping[0] in MAPPING
        (home / "mapping.yaml").write_text(MAPPING.replace(*mapping) if mapping[0] else MAPPING)
        for name, text in FILES.items():
            (home / name).write_text(files.get(name.replace(".", "_"), text))
        assert convert([str(home), "--reader", "csv", "--mapping", str(home / "mapping.yaml"), "--out", str(tmp_path / "study")]) == 0
        return tmp_path / "study"

    return made


def rows(study: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(study / f"data_{name}.txt", sep="\t", dtype=str, keep_default_na=False)


def test_a_constant_day_is_shifted_like_any_other(own: Own) -> None:
    """Of a clock that counts from the diagnosis, the diagnosis is day 0: before the sequencing, not on its day."""
    diagnosis = """
  timeline_diagnosis:
    file: people.csv
    clock: diagnosis
    columns: {PATIENT_ID: id, START_DATE: {value: "0"}, DX_DESCRIPTION: {value: COLON}}
  timeline_treatment:"""
    found = rows(own(("\n  timeline_treatment:", diagnosis)), "timeline_diagnosis")
    assert found[["PATIENT_ID", "START_DATE", "DX_DESCRIPTION"]].to_numpy().tolist() == [["x1", "-7", "COLON"], ["x2", "-14", "COLON"]]


def test_a_word_that_the_mapping_translates_is_taken_though_it_means_missing_elsewhere(own: Own) -> None:
    found = rows(own(("PR: N}", "PR: N, None: N}"), scans_csv="id,day,response\nx1,70,None\nx2,80,NA\n"), "timeline_progression")
    assert list(found["PROGRESSION"]) == ["N", ""]


def test_a_level_called_unknown_stays_and_a_missing_cell_of_readings_is_none(own: Own) -> None:
    told = MAPPING.replace(
        "SAMPLE_ID: sample, PATIENT_ID: id, C", "SAMPLE_ID: sample, SAMPLE_TYPE: kind, PATIENT_ID: id, C"
    ) + CURATED.replace("{column: response, words: {PD: progressing, SD: stable}}", "reading")
    study = own(
        (MAPPING, told),
        samples_csv="sample,id,weeks_from_diagnosis,kind\ns1,x1,1,Unknown\ns2,x2,2,Primary\n",
        scans_csv="id,day,response,reading\nx1,70,SD,not stated\nx2,80,PD,NA\n",
    )
    assert list(rows(study, "clinical_sample")["SAMPLE_TYPE"]) == ["Unknown", "Primary"]
    assert pd.read_csv(study / "curated.csv").to_numpy().tolist() == [["x1", 63, "not stated"]]


def test_readings_may_be_the_same_for_all(own: Own) -> None:
    told = MAPPING + CURATED.replace("{column: response, words: {PD: progressing, SD: stable}}", "{value: stable}")
    assert list(pd.read_csv(own((MAPPING, told)) / "curated.csv")["reading"]) == ["stable", "stable"]


def test_follow_up_that_no_clock_can_place_is_counted(own: Own) -> None:
    study = own(samples_csv="sample,id,weeks_from_diagnosis\ns1,x1,1\ns2,x2,\n")
    assert list(rows(study, "clinical_patient")["OS_MONTHS"]) == [f"{400 * 12 / 365:.9f}", ""]
    told = {row["what"]: row["rows"] for row in json.loads((study / "mapping.json").read_text())["rows"]}
    assert told["follow-up of patients whose first sequencing the clock does not tell; left empty"] == 1


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (("{column: followed_days, unit: days}", "followed_days"), "tables.clinical_patient.columns.OS_MONTHS: expected its `unit`, one of days, weeks, months, years"),
        (("{column: sex, words: {m: Male, f: Female}}", "{column: sex, unit: months}"), "tables.clinical_patient.columns.GENDER.unit: expected a unit of days and of OS_MONTHS alone"),
        (("START_DATE: start,", "START_DATE: {column: start, words: {early: '1'}},"), "tables.timeline_treatment.columns.START_DATE.words: expected no words of a time"),
    ],
)  # fmt: skip
def test_what_would_not_be_applied_is_refused(own: Own, mapping: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        own(mapping)
    assert message in str(caught.value)


@pytest.mark.parametrize("weeks", ["inf", "1e300", "9000"])
def test_a_time_beyond_a_life_is_refused_in_any_unit(own: Own, weeks: str) -> None:
    with pytest.raises(InputError, match="line 3, column weeks_from_diagnosis: expected a number of weeks, of at most 60,000 days"):
        own(samples_csv=f"sample,id,weeks_from_diagnosis\ns1,x1,1\ns2,x2,{weeks}\n")


def test_reading_a_source_leaves_the_librarys_limit_of_a_cell_as_it_was(tmp_path: Path) -> None:
    import csv

    from oncoraft.cohort.source_tables import read_source

    before = csv.field_size_limit()
    (tmp_path / "notes.csv").write_text("id,report\n1," + "x" * 200_000 + "\n", encoding="utf-8")
    assert read_source(tmp_path / "notes.csv", ["id"])["report"].str.len().tolist() == [200_000]
    assert csv.field_size_limit() == before
