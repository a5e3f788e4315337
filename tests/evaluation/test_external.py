"""Models away from home: areas, drop, recalibration on other patients of the second cohort, baselines that learn nothing there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from oncoraft.evaluation.applied_baselines import AWAY, HERE, applied, table_of
from oncoraft.evaluation.external import main as external
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Baselines

from .conftest import Upstream

SETTINGS = {"evaluation": {"bootstrap": 200}, "external": {"recalibration_share": 0.5}}


def cohort(
    folder: Path, patients: int, signal: float, shift: float, seed: int, models: int = 2, one_class: bool = False, turned: bool = False
) -> list[str]:
    """Cases of a cohort whose outcomes follow known log odds; its scores have another intercept by `shift`, or another sign. The three files."""
    folder.mkdir()
    draw = np.random.default_rng(seed)
    number = np.arange(2 * patients)
    cases = pd.DataFrame(
        {
            "case_id": [f"c{k:05d}" for k in number], "patient_id": [f"p{k // 2:05d}" for k in number], "cancer_type": "x", "regimen": "r", "index_day": 0,
            "drug_class": "d", "line_of_therapy": 1,
        }
    )  # fmt: skip
    x = signal * draw.normal(size=len(number))
    positive = draw.uniform(size=len(number)) < 1 / (1 + np.exp(-(x - 1)))
    if one_class:
        positive[:] = False
    if turned:
        x = -x
    labels = pd.DataFrame({"case_id": cases["case_id"], "definition": "strict", "responder": positive, "is_immortal": False})
    folds = cases[["case_id", "patient_id"]].assign(design="kfold", fold=number // 2 % 2, is_tuning=False)
    for name, frame in (("cases", cases), ("labels", labels), ("folds", folds)):
        frame.to_parquet(folder / f"{name}.parquet")
    singles = [1 / (1 + np.exp(-(x - 1 + shift + 0.3 * draw.normal(size=len(number))))) for _ in range(models)]
    score = np.mean(singles, axis=0)
    lines = [
        {
            "case_id": case,
            "patient_id": who,
            "fold": int(fold),
            "score": float(s),
            "probability": float(s),
            "threshold": 0.5,
            "fold_scores": [float(one[place]) for one in singles],
        }
        for place, (case, who, fold, s) in enumerate(zip(cases["case_id"], cases["patient_id"], folds["fold"], score, strict=True))
    ]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    base = pd.DataFrame({"case_id": cases["case_id"], "fold": folds["fold"], "predictor": "regimen_prior", "score": 0.3})
    base.to_parquet(folder / "baselines.parquet")
    return [str(folder / "predictions.jsonl"), str(folder), str(folder / "baselines.parquet")]


def judged(tmp_path: Path, **away: Any) -> tuple[dict[tuple[str, str, str], dict[str, Any]], dict[str, Any], list[str]]:
    home = cohort(tmp_path / "home", 300, 1.5, 0.0, 1)
    there = cohort(tmp_path / "away", **{"patients": 400, "signal": 0.6, "shift": 0.0, "seed": 2} | away)
    words = ["--home", *home, "--away", *there, "--home-name", "msk", "--away-name", "bpc", "--out", str(tmp_path / "external")]
    assert external([*words, "--settings", json.dumps(SETTINGS)]) == 0
    told = json.loads((tmp_path / "external" / "external.json").read_text())
    return {(row["metric"], row["predictor"], row["scope"]): row for row in told["records"]}, told, there


def test_areas_are_those_of_another_implementation_and_the_drop_is_their_difference(tmp_path: Path) -> None:
    found, _, there = judged(tmp_path)
    labels = pd.read_parquet(Path(there[1]) / "labels.parquet")["responder"]
    rows = [json.loads(line) for line in Path(there[0]).read_text().splitlines()]
    away = found["auroc", "model", "away"]
    assert away["estimate"] == pytest.approx(roc_auc_score(labels, [row["score"] for row in rows]), abs=1e-12)
    for fold in (0, 1):
        one = found["auroc", "model", f"away, model of fold {fold}"]["estimate"]
        assert one == pytest.approx(roc_auc_score(labels, [row["fold_scores"][fold] for row in rows]), abs=1e-12)
    drop = found["auroc_drop", "model", "home less away"]
    assert drop["estimate"] == pytest.approx(found["auroc", "model", "home"]["estimate"] - away["estimate"], abs=1e-12)
    assert drop["lower"] < drop["estimate"] < drop["upper"]
    # The signal is weaker away: the drop is real and the interval tells.
    assert drop["lower"] > 0
    assert (away["n"], away["patients"]) == (800, 400)


def test_recalibration_on_other_patients_mends_a_shifted_intercept(tmp_path: Path) -> None:
    found, told, _ = judged(tmp_path, patients=1500, signal=1.5, shift=1.5)
    before, after = (found["calibration_in_the_large", "model", f"{name} recalibration"] for name in ("before", "after"))
    assert before["estimate"] == pytest.approx(-1.5, abs=0.3)
    assert abs(after["estimate"]) < 0.25
    assert before["n"] == after["n"] < 3000
    assert told["not_recalibrated"] is told["recalibration_warning"] is None
    curves = pd.read_csv(tmp_path / "external" / "calibration.csv")
    assert curves.groupby("scope")["n"].sum().to_dict() == {"before recalibration": before["n"], "after recalibration": before["n"]}


def test_a_score_that_points_the_wrong_way_is_not_turned_round_and_it_is_said(tmp_path: Path) -> None:
    found, told, there = judged(tmp_path, patients=600, turned=True)
    assert found["auroc", "model", "away"]["estimate"] < 0.45
    assert found["calibration_slope", "model", "before recalibration"]["estimate"] < 0
    after = found["calibration_slope", "model", "after recalibration"]
    assert after["estimate"] is None
    assert "its order is not turned round" in told["recalibration_warning"]
    assert told["not_recalibrated"] is None
    labels = pd.read_parquet(Path(there[1]) / "labels.parquet")["responder"]
    assert found["observed_to_expected", "model", "after recalibration"]["estimate"] == pytest.approx(1, abs=0.3)
    assert found["brier", "model", "after recalibration"]["estimate"] == pytest.approx(labels.mean() * (1 - labels.mean()), abs=0.02)


def test_where_too_few_answer_there_is_no_recalibration_and_it_is_said(tmp_path: Path) -> None:
    found, told, _ = judged(tmp_path, patients=14)
    assert "too few cases to recalibrate on and to judge by" in told["not_recalibrated"]
    assert not [key for key in found if "recalibration" in key[2]]


def test_a_cohort_of_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected evaluable cases of both classes, found '0 responders of 60'"):
        judged(tmp_path, patients=30, one_class=True)


def test_baselines_learn_nothing_of_the_second_cohort(upstream: Upstream) -> None:
    settings = Baselines(predictors=("regimen_prior", "clinical_logistic"))
    one, other = (table_of(upstream.cases_folder, upstream.evidence_file, "strict", "kfold", prefix) for prefix in (HERE, AWAY))
    found, _ = applied(one, other, settings)
    turned = other[0].assign(responder=[None if pd.isna(value) else not value for value in other[0]["responder"]])
    pd.testing.assert_frame_equal(found, applied(one, (turned, other[1]), settings)[0])
    assert set(found["predictor"]) == {"regimen_prior", "clinical_logistic"}
    assert set(found["case_id"]) == set(upstream.cases["case_id"])
    assert found["score"].between(0, 1).all()


def test_denominators_are_of_the_cases_that_a_baseline_has_scored(tmp_path: Path) -> None:
    home, there = cohort(tmp_path / "home", 60, 1.5, 0.0, 1), cohort(tmp_path / "away", 60, 1.5, 0.0, 2)
    rows = pd.read_parquet(there[2]).iloc[:70]
    rows.to_parquet(there[2])
    given = [
        "--home",
        *home,
        "--away",
        *there,
        "--out",
        str(tmp_path / "external"),
        "--settings",
        json.dumps({"evaluation": {"bootstrap": 100}}),
    ]
    assert external(given) == 0
    told = json.loads((tmp_path / "external" / "external.json").read_text())["records"]
    found = {(row["predictor"], row["scope"]): row["n"] for row in told if row["metric"] == "auroc"}
    assert (found["model", "away"], found["regimen_prior", "away"], found["regimen_prior", "home"]) == (120, 70, 120)
