"""The grid's section: a row a cell, ranks with their interval, hidden small counts, and nothing where no model left home."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoraft.report import grid
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard
from tests.report.made_neighbours import gridded


@pytest.fixture
def results(tmp_path: Path) -> Path:
    gridded(tmp_path / "msk")
    return tmp_path / "msk"


def sources(results: Path, smallest: int, *external: Path) -> Sources:
    return Sources(results, [], Guard(smallest), {}, external=external)


def test_cells_stand_with_ranks_and_hours_and_the_first_is_in_the_brief(results: Path) -> None:
    shown = grid.section(sources(results, 1, Path("external.json")))
    assert shown is not None
    rows = shown["table"].data.rows
    assert [(row["cell"], row["ranked"]) for row in rows] == [
        ("tiny · raft, kfold", "1 (1 to 2)"),
        ("Regimen prior, kfold", "2 (2 to 3)"),
        ("tiny · linear-probe, kfold", "–"),
        ("tiny · zero, kfold", "–"),
    ]
    assert shown["brief"] == "msk: tiny · raft, kfold first (50% of resamples)"
    assert (rows[0]["training_hours"], rows[0]["scoring_hours"]) == (0.25, None)
    # What has no number is in the table and not in the figure.
    figure = shown["table"].figure
    assert figure is not None
    assert "zero" not in figure.svg


@pytest.mark.parametrize(
    ("training", "scoring", "told"),
    [(None, None, "–"), (0.25, None, "0.25 + –"), (0.003, 1.5, "<0.01 + 1.50"), (0.0, 0.01, "0.00 + 0.01")],
)
def test_minutes_are_not_told_as_no_hours(training: float | None, scoring: float | None, told: str) -> None:
    assert grid.hours_of({"training_hours": training, "scoring_hours": scoring}) == told


def test_small_counts_are_hidden(results: Path) -> None:
    shown = grid.section(sources(results, 10, Path("external.json")))
    assert shown is not None
    row = shown["table"].data.rows[2]
    assert (row["events"], row["patients"]) == ("<10", "<10")


def test_a_report_of_one_cohort_alone_has_no_such_section(results: Path) -> None:
    assert grid.section(sources(results, 1)) is None
