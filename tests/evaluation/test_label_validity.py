"""Curated response beside the rule on scans: what people's readings are, how far two labels agree, whose days are aligned, what is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from oncoraft.evaluation.agreement import agreement, estimated, kappa
from oncoraft.evaluation.curated import curated_response, offsets, read_readings
from oncoraft.evaluation.label_validity import main as label_validity
from oncoraft.foundation.errors import InputError

CATEGORIES = ("PD", "SD", "PR", "CR")


def case(*readings: tuple[int, str], baseline: int = 90) -> tuple[str, Any]:
    """What the readings of one patient, on days from the index date 100, are as a response in days 15 to 120."""
    cases = pd.DataFrame({"case_id": ["a"], "patient_id": "p", "index_day": 100, "window_start_days": 15, "window_end_days": 120})
    told = pd.DataFrame([("p", 100 + day, word) for day, word in readings], columns=["patient_id", "start_day", "reading"])
    row = curated_response(cases, told, baseline).iloc[0]
    return row["category"], row["responder"]


@pytest.mark.parametrize(
    ("readings", "category", "responder"),
    [
        ([(15, "improving")], "PR", True),
        ([(14, "progressing"), (120, "stable")], "SD", False),  # day 14 lies before the window, day 120 in it
        ([(121, "improving")], "NE", pd.NA),
        ([(40, "improving"), (40, "progressing")], "PD", False),  # of one day the worse
        ([(40, "mixed"), (41, "not stated"), (42, "uncertain"), (60, "improving")], "PR", True),
        ([(40, "stable"), (60, "improving")], "SD", False),  # the first informative day decides
        ([(-10, "stable"), (40, "no cancer")], "CR", True),  # no evidence of cancer is a reading, not a gap
        ([(-91, "stable"), (40, "no cancer")], "NE", pd.NA),
        ([(-10, "no cancer"), (40, "no cancer")], "NED", pd.NA),
        ([], "NE", pd.NA),
    ],
)
def test_the_first_informative_day_of_the_window_decides(readings: list[tuple[int, str]], category: str, responder: Any) -> None:
    found = case(*readings)
    assert found[0] == category
    assert (found[1] is pd.NA) if responder is pd.NA else (found[1] == responder)


def test_agreement_and_kappa_are_those_of_another_implementation_and_weights_are_repetitions() -> None:
    draw = np.random.default_rng(4)
    one, other = draw.integers(0, 4, 60), draw.integers(0, 4, 60)
    other[:30] = one[:30]
    assert agreement(one, other) == pytest.approx(np.mean(one == other))
    assert kappa(one, other, levels=4) == pytest.approx(cohen_kappa_score(one, other))
    assert kappa(one, other, levels=4, is_linear=True) == pytest.approx(cohen_kappa_score(one, other, weights="linear"))
    weights = draw.integers(0, 3, (2, 60))
    repeated = [cohen_kappa_score(np.repeat(one, w), np.repeat(other, w)) for w in weights]
    assert kappa(one, other, weights, levels=4) == pytest.approx(repeated)
    assert np.isnan(kappa(np.zeros(5, int), np.zeros(5, int)))


def test_resamples_in_which_a_kappa_is_undefined_are_counted() -> None:
    # One of twelve is told a response, by both: without him in a draw there is nothing to agree on beyond chance.
    said = np.array([1, *[0] * 11])
    weights = np.random.default_rng(4).multinomial(12, np.full(12, 1 / 12), size=300)
    missed = int((weights[:, 0] == 0).sum())
    told = estimated(lambda w: kappa(said, said, w), weights, 0.95)
    assert (told["estimate"], told["lower"], told["upper"]) == (1, 1, 1)
    assert told["flags"] == f"interval of the {300 - missed} of 300 resamples that have a value"
    assert estimated(lambda w: agreement(said, said, w), weights, 0.95)["flags"] == ""
    few = np.vstack([weights[weights[:, 0] == 0], weights[weights[:, 0] > 0][:20]])
    told = estimated(lambda w: kappa(said, said, w), few, 0.95)
    assert (told["estimate"], told["lower"]) == (1, None)
    assert told["flags"] == f"no interval: 20 of {missed + 20} resamples have a value"


def test_clocks_are_aligned_by_drugs_that_both_cohorts_name_whatever_the_salt() -> None:
    first = pd.DataFrame(
        [("P-1", 10, "PEMETREXED"), ("P-1", 40, "CARBOPLATIN"), ("P-2", 0, "CETUXIMAB"), ("P-3", 0, "ERLOTINIB"), ("P-3", 70, "CETUXIMAB"), ("P-3", 90, "PEMETREXED")],
        columns=["patient_id", "start_day", "agent"],
    )  # fmt: skip
    second = pd.DataFrame(
        [("M-1", -9, "PEMETREXED DISODIUM"), ("M-1", 20, "CARBOPLATIN"), ("M-1", 500, "CARBOPLATIN"), ("M-2", 5, "PANITUMUMAB"), ("M-3", 200, "ERLOTINIB"), ("M-3", 100, "CETUXIMAB"), ("M-3", 0, "PEMETREXED")],
        columns=["patient_id", "start_day", "agent"],
    )  # fmt: skip
    matched = pd.DataFrame({"patient_id": ["M-1", "M-2", "M-3"], "patient_id_there": ["P-1", "P-2", "P-3"]})
    shift, counts = offsets(first, second, matched)
    assert shift.to_dict() == {"M-1": 20}  # 19 and 20 days apart: rounded, and both within three days of it
    assert counts == {"matched_patients": 3, "aligned": 1, "contradictory": 1, "no_shared_drug": 1}


def cohort(folder: Path, patients: int, prefix: str, wrong: set[int], seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Tables, cases, labels and predictions of a cohort; every third case responds, and the rule errs in the cases of `wrong`."""
    number = np.arange(patients)
    true = number % 3 == 0
    cases = pd.DataFrame(
        {
            "case_id": [f"{prefix}c{k}" for k in number], "patient_id": [f"{prefix}{k}" for k in number], "cancer_type": "x", "regimen": "r", "index_day": 10 * number,
            "drug_class": "d", "line_of_therapy": 1,
        }
    )  # fmt: skip
    said = np.array([not value if k in wrong else value for k, value in enumerate(true)])
    labels = cases[["case_id"]].assign(
        category=np.where(said, "PR", "PD"), responder=pd.array(said, dtype="boolean"), window_start_days=15, window_end_days=120,
        # The last died before any scan.
        scan_days=[[30]] * (patients - 1) + [[]], is_immortal=False,
    )  # fmt: skip
    both = pd.concat([labels.assign(definition=name) for name in ("strict", "disease_control")])
    folds = cases[["case_id", "patient_id"]].assign(design="kfold", fold=number % 2, is_tuning=False)
    (folder / "cases").mkdir(parents=True)
    for name, frame in (("cases", cases), ("labels", both), ("folds", folds)):
        frame.to_parquet(folder / "cases" / f"{name}.parquet")
    score = np.random.default_rng(seed).uniform(size=patients) * 0.5 + 0.4 * true
    run = folder / "tiny" / "raft" / "kfold"
    run.mkdir(parents=True)
    rows = zip(cases["case_id"], cases["patient_id"], folds["fold"], score, strict=True)
    lines = [json.dumps({"case_id": one, "patient_id": who, "fold": int(fold), "score": float(s)}) for one, who, fold, s in rows]
    (run / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "tables").mkdir()
    starts = pd.DataFrame({"patient_id": cases["patient_id"], "start_day": cases["index_day"], "agent": "CISPLATIN"})
    starts.to_parquet(folder / "tables" / "timeline_treatment.parquet")
    return cases, true


