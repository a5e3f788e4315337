"""The section on external validation says what its files say, hides small counts, and is absent where no model left home."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoraft.report import external
from oncoraft.report.names import predictor_name
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard
from tests.report.made_neighbours import second


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return second(tmp_path / "results")


def sources(told: Path, smallest: int, *files: Path) -> Sources:
    return Sources(told.parents[5] / "msk", [], Guard(smallest), {}, external=files)


def test_a_report_of_one_cohort_alone_has_no_such_section(told: Path) -> None:
    assert external.section(sources(told, 1)) is None


def test_the_tables_say_what_the_files_say_the_model_first(told: Path) -> None:
    shown = external.section(sources(told, 1, told))
    assert shown is not None
    rows = shown["areas"].data.rows
    assert [(row["score"], row["home"], row["away"], row["drop"]) for row in rows] == [
        (predictor_name(name), 0.71, 0.66, 0.05) for name in ("model", "regimen_prior")
    ]
    assert rows[0]["responders"] == 90
    assert [(row["before"], row["after"]) for row in shown["calibration"].data.rows] == [(0.21, 0.19)]
    assert [(row["field"], row["status"], row["share_at_home"]) for row in shown["fields"].data.rows] == [("ecog", "absent", 0.5)]
    assert {row["reason"]: row["patients"] for row in shown["who"].data.rows}["the patient is in both cohorts"] == 60
    assert "AUROC 0.660, at home 0.710" in shown["brief"]


def test_small_counts_of_patients_are_hidden(told: Path) -> None:
    shown = external.section(sources(told, 10, told))
    assert shown is not None
    who = [row["patients"] for row in shown["who"].data.rows]
    assert who == ["hidden", "<10", 336]  # of 400: with 60 shown, 4 would be what is left


def test_a_share_goes_with_the_count_that_it_would_tell(told: Path) -> None:
    mapping = told.parents[5] / "msk" / "mapping" / "mapping.csv"
    mapping.write_text(mapping.read_text().replace(",50,100", ",97,100"))  # three cases do not tell it
    shown = external.section(sources(told, 10, told))
    assert shown is not None
    assert [row["share_at_home"] for row in shown["fields"].data.rows] == ["hidden"]


def test_agreement_with_curated_response_stands_in_the_section(told: Path) -> None:
    shown = external.section(sources(told, 1, told))
    assert shown is not None
    assert [(row["measure"], row["estimate"]) for row in shown["labels_agreement"].data.rows] == [
        ("share that agrees", 0.75),
        ("Cohen's kappa, response or none", 0.75),
    ]
    table = {row["rule"]: row for row in shown["labels_confusion"].data.rows}
    assert (table["PD"]["PR"], table["PR"]["PD"], table["PD"]["all"], table["all"]["all"]) == (16, 0, 66, 100)
    assert [row["under"] for row in shown["labels_areas"].data.rows] == ["rule on scans", "curated response", "rule less curated"]
    assert shown["labels_judged"].data.rows[0]["both"] == 96
    for name in ("labels_agreement", "labels_areas"):
        assert shown[name].columns[-1].title == "note"
        assert {row["flags"] for row in shown[name].data.rows} == {"interval of the 180 of 200 resamples that have a value"}


def test_small_counts_of_the_comparison_are_hidden(told: Path) -> None:
    shown = external.section(sources(told, 10, told))
    assert shown is not None
    table = {row["rule"]: row for row in shown["labels_confusion"].data.rows}
    assert table["NE"]["NE"] == "<10"
    assert table["NE"]["all"] == "<10"
    assert table["all"]["NE"] == "<10"
    assert shown["labels_judged"].data.rows[0]["both"] == "hidden"


def test_every_file_that_was_read_is_told_for_the_manifest(told: Path) -> None:
    assert {path.name for path in external.files_of(told)} == {"external.json", "overlap.json", "mapping.csv", "labels.json"}
