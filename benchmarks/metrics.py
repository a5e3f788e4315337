"""The processor time of `metrics` against another checkout's, on the same files, side by side.

    python benchmarks/metrics.py --against CHECKOUT [--patients 2500] [--predictors 6] [--resamples 2000] [--repeats 3]

The files are made here: patients with 2.2 cases each, half of them evaluable, five folds, fourteen label definitions, a model and
baselines whose scores carry signal, evidence for the covariates. The other checkout is asked for what it knows (no evidence before it
read any). Each run is a process of its own with one thread; what is told is its user and system time, the least of the repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
FIELDS = {
    "age_at_index": ("45", "55", "65", "75"),
    "sex": ("Female", "Male"),
    "stage": ("Stage 1-3", "Stage 4"),
    "race": ("White", "Asian", "Black", "Other"),
    "ecog": ("0", "1", "2"),
    "progression": ("yes", "no"),
    "tumor_sites": ("Liver disease", "Bone disease", "Lung disease"),
}


def tables(patients: int, predictors: int) -> dict[str, Any]:
    """Cases, labels, folds, predictions, baselines and evidence of a made-up cohort."""
    draw = np.random.default_rng(1)
    patient = np.repeat(np.arange(patients), draw.poisson(1.2, patients) + 1)
    n = len(patient)
    ids = {"case_id": np.array([f"P-{p:06}_+{k}" for k, p in enumerate(patient)]), "patient_id": np.array([f"P-{p:06}" for p in patient])}
    fold = patient % 5
    cancer, regimen = draw.integers(0, 5, n), draw.integers(0, 20, n)
    merit = draw.normal(size=n) + 0.3 * draw.normal(size=100)[cancer * 20 + regimen]
    responder = pd.array(draw.random(n) < 1 / (1 + np.exp(0.6 - merit)), dtype="boolean")
    responder[draw.random(n) < 0.5] = pd.NA
    kinds = {
        "cancer_type": np.array([f"Cancer {k}" for k in cancer]),
        "regimen": np.array([f"regimen {k}" for k in regimen]),
        "drug_class": np.array([f"class {k % 6}" for k in regimen]),
        "gene_panel": np.array([f"panel {k}" for k in draw.integers(0, 4, n)]),
        "setting": "metastatic",
        "index_day": draw.integers(-400, 400, n),
        "line_of_therapy": draw.integers(1, 6, n),
        "line_overall": draw.integers(1, 6, n),
    }
    one = pd.DataFrame({"case_id": ids["case_id"], "responder": responder, "is_immortal": draw.random(n) < 0.2})
    labels = pd.concat([one.assign(definition=name) for name in ("strict", *(f"other_{k}" for k in range(13)))])
    scores = {k: 1 / (1 + np.exp(-(merit * 0.5 + draw.normal(size=n) * (0.8 + 0.1 * k)))) for k in range(predictors)}
    baselines = [pd.DataFrame({"case_id": ids["case_id"], "fold": fold, "predictor": f"baseline_{k}", "score": scores[k]}) for k in scores]
    told = {name: draw.choice(values, n) for name, values in FIELDS.items()}
    evidence = [
        pd.DataFrame({"case_id": ids["case_id"], "field": name, "value": values, "order": place, "days_before_index": 20})
        for place, (name, values) in enumerate(told.items())
    ]
    score = 1 / (1 + np.exp(-(merit * 0.6 + draw.normal(size=n) * 0.7)))
    return {
        "cases": pd.DataFrame(ids | kinds),
        "labels": labels,
        "folds": pd.DataFrame(ids | {"design": "kfold", "fold": fold, "is_tuning": False}),
        "baselines": pd.concat(baselines),
        "evidence": pd.concat(evidence),
        "predictions": pd.DataFrame(ids | {"fold": fold, "score": score}),
    }


def write(home: Path, made: dict[str, Any]) -> None:
    """The files of a run."""
    (home / "cases").mkdir()
    for name in ("cases", "labels", "folds"):
        made[name].to_parquet(home / "cases" / f"{name}.parquet")
    for name in ("baselines", "evidence"):
        made[name].to_parquet(home / f"{name}.parquet")
    rows = made["predictions"].assign(score_from_text=None).to_dict("records")
    (home / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def seconds(checkout: Path, home: Path, out: Path, more: list[str], resamples: int) -> float:
    """Processor time of one run of `metrics` by a checkout."""
    settings = json.dumps({"evaluation": {"bootstrap": resamples}, "labels": {}})
    given = [str(home / "predictions.jsonl"), str(home / "cases"), "--baselines", str(home / "baselines.parquet"), "--out", str(out), *more]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(checkout / "src")}
    before = os.times()
    command = [sys.executable, "-m", "oncoraft", "metrics", *given, "--settings", settings]
    subprocess.run(command, env=os.environ | threads, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Make the files, run both in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=2500)
    parser.add_argument("--predictors", type=int, default=6)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        made = tables(given.patients, given.predictors)
        write(home, made)
        spent: dict[str, list[float]] = {"this": [], "that": []}
        for turn in range(given.repeats):
            spent["that"].append(seconds(given.against, home, home / f"that-{turn}", [], given.resamples))
            more = ["--evidence", str(home / "evidence.parquet")]
            spent["this"].append(seconds(ROOT, home, home / f"this-{turn}", more, given.resamples))
        evaluable = int((made["labels"]["definition"].eq("strict") & made["labels"]["responder"].notna()).sum())
        rows = [len(json.loads((home / f"{name}-0" / "metrics.json").read_text())) for name in ("this", "that")]
    least = {name: min(values) for name, values in spent.items()}
    print(f"{evaluable} evaluable of {len(made['cases'])} cases, {1 + given.predictors} predictors, {given.resamples} resamples")
    print(f"this checkout {least['this']:.2f} s of processor time for {rows[0]} records, the other {least['that']:.2f} s for {rows[1]}:")
    print(f"{least['this'] / least['that']:.2f} x its time")


if __name__ == "__main__":
    main()
