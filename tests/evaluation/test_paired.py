"""Paired tests against published and R's numbers, and on simulated scores."""

import numpy as np
import pytest
from scipy import stats

from oncoraft.evaluation.discrimination import auroc
from oncoraft.evaluation.paired import bootstrap_p, covariance, delong, false_discovery, mcnemar, wilcoxon


def test_one_case_a_patient_gives_delongs_interval_of_r() -> None:
    """pROC: AUC of the deterministic set with its 95 % interval."""
    i = np.arange(1, 1001)
    predictor = -1 + 2 * np.sin(i / 7) + 0.5 * np.cos(i / 3)
    positive = ((7919 * i) % 1000) / 1000 < 1 / (1 + np.exp(-(0.3 + 0.7 * predictor)))
    area, spread = covariance(predictor[None], positive, i)
    error = 1.959963984540054 * np.sqrt(spread[0, 0])
    assert area[0] == pytest.approx(0.7568220376, abs=1e-9)
    # Each patient holds one class, so that the clustered form has no term across classes and equals DeLong's.
    assert (area[0] - error, area[0] + error) == pytest.approx((0.7267294, 0.7869146), abs=1e-7)


def test_mcnemar_has_the_exact_p_of_r() -> None:
    first = np.repeat([True, True, False, False], [794, 150, 86, 570])
    second = np.repeat([True, False, True, False], [794, 150, 86, 570])
    only_first, only_second, p = mcnemar(first, second)
    assert (only_first, only_second) == (150, 86)
    assert p == pytest.approx(3.716e-5, rel=1e-3)


def test_benjamini_and_hochbergs_example_keeps_its_values_and_no_test_is_none() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    q = [0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.063857, 0.063857, 0.0645, 0.0765, 0.486, 0.581182, 0.714875, 0.753231, 0.813214, 1]
    assert false_discovery(p) == pytest.approx(q, abs=5e-7)
    assert false_discovery([0.01, None, 0.2]) == [pytest.approx(0.02), None, pytest.approx(0.2)]
    assert false_discovery([None]) == [None]


def test_wilcoxon_is_one_sided_on_means_of_patients() -> None:
    """Hollander and Wolfe's depression scores: V = 40 of nine patients, p = 0.01953 one-sided."""
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    patient = np.arange(9)
    assert wilcoxon(after, before, patient) == pytest.approx(0.01953125)
    assert wilcoxon(np.repeat(after, 3), np.repeat(before, 3), np.repeat(patient, 3)) == pytest.approx(0.01953125)
    assert wilcoxon(before, before, patient) is None
    # Five folds that all agree say no more than this, whatever the distance: why folds are no evidence.
    assert wilcoxon(np.zeros(5), np.arange(1.0, 6), np.arange(5)) == pytest.approx(0.03125)


def test_cases_of_one_patient_are_no_further_evidence() -> None:
    draw = np.random.default_rng(2)
    positive = draw.random(200) < 0.4
    first, second = draw.normal(size=200) + positive, draw.normal(size=200) + 0.5 * positive
    single = delong(first, second, positive, np.arange(200), np.zeros(200))
    triple = delong(*(np.repeat(one, 3) for one in (first, second, positive, np.arange(200), np.zeros(200))))
    assert triple.difference == pytest.approx(single.difference)
    assert triple.standard_error == pytest.approx(single.standard_error)
    assert single.difference == pytest.approx(float(auroc(first, positive) - auroc(second, positive)))


@pytest.mark.slow
def test_the_clustered_test_keeps_its_level_where_patients_have_several_cases() -> None:
    draw, rejected = np.random.default_rng(5), []
    for _ in range(400):
        patient = np.repeat(np.arange(100), 4)
        taste = draw.normal(size=(3, 100))[:, patient]
        positive = taste[0] + draw.normal(size=400) > 0.5
        first, second = (taste[0] + taste[k] + draw.normal(size=400) for k in (1, 2))
        rejected.append(delong(first, second, positive, patient, np.zeros(400)).p < 0.05)
    assert stats.binomtest(sum(rejected), 400, 0.05).pvalue > 0.001


def test_equal_scores_have_no_p_and_the_bootstrap_p_is_never_zero() -> None:
    score, positive = np.linspace(0, 1, 20), np.arange(20) % 3 == 0
    assert delong(score, score, positive, np.arange(20), np.zeros(20)).p is None
    assert bootstrap_p(np.ones(999)) == pytest.approx(0.002)
    assert bootstrap_p(np.zeros(9)) == 1
    assert bootstrap_p(np.array([np.nan])) is None
