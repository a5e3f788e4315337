"""Several groups: the test of all of them against others' implementations, the trend, the cuts, and rows that add up."""

import numpy as np
import pandas as pd
import pytest
from lifelines.datasets import load_lung
from lifelines.statistics import multivariate_logrank_test

from oncoraft.survival.adjusted import INTENDED
from oncoraft.survival.coding import Coding
from oncoraft.survival.grouped import Grouping, grouped
from oncoraft.survival.groups import group_names, score_groups
from oncoraft.survival.risk_sets import Subjects, log_rank, log_rank_of_groups

from .test_core import delayed  # noqa: F401
from .test_further import simulated


def test_several_groups_of_right_censored_data_equal_lifelines() -> None:
    lung = load_lung().dropna(subset=["ph.ecog"])
    group = lung["ph.ecog"].astype(int).to_numpy()
    found = log_rank_of_groups(Subjects(np.zeros(len(lung)), lung["time"].to_numpy(float), lung["status"].to_numpy()), group)
    other = multivariate_logrank_test(lung["time"], group, lung["status"])
    assert (found.chi2, found.degrees) == (pytest.approx(other.test_statistic, abs=1e-8), other.degrees_of_freedom)
    assert found.p == pytest.approx(other.p_value, rel=1e-8)


def test_two_groups_under_delayed_entry_equal_the_test_of_two_and_their_trend_is_the_same(delayed) -> None:  # noqa: F811
    subjects, group, x = delayed
    for strata in (None, x % 3):
        found = log_rank_of_groups(subjects, group, strata)
        assert found.chi2 == pytest.approx(log_rank(subjects, group, strata)[0], abs=1e-9)
        assert found.trend_chi2 == pytest.approx(found.chi2, abs=1e-9)
    assert log_rank_of_groups(subjects, group, x % 3).chi2 == pytest.approx(21.91352129, abs=1e-6)


def test_three_groups_under_delayed_entry_equal_their_score_test_and_the_order_of_names_is_free(delayed) -> None:  # noqa: F811
    """By hand: excess and variance added up death by death."""
    subjects, _, x = delayed
    group = x % 3
    excess, variance = np.zeros(3), np.zeros((3, 3))
    for time in np.unique(subjects.exit[subjects.event]):
        at_risk = (subjects.entry < time) & (subjects.exit >= time)
        dead = subjects.event & (subjects.exit == time)
        n, d = at_risk.sum(), dead.sum()
        share = np.bincount(group[at_risk], minlength=3) / n
        excess += np.bincount(group[dead], minlength=3) - d * share
        if n > 1:
            variance += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    found = log_rank_of_groups(subjects, group)
    assert found.chi2 == pytest.approx(excess[1:] @ np.linalg.solve(variance[1:, 1:], excess[1:]), abs=1e-9)
    assert found.degrees == 2
    assert log_rank_of_groups(subjects, (group + 1) % 3).chi2 == pytest.approx(found.chi2, abs=1e-9)


def test_groups_of_whom_nobody_dies_have_no_test() -> None:
    found = log_rank_of_groups(Subjects(np.zeros(4), np.arange(1.0, 5), np.zeros(4)), np.array([0, 1, 2, 0]))
    assert np.isnan(found.chi2)
    assert found.degrees == 0


def test_tertiles_and_quartiles_are_cut_by_other_folds_and_fixed_cuts_by_themselves() -> None:
    group = pd.DataFrame({"fold": [0, 0, 0, 0] + [1] * 61, "score": [0.1, 0.38, 0.62, 0.9, *np.linspace(0, 1, 61)]})
    assert score_groups(group, group, by="tertiles")[:4].tolist() == [0, 1, 1, 2]
    assert score_groups(group, group, by="quartiles")[:4].tolist() == [0, 1, 2, 3]
    assert score_groups(group, by=(0.38, 0.9))[:4].tolist() == [0, 1, 1, 2]
    alone = group.iloc[:4]
    assert score_groups(alone, alone, by="tertiles").tolist() == [0, 1, 1, 2]
    assert group_names((0.3, 0.6)) == ("0.6 and above", "0.3 to 0.6", "below 0.3")
    assert group_names((0.3,)) == ("high", "low")


def test_the_rows_of_three_groups_add_up_and_rise_with_the_score() -> None:
    rows = simulated(0.8, seed=5)
    codes = score_groups(rows, rows, by="tertiles")
    found = grouped(
        rows,
        Grouping("score", None, codes, group_names("tertiles")),
        ["fold"],
        [12],
        {"endpoint": "overall_survival"},
        Coding(rows, INTENDED),
    )
    groups = pd.DataFrame(found.rows["groups"]).set_index("score_group")
    assert list(groups.index) == ["high", "middle", "low"]
    assert groups["cases"].sum() == len(rows)
    assert groups["events"].sum() == rows["event"].sum() == found.rows["group_tests"][0]["events"]
    assert groups.loc["low", "hazard_ratio"] > groups.loc["middle", "hazard_ratio"] > 1
    assert groups.loc["low", "adjusted_hazard_ratio"] > 1
    assert pd.isna(groups.loc["high", "hazard_ratio"])
    assert found.rows["group_tests"][0]["trend_p"] < 1e-6
    at = pd.DataFrame(found.rows["survival_at"]).set_index("score_group")
    assert at.loc["low", "difference"] == pytest.approx(at.loc["high", "survival"] - at.loc["low", "survival"])
    assert at.loc["low", "difference_lower"] > 0
    told = pd.DataFrame(found.rows["at_risk"])
    last = told.groupby("score_group").last().reindex(groups.index)
    assert (last["events_before"] + last["censored_before"] + last["at_risk"] == groups["cases"]).all()
    assert set(found.curves["score_group"]) == {"high", "middle", "low"}


def test_the_trend_keeps_its_size_where_the_score_tells_nothing() -> None:
    rejected = 0
    for seed in range(150):
        draw = np.random.default_rng(seed)
        entry = np.where(draw.random(150) < 0.5, draw.integers(0, 200, 150), 0)
        subjects = Subjects(entry, entry + np.ceil(draw.exponential(300, 150)), draw.random(150) < 0.8)
        found = log_rank_of_groups(subjects, draw.integers(0, 3, 150), draw.integers(0, 3, 150))
        rejected += (found.p < 0.05) + (found.trend_p < 0.05)
    # 300 tests at 5 %: more than 27 or fewer than 5 happen once in 500 times.
    assert 5 <= rejected <= 27
