"""The spline beside the straight line: its basis, its size under a straight line, its power under a bend, and its curve."""

import numpy as np
import pandas as pd
import pytest

from oncoraft.survival.adjusted import gain
from oncoraft.survival.cox import fit_cox
from oncoraft.survival.risk_sets import Array, Subjects
from oncoraft.survival.shape import shape_record, spline_terms


def test_terms_are_those_of_harrell_and_straight_beyond_the_outer_knots() -> None:
    """R: Hmisc::rcspline.eval(c(0, 1, 2, 3, 4), knots=c(0.5, 1.5, 3.5), norm=2), worked by its formula."""
    knots = np.array([0.5, 1.5, 3.5])
    x = np.array([0.0, 1, 2, 3, 4])

    def cube(value: Array) -> Array:
        return np.clip(value, 0, None) ** 3

    by_hand = (cube(x - 0.5) - cube(x - 1.5) * (3.5 - 0.5) / 2 + cube(x - 3.5) * (1.5 - 0.5) / 2) / 9
    assert spline_terms(x, knots)[:, 0] == pytest.approx(by_hand)
    beyond = spline_terms(np.array([4.0, 5, 6, 7]), knots)[:, 0]
    assert np.diff(beyond, n=2) == pytest.approx([0, 0], abs=1e-12)
    assert spline_terms(np.array([-2.0, 0.5]), knots)[:, 0].tolist() == [0, 0]


def record(seed: int, bend: float, n: int = 400) -> dict:
    draw = np.random.default_rng(seed)
    odds, age, fold = draw.normal(size=n), draw.normal(size=n), np.arange(n) % 3
    death, lost = draw.exponential(300 / np.exp(0.3 * age - 0.4 * odds + bend * odds**2)), draw.uniform(100, 1500, n)
    subjects, table = Subjects(np.zeros(n), np.minimum(death, lost), death <= lost), pd.DataFrame({"age": age})
    linear = fit_cox(subjects, np.column_stack([age, odds]), ["age", "low_score"], fold)
    return shape_record(subjects, odds, table, fold, linear)


def test_a_straight_line_is_rarely_refused_and_a_bend_mostly() -> None:
    straight = [record(seed, 0.0)["nonlinearity_p"] < 0.05 for seed in range(80)]
    # 80 trials at 5 %: more than 11 happen once in 1,500 times.
    assert sum(straight) <= 11
    assert sum(record(seed, 0.3)["nonlinearity_p"] < 0.05 for seed in range(10)) >= 9


def test_the_curve_is_one_at_the_median_and_follows_the_law() -> None:
    found = record(3, 0.0, n=3000)
    assert found["nonlinearity_df"] == 2
    points = pd.DataFrame(found["shape"])
    assert (points["lower"] <= points["hazard_ratio"]).all()
    assert (points["hazard_ratio"] <= points["upper"]).all()
    odds = np.log(points["score"] / (1 - points["score"]))
    assert np.log(points["hazard_ratio"]).to_numpy() == pytest.approx((-0.4 * odds).to_numpy(), abs=0.15)
    near = points.iloc[odds.abs().argmin()]
    assert near["hazard_ratio"] == pytest.approx(1, abs=0.06)


def test_a_score_of_two_values_has_no_shape_and_the_gain_stands() -> None:
    draw = np.random.default_rng(4)
    n = 200
    high = draw.random(n) < 0.5
    death = draw.exponential(np.where(high, 600, 200))
    rows = pd.DataFrame({"entry_days": 0.0, "exit_days": np.ceil(death), "event": True, "score": np.where(high, 0.8, 0.2), "index_day": 0})
    found = gain(rows.assign(fold=np.arange(n) % 2))
    assert found["likelihood_ratio_p"] < 1e-6
    assert (found["nonlinearity_p"], found["shape"]) == (None, [])
