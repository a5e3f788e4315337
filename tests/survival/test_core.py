"""The survival core against numbers from R (survival 3.5-3) and against properties that must hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_lung

from oncoraft.survival.cox import cox
from oncoraft.survival.curves import kaplan_meier
from oncoraft.survival.risk_sets import Subjects, at_risk, false_discovery, log_rank


@pytest.fixture(scope="module")
def delayed() -> tuple[Subjects, np.ndarray, np.ndarray]:
    """The licence-free set with delayed entry; its check sums are asserted before use."""
    i = np.arange(1, 201)
    group, x = i % 2, (i * 17) % 23
    exit_time = 1 + (i * 37) % 97 + 20 * group
    entry = np.where(i % 3 == 0, 0, (i * 53) % 61)
    event = (i * 29) % 10 < 7
    keep = entry < exit_time
    assert (keep.sum(), event[keep].sum(), exit_time[keep].sum(), entry[keep].sum()) == (174, 119, 11189, 2919)
    return Subjects(entry[keep].astype(float), exit_time[keep].astype(float), event[keep]), group[keep] == 1, x[keep]


def test_log_rank_under_delayed_entry_equals_r(delayed) -> None:
    subjects, group, x = delayed
    assert log_rank(subjects, group)[0] == pytest.approx(22.23455072, abs=1e-6)
    assert log_rank(subjects, group)[1] == pytest.approx(2.412925e-6, rel=1e-4)
    assert log_rank(subjects, group, x % 3)[0] == pytest.approx(21.91352129, abs=1e-6)
    assert log_rank(subjects.without_delayed_entry(), group)[0] == pytest.approx(25.38465047, abs=1e-6)


def test_cox_under_delayed_entry_equals_r(delayed) -> None:
    subjects, group, x = delayed
    found = cox(subjects, group)
    assert found is not None
    assert found.coefficient == pytest.approx(-0.9281643088, abs=1e-6)
    assert found.standard_error == pytest.approx(0.2028213442, abs=1e-6)
    assert found.interval == pytest.approx((0.2656205, 0.5882273), abs=1e-6)
    assert found.p == pytest.approx(4.733499e-6, rel=1e-4)
    assert cox(subjects, group, x % 3).coefficient == pytest.approx(-0.9186698679, abs=1e-6)
    assert cox(subjects.without_delayed_entry(), group).coefficient == pytest.approx(-0.982939388, abs=1e-6)


def test_kaplan_meier_under_delayed_entry_equals_r(delayed) -> None:
    subjects, group, _ = delayed
    first, second = kaplan_meier(subjects.where(~group)), kaplan_meier(subjects.where(group))
    assert [first.at(t) for t in (10, 20, 40, 60, 80)] == pytest.approx(
        [0.8967434315, 0.8402996622, 0.6683258137, 0.4879400797, 0.2564464916], abs=1e-9
    )
    assert [second.at(t) for t in (10, 20, 40, 60, 80)] == pytest.approx([1, 1, 0.8547201809, 0.6928473823, 0.5271284937], abs=1e-9)
    assert (first.median(), second.median()) == (59, 84)
    assert at_risk(subjects.where(~group), np.array([20, 40, 60, 80])).tolist() == [48, 48, 39, 18]


def test_ties_of_entry_and_exit_follow_the_risk_set_rule() -> None:
    subjects = Subjects(np.array([0, 0, 2, 2, 3, 5.0]), np.array([2, 5, 5, 6, 7, 8.0]), np.array([True, True, True, False, True, True]))
    curve = kaplan_meier(subjects)
    assert curve.times.tolist() == [2, 5, 7, 8]
    assert curve.survival.tolist() == [0.5, 0.25, 0.125, 0]
    assert at_risk(subjects, np.array([0, 2, 5, 7])).tolist() == [2, 2, 4, 2]


def test_right_censored_lung_data_equal_r() -> None:
    lung = load_lung()
    subjects = Subjects(np.zeros(len(lung)), lung["time"].to_numpy(float), lung["status"].to_numpy() == 1)
    women = lung["sex"].to_numpy() == 2
    found = cox(subjects, women)
    assert found.coefficient == pytest.approx(-0.5310235376, abs=1e-6)
    assert found.standard_error == pytest.approx(0.1671785832, abs=1e-6)
    assert log_rank(subjects, women)[0] == pytest.approx(10.32674195, abs=1e-6)
    assert kaplan_meier(subjects.where(~women)).median() == 270
    assert kaplan_meier(subjects.where(women)).at(365) == pytest.approx(0.526463, abs=1e-6)


def test_false_discovery_equals_the_example_of_1995() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    q = false_discovery(np.array(p))
    assert q[:5].tolist() == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603])
    assert (q <= 0.05).sum() == 4


def test_what_cannot_be_estimated_is_none() -> None:
    nobody_died = Subjects(np.zeros(4), np.arange(1.0, 5), np.zeros(4, dtype=bool))
    assert cox(nobody_died, np.array([0, 1, 0, 1])) is None
    separated = Subjects(np.zeros(4), np.arange(1.0, 5), np.array([True, True, False, False]))
    assert cox(separated, np.array([1, 1, 0, 0])) is None


def test_entry_at_exit_is_rejected() -> None:
    with pytest.raises(ValueError, match="entry < exit"):
        Subjects(np.array([1.0]), np.array([1.0]), np.array([True]))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_curves_stay_within_bounds_never_rise_and_swapping_groups_inverts_the_ratio(seed: int) -> None:
    draw = np.random.default_rng(seed)
    entry = draw.integers(0, 20, 60).astype(float)
    subjects = Subjects(entry, entry + draw.integers(1, 60, 60), draw.random(60) < 0.6)
    group = draw.random(60) < 0.5
    curve = kaplan_meier(subjects)
    assert np.all((curve.survival >= 0) & (curve.survival <= 1))
    assert np.all(np.diff(curve.survival) <= 0)
    one, other = cox(subjects, group), cox(subjects, ~group)
    if one is not None and other is not None:
        assert one.ratio * other.ratio == pytest.approx(1, abs=1e-6)
    order = draw.permutation(60)
    shuffled = Subjects(subjects.entry[order], subjects.exit[order], subjects.event[order])
    assert log_rank(shuffled, group[order]) == pytest.approx(log_rank(subjects, group), nan_ok=True)
    # Ranks alone count: any clock that never runs back gives the same test and the same curve.
    clock = Subjects(np.expm1(subjects.entry / 30), np.expm1(subjects.exit / 30), subjects.event)
    assert log_rank(clock, group) == pytest.approx(log_rank(subjects, group), nan_ok=True)
    assert kaplan_meier(clock).survival == pytest.approx(curve.survival)
