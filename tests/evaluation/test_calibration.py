"""Calibration and net benefit against numbers of R and against simulations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.evaluation.calibration import calibration_curve, decision_curve, measures, recalibrate, slope_and_intercept
from oncoraft.evaluation.records import Evaluable, calibration_records
from oncoraft.evaluation.resampling import resampled_measures, resampled_net_benefit


@pytest.fixture
def golden() -> tuple[np.ndarray, np.ndarray]:
    """A thousand overconfident probabilities, made without a random number."""
    i = np.arange(1, 1001)
    predictor = -1 + 2 * np.sin(i / 7) + 0.5 * np.cos(i / 3)
    positive = ((7919 * i) % 1000) / 1000 < 1 / (1 + np.exp(-(0.3 + 0.7 * predictor)))
    return 1 / (1 + np.exp(-predictor)), positive


def test_every_measure_is_that_of_r(golden: tuple[np.ndarray, np.ndarray]) -> None:
    """R 4.2.2: glm, loess(degree = 2, span = 0.75); ten bins of equal width."""
    assert measures(*golden) == pytest.approx(
        measures(*golden)
        | {
            "calibration_slope": 0.7009526627,
            "calibration_intercept": 0.2812204719,
            "calibration_in_the_large": 0.4945665529,
            "brier": 0.2045069737,
            "scaled_brier": 1 - 0.2045069737 / (0.419 * 0.581),
            "log_loss": 0.6099037554,
            "integrated_calibration_index": 0.0830715851,
            "e50": 0.1007348504,
            "e90": 0.1334536861,
            "expected_calibration_error": 0.0829405554,
        },
        abs=1e-8,
    )
    # rms's val.prob, whose Eavg is of the lowess curve drawn with R's default steps.
    assert measures(*golden)["integrated_calibration_index_lowess"] == pytest.approx(0.0818194658, abs=1e-8)


def test_the_slope_of_a_small_set_is_that_of_r_to_the_last_digit_told() -> None:
    p = np.array([0.1, 0.2, 0.35, 0.4, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95])
    y = np.array([0, 0, 1, 0, 0, 1, 1, 0, 1, 1], dtype=bool)
    assert slope_and_intercept(p, y)[0] == pytest.approx(0.972653, abs=5e-7)


@pytest.mark.parametrize("positive", [[0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
def test_classes_that_a_cut_tells_apart_have_no_slope(positive: list[int]) -> None:
    assert np.isnan(slope_and_intercept(np.array([0.2, 0.3, 0.6, 0.7]), np.array(positive, dtype=bool))[0])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_resample_has_the_measures_of_the_cases_drawn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    probability = draw.uniform(0.02, 0.98, 400)
    positive = draw.random(400) < probability**1.3
    weights = draw.poisson(1, (5, 400)).astype(np.int16)
    found = resampled_measures(probability, positive, weights)
    benefit = resampled_net_benefit(probability, positive, weights)
    for row, weight in enumerate(weights):
        p, y = np.repeat(probability, weight), np.repeat(positive, weight)
        exact = measures(p, y)
        for name in ("observed_to_expected", "brier", "scaled_brier", "log_loss", "expected_calibration_error"):
            assert found[name][row] == pytest.approx(exact[name], rel=2e-5), name
        for name in ("calibration_slope", "calibration_intercept", "calibration_in_the_large"):
            assert found[name][row] == pytest.approx(exact[name], abs=3e-3), name
        for name in ("integrated_calibration_index", "e50", "e90"):  # bandwidths are those of the full sample
            assert found[name][row] == pytest.approx(exact[name], abs=0.02), name
        assert benefit[row] == pytest.approx(decision_curve(p, y)["net_benefit"].to_numpy(), abs=1e-5)


def test_net_benefit_is_that_of_the_definition(golden: tuple[np.ndarray, np.ndarray]) -> None:
    curve = decision_curve(*golden).set_index("threshold")
    assert curve.loc[[0.1, 0.2, 0.3, 0.5], "net_benefit"].tolist() == pytest.approx([0.3291111, 0.27675, 0.2267143, 0.111], abs=1e-6)
    assert curve.loc[[0.1, 0.2, 0.3, 0.5], "treat_all"].tolist() == pytest.approx([0.3544444, 0.27375, 0.17, -0.162], abs=1e-6)
    # To treat all brings nothing at a threshold that is the prevalence.
    half = decision_curve(golden[0], np.arange(len(golden[0])) % 2 == 0).set_index("threshold")
    assert half.loc[0.5, "treat_all"] == pytest.approx(0, abs=1e-12)


def test_recalibration_mends_graded_scores_and_never_sees_the_labels_of_its_own_fold() -> None:
    draw = np.random.default_rng(5)
    truth = 1 / (1 + np.exp(-draw.normal(-1, 1, 6000)))
    positive, fold = draw.random(6000) < truth, draw.integers(0, 3, 6000)
    score = 1 / (1 + np.exp(-(0.5 + 0.4 * np.log(truth / (1 - truth)))))
    mended = recalibrate(score, positive, fold)
    assert measures(mended, positive)["calibration_slope"] == pytest.approx(1, abs=0.1)
    assert measures(score, positive)["calibration_slope"] > 2
    assert measures(mended, positive)["integrated_calibration_index"] < 0.02
    other = positive.copy()
    other[fold == 1] = ~other[fold == 1]
    assert np.array_equal(recalibrate(score, other, fold)[fold == 1], mended[fold == 1])
    assert not np.array_equal(recalibrate(score, other, fold)[fold == 0], mended[fold == 0])


@pytest.mark.parametrize(("folds", "scope"), [(1, "as_scored"), (3, "recalibrated")])
def test_the_score_as_delivered_stands_beside_the_recalibrated_one(folds: int, scope: str) -> None:
    draw = np.random.default_rng(3)
    score, fold = draw.uniform(0.1, 0.9, 300), np.arange(300) % folds
    positive = draw.uniform(size=300) < score / 2  # twice as hopeful as it should be
    frame = pd.DataFrame({"patient_id": np.arange(300).astype(str)})
    data = Evaluable(frame, positive, fold, draw.poisson(1, (200, 300)).astype(np.int16), "strict", 0.95)
    rows = {(row["scope"], row["metric"]): row for row in calibration_records("model", score, data)}
    found = {name: row["estimate"] for (name, metric), row in rows.items() if metric == "observed_to_expected"}
    assert list(found) == ["as_delivered", scope]
    assert found["as_delivered"] == pytest.approx(0.5, abs=0.1)
    assert found[scope] == pytest.approx(0.5 if folds == 1 else 1.0, abs=0.1)
    told = [row for (_, metric), row in rows.items() if metric != "integrated_calibration_index_lowess"]
    assert all(row["lower"] <= row["estimate"] <= row["upper"] for row in told if not row["metric"].startswith(("e5", "e9", "int", "exp")))
    assert all(row["lower"] < row["upper"] for row in told)
    assert "held-out scores of the other folds" in rows["recalibrated", "brier"]["method"] if folds > 1 else True


def test_separated_scores_have_no_slope_and_say_why() -> None:
    score = np.linspace(0.1, 0.9, 60)
    frame = pd.DataFrame({"patient_id": np.arange(60).astype(str)})
    data = Evaluable(frame, score > 0.5, np.zeros(60, dtype=int), np.ones((5, 60), dtype=np.int16), "strict", 0.95)
    rows = [row for row in calibration_records("model", score, data) if row["metric"] == "calibration_slope"]
    assert all(row["estimate"] is None and "tells the classes apart" in row["flags"] for row in rows)


def test_bins_hold_every_case_once() -> None:
    draw = np.random.default_rng(2)
    table = calibration_curve(draw.random(103), draw.random(103) < 0.4)
    assert table["n"].sum() == 103
    assert table["n"].max() - table["n"].min() <= 1
    assert table["probability"].is_monotonic_increasing
