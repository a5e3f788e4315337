"""GENIE BPC in MSK-CHORD's layout: two clocks, curated readings, names of drugs, keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from oncoraft.cohort.convert import main as convert
from oncoraft.cohort.ingest import main as ingest
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.genie_bpc import drug_name, tumor_site

from .release import ZERO, A, B, rows, write

NAME = "imaging_level_dataset.csv"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small release, converted and ingested."""
    home = tmp_path_factory.mktemp("release")
    source = write(home / "source", rows())
    assert convert([str(source), "--reader", "genie_bpc", "--out", str(home / "study")]) == 0
    assert ingest([str(home / "study"), "--out", str(home / "tables")]) == 0
    return home / "tables"


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet")


def days(folder: Path, name: str, column: str) -> dict[tuple[str, int], Any]:
    """Patient and days of life -> a column: what a reader of the release would look up."""
    found = table(folder, name)
    return {(row.patient_id, row.start_day + ZERO[row.patient_id]): getattr(row, column) for row in found.itertuples()}


def test_drugs_of_a_second_cancer_and_scans_of_the_first_are_brought_to_one_clock(tables: Path) -> None:
    assert days(tables, "timeline_treatment", "agent") == {
        (A, 20110): "PEMETREXED DISODIUM",
        (A, 20300): "INVESTIGATIONAL",
        (B, 19110): "CETUXIMAB",
    }
    assert (B, 19150) in days(tables, "timeline_progression", "progression")
    stops = days(tables, "timeline_treatment", "stop_day")
    # Ends count from the drug's own cancer: 180 days from 20000, 150 from 19000.
    assert (stops[A, 20110], stops[B, 19110]) == (20180 - ZERO[A], 19150 - ZERO[B])
    assert pd.isna(stops[A, 20300])


def test_a_scan_without_evidence_of_cancer_is_a_reading_and_one_that_is_silent_is_none(tables: Path) -> None:
    assert days(tables, "timeline_progression", "progression") == {
        (A, 20090): "N",
        (A, 20150): "N",
        (A, 20200): "Indeterminate",
        (B, 19150): "Y",
    }
    assert days(tables, "timeline_cancer_presence", "has_cancer")[A, 20150] == "N"
    assert days(tables, "timeline_tumor_sites", "tumor_site") == {(A, 20090): "Lung", (B, 19150): "Other"}


def test_what_curators_say_of_each_scan_is_kept_whole_and_none_is_a_gap(tables: Path) -> None:
    told = pd.read_csv(tables.parent / "study" / "curated.csv")
    found = {(row.patient_id, row.start_day + ZERO[row.patient_id]): row.reading for row in told.itertuples()}
    assert found == {(A, 20090): "stable", (A, 20150): "no cancer", (A, 20200): "mixed", (B, 19150): "progressing"}


def test_a_word_of_response_on_a_scan_without_cancer_is_not_taken_and_is_counted(tmp_path: Path) -> None:
    changed = broken(NAME, 1, image_overall="Improving/Responding")
    assert convert([str(write(tmp_path / "source", changed)), "--reader", "genie_bpc", "--out", str(tmp_path / "study")]) == 0
    told = pd.read_csv(tmp_path / "study" / "curated.csv").set_index(["patient_id", "start_day"])["reading"]
    assert told[A, 20150 - ZERO[A]] == "no cancer"
    counts = {row["what"]: row["rows"] for row in json.loads((tmp_path / "study" / "mapping.json").read_text())["rows"]}
    assert counts["words of response on scans without evidence of cancer; not taken"] == 1


def test_survival_counts_from_the_sequencing_report(tables: Path) -> None:
    found = table(tables, "clinical_patient").set_index("patient_id")
    assert dict(found["os_days"]) == {A: 400, B: 365}
    assert dict(found["is_deceased"]) == {A: True, B: False}
    assert dict(found["current_age_deid"]) == {A: 56, B: 53}


