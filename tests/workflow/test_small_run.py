"""The whole workflow, small: what comes out, what a second run does, and what bad input leaves behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cohort.meds_export import main as export_meds
from oncoraft.planning.plan import Plan
from oncoraft.report.jobs import NOT_MEASURED, job_rows
from tests.cohort.test_meds_predictions import agrees

from .conftest import ROOT, SMALL, planned, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]


def results(folder: Path) -> Path:
    return folder / "results" / "small"


def test_every_artefact_is_there_with_a_manifest(small_run: Path) -> None:
    root = results(small_run)
    run = root / "tiny" / "raft" / "kfold"
    for path in (
        "tables/ledger.parquet",
        "tables/rejects.parquet",
        "cases/cases.parquet",
        "cases/labels.parquet",
        "cases/followup.parquet",
        "cases/folds.parquet",
        "cases/flow.json",
        "prompts/evidence.parquet",
        "prompts/audit.json",
        "prompts/rationales.jsonl",
        "baselines/kfold/predictions.parquet",
        "report/index.html",
    ):
        assert (root / path).stat().st_size > 0, path
    for path in (
        "fold-0/score_head.pt",
        "fold-1/training_log.jsonl",
        "predictions.jsonl",
        "metrics/metrics.json",
        "survival/survival.json",
    ):
        assert (run / path).stat().st_size > 0, path
    manifests = list(root.rglob("*manifest.json"))
    assert len(manifests) > 20
    for file in manifests:
        manifest = json.loads(file.read_text())
        assert {"step", "inputs", "outputs", "settings", "counts", "versions"} <= set(manifest), file
        assert not any(Path(path).is_absolute() for path in manifest["inputs"] | manifest["outputs"]), file


def test_every_job_that_left_a_result_was_measured(small_run: Path) -> None:
    assert NOT_MEASURED not in {row["kind"] for row in job_rows(results(small_run))}


def test_nothing_half_written_is_left(small_run: Path) -> None:
    assert not list(small_run.rglob(".partial-*"))


def test_every_case_is_predicted_exactly_once_by_a_model_that_never_saw_the_patient(small_run: Path) -> None:
    root = results(small_run)
    cases = pd.read_parquet(root / "cases" / "cases.parquet")
    run = root / "tiny" / "raft" / "kfold"
    predictions = pd.read_json(run / "predictions.jsonl", lines=True)
    assert sorted(predictions["case_id"]) == sorted(cases["case_id"])
    for fold, held_out in predictions.groupby("fold"):
        trained = set((run / f"fold-{fold}" / "training_patients.txt").read_text().split())
        assert trained
        assert not trained & set(held_out["patient_id"])
    assert predictions["score"].between(0, 1).all()
    assert predictions["rationale"].notna().groupby(predictions["fold"]).sum().tolist() == [3, 3]


def test_meds_evaluation_finds_in_the_exported_predictions_what_the_run_says(small_run: Path, tmp_path: Path) -> None:
    run = results(small_run) / "tiny" / "raft" / "kfold"
    given = [results(small_run) / "tables", results(small_run) / "cases", "--predictions", run / "predictions.jsonl"]
    assert export_meds([str(word) for word in (*given, "--probability", "score", "--out", tmp_path / "meds")]) == 0
    agrees(tmp_path / "meds" / "predictions", json.loads((run / "metrics" / "metrics.json").read_text()), "as_delivered")


def test_a_second_run_does_nothing(small_run: Path) -> None:
    done = snakemake("--configfile", SMALL, directory=small_run)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ({"survival": {"alpha": 0.01}}, {"survival": 1, "report": 1}),
        ({"evaluation": {"seed": 1}}, {"metrics": 1, "report": 1}),
        (
            {"training": {"learning_rate": 0.0011}},
            {"train": 2, "infer": 4, "recalibrate_kfold": 1, "gather": 1, "metrics": 1, "survival": 1, "report": 1},
        ),
        ({"inference": {"temperature": 0.7}}, {"infer": 4, "recalibrate_kfold": 1, "gather": 1, "metrics": 1, "survival": 1, "report": 1}),
    ],
)
def test_a_change_of_one_setting_plans_exactly_the_jobs_that_read_it(small_run: Path, tmp_path: Path, change: dict, jobs: dict) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(json.dumps(change))
    done = snakemake("-n", "--configfile", SMALL, overlay, directory=small_run)
    assert planned(done) == jobs


def test_swapping_two_values_is_a_change(small_run: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(json.dumps({"adapter": {"rank": 32, "alpha": 16}}))
    assert planned(snakemake("-n", "--configfile", SMALL, overlay, directory=small_run))["train"] == 2


def test_the_study_folder_of_a_real_cohort_goes_all_the_way(small_run: Path, fast_python: Path, tmp_path: Path) -> None:
    study = tmp_path / "some study"
    shutil.copytree(results(small_run) / "study", study)
    # The tiny model is not built again: its population does not depend on the study.
    shutil.copytree(small_run / "results" / "pretraining", tmp_path / "results" / "pretraining")
    shutil.copytree(small_run / ".snakemake" / "metadata", tmp_path / ".snakemake" / "metadata")
    done = snakemake("--configfile", SMALL, "--config", f"study={study}", "cohort=real", directory=tmp_path, python=fast_python)
    assert done.returncode == 0, done.stderr[-4000:]
    root = tmp_path / "results" / "real"
    assert not (root / "study").exists()
    predictors = set(pd.read_parquet(root / "baselines" / "kfold" / "predictions.parquet")["predictor"])
    assert predictors == {"regimen_prior", "clinical_logistic", "evidence_logistic", "gradient_boosting", "tfidf_logistic"}
    assert (root / "report" / "index.html").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda study: (study / "data_timeline_treatment.txt").unlink(), "data_timeline_treatment.txt: missing"),
        (
            lambda study: replace_in_header(study / "data_timeline_progression.txt", "PROGRESSION", "PROGRESS"),
            "data_timeline_progression.txt, line 1, column PROGRESSION",
        ),
    ],
)
def test_a_spoilt_study_ends_with_one_line_and_no_tables(small_run: Path, fast_python: Path, tmp_path: Path, spoil, said: str) -> None:
    study = tmp_path / "study"
    shutil.copytree(results(small_run) / "study", study)
    spoil(study)
    done = snakemake("--configfile", SMALL, "--config", f"study={study}", "cohort=real", directory=tmp_path, python=fast_python)
    assert done.returncode == 1
    log = tmp_path / "results" / "real" / "logs" / "ingest.log"
    assert said in done.stderr + (log.read_text() if log.exists() else "")
    assert not list((tmp_path / "results" / "real").rglob("*.parquet"))


def replace_in_header(file: Path, old: str, new: str) -> None:
    header, rest = file.read_text().split("\n", 1)
    words = [new if word == old else word for word in header.split("\t")]
    assert words != header.split("\t")
    file.write_text("\t".join(words) + "\n" + rest)


def test_every_rule_key_is_the_settings_that_the_manifest_records(small_run: Path) -> None:
    plan = Plan(json.loads(json.dumps({"cohort": "small", "models": {"tiny": {"build": {}}}})))
    assert "code" in json.loads(plan.settings("labels"))
    manifest = json.loads((results(small_run) / "cases" / "labels.parquet.manifest.json").read_text())
    assert manifest["settings"]["labels"]["window_days"] == 120
    assert manifest["settings"]["code"]


def test_the_demo_commands_of_the_readme_are_the_ones_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in ("reproduce", "test"):
        assert f"make {target}" in readme
        assert f"\n{target}:" in makefile
