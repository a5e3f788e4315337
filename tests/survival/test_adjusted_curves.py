"""Curves of both score groups with the covariates of the whole regimen: against lifelines, by hand under delayed entry, and with a known truth."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from oncoraft.survival.adjusted import subjects_of
from oncoraft.survival.adjusted_curves import adjusted_survival, relative_risks
from oncoraft.survival.cox import fit_cox
from oncoraft.survival.records import group_curves


def cases(seed: int, n: int = 400, *, entry: bool = False) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Follow-up, the low group and two covariates: the first decides both survival and, mostly, the group."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 2))
    low = x[:, 0] + draw.normal(size=n) > 0
    death, censored = draw.exponential(600 * np.exp(-x[:, 0] + 0.3 * x[:, 1])), draw.exponential(1200, n)
    leave = np.minimum(death, censored)
    begin = np.where(draw.random(n) < 0.5, leave * draw.uniform(0, 0.5, n), 0.0) if entry else np.zeros(n)
    group = pd.DataFrame({"entry_days": begin, "exit_days": leave, "event": death <= censored})
    return group, low, pd.DataFrame(x, columns=["a", "b"])


def curves_of(group: pd.DataFrame, low: np.ndarray) -> dict:
    subjects = subjects_of(group)
    return group_curves({"high": subjects.where(~low), "low": subjects.where(low)})


def test_without_delayed_entry_they_are_lifelines_mean_over_the_cases() -> None:
    group, low, table = cases(1)
    curves = curves_of(group, low)
    found = adjusted_survival(group, low, curves, table)
    data = table.assign(low=low.astype(int), time=group["exit_days"], event=group["event"])
    fitted = CoxPHFitter().fit(data, "time", "event", strata=["low"], fit_options={"precision": 1e-12})
    for name, code in (("high", 0), ("low", 1)):
        times = curves[name].times
        expected = fitted.predict_survival_function(data.assign(low=code), times=times).mean(axis=1).to_numpy()
        np.testing.assert_allclose(found[name], expected, atol=1e-6)


def test_under_delayed_entry_they_are_what_the_definition_says() -> None:
    group, low, table = cases(2, 120, entry=True)
    curves = curves_of(group, low)
    found = adjusted_survival(group, low, curves, table)
    fit = fit_cox(subjects_of(group), table.to_numpy(), ["a", "b"], low.astype(int))
    risk = np.exp(table.to_numpy() @ fit.coefficients)
    begin, leave, died = (group[name].to_numpy() for name in ("entry_days", "exit_days", "event"))
    for name, mask in (("high", ~low), ("low", low)):
        hazard, values = 0.0, []
        for time in curves[name].times:
            at_risk = mask & (begin < time) & (leave >= time)
            hazard += (died & mask & (leave == time)).sum() / risk[at_risk].sum()
            values.append(np.mean([np.exp(-hazard * one) for one in risk]))
        np.testing.assert_allclose(found[name], values, atol=1e-9)


@pytest.mark.parametrize("entry", [False, True])
def test_groups_that_differ_by_a_covariate_alone_have_one_curve(entry: bool) -> None:
    group, low, table = cases(3, 6000, entry=entry)
    curves = curves_of(group, low)
    found = adjusted_survival(group, low, curves, table)
    at = 500.0
    raw = [curves[name].at(at) for name in ("high", "low")]
    adjusted = [found[name][np.searchsorted(curves[name].times, at, side="right") - 1] for name in ("high", "low")]
    assert abs(raw[0] - raw[1]) > 0.25
    assert abs(adjusted[0] - adjusted[1]) < 0.03


def test_without_covariates_they_are_the_groups_own_hazards() -> None:
    group, low, table = cases(4, 150, entry=True)
    curves = curves_of(group, low)
    found = adjusted_survival(group, low, curves, table[[]])
    for name in ("high", "low"):
        np.testing.assert_allclose(found[name], np.exp(-np.cumsum(curves[name].events / curves[name].at_risk)), atol=1e-12)


def test_a_covariate_that_separates_counts_for_nothing() -> None:
    group, low, table = cases(5, 200)
    never = table.assign(c=np.where(group["event"], 0.0, np.arange(200) % 2))  # nobody with it dies
    subjects = subjects_of(group)
    np.testing.assert_allclose(relative_risks(subjects, never, low), relative_risks(subjects, table, low), rtol=1e-6)
