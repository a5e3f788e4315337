"""Cox models of many covariates against R, against lifelines taken to its end, and where a maximum is far, flat or missing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.datasets import load_lung, load_rossi, load_stanford_heart_transplants

from oncoraft.survival.cox import CONSTANT, NOT_ESTIMABLE, cox, fit_cox, robust_covariance
from oncoraft.survival.partial_likelihood import PartialLikelihood
from oncoraft.survival.proportional import proportional_hazards, proportionality
from oncoraft.survival.risk_sets import Subjects

from .test_core import delayed  # noqa: F401


def right_censored(exit_time: pd.Series, event: pd.Series) -> Subjects:
    return Subjects(np.zeros(len(event)), exit_time.to_numpy(float), event.to_numpy(bool))


def test_several_covariates_equal_r() -> None:
    rossi = load_rossi()
    names = [name for name in rossi if name not in ("week", "arrest")]
    found = fit_cox(right_censored(rossi["week"], rossi["arrest"]), rossi[names].to_numpy(float), names)
    estimates = dict(zip(found.names, found.coefficients))
    assert [estimates[name] for name in ("fin", "age", "prio")] == pytest.approx([-0.37942217, -0.05743774, 0.09149708], abs=1e-6)
    assert found.hazard_ratio("fin").standard_error == pytest.approx(0.19137948, abs=1e-6)
    assert 2 * (found.log_likelihood - found.null_log_likelihood) == pytest.approx(33.26595, abs=1e-4)
    lung = load_lung().dropna(subset=["ph.ecog"])
    found = fit_cox(
        right_censored(lung["time"], lung["status"]), lung[["age", "sex", "ph.ecog"]].to_numpy(float), ["age", "sex", "performance"]
    )
    assert np.exp(found.coefficients) == pytest.approx([1.0111282, 0.5754446, 1.5899912], abs=1e-6)


def test_delayed_entry_equals_r(delayed) -> None:  # noqa: F811
    subjects, group, x = delayed
    found = fit_cox(subjects, np.column_stack([group, x]), ["group", "x"])
    assert found.coefficients == pytest.approx([-0.926678091, -0.002639896], abs=1e-6)
    heart = load_stanford_heart_transplants()
    intervals = Subjects(heart["start"].to_numpy(float), heart["stop"].to_numpy(float), heart["event"].to_numpy(bool))
    names = ["age", "year", "surgery", "transplant"]
    found = fit_cox(intervals, heart[names].to_numpy(float), names)
    assert found.coefficients == pytest.approx([0.02716664, -0.14634635, -0.63720989, -0.01025077], abs=1e-6)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_strata_ties_and_delayed_entry_equal_lifelines_at_its_limit(seed: int) -> None:
    draw = np.random.default_rng(seed)
    n = int(draw.integers(80, 200))
    x = np.column_stack([draw.normal(60, 10, n), draw.random(n) < 0.4, draw.normal(size=n)])
    entry = np.where(draw.random(n) < 0.5, draw.integers(0, 20, n), 0)
    subjects = Subjects(entry, entry + draw.integers(1, 25, n), draw.random(n) < 0.7)
    strata = draw.integers(0, 3, n)
    found = fit_cox(subjects, x, ["a", "b", "c"], strata)
    table = pd.DataFrame(x, columns=["a", "b", "c"]).assign(entry=subjects.entry, exit=subjects.exit, event=subjects.event, stratum=strata)
    other = CoxPHFitter().fit(table, "exit", "event", entry_col="entry", strata=["stratum"], fit_options={"precision": 1e-12})
    assert found.coefficients == pytest.approx(other.params_.to_numpy(), abs=1e-6)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(other.standard_errors_.to_numpy(), abs=1e-6)
    assert found.log_likelihood == pytest.approx(other.log_likelihood_, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.floats(0.001, 1000))
def test_moving_and_scaling_a_covariate_only_scales_its_coefficient(seed: int, scale: float, size: float) -> None:
    draw = np.random.default_rng(seed)
    subjects = Subjects(np.zeros(60), draw.integers(1, 50, 60), draw.random(60) < 0.7)
    x = draw.normal(size=60)
    one, other = cox(subjects, x), cox(subjects, 1000 * scale + size * x)
    assert other.coefficient * size == pytest.approx(one.coefficient, abs=1e-5)
    assert other.p == pytest.approx(one.p, rel=1e-4)


def test_a_covariate_far_from_zero_with_outliers_has_its_maximum() -> None:
    subjects = Subjects(np.zeros(4), np.array([2.0, 1, 4, 3]), np.ones(4))
    assert cox(subjects, np.array([0.1, 0.2, 30.5, 3.0])).coefficient == pytest.approx(-1.5179, abs=1e-4)


def test_a_hazard_that_rises_with_the_time_of_entry_is_always_estimated() -> None:
    for seed in range(30):
        draw = np.random.default_rng(seed)
        entry = np.where(draw.random(370) < 0.38, np.round(draw.gamma(1.2, 600, 370)) + 1, 0)
        death = draw.exponential(1 / np.minimum(0.0001 * np.exp(0.10 * entry / 30.4375), 1))
        lost = draw.uniform(100, 3000, 370)
        subjects = Subjects(entry, np.floor(entry + 1 + np.minimum(death, lost)) + 1, death <= lost)
        found = cox(subjects, entry / 30.4375, np.arange(370) % 5)
        assert found is not None
        assert found.coefficient == pytest.approx(0.1, abs=0.03)


def test_what_the_columns_before_tell_is_left_out_by_name_and_changes_nothing_else(delayed) -> None:  # noqa: F811
    subjects, group, x = delayed
    fold = x % 3
    names = ["x", "constant", "group", "not_group", "fold"]
    found = fit_cox(subjects, np.column_stack([x, np.ones(len(x)), group, ~group, fold]), names, strata=fold)
    assert found.names == ("x", "group")
    assert found.dropped == {"constant": CONSTANT, "not_group": NOT_ESTIMABLE, "fold": NOT_ESTIMABLE}
    alone = fit_cox(subjects, np.column_stack([x, group]), ["x", "group"], strata=fold)
    assert found.coefficients == pytest.approx(alone.coefficients, abs=1e-12)


def test_a_covariate_that_separates_is_named_and_the_others_keep_their_estimate() -> None:
    draw = np.random.default_rng(3)
    n = 200
    x, never_dies = draw.normal(size=n), draw.random(n) < 0.1
    subjects = Subjects(np.zeros(n), draw.exponential(100 / np.exp(0.5 * x)), ~never_dies & (draw.random(n) < 0.8))
    found = fit_cox(subjects, np.column_stack([x, never_dies]), ["x", "never_dies"])
    assert found.separated == ("never_dies",)
    assert found.hazard_ratio("never_dies") is None
    # The limit of the profile: who never dies leaves the risk sets.
    without = cox(subjects.where(~never_dies), x[~never_dies])
    assert found.hazard_ratio("x").coefficient == pytest.approx(without.coefficient, abs=1e-4)


def test_no_event_estimates_nothing_and_does_not_fail() -> None:
    subjects = Subjects(np.zeros(5), np.arange(1.0, 6), np.zeros(5))
    found = fit_cox(subjects, np.arange(5.0), ["x"])
    assert (found.names, found.hazard_ratio("x")) == ((), None)


def test_case_weights_count_as_rows_where_no_deaths_are_tied() -> None:
    draw = np.random.default_rng(5)
    n = 40
    subjects = Subjects(draw.integers(0, 3, n), 4 + draw.permutation(n), np.ones(n))
    x, weights = draw.normal(size=(n, 2)), draw.integers(0, 3, (n, 4))
    beta = draw.normal(size=(4, 2)) / 3
    weighted = PartialLikelihood(subjects, x, None, weights).evaluate(beta)
    for row in range(4):
        unit = PartialLikelihood(subjects, x).evaluate(beta[row : row + 1])
        of_row = PartialLikelihood(subjects, x, None, weights[:, row : row + 1]).evaluate(beta[row : row + 1])
        assert of_row.value[0] == pytest.approx(weighted.value[row])
        assert of_row.information[0] == pytest.approx(weighted.information[row])
        assert unit.value[0] != pytest.approx(weighted.value[row])
    # Subjects of weight 0 are as good as absent.
    kept = weights[:, 0] > 0
    part = PartialLikelihood(subjects.where(kept), x[kept], None, weights[kept, :1]).evaluate(beta[:1])
    assert part.value[0] == pytest.approx(weighted.value[0])
    assert part.gradient[0] == pytest.approx(weighted.gradient[0])


def test_gradient_and_information_are_the_derivatives_of_the_likelihood(delayed) -> None:  # noqa: F811
    subjects, group, x = delayed
    likelihood = PartialLikelihood(subjects, np.column_stack([group, (x - x.mean()) / x.std()]), x % 2)
    at, step = np.array([[0.3, -0.2]]), 1e-5
    found = likelihood.evaluate(at)
    for j in range(2):
        move = step * np.eye(2)[[j]]
        up, down = likelihood.evaluate(at + move), likelihood.evaluate(at - move)
        assert (up.value - down.value)[0] / (2 * step) == pytest.approx(found.gradient[0, j], rel=1e-6)
        assert -(up.gradient - down.gradient)[0] / (2 * step) == pytest.approx(found.information[0, j], rel=1e-5)


def test_every_time_scale_of_the_test_of_proportional_hazards_equals_r(delayed) -> None:  # noqa: F811
    lung = load_lung()
    subjects, women = right_censored(lung["time"], lung["status"]), lung["sex"].to_numpy() == 2
    assert proportional_hazards(subjects, women) == pytest.approx((2.863235, 0.090625), abs=1e-6)
    assert proportional_hazards(subjects, women, transform="identity") == pytest.approx((2.982114, 0.084189), abs=1e-6)
    for scale, expected in (("rank", 2.621082), ("log", 2.517790)):
        assert proportional_hazards(subjects, women, transform=scale)[0] == pytest.approx(expected, abs=1e-6)
    assert proportional_hazards(delayed[0], delayed[1], transform="identity")[0] == pytest.approx(1.517389053, abs=1e-6)


def test_proportional_hazards_of_several_covariates_equal_r() -> None:
    rows = load_rossi()
    names = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    subjects, x = right_censored(rows["week"], rows["arrest"]), rows[names].to_numpy(float)
    found = proportionality(subjects, x, fit_cox(subjects, x, names).coefficients)
    assert found.each == pytest.approx([0.0624, 5.9740, 2.0683, 4.2246, 1.0110, 0.0184, 0.5206], abs=5e-5)
    # All together is as much for any coding of the same covariates.
    mixed = x @ np.triu(np.ones((7, 7)))
    assert found.together == pytest.approx(proportionality(subjects, mixed, fit_cox(subjects, mixed, names).coefficients).together)


def test_standard_errors_of_clusters_equal_r(delayed) -> None:  # noqa: F811
    subjects, group, _ = delayed
    i = np.arange(1, 201)
    keep = np.where(i % 3 == 0, 0, (i * 53) % 61) < 1 + (i * 37) % 97 + 20 * (i % 2)
    fit = fit_cox(subjects, group, ["group"])
    found = robust_covariance(subjects, group, fit, i[keep] % 50)
    assert np.sqrt(found[0, 0]) == pytest.approx(0.3178841815, abs=1e-6)
    likelihood = PartialLikelihood(subjects, group[:, None].astype(float))
    assert likelihood.score_residuals(fit.coefficients).sum() == pytest.approx(0, abs=1e-6)


def test_models_of_the_same_subjects_keep_to_their_own_strata(delayed) -> None:  # noqa: F811
    subjects, group, strata = delayed
    halves = np.arange(len(group)) % 2
    for labels in (None, halves, strata, halves, None):
        fresh = Subjects(subjects.entry, subjects.exit, subjects.event)
        assert fit_cox(subjects, group, ["group"], labels).coefficients == fit_cox(fresh, group, ["group"], labels).coefficients
    by_half, whole = (fit_cox(subjects, group, ["group"], labels).coefficients for labels in (halves, None))
    assert by_half != whole
