"""Where curves begin and end, medians with interval, concordance and pooled effects: against R and against hand counts."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from lifelines.datasets import load_lung

from oncoraft.survival.concordance import concordance
from oncoraft.survival.curves import kaplan_meier, median_follow_up
from oncoraft.survival.pooled import pooled
from oncoraft.survival.records import group_curves, group_record, horizon_records, months
from oncoraft.survival.restricted_mean import restricted_mean_difference
from oncoraft.survival.risk_sets import Subjects, false_discovery, observed_window

from .test_core import delayed  # noqa: F401


def test_medians_and_their_intervals_equal_r(delayed) -> None:  # noqa: F811
    subjects, group, _ = delayed
    curves = [kaplan_meier(subjects.where(mask)) for mask in (~group, group)]
    assert [(curve.median(), *curve.median_interval()) for curve in curves] == [(59, 44, 69), (84, 69, 95)]
    naive = [kaplan_meier(subjects.without_delayed_entry().where(mask)) for mask in (~group, group)]
    assert [(curve.median(), *curve.median_interval()) for curve in naive] == [(66, 52, 74), (88, 76, 100)]
    lung = load_lung()
    men = Subjects(np.zeros(len(lung)), lung["time"].to_numpy(float), lung["status"].to_numpy()).where(lung["sex"].to_numpy() == 1)
    assert (kaplan_meier(men).median(), *kaplan_meier(men).median_interval()) == (270, 210, 306)


def test_a_curve_that_rests_at_one_half_has_the_middle_as_median() -> None:
    assert kaplan_meier(Subjects(np.zeros(2), np.array([1.0, 3.0]), np.ones(2))).median() == 2


def test_follow_up_is_that_of_the_censored() -> None:
    """By hand: losses at 4 and 8; the death at 6 leaves before the second."""
    assert median_follow_up(Subjects(np.zeros(4), np.array([2.0, 4, 6, 8]), np.array([1, 0, 1, 0]))) == 8


def test_one_who_is_lost_while_alone_under_observation_does_not_end_the_follow_up_of_the_others() -> None:
    """Nearly everybody is sequenced late: the one who is not is lost on day 3, when nobody else is at risk. By hand, 10/11 of 0.534 are left on day 419."""
    late = np.arange(30)
    entry, leave = np.concatenate([[0], 10 + late]), np.concatenate([[3], 400 + late])
    frame = pd.DataFrame({"entry_days": entry, "exit_days": leave, "event": np.concatenate([[False], late % 3 == 0]), "index_day": -entry})
    frame = frame.assign(score=np.linspace(0.1, 0.9, 31))
    found = group_record(frame, frame["score"].to_numpy() < 0.5, np.zeros(31), [12])[0]
    assert found["median_follow_up_months"] == months(419)


def test_events_as_integers_equal_events_as_booleans(delayed) -> None:  # noqa: F811
    subjects, _group, _ = delayed
    other = Subjects(subjects.entry, subjects.exit, subjects.event.astype(int))
    assert kaplan_meier(other).median() == kaplan_meier(subjects).median()


@pytest.mark.parametrize(
    ("entry", "leave", "event"), [(0, np.nan, 1), (np.nan, 3, 1), (0, np.inf, 1), (-1, 3, 1), (3, 3, 1), (0, 3, 2), (0, 3, np.nan)]
)
def test_follow_up_that_is_none_is_refused(entry: float, leave: float, event: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        Subjects(np.array([0.0, entry]), np.array([5.0, leave]), np.array([1.0, event]))


def early_few_then_many() -> Subjects:
    """One patient dies alone on day 5; from day 30 on there are forty."""
    return Subjects(np.array([0.0] + [30.0] * 40), np.concatenate([[5.0], 31.0 + np.arange(40)]), np.ones(41, dtype=bool))


def test_a_risk_set_of_one_does_not_end_the_curve_of_those_who_enter_later() -> None:
    subjects = early_few_then_many()
    assert kaplan_meier(subjects).survival[-2] == 0
    window = observed_window([subjects], 10)
    assert window == (30, 61)
    curve = kaplan_meier(subjects, window)
    assert (curve.start, curve.at(40)) == (30, pytest.approx(0.75))
    assert np.isnan(curve.at(5))
    assert np.isnan(curve.at(62))


def test_a_dip_of_the_risk_set_starts_the_curve_anew_where_more_is_seen() -> None:
    first = Subjects(np.zeros(12), np.linspace(1, 6, 12), np.ones(12))
    later = Subjects(np.full(60, 20.0), 21.0 + np.arange(60), np.ones(60))
    both = Subjects(*(np.concatenate([getattr(first, name), getattr(later, name)]) for name in ("entry", "exit", "event")))
    assert observed_window([both], 10) == (20, 71)


def test_groups_of_one_law_that_enter_apart_do_not_differ() -> None:
    """The first dies on days 10, 20, ..., 400; the second is the same law, seen from day 200."""
    days = np.arange(10.0, 401, 10)
    late = days[days > 200]
    subjects = Subjects(np.concatenate([np.zeros(40), np.full(20, 200.0)]), np.concatenate([days, late]), np.ones(60))
    first = np.arange(60) < 40
    found = restricted_mean_difference(subjects, first, 300, smallest_risk_set=10)
    assert (found.start, found.estimate) == (200, pytest.approx(0, abs=1e-9))
    assert restricted_mean_difference(subjects, first, 150, smallest_risk_set=10) is None
    curves = group_curves({"high": subjects.where(first), "low": subjects.where(~first)})
    assert {curve.start for curve in curves.values()} == {200}


def test_the_size_of_the_test_of_restricted_means_holds_where_one_group_enters_late() -> None:
    rejected = 0
    for seed in range(150):
        draw = np.random.default_rng(seed)
        low = np.arange(300) < 150
        entry = np.where(low & (draw.random(300) < 0.95), draw.uniform(100, 300, 300), 0.0)
        death, lost = entry + draw.exponential(400, 300), entry + draw.uniform(200, 1200, 300)
        subjects = Subjects(entry, np.minimum(death, lost), death <= lost)
        found = restricted_mean_difference(subjects, ~low, 365, smallest_risk_set=10)
        rejected += found is not None and found.p < 0.05
    # Of 1,000 seeds 8.4 % reject (9.5 % by the normal distribution), since the late group's first risk sets are of ten; counting survival before entry as 1 rejects 34 % or more.
    assert rejected <= 24


def test_the_fewer_deaths_carry_the_variance_the_wider_the_interval_under_delayed_entry_alone() -> None:
    draw = np.random.default_rng(12)
    leave, event, low = np.ceil(draw.uniform(10, 500, 120)), draw.random(120) < 0.7, np.arange(120) % 2 == 0
    naive = restricted_mean_difference(Subjects(np.zeros(120), leave, event), low, 300, smallest_risk_set=10)
    assert naive.degrees_of_freedom == np.inf
    assert np.ptp(naive.interval) == pytest.approx(2 * 1.959963985 * naive.standard_error)
    late = np.where(draw.random(120) < 0.6, np.minimum(200, leave - 5), 0.0)
    found = restricted_mean_difference(Subjects(late, leave, event), low, 300, smallest_risk_set=10)
    assert 5 < found.degrees_of_freedom < event.sum()
    quantile = scipy.stats.t.ppf(0.975, found.degrees_of_freedom)
    assert np.ptp(found.interval) == pytest.approx(2 * quantile * found.standard_error)
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(abs(found.estimate) / found.standard_error, found.degrees_of_freedom))


def test_survival_is_told_with_its_interval_and_only_where_ten_are_at_risk() -> None:
    draw = np.random.default_rng(2)
    death, lost = draw.exponential(300, 160), draw.uniform(100, 900, 160)
    low = np.arange(160) < 80
    subjects = Subjects(np.zeros(160), np.minimum(death, lost), death <= lost)
    curves = group_curves({"high": subjects.where(~low), "low": subjects.where(low)})
    near, far = horizon_records(subjects, low, curves, [6, 36])
    assert near["high_lower"] < near["high"] < near["high_upper"]
    assert near["difference"] == pytest.approx(near["high"] - near["low"])
    assert near["difference_lower"] < near["difference"] < near["difference_upper"]
    assert (far["high"], far["low"], far["difference"]) == (None, None, None)


def test_concordance_equals_r(delayed) -> None:  # noqa: F811
    subjects, _, x = delayed
    found = concordance(subjects, -x)
    assert (found.estimate, found.pairs) == (pytest.approx(0.4461914745, abs=1e-9), 3651 + 4575 + 360)
    assert concordance(subjects.without_delayed_entry(), -x).estimate == pytest.approx(0.4631221936, abs=1e-9)
    lung = load_lung()
    whole = Subjects(np.zeros(len(lung)), lung["time"].to_numpy(float), lung["status"].to_numpy())
    assert concordance(whole, lung["age"].to_numpy()).estimate == pytest.approx(0.5502398, abs=1e-7)


def test_the_error_of_concordance_is_that_of_resampling_and_doubled_rows_add_nothing_within_clusters() -> None:
    draw = np.random.default_rng(4)
    risk = draw.normal(size=120)
    death, lost = draw.exponential(100 / np.exp(0.5 * risk)), draw.uniform(20, 300, 120)
    subjects = Subjects(np.zeros(120), np.minimum(death, lost), death <= lost)
    found = concordance(subjects, risk)
    drawn = []
    for _ in range(300):
        mine = draw.integers(0, 120, 120)
        drawn.append(concordance(subjects.where(mine), risk[mine]).estimate)
    assert found.standard_error == pytest.approx(np.std(drawn), rel=0.15)
    twice = np.concatenate([np.arange(120), np.arange(120)])
    doubled = concordance(subjects.where(twice), risk[twice], clusters=twice)
    assert doubled.standard_error == pytest.approx(found.standard_error, rel=0.05)


# Colditz et al. 1994: tuberculosis and healthy among the vaccinated, then among the others, of thirteen trials.
TRIALS = """4 119 11 128; 6 300 29 274; 3 228 11 209; 62 13536 248 12619; 33 5036 47 5761; 180 1361 372 1079; 8 2537 10 619;
505 87886 499 87892; 29 7470 45 7232; 17 1699 65 1600; 186 50448 141 27197; 5 2493 3 2338; 27 16886 29 17825"""


def test_random_effects_equal_metafor() -> None:
    """Of log risk ratios, rma(method="REML") of metafor: tau squared 0.3132, I squared 92.22 %, mean -0.7145."""
    a, b, c, d = np.array([row.split() for row in TRIALS.split(";")], dtype=float).T
    found = pooled(np.log(a / (a + b)) - np.log(c / (c + d)), np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)))
    assert found["regimens"] == 13
    assert found["tau"] ** 2 == pytest.approx(0.3132, abs=1e-4)
    assert np.log(found["hazard_ratio"]) == pytest.approx(-0.7145, abs=1e-4)
    assert found["heterogeneity_share"] == pytest.approx(0.9222, abs=1e-4)
    assert found["heterogeneity_p"] == pytest.approx(2.0e-26, rel=0.2)
    assert found["prediction_lower"] < found["lower"] < found["hazard_ratio"] < found["upper"] < found["prediction_upper"]


def test_regimens_that_agree_have_no_variance_between_and_two_are_not_pooled() -> None:
    found = pooled(np.full(5, 0.4), np.full(5, 0.2))
    assert (found["tau"], found["hazard_ratio"]) == (0, pytest.approx(np.exp(0.4)))
    assert pooled(np.array([0.1, 0.2]), np.array([0.1, 0.1])) is None


def test_a_missing_p_is_of_no_family() -> None:
    assert false_discovery(np.array([0.01, np.nan, 0.2])) == pytest.approx([0.02, np.nan, 0.2], nan_ok=True)
