"""What a finished run shows of itself beyond its page: the engine's own report, and the card of an exported model."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from .finished_run import FinishedRun

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]


def test_the_engine_reports_the_page_every_figure_and_its_numbers(finished_run: FinishedRun, tmp_path: Path) -> None:
    done = finished_run.execute("--report", str(tmp_path / "report.zip"))
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        held = {Path(name).name for name in archive.namelist() if "/data/raw/" in name}
        page = archive.read("report/report.html").decode("utf-8")
    data = {path.name for path in (finished_run.results / "report" / "data").iterdir() if path.suffix}
    assert {"tripod-ai.csv", "sequences.svg", "swimmer-1.csv", "model-card-1.md"} <= data
    assert held == data | {"index.html", "headline.json"}
    for told in ("The page", "Figures and numbers", "From the tables of a cancer cohort", "as far as the run can answer them"):
        assert told in page, told


def test_an_exported_fold_tells_what_its_run_measured(finished_run: FinishedRun, tmp_path: Path) -> None:
    run = finished_run.results / "tiny" / "raft" / "kfold"
    done = finished_run.oncoraft("export", "--run", run / "fold-0", "--out", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    card = ModelCard.load(tmp_path / "model" / "README.md")
    metrics = json.loads((run / "metrics" / "metrics.json").read_text())
    area = next(row for row in metrics if (row["predictor"], row["metric"], row["scope"]) == ("model", "auroc", "mean_of_folds"))
    assert {one.metric_type: one.metric_value for one in card.data.eval_results}["roc_auc"] == area["estimate"]
    assert (card.data.license, card.data.base_model, card.data.datasets) == ("apache-2.0", "tiny", ["oncoraft_twin"])
    assert "made from parameters" in card.text
    note = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert any(name.endswith("metrics/metrics.json") for name in note["inputs"])
    shutil.rmtree(tmp_path / "model")
