"""The adjusted model: no covariate vanishes unsaid, none costs the estimate, and what sequencing alone tells is no gain."""

import numpy as np
import pandas as pd
import pytest

from oncoraft.survival.adjusted import covariate_states, fit_clinical, gain, strata_of, subjects_of
from oncoraft.survival.assumptions import assumption_records, entry_records
from oncoraft.survival.coding import Coding
from oncoraft.survival.cox import cox

from .test_further import simulated


def states(rows: pd.DataFrame) -> dict[str, dict]:
    intended = ["age", "sex", "stage", "line", "ecog", "setting"]
    columns = Coding(rows, intended).of(rows)
    fit, table = fit_clinical(rows, strata_of(rows), columns)
    told = covariate_states(rows, columns, fit, list(table.columns), intended)
    return {record["covariate"]: record for record in told}


@pytest.mark.parametrize("words", [("male", "female"), ("Male", "Female")])
def test_sex_is_adjusted_for_in_whatever_case_it_is_written(words: tuple[str, str]) -> None:
    rows = simulated(0.5, seed=1)
    rows["sex"] = np.where(rows["sex"] == "Male", *words)
    assert "is_male" in gain(rows)["adjusted_for"]


def test_each_intended_covariate_has_a_state_with_its_levels() -> None:
    rows = simulated(0.5, seed=1).assign(sex="female")
    rows["setting"] = np.where(np.arange(len(rows)) < 3, "adjuvant", "metastatic")
    told = states(rows)
    assert (told["sex"]["state"], told["sex"]["levels"]) == ("constant", {"female": len(rows)})
    assert (told["age"]["state"], told["age"]["columns"]) == ("used", ["age_decades"])
    assert (told["setting"]["state"], told["setting"]["levels"]["adjuvant"]) == ("dropped", 3)
    assert "differ" in told["setting"]["left_out"]["setting: adjuvant"]
    assert states(rows.drop(columns="ecog"))["ecog"]["state"] == "missing"


def test_where_known_stages_are_all_four_the_ratio_is_kept_and_the_doubled_column_is_named() -> None:
    rows = simulated(0.5, seed=2)
    rows["stage"] = np.where(np.arange(len(rows)) % 5 == 0, "unknown", "Stage 4")
    found = gain(rows)
    assert found["adjusted_hazard_ratio"] > 1
    told = {record["covariate"]: record for record in found["covariates"]}["stage"]
    assert told["columns"] == ["is_stage_iv"]
    assert "told by the covariates before it" in told["left_out"]["stage_unknown"]


def test_few_events_admit_few_covariates_and_the_rest_are_named() -> None:
    rows = simulated(0.5, seed=3, n=90)
    events = int(rows["event"].sum())
    found = gain(rows.assign(event=rows["event"] & (rows["event"].cumsum() <= 20)))
    assert events > 20
    assert len(found["adjusted_for"]) == 3
    assert found["adjusted_hazard_ratio"] is not None
    left = {reason for record in found["covariates"] for reason in record["left_out"].values()}
    assert "20 events allow no more" in left


def test_a_score_that_the_covariates_tell_is_no_gain_and_said_so() -> None:
    rows = simulated(0.5, seed=4)
    age = rows["age"] / 10
    rows["score"] = 1 / (1 + np.exp(-(age - age.mean())))
    assert gain(rows)["not_adjusted"].startswith("the score is told by the covariates")


def dependent(seed: int, knows: float, drift: float, n: int = 400) -> pd.DataFrame:
    """Half enter late; the hazard depends on how late; the score knows whether one is late, and nothing else."""
    draw = np.random.default_rng(seed)
    late = draw.random(n) < 0.5
    entry = np.where(late, draw.integers(30, 600, n), 0)
    death = entry + draw.exponential(600 / np.exp(drift * entry / 30.4375), n)
    lost = entry + draw.uniform(100, 1500, n)
    score = 1 / (1 + np.exp(-(draw.normal(size=n) - knows * late)))
    rows = pd.DataFrame({"entry_days": entry, "exit_days": np.floor(np.minimum(death, lost)) + 1, "event": death <= lost, "score": score})
    return rows.assign(index_day=-entry, fold=np.arange(n) % 4, age=draw.normal(60, 8, n))


def test_what_sequencing_alone_tells_separates_raw_and_is_no_gain() -> None:
    raw = adjusted = 0
    for seed in range(40):
        rows = dependent(seed, knows=3, drift=0.06)
        low = (rows["score"] < rows["score"].median()).to_numpy()
        raw += cox(subjects_of(rows), low, rows["fold"].to_numpy()).p < 0.05
        adjusted += gain(rows, low)["likelihood_ratio_p"] < 0.05
    assert raw >= 15
    # 40 trials at 5 %: more than 7 rejections happen once in 700 times.
    assert adjusted <= 7


def test_dependent_entry_is_said_in_words_and_its_estimates_hold_where_the_raw_one_does_not() -> None:
    rejected = {"wald_p": 0, "entry_adjusted_p": 0, "restricted_p": 0}
    for seed in range(40):
        rows = dependent(seed, knows=2, drift=0.06)
        subjects, fold = subjects_of(rows), rows["fold"].to_numpy()
        low = (rows["score"] < rows["score"].median()).to_numpy()
        found = assumption_records(subjects, low, fold)
        assert "later sequencing goes with a higher hazard" in found["entry_time_note"]
        rejected["wald_p"] += cox(subjects, low, fold).p < 0.05
        rejected["entry_adjusted_p"] += found["entry_adjusted_p"] < 0.05
        rejected["restricted_p"] += found["restricted_p"] < 0.05
    assert rejected["wald_p"] >= 15
    assert rejected["entry_adjusted_p"] <= 7
    assert rejected["restricted_p"] <= 7


def test_independent_entry_has_no_note() -> None:
    rows = dependent(11, knows=0, drift=0.0)
    low = (rows["score"] < rows["score"].median()).to_numpy()
    found = entry_records(subjects_of(rows), low, rows["fold"].to_numpy())
    assert found["entry_time_note"] is None
    assert (found["restricted_cases"], found["restricted_events"]) == (
        int((rows["entry_days"] == 0).sum()),
        int(rows.loc[rows["entry_days"] == 0, "event"].sum()),
    )


def test_hazards_that_cross_have_ratios_by_period() -> None:
    draw = np.random.default_rng(8)
    low = np.arange(600) < 300
    first, later = draw.exponential(np.where(low, 150, 700)), draw.exponential(np.where(low, 1200, 300))
    death = np.where(first < 182, first, 182 + later)
    rows = pd.DataFrame({"entry_days": 0, "exit_days": np.minimum(death, 1200), "event": death <= 1200})
    found = assumption_records(subjects_of(rows), low, np.zeros(600))
    assert found["is_proportional"] is False
    early, *_, late = found["hazard_ratio_by_period"]
    assert early["hazard_ratio"] > 2
    assert late["hazard_ratio"] < 0.7
    assert sum(period["events"] for period in found["hazard_ratio_by_period"]) == int(rows["event"].sum())
