"""The ablation goes all the way in one command: six strategies beside one another, each from what it alone trains."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from .conftest import ROOT
from .finished_run import FinishedRun, count

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]

STRATEGIES = {
    "raft": {"adapter_model.safetensors", "score_head.pt"},
    "lm-only": {"adapter_model.safetensors"},
    "head-only": {"adapter_model.safetensors", "score_head.pt"},
    "frozen": {"score_head.pt"},
    "zero-shot": set(),
    "few-shot": set(),
}


@pytest.fixture(scope="module")
def ablated(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The finished small run with `config/ablation.yaml` on top, run."""
    run = finished_run.copy(tmp_path_factory.mktemp("ablation") / "copy")
    run.overlays.append(ROOT / "config/ablation.yaml")
    planned = count(run.jobs())
    trained = {"train": 2, "train_adapter": 2, "train_head": 2}
    asked = {"infer": 20, "gather": 5, "metrics": 5, "survival": 5, "compare": 1, "report": 1}
    assert planned == trained | asked, "raft is finished and must not run again"
    done = run.execute("--quiet", "all")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return run


def metrics_of(run: FinishedRun, strategy: str) -> dict[str, object]:
    return json.loads((run.results / "tiny" / strategy / "kfold/metrics/metrics.json").read_text())


def test_each_strategy_leaves_what_it_trains_and_nothing_else(ablated: FinishedRun) -> None:
    for strategy, trained in STRATEGIES.items():
        fold = ablated.results / "tiny" / strategy / "kfold/fold-0"
        found = {path.name for path in fold.iterdir()} if fold.is_dir() else set()
        assert found & {"adapter_model.safetensors", "score_head.pt"} == trained, strategy


def test_each_strategy_scores_every_case_once(ablated: FinishedRun) -> None:
    cases = sorted(pd.read_parquet(ablated.results / "cases/cases.parquet")["case_id"])
    seen = {}
    for strategy in STRATEGIES:
        path = ablated.results / "tiny" / strategy / "kfold/predictions.jsonl"
        predictions = pd.read_json(path, lines=True)
        assert sorted(predictions["case_id"]) == cases, strategy
        assert predictions["score"].between(0, 1).all(), strategy
        seen[strategy] = predictions.sort_values("case_id")["score"].round(6).tolist()
    assert len({tuple(scores) for scores in seen.values()}) == len(STRATEGIES), "two strategies gave the same scores"


def test_the_report_sets_them_beside_one_another(ablated: FinishedRun) -> None:
    page = (ablated.results / "report/index.html").read_text()
    rows = json.loads((ablated.results / "report/headline.json").read_text())
    for strategy in STRATEGIES:
        assert strategy in page
        assert strategy in json.dumps(rows)


def test_the_finished_ablation_is_whole_and_current(ablated: FinishedRun) -> None:
    assert ablated.jobs() == []
    done = ablated.oncoraft("verify", "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path(ablated.results / "report/manifest.json").is_file()
