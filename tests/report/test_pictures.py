"""Pictures of patients: what they draw is what happened, they name nobody, and of few people they say nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.report import sequences, swimmer, timeline, waterfall
from oncoraft.report.case_records import courses, pictured
from oncoraft.report.pictures import NOT_SHOWN
from oncoraft.report.report import main
from oncoraft.report.response import MONTH, evenly
from tests.report import made, made_cases


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made.results(tmp_path_factory.mktemp("pictures") / "results", "Drug", "Cancer", "Class")
    made_cases.write(folder, made_cases.cohort())
    return folder


@pytest.fixture(scope="module")
def cases(home: Path) -> pd.DataFrame:
    found = courses(home, "strict")
    assert found is not None
    return found


def test_a_course_says_when_what_happened(cases: pd.DataFrame) -> None:
    first = cases.iloc[0]
    assert first["months_on_regimen"] == pytest.approx(1 / MONTH)  # one day, the first of which counts
    assert first["progression_months"] == pytest.approx(100 / MONTH)
    assert (first["last_months"], first["is_dead"]) == (pytest.approx(300 / MONTH), False)
    # Time on a regimen ends with what is known of the patient.
    long = made_cases.case("P-1", 0, "alpha", stop_day=9999)
    assert cases["months_on_regimen"].max() <= 300 / MONTH
    assert long["stop_day"] > 300


def test_a_death_is_no_progression_that_was_seen(home: Path, tmp_path: Path) -> None:
    folder = made.results(tmp_path / "results", "Drug", "Cancer", "Class")
    made_cases.write(folder, made_cases.cohort()[:4])
    followed = pd.read_parquet(folder / "cases" / "followup.parquet")
    followed.loc[followed["endpoint"] == "rwpfs", "exit_days"] = 300
    followed.to_parquet(folder / "cases" / "followup.parquet")
    found = courses(folder, "strict")
    assert found is not None
    assert found.loc[found["is_dead"], "progression_months"].isna().all()
    assert found.loc[~found["is_dead"], "progression_months"].notna().all()


def test_lanes_are_a_sample_at_equal_steps_that_names_nobody(cases: pd.DataFrame) -> None:
    mine = cases[cases["regimen"] == "alpha"]
    rows = swimmer.lanes(mine)
    assert len(rows) == swimmer.LANES < len(mine)
    assert list(rows["months_on_regimen"]) == sorted(rows["months_on_regimen"], reverse=True)
    assert rows["months_on_regimen"].iloc[[0, -1]].tolist() == [mine["months_on_regimen"].max(), mine["months_on_regimen"].min()]
    assert not {"case_id", "patient_id"} & set(rows.columns)
    drawn = str(swimmer.draw(rows, len(mine)))
    assert "P-0000" not in drawn
    assert f"{len(rows)} of {len(mine)} cases" in drawn
    assert len(re.findall(r"<title>[^<]*months on the regimen", drawn)) == len(rows)


@given(st.integers(0, 500), st.integers(2, 50))
def test_a_sample_has_both_ends_and_no_place_twice(count: int, most: int) -> None:
    places = evenly(count, most)
    assert len(places) == len(set(places)) == min(count, most)
    assert not count or (places[0], places[-1]) == (0, count - 1)


def test_bars_fall_and_are_of_the_evaluable_cases_alone(home: Path, cases: pd.DataFrame) -> None:
    scores = {row["case_id"]: row["score"] for row in map(json.loads, (home / "tiny" / "raft" / "kfold" / "predictions.jsonl").open())}
    rows = waterfall.bars(cases[cases["regimen"] == "gamma"], scores)
    assert list(rows["score"]) == sorted(rows["score"], reverse=True)
    assert "NE" not in set(rows["response"])
    drawn = str(waterfall.draw(rows, len(rows)))
    good = rows["responder"].astype(bool)
    half = len(rows) // 2
    assert f"responders are {good[:half].mean():.0%} of the upper half and {good[half:].mean():.0%} of the lower" in drawn
    assert good[: good.sum()].all()
    assert drawn.count("v9") == good.sum()


def test_the_regimens_of_most_evaluable_cases_are_pictured_and_never_one_of_too_few(cases: pd.DataFrame) -> None:
    judged = cases[cases["responder"].notna()].groupby("regimen").size()
    assert pictured(cases, 1) == [("Cancer", name) for name in judged.sort_values(ascending=False).index]
    assert pictured(cases, int(judged.min()) + 1) == [("Cancer", name) for name in judged.sort_values(ascending=False).index[:2]]
    assert pictured(cases, 10_000) == []


WAYS = st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4), min_size=1, max_size=60)


def patients(given_ways: list[list[str]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            made_cases.case(f"P-{who}", day, name, cancer_type="ab"[who % 2])
            for who, way in enumerate(given_ways)
            for day, name in enumerate(way)
        ]
    )


@given(WAYS, st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_branches_add_up_and_no_difference_tells_of_few(given_ways: list[list[str]], smallest: int) -> None:
    nodes = sequences.forest(patients(given_ways), smallest)

    def walk(node: sequences.Node) -> None:
        assert node.patients >= smallest
        if node.children:
            ended = node.patients - sum(child.patients for child in node.children)
            assert ended == node.ended
            assert ended == 0 or ended >= smallest
        for child in node.children:
            walk(child)

    for node in nodes:
        walk(node)
    if smallest == 1:
        assert sum(node.patients for node in nodes) == len(given_ways)
        told = sequences.table(nodes)
        assert told.loc[told["regimen_1"].notna() & told["regimen_2"].isna(), "patients"].sum() == len(given_ways)


def test_sequences_of_one_regimen_after_the_other(cases: pd.DataFrame) -> None:
    told = sequences.table(sequences.forest(cases, 1))
    rows = {(row.regimen_1, row.regimen_2): row.patients for row in told[told["regimen_3"].isna()].itertuples()}
    assert (rows["Alpha", "Gamma"], rows["Beta", "Gamma"]) == (30, 10)
    assert rows["Alpha", None] == 45
    assert told.set_index("regimen_1").loc["Beta", "without_a_further_regimen"].iloc[0] == 5


def test_a_timeline_shows_a_typical_case_in_days_from_its_index(home: Path, cases: pd.DataFrame) -> None:
    scores = dict(zip(cases["case_id"], range(len(cases))))
    good, bad = timeline.typical(cases, scores, set())
    responders = cases[cases["responder"].eq(True).fillna(False)]
    assert abs(scores[good] - responders["case_id"].map(scores).median()) <= 5
    assert not cases.set_index("case_id").loc[bad, "responder"]
    row = cases[cases["case_id"] == good].iloc[0]
    events = timeline.events_of(home, row["patient_id"], int(row["index_day"]), cases[cases["patient_id"] == row["patient_id"]])
    assert set(events.columns) == set(timeline.COLUMNS)
    seen = events.set_index("lane")["start_days"].to_dict()
    index = int(row["index_day"])
    assert {name: seen[name] for name in ("Scans", "CEA", "Sequencing") if name in seen} == (
        {"Scans": 60 - index, "CEA": 60 - index, "Sequencing": -index} if index < 270 else {}
    )


@pytest.mark.parametrize("on", [False, True])
def test_single_patients_are_shown_only_where_the_settings_say_so(home: Path, tmp_path: Path, on: bool) -> None:
    out = tmp_path / "page" / "index.html"
    switched = json.dumps({"report": {"individuals": on, "smallest_cell": 5}})
    assert main([str(home), "--out", str(out), "--settings", switched]) == 0
    page, files = out.read_text(), {path.stem.partition("-")[0] for path in (out.parent / "data").iterdir()}
    assert ({"swimmer", "waterfall", "timeline"} <= files) is on
    assert bool({"swimmer", "waterfall", "timeline"} & files) is on
    assert page.count(NOT_SHOWN) == (0 if on else 3)
    assert not re.search("P-0000", page + "".join(path.read_text() for path in (out.parent / "data").iterdir()))
    assert "sequences" in files


@pytest.mark.parametrize("name", ['X"><script>1</script>', "</title></svg><svg onload='1'>", "a\x00b \u202egnp", "w" * 5000])
def test_no_name_of_a_regimen_becomes_markup(home: Path, cases: pd.DataFrame, name: str) -> None:
    hostile = cases.assign(regimen_name=name, cancer_type=name, drug_class=name)
    scores = dict(zip(cases["case_id"], range(len(cases))))
    case = hostile.iloc[0]
    events = timeline.events_of(home, case["patient_id"], int(case["index_day"]), hostile.head(3))
    one = timeline.Timeline(events, name, "PR", (15, 120), 0.5, name, name)
    lanes, bars = swimmer.lanes(hostile), waterfall.bars(hostile, scores)
    drawn = [swimmer.draw(lanes, 9), waterfall.draw(bars, 9), sequences.draw(sequences.forest(hostile, 1)), timeline.draw(one)]
    for picture in drawn:
        found = ElementTree.fromstring(str(picture))
        assert {tag.tag.rpartition("}")[2] for tag in found.iter()} <= {"svg", "rect", "path", "text", "title", "polyline"}
        assert not any(key.startswith("on") for tag in found.iter() for key in tag.attrib)
        assert "\x00" not in str(picture)


def test_a_folder_without_cases_says_that_they_are_not_at_hand(tmp_path: Path) -> None:
    folder = made.results(tmp_path / "results", "Drug", "Cancer", "Class")
    assert main([str(folder), "--out", str(tmp_path / "page" / "index.html"), "--settings", '{"report": {"individuals": true}}']) == 0
    assert (tmp_path / "page" / "index.html").read_text().count("The tables of cases are not at hand.") == 4
