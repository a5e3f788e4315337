"""Counts of few people are hidden, on the page and in its data, and no total that is shown gives one away."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.report.report import main
from oncoraft.report.small_cells import COMPLEMENT, Guard, hidden
from tests.report import made

COUNTS = st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=2, max_size=5)


@given(COUNTS, st.integers(1, 15))
def test_no_total_of_a_row_or_column_gives_a_small_count_away(table: list[list[int]], smallest: int) -> None:
    cells = {(i, j): count for i, row in enumerate(table) for j, count in enumerate(row)}
    rows, columns = range(len(table)), range(3)
    counts = cells | {(i, "all"): sum(table[i]) for i in rows} | {("all", j): sum(row[j] for row in table) for j in columns}
    sums = [[(i, "all"), *((i, j) for j in columns)] for i in rows] + [[("all", j), *((i, j) for i in rows)] for j in columns]
    gone = hidden(counts, sums, smallest)
    assert gone >= {key for key, count in counts.items() if 0 < count < smallest}
    for total, *parts in sums:
        lost = [key for key in parts if key in gone]
        if total not in gone and lost:
            shown_by_difference = counts[total] - sum(counts[key] for key in parts if key not in gone)
            nothing_left = all(key in gone or not counts[key] for key in (total, *parts))
            assert len(lost) > 1 or nothing_left
            assert shown_by_difference >= smallest or nothing_left


def test_small_counts_are_marked_and_the_one_beside_is_hidden_with_what_is_computed_from_it() -> None:
    rows = [{"all": 50, "a": 3, "b": 20, "c": 27, "share": "6%"}]
    assert Guard(10).rows(rows, [("all", "a", "b", "c")], of={"share": "a"}) == [
        {"all": 50, "a": "<10", "b": COMPLEMENT, "c": 27, "share": COMPLEMENT}
    ]
    assert Guard(1).rows(rows, [("all", "a", "b", "c")]) == rows
    assert [Guard(10).count(count) for count in (0, 1, 9, 10, None)] == [0, "<10", "<10", 10, None]


def test_page_and_data_end_at_the_smallest_cell(tmp_path: Path) -> None:
    results = made.results(tmp_path / "results", "Drug", "Cancer", "Class")
    pages = {}
    for smallest in (1, 10):
        out = tmp_path / str(smallest) / "index.html"
        assert main([str(results), "--out", str(out), "--settings", json.dumps({"report": {"smallest_cell": smallest}})]) == 0
        pages[smallest] = out.read_text(encoding="utf-8")
    kept = {k: pd.read_csv(tmp_path / str(k) / "data" / "curves-1.csv")["at_risk"].min() for k in pages}
    assert kept == {1: 3, 10: 15}
    metrics = pd.read_csv(tmp_path / "10" / "data" / "metrics-1.csv", dtype=str)
    assert metrics.loc[metrics["scope"] == "subgroup", "n"].tolist() == ["<10"]
    assert "&lt;10" in pages[10]
    assert "&lt;10" not in pages[1]
    assert "4 (3%)" in pages[1]
    assert "4 (3%)" not in pages[10]
    calibration = pd.read_csv(tmp_path / "10" / "data" / "calibration-1.csv", dtype=str)
    assert calibration.loc[0, ["responders", "observed"]].tolist() == ["<10", COMPLEMENT]
