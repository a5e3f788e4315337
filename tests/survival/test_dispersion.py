"""How much more an estimate of a Cox model varies than the model tells."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, f

from oncoraft.survival.adjusted import gain
from oncoraft.survival.cox import fit_cox
from oncoraft.survival.dispersion import NONE, dispersion, due_of
from oncoraft.survival.risk_sets import Subjects


def test_the_squares_of_residuals_are_due_one_less_the_squared_shares_at_each_death() -> None:
    subjects = Subjects(np.zeros(4), np.array([1.0, 2, 3, 4]), np.array([True, True, False, True]))
    # Risks 1, 1, 2, 1: at the first death 1 - (1 + 1 + 4 + 1) / 25, at the second 1 - (1 + 4 + 1) / 16, at the last none beside.
    assert due_of(np.log([1.0, 1, 2, 1]), subjects, np.zeros(4, dtype=int)) == pytest.approx([18 / 25 + 10 / 16])
    assert due_of(np.zeros(4), subjects, np.array([0, 1, 1, 0])) == pytest.approx([1 / 2, 1 / 2])


def fitted(seed: int, covariates: int = 1, drift: float = 0.0, n: int = 110) -> tuple[float, float]:
    """Wald chi-squared of a score of noise, and its dispersion, where the hazard grows by `drift` with something that the model does not know."""
    draw = np.random.default_rng(seed)
    unknown, x, fold = draw.normal(size=n), draw.normal(size=(n, covariates + 1)), np.arange(n) % 5
    death, lost = draw.exponential(1 / np.exp(0.5 * x[:, 0] + drift * unknown)), draw.uniform(0, 4, n)
    # Who is late to enter has a higher hazard: what the model takes for one law within a stratum is several.
    entry = np.where(draw.random(n) < 0.5, 0.2 * np.exp(drift * unknown) * (drift > 0), 0.0)
    seen = np.minimum(death, lost) > entry
    subjects = Subjects(entry[seen], np.minimum(death, lost)[seen], (death <= lost)[seen])
    table = pd.DataFrame(x, columns=[*map(str, range(covariates)), "score"])[seen]
    fit = fit_cox(subjects, table.to_numpy(), list(table), fold[seen])
    ratio = fit.hazard_ratio("score")
    assert ratio is not None
    return (ratio.coefficient / ratio.standard_error) ** 2, dispersion(fit, "score", table, subjects, fold[seen]).factor


def test_it_is_near_one_under_the_model_and_above_it_with_many_covariates_or_a_hazard_that_depends_on_more() -> None:
    right, many, wrong = (np.array([fitted(seed, *how) for seed in range(1000, 1200)]) for how in ((1,), (14,), (1, 1.2)))
    assert right[:, 1].min() >= 1
    assert right[:, 1].mean() < 1.1
    assert wrong[:, 1].mean() > right[:, 1].mean() + 0.03
    # 70 deaths and 15 coefficients: the mean chi-squared of nothing is 1.23, by as much above 1 as the factor says (900 seeds); that of 200 spreads by 0.12.
    assert 1.15 < many[:, 1].mean() < 1.35
    assert np.mean(many[:, 0] / many[:, 1]) == pytest.approx(1, abs=0.25)


def test_an_estimate_without_end_or_that_is_left_out_has_a_factor_of_one() -> None:
    subjects = Subjects(np.zeros(6), np.arange(1.0, 7.0), np.ones(6, dtype=bool))
    table = pd.DataFrame({"x": [6.0, 5, 4, 3, 2, 1], "score": [1.0] * 6})
    fit = fit_cox(subjects, table.to_numpy(), list(table))
    assert fit.separated == ("x",)
    for name in table:
        assert dispersion(fit, name, table, subjects, np.zeros(6, dtype=int)) == (1, np.inf)


def test_the_gain_carries_it_in_statistic_and_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    n = 160
    leave, age = draw.exponential(400, n), draw.normal(62, 9, n)
    rows = pd.DataFrame(
        {"entry_days": 0.0, "exit_days": leave, "event": True, "score": draw.uniform(0.1, 0.9, n), "fold": np.arange(n) % 4}
    )
    rows = rows.assign(index_day=0, age=age)
    told = gain(rows, intended=("age",), states=False)
    monkeypatch.setattr("oncoraft.survival.adjusted.dispersion", lambda *_: NONE)
    plain = gain(rows, intended=("age",), states=False)
    assert plain["dispersion"] == 1 < told["dispersion"]
    assert told["likelihood_ratio_chi2"] == pytest.approx(plain["likelihood_ratio_chi2"] / told["dispersion"])
    # Statistics over a dispersion that is estimated are F's; deaths less coefficients are its degrees of freedom.
    assert told["dispersion_df"] == n - len(told["adjusted_for"]) - 1
    assert told["likelihood_ratio_p"] == pytest.approx(f.sf(told["likelihood_ratio_chi2"], 1, told["dispersion_df"]))
    assert plain["likelihood_ratio_p"] == pytest.approx(chi2.sf(plain["likelihood_ratio_chi2"], 1))
    reach = [np.log(found["adjusted_upper"] / found["adjusted_lower"]) for found in (plain, told)]
    assert reach[1] == pytest.approx(reach[0] * np.sqrt(told["dispersion"]))
