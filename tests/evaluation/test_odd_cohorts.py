"""Cohorts that are rare but real: folds of one class, scores that are all alike, a class from one patient."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.evaluation.baselines import main as baselines
from oncoraft.evaluation.calibration import measures, smoothed
from oncoraft.evaluation.compare import main as compare
from oncoraft.evaluation.learners import Parts, tfidf_logistic
from oncoraft.evaluation.metrics import main as metrics
from oncoraft.evaluation.paired import delong
from oncoraft.evaluation.resampling import resampled_measures
from oncoraft.foundation.errors import InputError
from tests.evaluation.test_metrics import SETTINGS, Tables, tables, write

__all__ = ["tables"]  # a fixture


def with_folds_of_one_class(tables: Tables) -> Tables:
    """All of the first fold respond, none of the others: as where the folds are hospitals, or cancer types."""
    fold = tables["labels"]["case_id"].map(tables["folds"].set_index("case_id")["fold"])
    return tables | {"labels": tables["labels"].assign(responder=(fold == 0).astype("boolean"))}


def test_where_every_fold_is_of_one_class_there_is_no_mean_and_the_pooled_area_stands(tables: Tables, tmp_path: Path) -> None:
    assert metrics(write(with_folds_of_one_class(tables), tmp_path)) == 0
    records = json.loads((tmp_path / "metrics/metrics.json").read_text())
    told = {(row["metric"], row["scope"]): row for row in records if row["predictor"] == "model" and row["group"] is None}
    mean = told["auroc", "mean_of_folds"]
    assert (mean["estimate"], mean["n"]) == (None, 0)
    assert mean["flags"] == "left out of the mean, with one class only: fold 0, 1, 2"
    assert told["auroc_within_regimen", "mean_of_folds"]["estimate"] is None
    assert 0 <= told["auroc", "pooled"]["estimate"] <= 1
    assert "could not be estimated (left out of the mean" in json.loads((tmp_path / "metrics/verdict.json").read_text())["sentence"]


@pytest.mark.parametrize("of", ["predictions", "baselines"])
def test_scores_that_are_all_zero_have_no_ratio_of_observed_to_expected(of: str, tables: Tables, tmp_path: Path) -> None:
    assert metrics(write(tables | {of: tables[of].assign(score=0.0)}, tmp_path)) == 0
    records = json.loads((tmp_path / "metrics/metrics.json").read_text())
    name = "model" if of == "predictions" else "regimen_prior"
    told = [row for row in records if row["metric"] == "observed_to_expected" and row["predictor"] == name]
    assert [(row["estimate"], row["lower"], row["upper"]) for row in told] == [(None, None, None)] * 2


def test_a_resample_whose_probabilities_are_all_zero_has_no_ratio_and_no_infinite_limit() -> None:
    probability, positive = np.array([0.0] * 9 + [0.5]), np.arange(10) % 2 == 0
    weights = np.vstack([np.ones(10), np.arange(10) != 9]).astype(np.int16)
    np.testing.assert_allclose(resampled_measures(probability, positive, weights)["observed_to_expected"], [10, np.nan])


@pytest.mark.parametrize("score", [0.0, 0.3, 1.0])
def test_the_smooth_of_scores_that_are_all_alike_is_the_share_of_responders(score: float) -> None:
    positive = np.arange(100) % 4 == 0
    found = measures(np.full(100, score), positive)
    spread = resampled_measures(np.full(100, score), positive, np.ones((3, 100), dtype=np.int16))
    assert found["integrated_calibration_index"] == pytest.approx(abs(score - 0.25), abs=1e-6)
    assert found["integrated_calibration_index_lowess"] == pytest.approx(abs(score - 0.25), abs=1e-6)
    np.testing.assert_allclose(spread["integrated_calibration_index"], abs(score - 0.25), atol=1e-6)


def test_the_smooth_of_scores_most_of_which_are_the_lowest_is_near_their_share_of_responders() -> None:
    """As of a model that answers one number to most prompts."""
    draw = np.random.default_rng(2)
    probability = np.where(np.arange(400) < 340, 0.3, draw.uniform(0.3, 0.9, 400))
    positive = draw.random(400) < probability
    told = abs(positive[:340].mean() - 0.3)
    assert measures(probability, positive)["e50"] == pytest.approx(told, abs=0.03)
    assert np.median(np.abs(smoothed(probability, positive) - probability)) == pytest.approx(told, abs=1e-12)
    # R's lowess draws the neighbours through their own neighbourhoods, not towards the mean of the many.
    assert smoothed(probability, positive)[340:].max() > 0.5


def runs_of(tables: Tables, home: Path) -> list[str]:
    """Two runs of the same cases, and the arguments that compare them."""
    draw = np.random.default_rng(8)
    runs = []
    for name in ("one", "other"):
        scored = tables | {"predictions": tables["predictions"].assign(score=draw.random(len(tables["predictions"])))}
        runs.append(write(scored, home / name)[0])
    return [*runs, "--cases", str(home / "one/cases"), "--out", str(home / "comparison.json"), *SETTINGS]


@pytest.mark.filterwarnings("error")
def test_runs_whose_folds_are_each_of_one_class_are_compared_by_what_needs_no_mean_of_folds(tables: Tables, tmp_path: Path) -> None:
    assert compare(runs_of(with_folds_of_one_class(tables), tmp_path)) == 0
    (pair,) = json.loads((tmp_path / "comparison.json").read_text())
    # Two results of one model and strategy are told apart by their paths.
    assert [pair[name] for name in ("first", "second")] == [str(tmp_path / name / "predictions.jsonl") for name in ("one", "other")]
    assert (pair["delong_difference"], pair["delong_p"], pair["bootstrap_p"]) == (None, None, None)
    assert {row["metric"]: row["difference"] for row in pair["differences"]}["auroc"] is None
    assert 0 < pair["mcnemar_p"] <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--design", "nope"], "folds.parquet, column design: expected rows of the design 'nope'"),
        (
            ["--settings", '{"labels": {"definition": "strict_any_scan"}, "baselines": {}}'],
            "expected labels of definition 'strict_any_scan'",
        ),
    ],
)
def test_baselines_of_a_design_or_a_definition_that_is_not_there_are_refused(
    words: list[str], said: str, tables: Tables, tmp_path: Path
) -> None:
    """A table without a score, and no word, was what came of a name mistyped."""
    write(tables, tmp_path)
    evidence = pd.DataFrame({"case_id": tables["cases"]["case_id"], "order": 0, "field": "sex", "value": "male", "text": "male"})
    evidence.assign(days_before_index=1).to_parquet(tmp_path / "evidence.parquet")
    with pytest.raises(InputError) as caught:
        baselines([str(tmp_path / "cases"), str(tmp_path / "evidence.parquet"), "--out", str(tmp_path / "b/predictions.parquet"), *words])
    assert said in str(caught.value)


@pytest.mark.parametrize("texts", [[""] * 12, [f"word{number}" for number in range(12)]])
def test_texts_that_share_no_word_score_the_share_of_responders(texts: list[str]) -> None:
    label = np.arange(12) % 3 == 0
    parts = Parts(np.arange(9), np.zeros(0, dtype=int), np.arange(9, 12), label)
    found = tfidf_logistic(pd.DataFrame({"text": texts}))(parts)
    assert found.score.tolist() == [1 / 3] * 3
    assert found.chosen == {"terms": 0, "is_tuned": False}


def test_a_class_from_one_patient_tells_nothing_of_how_much_patients_vary() -> None:
    """The sum over one patient is 0 by construction: to take it for the spread made a difference out of nothing."""
    positive = np.arange(40) < 1
    first, second = np.linspace(1, 0, 40), np.linspace(1, 0, 40)[np.random.default_rng(0).permutation(40)]
    patient = pd.Series(range(40)).astype(str).to_numpy()
    found = delong(first, second, positive, patient, np.zeros(40))
    assert found.difference is not None
    assert found.difference > 0
    assert (found.standard_error, found.z, found.p) == (None, None, None)
    assert delong(first, second, np.arange(40) < 2, patient, np.zeros(40)).p is not None
