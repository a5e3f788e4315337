"""Restricted means, proportional hazards and the adjusted gain against numbers from R and against simulations with known truth."""

import numpy as np
import pandas as pd
import pytest
from lifelines.datasets import load_lung

from oncoraft.survival.adjusted import gain
from oncoraft.survival.curves import kaplan_meier
from oncoraft.survival.proportional import proportional_hazards
from oncoraft.survival.restricted_mean import restricted_mean, restricted_mean_difference
from oncoraft.survival.risk_sets import Subjects

from .test_core import delayed  # noqa: F401


@pytest.fixture(scope="module")
def lung() -> tuple[Subjects, np.ndarray]:
    rows = load_lung()
    return Subjects(np.zeros(len(rows)), rows["time"].to_numpy(float), rows["status"].to_numpy() == 1), rows["sex"].to_numpy() == 2


def test_restricted_means_of_right_censored_data_equal_r(lung) -> None:
    subjects, female = lung
    assert restricted_mean(kaplan_meier(subjects.where(~female)), 365) == pytest.approx((241.4950852, 10.35822649), abs=1e-6)
    assert restricted_mean(kaplan_meier(subjects.where(female)), 365) == pytest.approx((297.4654095, 10.79132398), abs=1e-6)
    found = restricted_mean_difference(subjects, female, 365)
    assert (found.estimate, found.standard_error) == pytest.approx((55.97032, 14.95813), abs=1e-4)
    assert found.interval == pytest.approx((26.65294, 85.28771), abs=1e-4)
    assert found.p == pytest.approx(0.0001827065, rel=1e-4)
    assert restricted_mean_difference(subjects, female, 730).standard_error == pytest.approx(33.39143, abs=1e-4)


def test_restricted_means_under_delayed_entry_equal_r(delayed) -> None:  # noqa: F811
    subjects, group, _ = delayed
    for horizon, estimate, error in ((40, 4.843384, 1.804378), (80, 13.618544, 4.282268)):
        found = restricted_mean_difference(subjects, group, horizon)
        assert (found.estimate, found.standard_error) == pytest.approx((estimate, error), abs=1e-5)


def test_a_group_that_is_not_followed_to_the_horizon_gives_no_difference(lung) -> None:
    subjects, female = lung
    assert restricted_mean_difference(subjects, female, 1020, smallest_risk_set=10) is None


def test_proportional_hazards_equal_r(lung, delayed) -> None:  # noqa: F811
    assert proportional_hazards(*lung)[0] == pytest.approx(2.863235, abs=1e-5)
    assert proportional_hazards(*lung)[1] == pytest.approx(0.090625, abs=1e-5)
    subjects, group, _ = delayed
    assert proportional_hazards(subjects, group)[0] == pytest.approx(2.252720761, abs=1e-5)


def simulated(effect: float, seed: int, n: int = 800) -> pd.DataFrame:
    """Exponential survival from age, stage and a score of its own, with delayed entry."""
    draw = np.random.default_rng(seed)
    age, advanced, own = draw.normal(62, 9, n), draw.random(n) < 0.5, draw.normal(size=n)
    hazard = 0.0015 * np.exp(0.02 * (age - 62) + 0.7 * advanced - effect * own)
    death, end, entry = draw.exponential(1 / hazard), draw.uniform(200, 1500, n), np.where(draw.random(n) < 0.4, draw.uniform(0, 300, n), 0)
    frame = pd.DataFrame({"age": age, "stage": np.where(advanced, "Stage 4", "Stage 1-3"), "sex": draw.choice(["Male", "Female"], n)})
    frame = frame.assign(line=draw.integers(1, 4, n).astype(float), ecog=draw.choice([0.0, 1.0, 2.0, np.nan], n))
    # The score knows age and stage as well: only `own` is news.
    frame = frame.assign(score=1 / (1 + np.exp(-(0.8 * own - 0.02 * (age - 62) - 0.7 * advanced))), fold=draw.integers(0, 3, n))
    frame = frame.assign(entry_days=np.ceil(entry), exit_days=np.ceil(np.minimum(death, end)), event=death <= end)
    return frame.assign(index_day=-frame["entry_days"])[frame["exit_days"] > frame["entry_days"]]


def test_a_score_with_news_gains_and_one_that_repeats_the_clinic_does_not() -> None:
    found = gain(simulated(0.5, seed=1))
    assert found["likelihood_ratio_p"] < 1e-6
    assert found["adjusted_lower"] > 1
    assert {"age_decades", "is_stage_iv", "later_line", "third_line", "ecog_unknown"} <= set(found["adjusted_for"])
    rejected = [gain(simulated(0.0, seed=seed, n=300))["likelihood_ratio_p"] < 0.05 for seed in range(40)]
    # 40 trials at 5 %: more than 7 rejections happen once in 700 times.
    assert sum(rejected) <= 7


def test_too_few_events_and_equal_scores_are_told() -> None:
    rows = simulated(0.5, seed=3, n=60)
    assert "events for" in gain(rows.assign(event=False))["not_adjusted"]
    assert gain(simulated(0.5, seed=3).assign(score=0.5))["not_adjusted"] == "all scores are equal"
