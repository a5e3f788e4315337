"""The grid: areas of another implementation, ranks from the same resamples, cells that cannot be ranked, cost by the engine's own files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from oncoraft.evaluation.grid import cohort_rows, ranks_of
from oncoraft.evaluation.grid import main as grid
from oncoraft.evaluation.grid_cells import Cell, scoring_hours
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Evaluation

CASES = 200
DRAW = np.random.default_rng(8)
POSITIVE = {name: DRAW.uniform(size=CASES) < 0.4 for name in ("msk", "bpc")}


def cohort(home: Path, name: str) -> pd.DataFrame:
    number = np.arange(CASES)
    cases = pd.DataFrame({"case_id": [f"{name}{k}" for k in number], "patient_id": [f"{name}p{k // 2}" for k in number], "cancer_type": "x", "regimen": "r", "index_day": 0, "drug_class": "d", "line_of_therapy": 1})  # fmt: skip
    labels = pd.DataFrame({"case_id": cases["case_id"], "definition": "strict", "responder": POSITIVE[name], "is_immortal": False})
    folds = cases[["case_id", "patient_id"]].assign(design="kfold", fold=number // 2 % 2, is_tuning=False)
    write(home / name, cases, labels, folds)
    return cases


def write(folder: Path, cases: pd.DataFrame, labels: pd.DataFrame, folds: pd.DataFrame) -> None:
    (folder / "cases").mkdir(parents=True)
    for table, frame in (("cases", cases), ("labels", labels), ("folds", folds)):
        frame.to_parquet(folder / "cases" / f"{table}.parquet")


def run(
    home: Path, cohort: str, model: str, design: str, signal: float, cases: pd.DataFrame, fold: Any, seconds: float | None = None
) -> Path:
    """Predictions of a run; the stronger the signal, the better it ranks."""
    folder = home / cohort / model / "raft" / design
    (folder / "benchmarks").mkdir(parents=True)
    draw = np.random.default_rng(len(model) + 5)
    truth = np.array([POSITIVE[case[:3]][int(case[3:])] for case in cases["case_id"]])
    score = 1 / (1 + np.exp(-(signal * truth + draw.normal(size=len(cases)))))
    rows = zip(cases["case_id"], cases["patient_id"], np.broadcast_to(fold, len(cases)), score, strict=True)
    (folder / "predictions.jsonl").write_text(
        "".join(json.dumps({"case_id": one, "patient_id": who, "fold": int(k), "score": float(s)}) + "\n" for one, who, k, s in rows)
    )
    for number in (0, 1) if seconds else ():
        (folder / "benchmarks" / f"train-{number}.tsv").write_text(f"s\th:m:s\n{seconds}\t0:00:01\n")
    return folder / "predictions.jsonl"


def made(home: Path) -> list[dict[str, Any]]:
    """The grid of two models at home and away, and of a pooled run of one of them."""
    cases = {name: cohort(home, name) for name in ("msk", "bpc")}
    half = np.arange(CASES) // 2 % 2
    runs = {
        "--home": [
            run(home, "msk", "good", "kfold", 2.0, cases["msk"], half, 1800.0),
            run(home, "msk", "poor", "kfold", 0.1, cases["msk"], half),
        ],
        "--away": [run(home, "bpc", "good", "kfold", 1.0, cases["bpc"], half)],
    }
    both = pd.concat(cases.values(), ignore_index=True)
    folds = both[["case_id", "patient_id"]].assign(design="leave_cohort_out", fold=np.repeat([0, 1], CASES), is_tuning=False)
    write(home / "pooled", both, pd.DataFrame({"case_id": both["case_id"]}), folds)
    owner = pd.DataFrame({"patient_id": both["patient_id"], "cohort": np.repeat(["msk", "bpc"], CASES)}).drop_duplicates()
    owner.to_parquet(home / "pooled" / "cases" / "origin.parquet")
    runs["--pooled"] = [run(home, "pooled", "good", "leave_cohort_out", 1.5, both, folds["fold"])]
    part = cases["msk"].assign(fold=half, predictor="regimen_prior", score=0.3).iloc[:100]
    (home / "msk" / "baselines" / "kfold").mkdir(parents=True)
    part[["case_id", "fold", "predictor", "score"]].to_parquet(home / "msk" / "baselines" / "kfold" / "predictions.parquet")
    runs["--baselines"] = [home / "msk" / "baselines" / "kfold" / "predictions.parquet"]
    words = [word for name, paths in runs.items() for word in (name, *map(str, paths))]
    settings = json.dumps({"evaluation": {"bootstrap": 300}})
    assert grid([str(home / "msk"), *words, "--out", str(home / "msk" / "grid"), "--settings", settings]) == 0
    cells: list[dict[str, Any]] = json.loads((home / "msk" / "grid" / "grid.json").read_text())["cells"]
    return cells


def test_every_cell_has_the_area_of_another_implementation_and_its_denominators(tmp_path: Path) -> None:
    cells = made(tmp_path)
    of = {(row["cohort"], row["model"], row["design"]): row for row in cells}
    assert set(of) == {
        ("msk", "good", "kfold"),
        ("msk", "poor", "kfold"),
        ("msk", "good", "leave cohort out"),
        ("msk", "baseline", "kfold"),
        ("bpc", "good", "external, mean of folds (kfold)"),
        ("bpc", "good", "leave cohort out"),
    }
    rows = [json.loads(line) for line in (tmp_path / "msk/good/raft/kfold/predictions.jsonl").read_text().splitlines()]
    folds = [roc_auc_score([POSITIVE["msk"][k] for k, row in enumerate(rows) if row["fold"] == fold], [row["score"] for row in rows if row["fold"] == fold]) for fold in (0, 1)]  # fmt: skip
    mine = of["msk", "good", "kfold"]
    assert mine["estimate"] == pytest.approx(np.mean(folds), abs=1e-6)
    assert (mine["n"], mine["events"], mine["patients"]) == (CASES, int(POSITIVE["msk"].sum()), CASES // 2)
    assert mine["lower"] < mine["estimate"] < mine["upper"]
    away = [json.loads(line) for line in (tmp_path / "bpc/good/raft/kfold/predictions.jsonl").read_text().splitlines()]
    # Of another cohort a case's score is a mean over all models: its part is no fold of any.
    assert of["bpc", "good", "external, mean of folds (kfold)"]["estimate"] == pytest.approx(
        roc_auc_score(POSITIVE["bpc"], [row["score"] for row in away]), abs=1e-6
    )


def test_a_clear_order_has_narrow_ranks_and_a_cell_that_covers_half_of_the_cohort_has_none(tmp_path: Path) -> None:
    cells = made(tmp_path)
    of = {(row["cohort"], row["model"], row["design"]): row for row in cells}
    good, poor, half = of["msk", "good", "kfold"], of["msk", "poor", "kfold"], of["msk", "baseline", "kfold"]
    assert (good["rank"], poor["rank"]) == (1, 3)
    assert (poor["rank_lower"], poor["rank_upper"]) == (3, 3)
    assert good["first"] + of["msk", "good", "leave cohort out"]["first"] == pytest.approx(1)
    assert (half["is_ranked"], half["rank"], half["n"]) == (False, None, 100)


def test_resamples_without_an_area_are_counted_in_what_is_said_of_a_cell_and_of_its_rank() -> None:
    # Of 30 patients one responds: a resample has him with a chance of 0.64, and cells without him have no area.
    labels = pd.DataFrame(
        {"case_id": [f"c{k}" for k in range(30)], "patient_id": [f"p{k}" for k in range(30)], "responder": np.arange(30) == 7}
    )
    scores = pd.DataFrame({"score": np.linspace(0, 1, 30), "fold": 0}, index=labels["case_id"])
    cells = [Cell(name, "raft", "msk", "kfold", scores if name == "up" else 1 - scores, (None, None)) for name in ("up", "down")]
    settings = Evaluation(bootstrap=400)
    rows = cohort_rows("msk", cells, labels, settings)
    for row in rows:
        told = re.fullmatch(r"interval of the (\d+) of 400 resamples that have a value; ranked in (\d+) of 400 resamples, .*", row["flags"])
        assert told
        assert told[1] == told[2]
        assert 220 < int(told[1]) < 290
        assert row["lower"] is not None
        assert row["rank_lower"] is not None


def test_too_few_resamples_rank_no_cell() -> None:
    # Two patients, one of each class: half of the resamples have both, but for chance.
    labels = pd.DataFrame({"case_id": ["a", "b"], "patient_id": ["p", "q"], "responder": [True, False]})
    scores = pd.DataFrame({"score": [0.9, 0.1], "fold": 0}, index=labels["case_id"])
    cells = [Cell(name, "raft", "msk", "kfold", scores, (None, None)) for name in ("one", "other")]
    told = [cohort_rows("msk", cells, labels, Evaluation(bootstrap=100, seed=seed))[0] for seed in range(12)]
    few = [row for row in told if row["lower"] is None]
    assert 0 < len(few) < len(told)
    for row in few:
        assert re.fullmatch(r"no interval: \d\d of 100 resamples have a value; not ranked in \d\d of 100 resamples, .*", row["flags"])
        assert (row["rank"], row["rank_lower"], row["first"]) == (1, None, None)


def test_cost_is_what_the_engine_measured_and_unknown_where_it_did_not(tmp_path: Path) -> None:
    cells = made(tmp_path)
    of = {(row["cohort"], row["model"], row["design"]): row for row in cells}
    assert of["msk", "good", "kfold"]["training_hours"] == pytest.approx(1.0)
    assert of["bpc", "good", "external, mean of folds (kfold)"]["training_hours"] == pytest.approx(1.0)
    assert of["msk", "poor", "kfold"]["training_hours"] is None


def test_a_probe_costs_what_the_base_took_to_read_the_prompts_too(tmp_path: Path) -> None:
    (tmp_path / "m" / "s" / "kfold" / "fold-0").mkdir(parents=True)
    (tmp_path / "m" / "s" / "kfold" / "fold-0" / "probe.json").write_text('{"read_at": "end_of_prompt"}')
    for folder, name, seconds in (("m", "embed-end_of_prompt", 1800), ("m", "embed-mean_of_prompt", 999), ("m/s/kfold", "apply-0", 360)):
        (tmp_path / folder / "benchmarks").mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "benchmarks" / f"{name}.tsv").write_text(f"s\n{seconds}\n")
    run = tmp_path / "m" / "s" / "kfold"
    assert scoring_hours(run, run, "apply-*.tsv") == pytest.approx(0.6)
    assert scoring_hours(run, tmp_path, "apply-*.tsv") == pytest.approx(0.1)


def test_ranks_of_ties_are_shared() -> None:
    found = ranks_of(np.array([[0.7, 0.7], [0.7, 0.6], [0.5, np.nan]]), 0.95)
    assert list(found["mean_rank"]) == [1.5, 1.5, 3.0]
    assert list(found["first"]) == [0.5, 0.5, 0.0]


def test_bounds_of_a_rank_are_ranks_that_were_seen_and_reach_outwards() -> None:
    # First in 39 resamples of 40, second in one: 97.5 % lies between the two, and 2 % of the way is no rank.
    order = np.where(np.arange(40) == 7, 0.0, 1.0)
    found = ranks_of(np.array([order, np.full(40, 0.5)]), 0.95)
    assert list(found["rank_lower"]) == [1, 1]
    assert list(found["rank_upper"]) == [2, 2]


def test_a_rank_in_the_table_is_a_whole_number_or_nothing(tmp_path: Path) -> None:
    made(tmp_path)
    table = pd.read_csv(tmp_path / "msk" / "grid" / "grid.csv", dtype=str, keep_default_na=False)
    assert set(table["rank"]) == {"", "1", "2", "3"}
    assert list(table.columns[:4]) == ["model", "strategy", "cohort", "design"]


def test_a_benchmark_of_others_is_refused(tmp_path: Path) -> None:
    cases = cohort(tmp_path, "msk")
    path = run(tmp_path, "msk", "good", "kfold", 2.0, cases, np.arange(CASES) // 2 % 2)
    (path.parent / "benchmarks" / "train-0.tsv").write_text("seconds\n3\n")
    with pytest.raises(InputError, match="expected a benchmark of the engine"):
        grid([str(tmp_path / "msk"), "--home", str(path), "--out", str(tmp_path / "grid")])
