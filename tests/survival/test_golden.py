"""Numbers of R 4.2.2 (survival 3.5-3), to 1e-6, that no other test of this folder holds."""

import numpy as np
import pytest
from lifelines.datasets import load_lung, load_rossi, load_waltons

from oncoraft.survival.concordance import concordance, uno_weights
from oncoraft.survival.cox import cox, fit_cox
from oncoraft.survival.curves import kaplan_meier
from oncoraft.survival.restricted_mean import restricted_mean, restricted_mean_difference
from oncoraft.survival.risk_sets import Array, Subjects, at_risk, log_rank

from .test_core import delayed  # noqa: F401


@pytest.fixture(scope="module")
def lung() -> tuple[Subjects, Array]:
    rows = load_lung()
    return Subjects(np.zeros(len(rows)), rows["time"].to_numpy(float), rows["status"].to_numpy()), rows["sex"].to_numpy() == 2


def test_lung_by_sex(lung) -> None:
    subjects, women = lung
    found = cox(subjects, women)
    assert (found.ratio, *found.interval) == pytest.approx((0.5880028, 0.4237178, 0.8159848), abs=1e-6)
    assert found.p == pytest.approx(0.001491229, rel=1e-4)
    fit = fit_cox(subjects, women[:, None], ["women"])
    assert 2 * (fit.log_likelihood - fit.null_log_likelihood) == pytest.approx(10.63360, abs=1e-5)
    assert log_rank(subjects, women)[1] == pytest.approx(0.001311164520, rel=1e-6)
    men, other = (kaplan_meier(subjects.where(mask)) for mask in (~women, women))
    assert [men.at(day) for day in (180, 365, 730)] == pytest.approx([0.644465, 0.336088, 0.078124], abs=1e-6)
    assert [other.at(day) for day in (180, 365, 730)] == pytest.approx([0.842402, 0.526463, 0.187232], abs=1e-6)
    assert (other.median(), *other.median_interval()) == (426, 345, 524)


def test_lung_by_sex_within_performance_status_and_three_covariates() -> None:
    rows = load_lung().dropna(subset=["ph.ecog"])
    subjects = Subjects(np.zeros(len(rows)), rows["time"].to_numpy(float), rows["status"].to_numpy())
    women, status = rows["sex"].to_numpy() == 2, rows["ph.ecog"].to_numpy()
    assert log_rank(subjects, women, status) == pytest.approx((10.79505963, 0.001017713), abs=1e-6)
    assert cox(subjects, women, status).coefficient == pytest.approx(-0.5543644581, abs=1e-6)
    x = np.column_stack([rows["age"], women, status])
    fit = fit_cox(subjects, x, ["age", "women", "status"])
    assert concordance(subjects, x @ fit.coefficients).estimate == pytest.approx(0.637135493, abs=1e-6)


def test_restricted_means_of_lung_to_two_years_and_of_waltons(lung) -> None:
    found = restricted_mean_difference(*lung, 730)
    assert (found.estimate, found.p) == (pytest.approx(123.58744, abs=1e-5), pytest.approx(0.0002146058, rel=1e-4))
    rows = load_waltons()
    subjects = Subjects(np.zeros(len(rows)), rows["T"].to_numpy(float), rows["E"].to_numpy())
    treated = rows["group"].to_numpy() == "miR-137"
    assert log_rank(subjects, treated)[0] == pytest.approx(122.2491256, abs=1e-6)
    means = [restricted_mean(kaplan_meier(subjects.where(mask)), 10) for mask in (treated, ~treated)]
    assert means == [pytest.approx((9.794117647, 0.123244853), abs=1e-6), pytest.approx((9.97674419, 0.0231654998), abs=1e-6)]
    assert restricted_mean_difference(subjects, treated, 10).p == pytest.approx(0.145305245, abs=1e-6)


def test_the_rest_of_the_set_with_delayed_entry(delayed) -> None:  # noqa: F811
    subjects, group, x = delayed
    naive = subjects.without_delayed_entry()
    assert group.sum() == 94
    assert subjects.event[group].sum() == 56
    for mine, counts in ((~group, [46, 48, 48, 39, 18]), (group, [55, 55, 59, 58, 39])):
        part = subjects.where(mine)
        # Of a time between exits R tells the number at the next exit; ours is that of the time itself (docs/survival.md).
        following = [part.exit[part.exit >= time].min() for time in (10, 20, 40, 60, 80)]
        assert at_risk(part, np.array(following)).tolist() == counts
    assert at_risk(subjects.where(~group), np.array([10])).tolist() == [39]
    assert cox(subjects, group).ratio == pytest.approx(0.3952787, abs=1e-6)
    assert log_rank(naive, group, x % 3)[0] == pytest.approx(24.78081895, abs=1e-6)
    assert cox(subjects, subjects.entry).coefficient == pytest.approx(-0.003055054, abs=1e-6)
    for horizon, estimate, error in ((40, 2.823929, 1.045475), (80, 10.640704, 3.164153)):
        found = restricted_mean_difference(naive, group, horizon)
        assert (found.estimate, found.standard_error) == pytest.approx((estimate, error), abs=1e-6)
    for horizon, estimate, error in ((40, 4.843384, 1.804378), (80, 13.618544, 4.282268)):
        found = restricted_mean_difference(subjects, group, horizon)
        assert (found.estimate, found.standard_error) == pytest.approx((estimate, error), abs=1e-6)


def test_concordance_weighted_by_the_chance_to_be_uncensored_equals_r(lung, delayed) -> None:  # noqa: F811
    subjects, age = lung[0], load_lung()["age"].to_numpy(float)
    assert concordance(subjects, age).estimate == pytest.approx(0.5502398, abs=1e-6)
    assert concordance(subjects, age, weights=uno_weights(subjects)).estimate == pytest.approx(0.5492307, abs=1e-6)
    naive = delayed[0].without_delayed_entry()
    assert concordance(naive, -delayed[2], weights=uno_weights(naive)).estimate == pytest.approx(0.4661093856, abs=1e-6)
    with pytest.raises(ValueError, match="from the start"):
        uno_weights(delayed[0])


def test_rossi_by_financial_aid_and_the_concordance_of_the_full_model() -> None:
    rows = load_rossi()
    subjects = Subjects(np.zeros(len(rows)), rows["week"].to_numpy(float), rows["arrest"].to_numpy())
    aided = rows["fin"].to_numpy() == 1
    assert cox(subjects, aided).ratio == pytest.approx(0.6913776, abs=1e-6)
    assert log_rank(subjects, aided) == (pytest.approx(3.837570, abs=1e-6), pytest.approx(0.0501161, abs=1e-6))
    names = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    fit = fit_cox(subjects, rows[names].to_numpy(float), names)
    assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(0.19137948, abs=1e-7)
    assert concordance(subjects, np.round(rows[names].to_numpy(float) @ fit.coefficients, 9)).estimate == pytest.approx(0.6403292, abs=1e-6)
