"""Every scenario file holds: regimens, labels and follow-up of one hand-made timeline each."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from .scenario import Scenario, extras, names, outcomes, read_scenario

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))
ANSWERS = {"yes": True, "no": False}


def check_regimen(cases: pd.DataFrame, values: dict[str, str]) -> None:
    case = cases.set_index("index_day").loc[int(values["day"])]
    assert case["regimen_name"] == values["agents"].strip()
    for key, value in extras(values["more"]):
        if key == "flag":
            assert case[value]
        elif key == "no flag":
            assert not case[value]
        elif key in {"line", "line overall"}:
            assert case[{"line": "line_of_therapy", "line overall": "line_overall"}[key]] == int(value), key
        elif key == "at index":
            assert [agent.lower() for agent in case["agents_at_index"]] == [agent.lower() for agent in names(value.replace("_", " "), "+")]
        elif key in {"opened by", "class", "cancer", "protocol"}:
            column = {"opened by": "opened_by", "class": "drug_class", "cancer": "cancer_type"}.get(key, key)
            assert str(case[column]) == value.replace("_", " "), key
        else:
            assert str(case[key]) == value, key


def check_label(labels: pd.DataFrame, values: dict[str, str]) -> None:
    row = labels[(labels["day"] == int(values["day"])) & (labels["definition"] == values["definition"])].iloc[0]
    assert row["category"] == values["category"], row["reason"]
    for key, value in extras(values["more"]):
        if key == "flag":
            assert row[value]
        elif key == "no flag":
            assert not row[value]
        elif key == "scans":
            assert list(row["scan_days"]) == [int(day) for day in value.split(",") if day != "none"]
        elif key == "window":
            assert f"{row['window_start_days']}..{row['window_end_days']}" == value
        elif key == "local":
            assert row["local_treatment_between"] == {"none": "", "both": "surgery, radiation"}.get(value, value)
        elif key in {"responder", "disease_control"}:
            assert (row[key] is pd.NA) if value == "null" else row[key] == ANSWERS[value]
        else:
            raise AssertionError(f"no such expectation: {key}")


def check_followup(followed: pd.DataFrame, values: dict[str, str]) -> None:
    rows = followed[(followed["day"] == int(values["day"])) & (followed["endpoint"] == values["endpoint"])]
    if values["span"] == "none":
        assert rows.empty
    else:
        row = rows.iloc[0]
        found = (row["entry_days"], row["exit_days"], "event" if row["event"] else "censored")
        assert found == (int(values["entry"]), int(values["exit"]), values["event"])


Found = dict[str, tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]


@pytest.fixture(scope="module")
def scenarios() -> dict[str, Scenario]:
    return {path.stem: read_scenario(path) for path in FILES}


@pytest.fixture(scope="module")
def found(scenarios: dict[str, Scenario]) -> Found:
    return outcomes(list(scenarios.values()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_rules_make_of_the_timeline_what_the_file_expects(path: Path, scenarios: dict[str, Scenario], found: Found) -> None:
    scenario = scenarios[path.stem]
    assert scenario.expected, "a scenario expects something"
    cases, labels, followed = found[path.stem]
    days = Counter(int(values["day"]) for _, kind, values in scenario.expected if kind == "regimen")
    if days:
        assert sorted(days) == list(cases["index_day"])
    for number, kind, values in scenario.expected:
        try:
            if kind == "regimen":
                check_regimen(cases, values)
            elif kind == "label":
                check_label(labels, values)
            else:
                check_followup(followed, values)
        except (AssertionError, KeyError) as error:
            raise AssertionError(f"{path.name}, line {number}: {error}") from error


def test_there_are_at_least_forty() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize("line", ["day 3 scan maybe", "expect label day 0 strict XX", "drug Carboplatin"])
def test_a_line_that_means_nothing_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text(f"# title\n{line}\n")
    with pytest.raises(AssertionError, match=r"odd\.txt, line 2"):
        read_scenario(tmp_path / "odd.txt")
