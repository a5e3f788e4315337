"""A results folder with one run, made by hand from a drawn study, and the model folder of its fold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.evidence.evidence import collect
from oncoraft.foundation.provenance import write_json
from oncoraft.models import export
from oncoraft.recalibration import fit
from oncoraft.survival import stratify
from tests.evidence import study
from tests.models.tiny_folds import build

RUN = Path("tiny", "raft", "kfold")
LONGEST = 4096  # tokens: the prompts of the full template, byte by byte
SETTINGS = {"minimum_events_shown": 5, "minimum_events": 10, "minimum_group": 3}


def model(home: Path) -> Path:
    """A model folder of random weights, its fold beside it in `home/fold`."""
    build(home, "qwen3")
    _recalibrated(home / "fold")
    assert export.main(["--run", str(home / "fold"), "--out", str(home / "model")]) == 0
    path = home / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"max_position_embeddings": LONGEST}))
    return home / "model"


def _recalibrated(fold: Path) -> None:
    """Tuning cases with scores that tell something, and what is fitted on them."""
    draw = np.random.default_rng(5)
    score = draw.uniform(0.05, 0.95, 60)
    positive = draw.random(60) < score
    patients = [f"T-{number // 2:03d}" for number in range(60)]
    write_json(fold / "recalibration.json", fit(score, positive, np.array(patients), 0)._asdict())
    (fold / "predictions").mkdir()
    rows = [
        {"case_id": f"t{place}", "patient_id": patient, "fold": 0, "score": float(one), "responder": bool(yes)}
        for place, (patient, one, yes) in enumerate(zip(patients, score, positive))
    ]
    (fold / "predictions" / "tuning-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def results(home: Path, fold: Path) -> Path:
    """The folder: tables, cases, evidence, and the run that the fold is of."""
    draw = np.random.default_rng(7)
    tables, cases = study.draw_study(100, 3)
    # Two kinds of patients in one regimen, so that it is large enough for curves.
    cases["cancer_type"] = cases["cancer_type"].replace("Colorectal Cancer", study.LUNG)
    is_lung = cases["cancer_type"] == study.LUNG
    cases["regimen_name"] = cases["agents"].map(lambda agents: " + ".join(agent.capitalize() for agent in agents))
    cases["regimen"] = cases["regimen"].mask(is_lung, "osimertinib")
    cases["regimen_name"] = cases["regimen_name"].mask(is_lung, "Osimertinib")
    cases = cases.assign(
        stop_day=cases["index_day"] + 60, drug_class="Targeted", is_chemoradiation=False, is_before_sequencing=cases["index_day"] < 0
    )
    for name in ("tables", "cases", "prompts", "report/data"):
        (home / name).mkdir(parents=True)
    tables["timeline_treatment"] = tables["timeline_treatment"].assign(source_line=range(len(tables["timeline_treatment"])))
    for name, frame in tables.items():
        frame.to_parquet(home / "tables" / f"{name}.parquet", index=False)
    cases.to_parquet(home / "cases" / "cases.parquet", index=False)
    evidence = collect(tables, cases, "sequenced", 3)
    evidence.to_parquet(home / "prompts" / "evidence.parquet", index=False)
    write_json(home / "prompts" / "evidence.parquet.manifest.json", {"settings": {"evidence": {"genomics_known": "sequenced"}}})
    responder = draw.random(len(cases)) < 0.4
    pd.DataFrame({"case_id": cases["case_id"], "definition": "strict", "responder": responder}).to_parquet(
        home / "cases" / "labels.parquet"
    )
    followup = {"case_id": cases["case_id"], "endpoint": "os", "entry_days": np.maximum(0, -cases["index_day"]).astype(float)}
    leave = followup["entry_days"] + draw.exponential(400, len(cases)).round() + 5
    pd.DataFrame({**followup, "exit_days": leave, "event": draw.random(len(cases)) < 0.7}).to_parquet(home / "cases" / "followup.parquet")
    _run(home, fold, cases, draw)
    (home / "report" / "index.html").write_text("<!doctype html><html lang=en><title>Report</title><h1>A report</h1>")
    (home / "report" / "data" / "one.csv").write_text("a\n1\n")
    return home


def _run(home: Path, fold: Path, cases: pd.DataFrame, draw: np.random.Generator) -> None:
    run = home / RUN
    shutil.copytree(fold, run / "fold-0")
    folds = pd.factorize(cases["patient_id"])[0] % 2
    scores = draw.uniform(0.1, 0.9, len(cases))
    rows = zip(cases["case_id"], cases["patient_id"], folds.tolist(), scores.tolist())
    (run / "predictions.jsonl").write_text(
        "".join(json.dumps({"case_id": a, "patient_id": b, "fold": c, "score": d, "rationale": None}) + "\n" for a, b, c, d in rows)
    )
    (run / "metrics").mkdir()
    auroc = {
        "predictor": "model",
        "metric": "auroc",
        "scope": "mean_of_folds",
        "label": "strict",
        "estimate": 0.61,
        "lower": 0.5,
        "upper": 0.7,
    }
    write_json(run / "metrics" / "metrics.json", [auroc | {"n": 200, "events": 80}])
    write_json(run / "metrics" / "verdict.json", {"sentence": "Nothing is shown."})
    (run.parents[1] / "prompts").mkdir()
    write_json(
        run.parents[1] / "prompts" / "prompts.jsonl.manifest.json", {"settings": {"prompts": {"template": "full", "token_budget": 3500}}}
    )
    words = [
        str(run / "predictions.jsonl"),
        str(home / "cases"),
        str(home / "prompts" / "evidence.parquet"),
        "--out",
        str(run / "survival"),
    ]
    assert stratify.main([*words, "--settings", json.dumps({"survival": SETTINGS})]) == 0
