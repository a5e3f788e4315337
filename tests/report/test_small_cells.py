"""Counts of few people are hidden, on the page and in its data, and no total that is shown gives one away."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from oncoraft.foundation.provenance import write_json
from oncoraft.report.cohort import of_few_together
from oncoraft.report.discrimination import guarded
from oncoraft.report.forest import forest_rows
from oncoraft.report.report import main
from oncoraft.report.small_cells import COMPLEMENT, Guard, hidden
from tests.report import made

Key = tuple[object, object]
COUNTS = st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=2, max_size=5)


def told(counts: dict[Key, int], sums: list[list[Key]], gone: set[Key], smallest: int, key: Key) -> tuple[float, float]:
    """The least and the most that a hidden count can be in whole numbers, by all that is shown and by the marks."""
    lost = sorted(gone, key=str)
    rows = [[(-1 if one == total else 1) if one in (total, *parts) else 0 for one in lost] for total, *parts in sums]
    known = [sum(row[at] * counts[one] for at, one in enumerate(lost)) for row in rows]
    lower = [1 if counts[one] < smallest else smallest for one in lost]
    upper = [smallest - 1 if counts[one] < smallest else np.inf for one in lost]
    goal = np.array([float(one == key) for one in lost])
    ends = []
    for sign in (1, -1):
        found = milp(
            sign * goal, integrality=np.ones(len(lost)), bounds=Bounds(lower, upper), constraints=LinearConstraint(rows, known, known)
        )
        ends.append(sign * found.fun)
    return ends[0], ends[1]


@given(COUNTS, st.integers(2, 15))
@settings(deadline=None, max_examples=60)
def test_no_total_and_no_totals_together_compute_a_small_count(table: list[list[int]], smallest: int) -> None:
    cells: dict[Key, int] = {(i, j): count for i, row in enumerate(table) for j, count in enumerate(row)}
    rows, columns = range(len(table)), range(3)
    counts = cells | {(i, "all"): sum(table[i]) for i in rows} | {("all", j): sum(row[j] for row in table) for j in columns}
    sums: list[list[Key]] = [[(i, "all"), *((i, j) for j in columns)] for i in rows]
    sums += [[("all", j), *((i, j) for i in rows)] for j in columns]
    gone = hidden(counts, sums, smallest)
    small = {key for key, count in counts.items() if 0 < count < smallest}
    assert gone >= small
    assert not [key for key in gone if not counts[key]]
    for key in small:
        least, most = told(counts, sums, gone, smallest, key)
        # Where everything that is not zero is hidden, nothing more can be done.
        assert least < most or gone == {one for one, count in counts.items() if count} or smallest == 2
    for total, *parts in sums:
        lost = [key for key in parts if key in gone]
        if total not in gone and any(key in small for key in lost):
            assert sum(counts[key] for key in lost) >= smallest or all(key in gone or not counts[key] for key in (total, *parts))


def test_totals_that_only_together_compute_a_small_count_hide_one_more() -> None:
    """Two rows less two columns leave one cell: each of the four totals has two or three hidden cells."""
    table = [[4, 5, 50, 60], [6, 7, 3, 50], [70, 60, 30, 40], [50, 60, 70, 80]]
    cells: dict[Key, int] = {(i, j): count for i, row in enumerate(table) for j, count in enumerate(row)}
    counts = cells | {(i, "all"): sum(table[i]) for i in range(4)} | {("all", j): sum(row[j] for row in table) for j in range(4)}
    sums: list[list[Key]] = [[(i, "all"), *((i, j) for j in range(4))] for i in range(4)]
    sums += [[("all", j), *((i, j) for i in range(4))] for j in range(4)]
    gone = hidden(counts, sums, 10)
    for key in [key for key, count in counts.items() if count < 10]:
        least, most = told(counts, sums, gone, 10, key)
        assert least < most


def test_what_is_known_from_elsewhere_is_not_hidden_in_vain() -> None:
    counts = {"all": 30, "a": 3, "b": 12, "c": 15}
    assert hidden(counts, [["all", "a", "b", "c"]], 10, fixed={"all"}) == {"a", "b"}
    assert hidden(counts, [["all", "a", "b", "c"]], 10, fixed={"all", "b"}) == {"a", "c"}


def test_the_total_of_a_column_counts_as_shown_for_each_predictor_by_itself() -> None:
    rows = [{"predictor": name, "bin": place, "n": n} for name in ("x", "y") for place, n in enumerate((4, 30, 20))]
    assert [row["n"] for row in Guard(10).rows(rows, [("n",)])] == ["<10", 30, COMPLEMENT] * 2


def test_what_a_part_leaves_of_its_whole_is_a_count_too() -> None:
    """Of 50 cases 46 are evaluable: the 4 others stand nowhere, and are not to be told by the difference."""
    assert Guard(10).rows([{"cases": 50, "evaluable": 46}], [("cases", "evaluable")]) == [{"cases": 50, "evaluable": COMPLEMENT}]
    for row in ({"cases": 50, "evaluable": 30}, {"cases": 50, "evaluable": 50}, {"cases": 50, "evaluable": 0}):
        assert Guard(10).rows([row], [("cases", "evaluable")]) == [row]
    assert Guard(10).rows([{"cases": 50, "evaluable": 4}], [("cases", "evaluable")]) == [{"cases": 50, "evaluable": "<10"}]


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
    assert "event_count" not in pd.read_csv(tmp_path / "10" / "data" / "curves-1.csv")
    metrics = pd.read_csv(tmp_path / "10" / "data" / "metrics-1.csv", dtype=str)
    assert metrics.loc[metrics["scope"] == "subgroup", "n"].tolist() == ["<10"]
    assert "&lt;10" in pages[10]
    assert "&lt;10" not in pages[1]
    assert "4 (3%)" in pages[1]
    assert "4 (3%)" not in pages[10]
    calibration = pd.read_csv(tmp_path / "10" / "data" / "calibration-1.csv", dtype=str)
    assert calibration["observed"].tolist()[0] == COMPLEMENT
    assert calibration["responders"].tolist() == ["<10", COMPLEMENT], "the metrics tell the responders of all bins"


def test_runs_compared_and_the_text_model_hide_small_counts_and_what_tells_them_by_difference(tmp_path: Path) -> None:
    results = made.results(tmp_path / "results", "Drug", "Cancer", "Class")
    nothing = dict.fromkeys(("difference", "lower", "upper", "bootstrap_p"), 0.1)
    of_areas = {"metric": "auroc", "n": 40, "events": 20, "patients": 40} | nothing
    pairs = [
        {
            "first": "a",
            "second": "b",
            "not_estimated": None,
            "differences": [of_areas, of_areas | {"events": 36}, of_areas | {"n": 7, "events": 3}],
        },
        {"first": "a", "second": "c", "not_estimated": "nobody", "n": 4, "differences": []},
    ]
    (results / "comparisons" / "kfold").mkdir(parents=True)
    write_json(results / "comparisons" / "kfold" / "comparison.json", pairs)
    told = {"auroc_rationale": 0.9, "auroc_prompt": 0.6, "cases": 8, "words_for_response": [], "words_against_response": []}
    (results / "tiny" / "prompts" / "kfold").mkdir(parents=True)
    write_json(results / "tiny" / "prompts" / "kfold" / "leakage.json", told)
    shown = {}
    for smallest in (1, 10):
        out = tmp_path / str(smallest) / "index.html"
        assert main([str(results), "--out", str(out), "--settings", json.dumps({"report": {"smallest_cell": smallest}})]) == 0
        rows = pd.read_csv(out.parent / "data" / "comparison.csv", dtype=str)
        leakage = pd.read_csv(out.parent / "data" / "leakage.csv", dtype=str)["cases"].tolist()
        shown[smallest] = [*zip(rows["n"], rows["events"].fillna("")), *leakage]
    assert shown[1] == [("40", "20"), ("40", "36"), ("7", "3"), ("4", ""), "8"]
    assert shown[10] == [("40", "20"), ("40", COMPLEMENT), ("<10", "<10"), ("<10", ""), "<10"]


def characteristic(name: str, level: str | None, cancer: str, n: int, of: int, unit: str = "patients") -> dict[str, object]:
    return {"characteristic": name, "level": level, "cancer_type": cancer, "unit": unit, "n": n, "of": of, "share": n / of}


@given(st.lists(st.integers(1, 60), min_size=2, max_size=5), st.integers(2, 15), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_no_percentage_of_table_one_tells_the_size_of_a_small_cancer_type(sizes: list[int], smallest: int, random: Random) -> None:
    whole, rows, women_of_all = sum(sizes), [], 0
    for number, size in enumerate(sizes):
        women = random.randint(0, size)
        women_of_all += women
        rows.append(characteristic("Patients", None, f"cancer {number}", size, whole))
        rows += [characteristic("Sex", "female", f"cancer {number}", women, size)] if women else []
        rows += [characteristic("Sex", "male", f"cancer {number}", size - women, size)] if women < size else []
        rows.append(characteristic("Drug class", "Chemo", f"cancer {number}", size, size, "cases"))
    rows = [characteristic("Patients", None, "all", whole, whole), characteristic("Sex", "female", "all", women_of_all, whole), *rows]
    shown = of_few_together(rows, smallest)
    of = {row["cancer_type"]: row["of"] for row in shown if row["characteristic"] == "Drug class"}
    assert sum(of.values()) == whole
    assert min(of.values()) >= smallest or len(of) == 1
    for level in ("female", "male"):
        counts = [sum(row["n"] for row in some if (row["level"], row["cancer_type"] == "all") == (level, False)) for some in (rows, shown)]
        assert counts[0] == counts[1]
    assert all(row["n"] <= row["of"] and row["share"] == row["n"] / row["of"] for row in shown)
    if min(sizes) >= smallest:
        assert shown == rows


def test_how_many_resamples_count_is_not_told_where_responders_are_too_few_to_be_counted() -> None:
    row = {
        **{"predictor": "model", "reference": None, "label": "strict", "metric": "auroc", "scope": "mean_of_folds", "group": None},
        **{"n": 400, "events": 2, "patients": 200, "flags": "interval of the 86 of 100 resamples that have a value"},
    }
    assert guarded([row], Guard(11))[0]["flags"] == "interval of some of the resamples that have a value"
    assert guarded([row | {"events": 150}], Guard(11))[0]["flags"] == row["flags"]


@pytest.mark.parametrize("smallest", [1, 10, 30, 1000])
@pytest.mark.parametrize("deaths", [2, 22, 28, 30])
def test_a_regimen_whose_deaths_are_hidden_is_drawn_and_says_why_it_is_not_tested(deaths: int, smallest: int) -> None:
    # Of 30 cases 22 died: the eight alive are few, so that the deaths are hidden beside the cases.
    counts = {
        "cases": 30,
        "patients": 30,
        "events": deaths,
        "n_high": 15,
        "n_low": 15,
        "events_high": deaths // 2,
        "events_low": deaths - deaths // 2,
    }
    told = [made.regimen("A", "x"), made.regimen("B", "x", is_tested=False, delayed_entry_cases=15, **counts)]
    settings = {"minimum_events": 60, "powered_events": 100}
    survival = {"regimens": told, "summary": {"adjusted": None, "adjusted_per_sd": None}, "skipped": [], "settings": settings}
    first, second = forest_rows(survival, Guard(smallest))
    assert second["note"] == "fewer than 60 events"
    assert first["note"] == "underpowered: fewer than 100 events"
    if smallest == 10:
        assert second["events"] == {2: "<10", 22: "hidden", 28: "hidden", 30: 30}[deaths]
