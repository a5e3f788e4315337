"""Text tasks on the page: every answerer with its denominator, and small counts of real patients hidden with what would give them away."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoraft.report import tasks
from oncoraft.report.collect import read_runs
from oncoraft.report.report import sources_of
from oncoraft.report.small_cells import Guard
from tests.report import made
from tests.report.made_neighbours import scored


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return made.results(tmp_path / "results", "Drug", "Colon", "Chemo")


def shown(home: Path, smallest: int) -> dict[str, object]:
    found = tasks.section(sources_of(home, read_runs(home), False, Guard(smallest)))
    assert found is not None
    return found["tasks"][0]


def test_without_a_task_there_is_no_section(home: Path) -> None:
    assert tasks.section(sources_of(home, read_runs(home), False, Guard(1))) is None


def test_every_answerer_stands_with_its_denominator_and_the_test_by_its_name(home: Path) -> None:
    scored(home)
    task = shown(home, 1)
    rows = task["measures"].data.rows
    assert {row["answerer"] for row in rows} == {"base", "tuned", "tfidf"}
    assert {(row["n"], row["patients"], row["unread"]) for row in rows} == {(40, 30, 3)}
    assert task["tests"].data.rows[0]["test"] == "sign test"
    assert [row["class"] for row in task["classes"].data.rows] == ["C34.1", "C34.1", "nan", "nan"]


def test_what_would_give_a_small_count_away_is_hidden_with_it(home: Path) -> None:
    scored(home)
    task = shown(home, 10)
    assert all(row["estimate"] is None for row in task["measures"].data.rows if row["measure"] == "read")
    test = task["tests"].data.rows[0]
    assert [test[name] for name in ("positive", "negative", "zeros", "statistic")] == ["<10"] * 4
    small = [row for row in task["classes"].data.rows if row["class"] == "nan"]
    assert all(row["recall"] is None and row["support"] == "<10" and row["answered"] == "<10" for row in small)
    rest = [row for row in task["classes"].data.rows if row["class"] != "nan"]
    assert all(row["support"] == row["answered"] == "hidden" for row in rest)  # 40 cases less 36 would be 4


def test_what_is_reached_of_the_law_stands_in_one_row_with_base_tuned_and_the_test(home: Path) -> None:
    scored(home, law=0.875)
    found = tasks.section(sources_of(home, read_runs(home), False, Guard(1)))
    assert found is not None
    (row,) = found["overview"].data.rows
    assert (row["title"], row["measure"], row["n"], row["p"]) == ("ICD-10 code · tiny", "code", 40, 1e-7)
    assert (row["base"], row["tuned"], row["tfidf"], row["oracle"], row["share"]) == (0.7, 0.7, 0.7, 0.875, pytest.approx(0.8))
    assert row["tuned_head"] is None  # none was asked
    page = [cell.text for cell in found["overview"].rows[0]]
    assert "0.800 (0.500 to 0.900)" in page


def test_without_a_law_the_row_claims_no_share(home: Path) -> None:
    scored(home)
    found = tasks.section(sources_of(home, read_runs(home), False, Guard(1)))
    assert found is not None
    (row,) = found["overview"].data.rows
    assert (row["oracle"], row["share"]) == (None, None)
