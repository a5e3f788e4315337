"""The bootstrap of many resamples at a time against the same resamples one by one."""

import numpy as np
import pytest

from oncoraft.survival.bootstrap import Groups, bootstrap_record, concordances, log_ratios, patient_weights, restricted_means
from oncoraft.survival.concordance import concordance
from oncoraft.survival.cox import cox, fit_cox
from oncoraft.survival.curves import kaplan_meier
from oncoraft.survival.restricted_mean import restricted_mean
from oncoraft.survival.risk_sets import Array, Subjects


@pytest.fixture(scope="module")
def regimen() -> tuple[Subjects, Array, Array, Array]:
    """No two deaths on one day, so that a weight of two and a row twice are the same likelihood but for the tie with itself."""
    draw = np.random.default_rng(3)
    n = 150
    x = draw.normal(size=(n, 2))
    entry = np.where(draw.random(n) < 0.4, draw.uniform(0, 200, n), 0.0)
    death, lost = entry + draw.exponential(500 / np.exp(0.5 * x[:, 0])), entry + draw.uniform(100, 1200, n)
    return Subjects(entry, np.minimum(death, lost), death <= lost), x, draw.integers(0, 3, n), draw.random(n) < 0.5


def test_weights_count_patients_and_keep_their_cases_together() -> None:
    patients = np.array(["b", "a", "b", "c"])
    weights = patient_weights(patients, 200, np.random.default_rng(1))
    assert weights.shape == (4, 200)
    assert (weights[0] == weights[2]).all()
    assert (weights[1:].sum(axis=0) == 3).all()


def test_resamples_equal_fits_of_the_patients_drawn(regimen) -> None:
    subjects, x, strata, low = regimen
    once = (np.random.default_rng(5).random((len(low), 6)) < 0.7).astype(float)  # drawn once or not at all
    table = np.column_stack([x, low])
    found = log_ratios(subjects, table, strata, once)
    means = restricted_means(subjects, (0.0, np.inf), 300, once)
    ranks = concordances(subjects, x[:, 0], strata, once)
    for place in range(6):
        mine = once[:, place] > 0
        part = subjects.where(mine)
        alone = fit_cox(part, table[mine], ["a", "b", "low"], strata[mine]).hazard_ratio("low")
        assert found[place] == pytest.approx(alone.coefficient, abs=2e-3 * alone.standard_error)
        assert means[place] == pytest.approx(restricted_mean(kaplan_meier(part), 300)[0])
        assert ranks[place] == pytest.approx(concordance(part, x[mine, 0], strata[mine]).estimate, abs=1e-6)


def test_intervals_agree_with_the_model_based_ones_where_the_model_holds(regimen) -> None:
    subjects, x, strata, low = regimen
    weights = patient_weights(np.arange(len(low)), 400, np.random.default_rng(7))
    found = bootstrap_record(subjects, x[:, 0], x, Groups(low, strata, strata, 300.0), weights)
    lower, upper = cox(subjects, low, strata).interval
    width = np.log(found["hazard_ratio_upper"] / found["hazard_ratio_lower"])
    assert width == pytest.approx(np.log(upper / lower), rel=0.2)
    assert found["hazard_ratio_lower"] < cox(subjects, low, strata).ratio < found["hazard_ratio_upper"]
    assert found["concordance_lower"] > 0.5
    assert found["without_maximum"] == 0
    assert found["restricted_mean_lower"] < found["restricted_mean_upper"]


def test_resamples_that_separate_are_counted_and_left_out() -> None:
    subjects = Subjects(np.zeros(12), np.arange(1.0, 13), np.ones(12))
    low = np.arange(12) % 6 == 0
    weights = patient_weights(np.arange(12), 100, np.random.default_rng(2))
    found = bootstrap_record(subjects, low.astype(float), np.zeros((12, 0)), Groups(low, np.zeros(12), np.zeros(12), 5.0), weights)
    assert 0 < found["without_maximum"] < 100
    assert np.isfinite(found["adjusted_hazard_ratio_upper"])