def compared(tmp_path: Path, curated: bool = True) -> dict[str, Any]:
    second, true = cohort(tmp_path / "bpc", 40, "B", {0, 1}, 1)
    first, _ = cohort(tmp_path / "msk", 12, "P", {0}, 2)
    matched = pd.DataFrame({"patient_id": [f"GENIE-MSK-P{k}" for k in range(6)], "patient_id_there": [f"P{k}" for k in range(6)]})
    starts = pd.read_parquet(tmp_path / "bpc/tables/timeline_treatment.parquet")
    ahead = pd.DataFrame({"patient_id": matched["patient_id"], "start_day": first["index_day"][:6] - 25, "agent": "CISPLATIN"})
    pd.concat([starts, ahead]).to_parquet(tmp_path / "bpc/tables/timeline_treatment.parquet")
    matched.assign(matched_specimens=1).to_csv(tmp_path / "matched.csv", index=False)
    word = np.where(true, "improving", "progressing")
    mine = pd.DataFrame({"patient_id": second["patient_id"], "start_day": second["index_day"] + 30, "reading": word})
    # Of patients of both the second cohort's days lie 25 days behind the first's.
    theirs = pd.DataFrame({"patient_id": matched["patient_id"], "start_day": first["index_day"][:6] + 30 - 25, "reading": word[:6]})
    (tmp_path / "study").mkdir()
    if curated:
        pd.concat([mine, theirs]).to_csv(tmp_path / "study" / "curated.csv", index=False)
    words = ["--study", "study", "--second", "bpc/tables", "bpc/cases", "--first", "msk/tables", "msk/cases", "--matched", "matched.csv"]
    words += ["--applied", "bpc/tiny/raft/kfold/predictions.jsonl", "--home", "msk/tiny/raft/kfold/predictions.jsonl", "--out", "out"]
    given = [word if word.startswith("--") else str(tmp_path / word) for word in words]
    assert label_validity([*given, "--settings", json.dumps({"evaluation": {"bootstrap": 200}})]) == 0
    told: dict[str, Any] = json.loads((tmp_path / "out" / "labels.json").read_text())
    return told


