"""The ablation goes all the way in one command: nine strategies beside one another, each from what it alone trains; three are controls."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.prompts.control import KINDS

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
    "permuted-labels": {"adapter_model.safetensors", "score_head.pt"},
    "drug-only": {"adapter_model.safetensors", "score_head.pt"},
    "swapped-drugs": set(),
}


@pytest.fixture(scope="module")
def ablated(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The finished small run with `config/ablation.yaml` on top, run."""
    run = finished_run.copy(tmp_path_factory.mktemp("ablation") / "copy")
    run.overlays.append(ROOT / "config/ablation.yaml")
    # A process a fold, since most of a tiny model's time is its start; one endpoint, since nothing here is about the others.
    run.setting(inference={"shards": 1}, survival={"endpoints": ["overall_survival"]})
    planned = count(run.jobs())
    trained = {"train": 6, "train_adapter": 2, "train_head": 2}
    asked = {"infer": 18, "recalibrate_kfold": 9, "gather": 9, "metrics": 9, "survival": 9, "compare": 1, "report": 1}
    assert planned == {"control": 6} | trained | asked, "raft is trained and must not be trained again"
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


def test_a_control_changes_what_it_is_named_for_and_nothing_else(ablated: FinishedRun) -> None:
    fold = ablated.results / "tiny/prompts/kfold/fold-0"
    whole = {name: read_jsonl(fold / f"{name}.jsonl") for name in ("train", "heldout", "tuning")}
    found = {kind: {name: read_jsonl(fold / kind / f"{name}.jsonl") for name in whole} for kind in KINDS}
    assert found["permuted_labels"]["heldout"] == whole["heldout"]
    assert [row["input"] for row in found["permuted_labels"]["train"]] == [row["input"] for row in whole["train"]]
    assert found["swapped_drugs"]["train"] == whole["train"]
    swapped = list(zip(found["swapped_drugs"]["heldout"], whole["heldout"], strict=True))
    assert sum(row["input"] != before["input"] for row, before in swapped) > 0.9 * len(swapped)
    lengths = [max(len(row["input"]) for row in rows) for rows in (found["drug_only"]["heldout"], whole["heldout"])]
    assert lengths[0] < lengths[1] / 2
    pairs = json.loads((ablated.results / "comparisons/kfold/comparison.json").read_text())
    moved = {(pair["first"].split("/")[-1], pair["second"].split("/")[-1]): pair["mean_absolute_score_difference"] for pair in pairs}
    assert moved["raft", "swapped-drugs"] > 0


def test_a_fold_keeps_its_recalibration_and_predictions_show_it(ablated: FinishedRun) -> None:
    run = ablated.results / "tiny/raft/kfold"
    for fold in (0, 1):
        found = json.loads((run / f"fold-{fold}/recalibration.json").read_text())
        tuning = read_jsonl(ablated.results / f"tiny/prompts/kfold/fold-{fold}/tuning.jsonl")
        assert (found["fold"], found["cases"], found["responders"]) == (fold, len(tuning), sum(row["responder"] for row in tuning))
        assert not {row["patient_id"] for row in tuning} & set((run / f"fold-{fold}/training_patients.txt").read_text().split())
    rows = read_jsonl(run / "predictions.jsonl")
    assert all({"probability", "threshold"} <= set(row) for row in rows)


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
