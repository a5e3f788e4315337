"""Single cells on the page: every score with its denominators, the leaking design marked, small counts and single donors hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oncoraft.report import cells
from oncoraft.report.collect import read_runs
from oncoraft.report.report import sources_of
from oncoraft.report.small_cells import Guard
from tests.report import made
from tests.report.made_neighbours import celled


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return made.results(tmp_path / "results", "Drug", "Colon", "Chemo")


def shown(home: Path, smallest: int, individuals: bool = True) -> dict[str, Any]:
    found = cells.section(sources_of(home, read_runs(home), False, Guard(smallest), individuals))
    assert found is not None
    return found["cohorts"][0]


def test_without_cells_there_is_no_section(home: Path) -> None:
    assert cells.section(sources_of(home, read_runs(home), False, Guard(1))) is None


def test_every_score_of_every_design_stands_with_its_denominators(home: Path) -> None:
    celled(home)
    it = shown(home, 1)
    rows = it["overall"].data.rows
    assert [(row["design"], row["name"]) for row in rows[::4]] == [
        ("pooled_by_donor", "logistic regression"),
        ("pooled_by_cell", "logistic regression"),
    ]
    assert {(row["n"], row["events"], row["donors"]) for row in rows} == {(120, 50, 24)}
    assert next(row for row in rows if row["predictor"] == "signature")["f1"] is None
    assert [name for name, _ in it["overall"].groups] == [
        "pooled, folds of donors",
        "pooled, folds of cells (leaks: cells of one donor on both sides)",
    ]
    assert it["markers"].data.rows[1]["gene"] == "NAN"
    assert [row["cells"] for row in it["flow"].data.rows] == [130, 6, 4, 120]
    assert {row["predictor"] for row in it["levels"].data.rows} == {"logistic_regression", "tiny/raft"}


def test_the_gap_is_drawn_of_leaking_and_honest_designs_side_by_side(home: Path) -> None:
    celled(home)
    gap = shown(home, 1)["gap"]
    assert gap is not None
    assert "tiny · raft, by cell (leaks)" in gap.figure.svg
    assert "tiny · raft, by donor" in gap.figure.svg
    assert [name for name, _ in gap.groups][-1] == "tiny · raft"
    assert {row["design"] for row in gap.data.rows} == {"pooled_by_donor", "pooled_by_cell"}


def test_small_counts_are_hidden_with_what_would_give_them_away(home: Path) -> None:
    celled(home)
    it = shown(home, 10)
    tissue = [row for row in it["levels"].data.rows if row["predictor"] == "tiny/raft"]
    assert {row["group"]: row["n"] for row in tissue} == {"blood": "hidden", "lymph node": "<10"}
    assert [row["cells"] for row in it["flow"].data.rows] == [130, "<10", "<10", 120] or "hidden" in [
        row["cells"] for row in it["flow"].data.rows
    ]
    assert it["folds"].data.rows[0]["heldout_donors"] == "<10"
    assert it["markers"].data.rows[0]["donors"] == "<10"


def test_the_map_of_single_cells_is_drawn_only_where_single_people_may_be(home: Path) -> None:
    celled(home)
    assert shown(home, 1, individuals=False)["maps"] == []
    drawn = shown(home, 1)["maps"]
    assert [figure.name for figure in drawn] == [f"cells-lung-map-{name}" for name in ("response", "donor", "data-set")]
    assert all("patient_id" not in figure.data.rows[0] for figure in drawn)
    assert [figure.svg.count("h0") for figure in drawn] == [12, 12, 12]