def test_what_the_rule_gets_wrong_is_what_people_disagree_with(tmp_path: Path) -> None:
    told = compared(tmp_path)
    second, both = told["comparisons"]
    # Of forty cases the last has no scan that decided for the rule; of the others two were turned.
    assert second["counts"]["strict"] == {"cases": 40, "patients": 40, "both": 39, "rule_only": 0, "curated_only": 1, "neither": 0}
    of = {row["measure"]: row for row in second["agreement"] if row["definition"] == "strict"}
    assert of["agreement"]["estimate"] == pytest.approx(37 / 39)
    assert of["agreement"]["n"] == 39
    assert of["kappa"]["lower"] < of["kappa"]["estimate"] < 1
    assert {row["definition"] for row in second["agreement"]} == {"strict"}
    cells = {(row["rule"], row["curated"]): row["cases"] for row in second["confusion"]}
    assert cells == {("PD", "PD"): 25, ("PR", "PR"): 13, ("PD", "PR"): 1, ("PR", "PD"): 1}
    assert told["alignment"] == {"matched_patients": 6, "aligned": 6, "contradictory": 0, "no_shared_drug": 0, "offset_days": [[25.0, 6]]}
    assert both["counts"]["strict"]["cases"] == 6
    assert {row["measure"]: row["estimate"] for row in both["agreement"]}["agreement"] == pytest.approx(5 / 6)


def test_areas_under_each_label_are_those_of_another_implementation(tmp_path: Path) -> None:
    told = compared(tmp_path)
    rows = {row["under"]: row for row in told["comparisons"][0]["auroc"]}
    lines = [json.loads(line) for line in (tmp_path / "bpc/tiny/raft/kfold/predictions.jsonl").read_text().splitlines()][:39]
    labels = pd.read_parquet(tmp_path / "bpc/cases/labels.parquet")
    rule = labels[labels["definition"] == "strict"]["responder"][:39].astype(bool)
    score = [row["score"] for row in lines]
    people = [k % 3 == 0 for k in range(39)]
    assert rows["rule"]["estimate"] == pytest.approx(roc_auc_score(rule, score))
    assert rows["curated"]["estimate"] == pytest.approx(roc_auc_score(people, score))
    assert rows["rule less curated"]["estimate"] == pytest.approx(rows["rule"]["estimate"] - rows["curated"]["estimate"])
    assert rows["rule"]["run"] == "tiny/raft"


def test_a_source_whose_scans_nobody_read_is_said_to_be_one(tmp_path: Path) -> None:
    told = compared(tmp_path, curated=False)
    assert told["comparisons"] == []
    assert "nobody was asked to read scans" in told["not_compared"]


@pytest.mark.parametrize(
    ("line", "said"),
    [("B0,x,stable", "expected a whole number of days"), ("B0,3,bigger", "expected one of progressing, stable")],
)
def test_a_reading_that_is_none_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "curated.csv"
    path.write_text(f"patient_id,start_day,reading\n{line}\n")
    with pytest.raises(InputError, match=said) as caught:
        read_readings(path)
    assert "line 2" in str(caught.value)
