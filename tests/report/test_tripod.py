"""The checklists: every item of the statements, none invented; each answer follows the run, and says so where the run is silent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.report.collect import read_runs
from oncoraft.report.contents import contents
from oncoraft.report.facts import Facts
from oncoraft.report.report import main, render, sources_of
from oncoraft.report.small_cells import Guard
from oncoraft.report.tripod import ANSWERS, NOT_REPORTED, PARTLY, YES, filled, items
from tests.report import made

# Collins et al., BMJ 2024;385:e078378, Table 2: 27 items in 52 rows. Gallifant et al., Nat Med 2025;31:60-69, Table 2: 19 items in 49 rows.
PUBLISHED = {
    "TRIPOD+AI": "1 2 3abc 4 5ab 6abc 7 8abc 9abc 10 11 12abcdefg 13 14 15 16 17 18abcdef 19 20abc 21 22 23ab 24 25 26 27abc",
    "TRIPOD-LLM": "1 2 3ab 4 5abcde 6abcde 7abcde 8abc 9ab 10 11 12 13 14abcdef 15 16abcd 17 18 19abcdefg",
}
# What only authors can tell: context, inequalities, setting, people who judged, money, protocol, patients' involvement, what comes next.
FOR_AUTHORS = {
    "TRIPOD+AI": {"2", "3a", "3c", "6a", "8c", "9c", "18a", "18b", "18c", "18d", "19", "27c"},
    "TRIPOD-LLM": {"2", "3a", "7b", "9b", "14a", "14b", "14c", "14d", "15", "19g"},
}


def expanded(told: str) -> list[str]:
    found = []
    for word in told.split():
        number, letters = re.fullmatch(r"(\d+)([a-z]*)", word).groups()  # type: ignore[union-attr]
        found += [number + letter for letter in letters] or [number]
    return found


@pytest.mark.parametrize("checklist", PUBLISHED)
def test_no_item_is_missing_and_none_invented(checklist: str) -> None:
    assert [item["item"] for item in items() if item["checklist"] == checklist] == expanded(PUBLISHED[checklist])
    assert {item["item"] for item in items() if item["checklist"] == checklist and not item["answer"]} == FOR_AUTHORS[checklist]


def test_every_answer_is_asked_for_and_every_item_has_a_topic() -> None:
    assert {item["answer"] for item in items()} - {""} == set(ANSWERS)
    assert all(item["topic"] and item["section"] for item in items())


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return made.results(tmp_path / "results", "Drug", "Cancer", "Class")


def answers(results: Path, smallest: int = 1) -> dict[tuple[str, str], dict[str, str]]:
    facts = Facts(sources_of(results, read_runs(results), False, Guard(smallest)))
    return {(row["checklist"], row["item"]): row for row in filled(facts)}


def test_an_answer_follows_the_run(results: Path) -> None:
    before = answers(results)
    assert before["TRIPOD+AI", "23a"]["reported"] == YES
    assert "AUROC 0.700 (0.600 to 0.800)" in before["TRIPOD+AI", "23a"]["answer"]
    path = results / "tiny" / "raft" / "kfold" / "metrics" / "metrics.json"
    rows = json.loads(path.read_text())
    for row in rows:
        if (row["predictor"], row["metric"], row["scope"]) == ("model", "auroc", "mean_of_folds"):
            row |= {"estimate": 0.61, "lower": 0.5, "upper": 0.72}
    path.write_text(json.dumps(rows))
    after = answers(results)
    assert "AUROC 0.610 (0.500 to 0.720)" in after["TRIPOD+AI", "23a"]["answer"]
    assert after["TRIPOD-LLM", "17"]["answer"] == after["TRIPOD+AI", "23a"]["answer"]


def test_what_was_not_run_is_not_reported_and_what_failed_is_said(results: Path) -> None:
    assert answers(results)["TRIPOD+AI", "9b"] == answers(results)["TRIPOD+AI", "9b"] | {
        "reported": NOT_REPORTED,
        "answer": "",
        "page": "",
        "file": "",
    }
    audit = results / "prompts" / "audit.json"
    audit.parent.mkdir()
    audit.write_text(json.dumps({"cases": 40, "statements": 900, "prompts": 40, "passed": True}))
    passed = answers(results)["TRIPOD+AI", "9b"]
    assert (passed["reported"], passed["file"]) == (YES, "prompts/audit.json")
    assert "900 statements of 40 audited cases" in passed["answer"]
    audit.write_text(json.dumps({"cases": 40, "statements": 900, "prompts": 40, "passed": False}))
    assert "the audit failed" in answers(results)["TRIPOD+AI", "9b"]["answer"]


def test_compute_is_what_the_logs_of_the_folds_say(results: Path) -> None:
    assert answers(results)["TRIPOD-LLM", "12"]["reported"] == NOT_REPORTED
    for fold in range(2):
        log = results / "tiny" / "raft" / "kfold" / f"fold-{fold}" / "training_log.jsonl"
        log.parent.mkdir()
        steps = [{"step": step, "tokens": 6000, "tokens_per_second": 100.0, "memory_gib": 0.5} for step in (1, 2)]
        log.write_text("".join(json.dumps(step) + "\n" for step in steps))
    told = answers(results)["TRIPOD-LLM", "12"]
    assert told["reported"] == YES
    assert "24,000 tokens in 4.0 minutes over 2 folds" in told["answer"]


def test_a_real_cohort_is_not_told_to_be_synthetic(results: Path) -> None:
    path = results / "tiny" / "raft" / "kfold" / "metrics" / "metrics.json"
    assert answers(results)["TRIPOD+AI", "17"]["reported"] == YES  # the twin's patients need no ethics committee
    path.write_text(json.dumps([row for row in json.loads(path.read_text()) if "oracle" not in (row["predictor"], row["reference"])]))
    real = answers(results)
    assert real["TRIPOD+AI", "17"]["reported"] == NOT_REPORTED
    assert real["TRIPOD+AI", "5a"]["reported"] == PARTLY
    assert not any("ynthetic" in row["answer"] for row in real.values())


def test_dates_are_not_reported_and_why(results: Path) -> None:
    row = answers(results)["TRIPOD+AI", "5b"]
    assert row["reported"] == NOT_REPORTED
    assert "no calendar date" in row["answer"]


def test_a_linear_probe_is_told_as_what_it_is_on_the_whole_page(results: Path, tmp_path: Path) -> None:
    probe = made.experiment(results, "linear-probe", "Drug", "Cancer")
    strategy = {"adapter": False, "language_model_weight": 0.0, "score_weight": 1.0, "score_loss": "bce", "probe": "end_of_prompt"}
    counts = {"cases": 54, "training_cases": 41, "tuning_cases": 23, "strength": 0.01}
    (probe / "fold-0").mkdir()
    (probe / "fold-0" / "manifest.json").write_text(json.dumps({"settings": {"strategy": strategy}, "counts": counts, "versions": {}}))
    told = answers(results)
    building = next(row["answer"] for row in told.values() if "hyper-parameter" in row["answer"])
    assert "logistic regression on what the base makes of a prompt, read at end of prompt; penalty: C = 0.01 in the first fold" in building
    assert "No hyper-parameter was tuned on these data; the penalty of tiny · linear-probe" in building
    # Cases that it learned from, not those that it scored.
    assert any("linear-probe · kfold: training by fold 41 cases; held out" in row["answer"] for row in told.values())
    assert main([str(results), "--out", str(tmp_path / "report" / "index.html")]) == 0
    assert "frozen, and a logistic regression that tells from its vectors" in (tmp_path / "report" / "index.html").read_text()


def test_small_counts_are_marked_in_answers(results: Path) -> None:
    flow = json.loads((results / "cases" / "flow.json").read_text())
    for row in flow["label_flags"]:
        row["contradicted"] = 1 if row["category"] == "CR" else 0
    (results / "cases" / "flow.json").write_text(json.dumps(flow))
    assert "in 1 cases" in answers(results, 1)["TRIPOD+AI", "8b"]["answer"]
    assert "in <10 cases" in answers(results, 10)["TRIPOD+AI", "8b"]["answer"]


def test_a_cohort_that_the_models_were_applied_to_is_named_among_the_aims(results: Path) -> None:
    told = {
        away: sources_of(results, read_runs(results), False, Guard(1), external=away)
        for away in ((), (Path("r/bpc/m/s/d/external/external.json"),))
    }
    said = ["; ".join(row["answer"] for row in filled(Facts(sources))) for sources in told.values()]
    assert "No external cohort." in said[0]
    assert "External evaluation, the models unchanged, in bpc." in said[1]
    assert "No external cohort." not in said[1]


def test_links_lead_to_places_of_the_page_and_the_data_hold_what_it_shows(results: Path, tmp_path: Path) -> None:
    sources = sources_of(results, read_runs(results), False, Guard(1))
    page = render(sources, contents(sources))
    places = set(re.findall(r'id="([^"]+)"', page))
    linked = {row["page"] for row in filled(Facts(sources)) if row["page"]}
    assert {one.removeprefix("#") for one in linked} <= places
    assert main([str(results), "--out", str(tmp_path / "out" / "index.html"), "--settings", '{"report": {"smallest_cell": 1}}']) == 0
    written = pd.concat(
        pd.read_csv(tmp_path / "out" / "data" / f"{name}.csv", dtype=str, keep_default_na=False) for name in ("tripod-ai", "tripod-llm")
    )
    assert written.to_dict("records") == filled(Facts(sources))
    assert page.count(NOT_REPORTED) >= sum(row["reported"] == NOT_REPORTED for row in filled(Facts(sources)))