def test_a_specimen_or_regimen_of_two_cancers_stands_once(tables: Path) -> None:
    assert len(table(tables, "clinical_sample")) == 2
    assert len(table(tables, "timeline_treatment")) == 3
    told = json.loads((tables.parent / "study" / "mapping.json").read_text())
    counts = {(row["file"], row["what"]): row["rows"] for row in told["rows"]}
    assert counts["regimen_cancer_level_dataset.csv", "set aside: a regimen's further rows, for another cancer"] == 1
    assert counts[NAME, "set aside: scans whose report does not mention cancer"] == 1


def test_the_mapping_report_names_what_a_release_lacks(tables: Path) -> None:
    told = json.loads((tables.parent / "study" / "mapping.json").read_text())
    status = {(row["table"], row["column"]): row["status"] for row in told["columns"]}
    for gap in (
        ("timeline_performance_status", "ECOG"),
        ("timeline_mmr", "MMR_ABSENT"),
        ("timeline_cea_labs", "RESULT"),
        ("timeline_surgery", "START_DATE"),
    ):
        assert status[gap] == "absent", gap
    assert status["timeline_progression", "PROGRESSION"] == "mapped"
    assert status["timeline_specimen", "START_DATE"] == "approximated"


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("Pemetrexed Disodium(Alimta,LY231514)", "Pemetrexed Disodium"),
        ("Docetaxel (Taxotere)", "Docetaxel"),
        ("Cetuximab, Chlorambucil, Doxorubicin", "Cetuximab"),
        ("Iodine I-131", "Iodine I-131"),
    ],
)
def test_a_drugs_name_stands_before_its_synonyms(cell: str, name: str) -> None:
    assert drug_name(cell) == name


@pytest.mark.parametrize(
    ("code", "site"),
    [("C38.4    Pleura, NOS", "Pleura"), ("C34.1    x", "Lung"), ("C77.1    x", "Lymph Nodes"), ("C18.7    x", "Other"), ("", "")],
)
def test_a_curated_site_is_one_of_the_ten(code: str, site: str) -> None:
    assert tumor_site(code) == site


def broken(file: str, place: int, **cells: Any) -> dict[str, list[dict[str, Any]]]:
    found = rows()
    found[file][place] |= cells
    return found


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (broken(NAME, 0, image_overall="Better"), f"{NAME}, line 2, column image_overall: expected one of"),
        (broken(NAME, 0, image_scan_int="2019-03-01"), f"{NAME}, line 2, column image_scan_int: expected a whole number of days"),
        (broken("cancer_level_dataset_index.csv", 2, ca_seq=1), "line 4, column ca_seq: expected each record_id and ca_seq once"),
    ],
)
def test_what_cannot_be_read_ends_in_one_line(tables: dict[str, Any], message: str, tmp_path: Path) -> None:
    source = write(tmp_path / "source", tables)
    with pytest.raises(InputError) as caught:
        convert([str(source), "--reader", "genie_bpc", "--out", str(tmp_path / "study")])
    assert message in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_a_release_whose_clocks_contradict_one_another_is_refused(tmp_path: Path) -> None:
    found = rows()
    for row in found[NAME]:
        # As if scans counted from the last cancer, or from sequencing.
        row["dx_scan_days"] -= 700
    with pytest.raises(InputError, match="image_scan_int and dx_scan_days to tell the same day; they do not on 5 of 5 rows"):
        convert([str(write(tmp_path / "source", found)), "--reader", "genie_bpc", "--out", str(tmp_path / "study")])


def test_a_column_that_is_required_is_named(tmp_path: Path) -> None:
    found = rows()
    for row in found[NAME]:
        del row["image_ca"]
    with pytest.raises(InputError, match=f"{NAME}, column image_ca: this column is required"):
        convert([str(write(tmp_path / "source", found)), "--reader", "genie_bpc", "--out", str(tmp_path / "study")])
