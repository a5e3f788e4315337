"""A recalibration is the logistic regression of the tuning cases, turns no order round, and is all there or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.evaluation.calibration import measures, recalibrate
from oncoraft.evaluation.records import flattened
from oncoraft.foundation.errors import InputError
from oncoraft.recalibration import Recalibration, fit, logistic, logit, read_recalibration, youden


def drawn(slope: float, cases: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    score = draw.beta(2, 3, cases)
    positive = draw.random(cases) < 1 / (1 + np.exp(-(0.4 + slope * logit(score))))
    return score, positive, np.array([f"p{n // 2}" for n in range(cases)])


def test_the_law_that_made_the_labels_is_found_again() -> None:
    score, positive, patient = drawn(0.6)
    found = fit(score, positive, patient, 2)
    assert (found.state, found.fold, found.cases, found.patients) == ("fitted", 2, 4000, 2000)
    assert found.intercept == pytest.approx(0.4, abs=0.1)
    assert found.slope == pytest.approx(0.6, abs=0.1)
    told = found.probability(0.7)
    assert told == pytest.approx(1 / (1 + np.exp(-(found.intercept + found.slope * np.log(0.7 / 0.3)))), rel=1e-12)


def test_the_published_regression_is_met_to_six_decimals() -> None:
    """R's `glm(y ~ qlogis(p), binomial)` on the deterministic set of 1,000 cases."""
    i = np.arange(1, 1001)
    p = 1 / (1 + np.exp(-(-1 + 2 * np.sin(i / 7) + 0.5 * np.cos(i / 3))))
    y = (7919 * i % 1000) / 1000 < 1 / (1 + np.exp(-(0.3 + 0.7 * np.log(p / (1 - p)))))
    assert logistic(logit(p), y) == pytest.approx((0.2812204719, 0.7009526627), abs=1e-6)


def test_the_information_at_the_published_regression_gives_the_standard_errors_of_r() -> None:
    """Slope, and intercept at a slope of 1 (calibration in the large), of the same set: at another optimum they would be others."""
    i = np.arange(1, 1001)
    x = -1 + 2 * np.sin(i / 7) + 0.5 * np.cos(i / 3)
    y = (7919 * i % 1000) / 1000 < 1 / (1 + np.exp(-(0.3 + 0.7 * x)))
    intercept, slope = logistic(logit(1 / (1 + np.exp(-x))), y)
    p, design = 1 / (1 + np.exp(-(intercept + slope * x))), np.column_stack([np.ones(1000), x])
    assert np.sqrt(np.linalg.inv(design.T * (p * (1 - p)) @ design)[1, 1]) == pytest.approx(0.0536130071, abs=1e-6)
    large = measures(1 / (1 + np.exp(-x)), y)["calibration_in_the_large"]
    p = 1 / (1 + np.exp(-(large + x)))
    assert (p * (1 - p)).sum() ** -0.5 == pytest.approx(0.0780181169, abs=1e-6)


def test_scores_that_point_the_wrong_way_are_flattened_to_the_prevalence_and_not_turned_round() -> None:
    score, positive, patient = drawn(-0.6)
    found = fit(score, positive, patient, 0)
    assert found.slope == 0
    assert found.probability(0.9) == found.probability(0.1) == pytest.approx(positive.mean())


def test_folds_whose_others_point_the_wrong_way_are_given_their_prevalence_and_named() -> None:
    score, positive, _ = drawn(-0.6)
    fold = np.arange(len(score)) % 2
    found = recalibrate(score, positive, fold)
    for k in (0, 1):
        assert found[fold == k] == pytest.approx(positive[fold != k].mean())
    assert flattened(score, found, fold).endswith("fold 0, 1")
    rising, with_score, _ = drawn(0.6)
    assert flattened(rising, recalibrate(rising, with_score, fold), fold) == ""


def test_with_few_or_separated_tuning_cases_nothing_is_applied_and_the_reason_is_told() -> None:
    score, positive, patient = drawn(0.6, 15)
    found = fit(score, positive, patient, 0)
    assert (found.intercept, found.slope, found.threshold, found.probability(0.4)) == (None, None, None, None)
    assert "too few tuning cases" in found.state
    apart = np.arange(40) / 40
    assert "tells the tuning cases apart" in fit(apart, apart > 0.5, np.arange(40).astype(str), 0).state


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7]), st.booleans()), min_size=1, max_size=30))
def test_no_threshold_does_better_than_youdens(rows: list[tuple[float, bool]]) -> None:
    score, positive = np.array([s for s, _ in rows]), np.array([y for _, y in rows])

    def index(cut: float) -> float:
        acted = score >= cut
        return (acted & positive).sum() / max(1, positive.sum()) + (~acted & ~positive).sum() / max(1, (~positive).sum())

    assert index(youden(score, positive)) == pytest.approx(max(index(cut) for cut in np.unique(score)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"slope": None}, "expected a finite number"),
        ({"slope": "1"}, "expected a finite number"),
        ({"state": "too few"}, "expected null"),
        ({"fold": "0"}, "expected a whole number"),
    ],
)
def test_half_a_recalibration_is_refused(tmp_path: Path, change: dict, words: str) -> None:
    whole = Recalibration(0, "fitted", 0.1, 0.9, 0.4, 50, 20, 40)._asdict()
    path = tmp_path / "recalibration.json"
    path.write_text(json.dumps(whole))
    assert read_recalibration(path)._asdict() == whole
    path.write_text(json.dumps(whole | change))
    with pytest.raises(InputError, match=words):
        read_recalibration(path)
    path.write_text("[]")
    with pytest.raises(InputError, match="written by `oncoraft recalibrate`"):
        read_recalibration(path)
