"""AUROC and its bootstrap against definitions, golden numbers and simulations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from oncoraft.evaluation.baselines import oracle, regimen_prior
from oncoraft.evaluation.discrimination import (
    auroc,
    auroc_within,
    bootstrap,
    interval,
    mean_over_folds,
    patient_weights,
    ranking,
    told_interval,
)


def test_the_deterministic_set_has_its_golden_value() -> None:
    i = np.arange(1, 1001)
    lp = -1 + 2 * np.sin(i / 7) + 0.5 * np.cos(i / 3)
    y = ((7919 * i) % 1000) / 1000 < 1 / (1 + np.exp(-(0.3 + 0.7 * lp)))
    assert y.mean() == pytest.approx(0.419)
    assert auroc(1 / (1 + np.exp(-lp)), y) == pytest.approx(0.7568220376, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_weights_are_repetitions_ties_count_half_and_reversal_mirrors(seed: int) -> None:
    draw = np.random.default_rng(seed)
    score, y, w = draw.integers(0, 6, 40) / 5, draw.random(40) < 0.4, draw.integers(0, 3, 40)
    y[:2] = [True, False]
    w[:2] = 1
    assert auroc(score, y, w) == pytest.approx(roc_auc_score(np.repeat(y, w), np.repeat(score, w)))
    assert auroc(-score, y) == pytest.approx(1 - auroc(score, y))


def test_within_group_auroc_is_blind_to_shifts_between_groups() -> None:
    draw = np.random.default_rng(1)
    group = draw.integers(0, 5, 300)
    y = draw.random(300) < 0.2 + 0.1 * group
    score = draw.normal(size=300) + y
    assert auroc_within(score + 10 * group, y, group) == pytest.approx(auroc_within(score, y, group))
    assert auroc(score + 10 * group, y) != pytest.approx(auroc(score, y), abs=0.01)


def test_one_class_gives_no_number() -> None:
    assert np.isnan(auroc(np.array([0.1, 0.2]), np.array([True, True])))


def test_the_bootstrap_draws_patients_whole_and_within_their_fold() -> None:
    patient = np.array(["a", "a", "b", "c", "d", "d"])
    fold = np.array([0, 0, 0, 1, 1, 1])
    weights = patient_weights(patient, fold, 200, seed=3)
    assert np.all(weights[:, 0] == weights[:, 1])
    assert np.all(weights[:, 4] == weights[:, 5])
    assert np.all(weights[:, 0] + weights[:, 2] == 2)
    assert np.all(weights[:, 3] + weights[:, 4] == 2)


def test_the_percentile_interval_leaves_out_failed_resamples() -> None:
    assert interval(np.array([*np.linspace(0, 1, 101), np.nan]), 0.9) == pytest.approx((0.05, 0.95))


def test_the_regimen_prior_shrinks_to_the_cancer_type() -> None:
    train = pd.DataFrame({"cancer_type": ["A"] * 5, "regimen": ["x"] * 2 + ["y"] * 3, "responder": [True, True, False, False, True]})
    held_out = pd.DataFrame({"cancer_type": ["A", "A", "B"], "regimen": ["x", "z", "x"]})
    # cancer type A: 3 of 5; regimen x: (2 + 10 * 0.6) / (2 + 10); unseen regimen: 0.6; unseen cancer type: the regimen elsewhere
    assert regimen_prior(train, held_out, 10).tolist() == pytest.approx([8 / 12, 0.6, 8 / 12])


def test_the_regimen_prior_tells_regimens_apart_in_a_cancer_type_that_is_held_out() -> None:
    train = pd.DataFrame({"cancer_type": ["A"] * 40, "regimen": ["x", "y"] * 20, "responder": [True, False] * 20})
    held_out = pd.DataFrame({"cancer_type": ["B"] * 3, "regimen": ["x", "y", "z"]})
    assert regimen_prior(train, held_out, 20).tolist() == pytest.approx([30 / 40, 10 / 40, 0.5])


def test_the_oracle_is_joined_by_patient_and_start_within_three_days() -> None:
    cases = pd.DataFrame({"case_id": ["p_+0", "p_+90", "q_+5"], "patient_id": ["p", "p", "q"], "index_day": [0, 90, 5]})
    truth = pd.DataFrame({"patient_id": ["p", "p", "q"], "start_day": [2, 200, 5], "probability": [0.1, 0.2, 0.3]})
    found = oracle(cases, truth).set_index("case_id")["score"].to_dict()
    assert found == {"p_+0": 0.1, "q_+5": 0.3}


def test_a_matrix_of_weights_gives_what_its_rows_give_one_by_one() -> None:
    draw = np.random.default_rng(4)
    score, y, fold = draw.integers(0, 9, 60) / 8, draw.random(60) < 0.4, draw.integers(0, 3, 60)
    group, weights = draw.integers(0, 4, 60), draw.integers(0, 3, (25, 60))
    assert auroc(score, y, weights) == pytest.approx([float(auroc(score, y, row)) for row in weights])
    assert auroc_within(score, y, group, weights) == pytest.approx([float(auroc_within(score, y, group, row)) for row in weights])
    mean = mean_over_folds(lambda index, weight: auroc(score[index], y[index], weight), fold)
    assert bootstrap(mean, weights) == pytest.approx([float(mean(row)) for row in weights])


def test_groups_of_every_size_give_one_auroc_each_whichever_way_they_are_counted() -> None:
    """A matrix product, sorted sums and all groups at once are three ways to one number."""
    draw = np.random.default_rng(8)
    score, positive, weight = draw.integers(0, 40, 900) / 40, draw.random(900) < 0.4, draw.poisson(1, (7, 900)).astype(np.int16)
    for groups in (1, 6, 300):
        group = np.arange(900) % groups
        found = ranking(score, positive, group, weight).auroc
        again = ranking(np.stack([score, 1 - score]), positive, group, weight).auroc
        with_precision = ranking(score, positive, group, weight, with_precision=True)
        for k in range(min(groups, 9)):
            inside = group == k
            wanted = auroc(score[inside], positive[inside], weight[:, inside].astype(float))
            for told in (found[:, k], again[0, :, k], 1 - again[1, :, k], with_precision.auroc[:, k]):
                assert told == pytest.approx(wanted, abs=1e-6, nan_ok=True)
    column = np.arange(900)[::-1]
    assert ranking(score, positive, np.zeros(900), weight, column=column).auroc == pytest.approx(
        ranking(score, positive, np.zeros(900), weight[:, ::-1]).auroc
    )


def test_average_precision_is_that_of_scikit_learn() -> None:
    draw = np.random.default_rng(9)
    score, positive = draw.integers(0, 60, 500) / 60, draw.random(500) < 0.3
    weight = draw.poisson(1, (3, 500)).astype(np.int16)
    found = ranking(score, positive, np.zeros(500), weight, with_precision=True).auprc[:, 0]
    assert found == pytest.approx([average_precision_score(positive, score, sample_weight=row) for row in weight], abs=1e-6)
    assert ranking(score, positive, np.zeros(500), None, True).auprc[0] == pytest.approx(
        average_precision_score(positive, score), abs=1e-12
    )


def test_resamples_without_a_value_are_counted_beside_the_interval_and_too_few_give_none() -> None:
    samples = np.linspace(0, 1, 100)
    assert told_interval(samples, 0.95)[2] == ""
    samples[:40] = np.nan
    lower, upper, note = told_interval(samples, 0.95)
    assert (lower, upper) == pytest.approx(tuple(np.quantile(samples[40:], [0.025, 0.975])))
    assert note == "interval of the 60 of 100 resamples that have a value"
    samples[:51] = np.nan
    assert told_interval(samples, 0.95) == (None, None, "no interval: 49 of 100 resamples have a value")
