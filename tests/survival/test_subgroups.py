"""What the score adds by subgroup: the same model as the headline's, one case a patient, and levels that differ are told apart."""

import numpy as np
import pandas as pd
import pytest

from oncoraft.survival.adjusted import gain
from oncoraft.survival.subgroups import heterogeneity, levels, subgroup_records

from .test_further import simulated

INTENDED = ("age", "stage", "sex", "line")


def cohort(effect: float = 0.8, seed: int = 4, n: int = 800) -> pd.DataFrame:
    """Cases of two cancer types and regimens, a patient each."""
    frame = simulated(effect, seed, n).reset_index(drop=True)
    number = np.arange(len(frame))
    frame = frame.assign(cancer_type=np.where(number % 2, "Lung", "Breast"), regimen=np.where(number % 3, "a", "b"))
    return frame.assign(patient_id=[f"p{k}" for k in number], case_id=[f"c{k:05d}" for k in number])


def of(rows: list[dict], kind: str) -> dict[str, dict]:
    return {row["level"]: row for row in rows if row["kind"] == kind}


def test_of_all_patients_it_is_the_ratio_of_the_headlines_model() -> None:
    frame = cohort().assign(cancer_type="Lung")
    row = of(subgroup_records(frame, INTENDED, 20), "cancer type")["Lung"]
    whole = gain(frame, by=("fold", "cancer_type", "regimen"), intended=INTENDED)
    for name in ("adjusted_per_sd_hazard_ratio", "adjusted_per_sd_lower", "adjusted_per_sd_upper", "adjusted_per_sd_p"):
        assert row[name] == pytest.approx(whole[name])
    assert (row["cases"], row["events"], row["heterogeneity_p"]) == (len(frame), frame["event"].sum(), None)


def test_each_patient_counts_once_in_a_level_and_few_events_have_no_ratio() -> None:
    frame = cohort()
    later = frame.assign(case_id=frame["case_id"] + "+", index_day=frame["index_day"] + 400, line=1.0)
    rows = subgroup_records(pd.concat([frame, later], ignore_index=True), INTENDED, 20)
    assert sum(row["cases"] for row in of(rows, "sex").values()) == len(frame)
    assert of(rows, "line")["1"]["cases"] == len(frame)  # of the later case of those whose first was of another line
    few = of(subgroup_records(frame, INTENDED, 200), "age")["under 50"]
    assert few["not_adjusted"] == "fewer than 200 events"
    assert few["adjusted_per_sd_hazard_ratio"] is None


def test_a_score_that_tells_of_one_sex_alone_differs_by_sex_and_not_by_cancer_type() -> None:
    tells, noise = cohort(1.2, seed=6, n=1200), cohort(0.0, seed=7, n=1200)
    noise = noise.assign(patient_id=noise["patient_id"] + "n", case_id=noise["case_id"] + "n", sex="Male")
    rows = subgroup_records(pd.concat([tells.assign(sex="Female"), noise], ignore_index=True), INTENDED, 20)
    sex, cancer = of(rows, "sex"), of(rows, "cancer type")
    assert sex["Female"]["adjusted_per_sd_lower"] > sex["Male"]["adjusted_per_sd_upper"]
    assert sex["Female"]["heterogeneity_p"] < 1e-4 < 0.05 < cancer["Lung"]["heterogeneity_p"]


def test_heterogeneity_is_cochrans() -> None:
    """Q by its definition."""
    effects = np.array([[-0.94, 0.6], [-1.67, 0.46], [-1.39, 0.66]])
    weight = effects[:, 1] ** -2.0
    q = np.sum(weight * (effects[:, 0] - np.average(effects[:, 0], weights=weight)) ** 2)
    assert heterogeneity(effects) == pytest.approx(np.exp(-q / 2))  # two degrees of freedom
    assert heterogeneity(effects[:1]) is None


def test_levels_are_words_and_unknown_ones_stay() -> None:
    frame = cohort(n=60)
    frame.loc[0, ["age", "sex"]] = [np.nan, None]
    found = levels(frame)
    assert found["age"][0] == found["sex"][0] == "unknown"
    assert set(found["line"]) <= {"1", "2", "3", "4 or later"}
    assert "drug class" not in found
