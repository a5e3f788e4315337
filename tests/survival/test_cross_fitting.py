"""Scores out of fold have trained one another: the variance that this adds is known, in a simulation and in the files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from oncoraft.survival.adjusted import gain
from oncoraft.survival.cox import HazardRatio, fit_cox
from oncoraft.survival.cross_fitting import TARGET, variance_inflation, widened
from oncoraft.survival.risk_sets import Subjects

from .test_further import simulated
from .test_stratify import N, survival, write_study, write_tables


def test_martingale_residuals_equal_lifelines_and_under_delayed_entry_their_definition() -> None:
    draw = np.random.default_rng(1)
    n = 120
    entry, stratum = np.where(draw.random(n) < 0.4, draw.uniform(0, 2, n), 0), draw.integers(0, 3, n)
    x, leave, event = draw.normal(size=(n, 2)), entry + draw.exponential(3, n), draw.random(n) < 0.7
    table = pd.DataFrame(x, columns=["a", "b"]).assign(leave=leave, event=event)
    other = CoxPHFitter().fit(table, "leave", "event", fit_options={"precision": 1e-12})
    theirs = other.compute_residuals(table, "martingale").sort_index()["martingale"].to_numpy()
    assert fit_cox(Subjects(0 * entry, leave, event), x, ["a", "b"]).residuals == pytest.approx(theirs, abs=1e-6)
    # Under delayed entry: the deaths less the sum over the risk sets that each was in (Therneau and Grambsch 2000, section 4.2).
    fit = fit_cox(Subjects(entry, leave, event), x, ["a", "b"], stratum)
    risk, expected = np.exp(x @ fit.coefficients), np.zeros(n)
    for death in np.flatnonzero(event):
        at_risk = (stratum == stratum[death]) & (entry < leave[death]) & (leave >= leave[death])
        expected += at_risk * risk / risk[at_risk].sum()
    assert fit.residuals == pytest.approx(event - expected, abs=1e-9)
    assert np.bincount(stratum, fit.residuals) == pytest.approx(0, abs=1e-9)


def frame(label: np.ndarray, folds: int = 2) -> pd.DataFrame:
    return pd.DataFrame({TARGET: label, "fold": np.arange(len(label)) % folds})


def test_the_factor_is_one_more_than_the_squared_correlation() -> None:
    residuals, none = np.array([-1.0, 1.0, -1.0, 1.0]), np.zeros(4, dtype=int)
    assert variance_inflation(frame(np.array([0.0, 1.0, 0.0, 1.0])), residuals, none) == pytest.approx(2)
    assert variance_inflation(frame(np.array([0.0, 0.0, 1.0, 1.0])), residuals, none) == pytest.approx(1)
    # Who has no label trained nobody: half of the residuals have no partner.
    assert variance_inflation(frame(np.array([0.0, 1.0, np.nan, np.nan])), residuals, none) == pytest.approx(1.5)
    assert variance_inflation(frame(np.array([0.0, 1.0, 0.0, 1.0])), residuals, np.array([0, 1, 0, 1])) == 1


def test_one_fold_needs_no_factor_and_without_labels_there_is_none() -> None:
    label, residuals = np.array([0.0, 1.0, 0.0, 1.0]), np.array([-1.0, 1.0, -1.0, 1.0])
    assert variance_inflation(frame(label, folds=1), residuals, np.zeros(4, dtype=int)) == 1
    assert variance_inflation(frame(label).drop(columns=TARGET), residuals, np.zeros(4, dtype=int)) is None
    found = HazardRatio(0.5, 0.2)
    assert widened(found, None) is found
    assert widened(found, 1.44).standard_error == pytest.approx(0.24)


def cross_fitted(seed: int, n: int = 200, features: int = 60) -> tuple[HazardRatio, float]:
    """A ridge regression of "alive at 0.7" on noise, out of fold, and its hazard ratio a standard deviation, truly 1."""
    draw = np.random.default_rng(seed)
    x, death, lost = draw.normal(size=(n, features)), draw.exponential(1, n), draw.uniform(0.5, 3, n)
    label, fold, score = (death > 0.7).astype(float), np.arange(n) % 5, np.zeros(n)
    for held_out in range(5):
        train, own = fold != held_out, fold == held_out
        inner = x[train] @ x[train].T + n * np.eye(train.sum())
        score[own] = x[own] @ x[train].T @ np.linalg.solve(inner, label[train] - label[train].mean())
    subjects = Subjects(np.zeros(n), np.minimum(death, lost), death <= lost)
    fit = fit_cox(subjects, score / score.std(), ["score"], fold)
    base = fit_cox(subjects, np.zeros((n, 0)), [], fold)
    factor = variance_inflation(pd.DataFrame({TARGET: label, "fold": fold}), base.residuals, fold)
    assert factor is not None
    return fit.hazard_ratio("score"), factor


def test_a_score_of_noise_out_of_fold_varies_as_much_more_as_the_factor_says() -> None:
    found = [cross_fitted(seed) for seed in range(160)]
    z = np.array([one.coefficient / one.standard_error for one, _ in found])
    factor = np.array([factor for _, factor in found])
    assert 1.5 < factor.mean() < 1.75
    # The spread of the mean square of 160 is 11 % of it.
    assert 1.35 < np.mean(z**2) < 2.1
    assert np.mean(z**2 / factor) == pytest.approx(1, abs=0.27)
    held = [widened(one, factor).interval[0] <= 1 <= widened(one, factor).interval[1] for one, factor in found]
    assert np.mean(np.abs(z) < 1.96) < 0.91 < 0.92 < np.mean(held)


def test_the_gain_carries_the_factor_in_interval_and_statistic_and_leaves_the_estimate() -> None:
    rows = simulated(0.5, seed=1)
    plain = gain(rows, states=False)
    wide = gain(rows.assign(**{TARGET: (rows["exit_days"] > 300).astype(float)}), states=False)
    factor = wide["variance_inflation"]
    assert plain["variance_inflation"] is None
    assert 1.05 < factor < 2
    assert wide["likelihood_ratio_chi2"] == pytest.approx(plain["likelihood_ratio_chi2"] / factor)
    for prefix in ("adjusted_", "adjusted_per_sd_"):
        assert wide[f"{prefix}hazard_ratio"] == plain[f"{prefix}hazard_ratio"]
        reach = [np.log(found[f"{prefix}upper"] / found[f"{prefix}lower"]) for found in (plain, wide)]
        assert reach[1] == pytest.approx(reach[0] * np.sqrt(factor))


def test_labels_beside_the_cases_widen_the_adjusted_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = write_study(tmp_path)
    # `Int8` with missing values, as the labels have it.
    alive = (tables["followup"]["exit_days"] > 300).astype("Int8").mask(np.arange(N) % 4 == 0)
    tables["labels"] = pd.DataFrame({"case_id": tables["cases"]["case_id"], "definition": "strict", "responder": alive})
    write_tables(tmp_path, tables)
    assert survival(tmp_path) == 0
    rows = json.loads((tmp_path / "survival" / "survival.json").read_text())["regimens"]
    assert rows
    assert all(1 < row["variance_inflation"] < 2 for row in rows)
    tables["labels"].assign(definition="oncoraft").to_parquet(tmp_path / "cases" / "labels.parquet")
    assert survival(tmp_path) == 2
    assert "expected rows of the definition 'strict'" in capsys.readouterr().err.splitlines()[-1]


def test_a_ratio_whose_interval_passes_all_numbers_once_widened_is_none() -> None:
    found = HazardRatio(2.0, 300.0)
    assert np.isfinite(found.interval[1])
    assert widened(found, 1.2) is not None
    assert widened(found, 4.0) is None
