"""Covariates speak the evidence's words, and none of them vanishes unsaid."""

import numpy as np
import pandas as pd
import pytest

from oncoraft.covariates import COVARIATES, RECENT_DAYS, clinical_covariates, covariate_report
from oncoraft.evaluation.subgroups import levels
from tests.evaluation.conftest import Upstream

CASE = {"case_id": ["p_+0"], "line_of_therapy": [3], "cancer_type": ["Breast Cancer"], "drug_class": ["Chemo"]}


def statements(*rows: tuple[str, str, int | None]) -> pd.DataFrame:
    """Evidence of one case: field, value, days before index."""
    columns = ["field", "value", "days_before_index"]
    frame = pd.DataFrame(list(rows), columns=columns).assign(case_id="p_+0", order=range(len(rows)))
    return frame.astype({"days_before_index": "Int32"})


def one(*rows: tuple[str, str, int | None], **case: object) -> pd.Series:
    return clinical_covariates(pd.DataFrame(CASE | {name: [value] for name, value in case.items()}), statements(*rows)).iloc[0]


def test_every_covariate_of_the_evidence_step_is_used_and_none_is_a_word_nobody_writes(upstream: Upstream) -> None:
    table = clinical_covariates(upstream.cases, upstream.evidence)
    report = {row["covariate"]: row for row in covariate_report(table, COVARIATES)}
    unused = {name for name, row in report.items() if row["state"] != "used"}
    assert unused <= {"setting"}, "only what the case list may not carry is missing"
    assert set(report["sex"]["levels"]) == {"male", "female"}
    assert set(report["last_progression"]["levels"]) == set(report["cancer_present"]["levels"]) == {"yes", "no"}
    assert len(table) == len(upstream.cases)
    assert table["case_id"].tolist() == upstream.cases["case_id"].tolist()


def test_every_site_word_of_the_evidence_has_its_column(upstream: Upstream) -> None:
    table = clinical_covariates(upstream.cases, upstream.evidence).set_index("case_id")
    sites = upstream.evidence[upstream.evidence["field"] == "tumor_sites"]
    assert table["n_sites"].sum() == len(sites)
    for column, word in (("site_liver", "liver"), ("site_brain", "cns/brain"), ("site_nodes", "lymph nodes"), ("site_lung", "lung")):
        named = set(sites.loc[sites["value"].str.startswith(word), "case_id"])
        assert set(table.index[table[column] == 1]) == named


def test_age_is_the_middle_of_the_band_that_is_told_and_its_subgroup_holds_the_band(upstream: Upstream) -> None:
    told = upstream.evidence[upstream.evidence["field"] == "age_at_index"].drop_duplicates("case_id").set_index("case_id")["text"]
    bands = told.str.extract(r"(\d+) to (\d+)").astype(float).dropna()
    table = clinical_covariates(upstream.cases, upstream.evidence).set_index("case_id").loc[bands.index]
    assert table["age"].tolist() == ((bands[0] + bands[1] + 1) / 2).tolist()
    group = levels(table.assign(is_immortal=False, race="unknown"))["age"]
    assert set(group) > {"50 to 59", "60 to 69"}
    for name in ("50 to 59", "60 to 69"):
        assert set(told[group.index[group == name]]) == {f"age {name}"}
    assert set(told[group.index[group == "70 or over"]]) == {"age 70 to 79"}


def test_the_closest_record_counts_and_a_later_verdict_overrules() -> None:
    found = one(("progression", "yes", 40), ("progression", "no", 9), ("ecog", "2", 30), ("ecog", "1", 3))
    assert (found["last_progression"], found["days_since_imaging"], found["ecog"]) == ("no", 9, 1)


def test_a_site_is_absent_only_where_recent_imaging_did_not_name_it() -> None:
    assert np.isnan(one()["site_liver"])
    assert np.isnan(one(("progression", "no", RECENT_DAYS + 1))["site_liver"])
    assert one(("progression", "no", RECENT_DAYS))["site_liver"] == 0
    assert one(("tumor_sites", "liver disease", 12))[["site_liver", "site_bone", "n_sites"]].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("rows", "cancer_type", "extent"),
    [
        ([], "Breast Cancer", np.nan),
        ([("stage", "Stage 1-3", 300)], "Breast Cancer", 0),
        ([("stage", "Stage 4", 300), ("progression", "yes", 9), ("tumor_sites", "liver disease", 9)], "Breast Cancer", 3),
        ([("stage", "Stage 4", 300), ("progression", "no", 9), ("tumor_sites", "lung disease", 9)], "Non-Small Cell Lung Cancer", 1),
        ([("stage", "Stage 4", 300), ("progression", "no", 9), ("tumor_sites", "lung disease", 9)], "Breast Cancer", 2),
    ],
)
def test_disease_extent_counts_what_is_known(rows: list[tuple[str, str, int]], cancer_type: str, extent: float) -> None:
    assert one(*rows, cancer_type=cancer_type)["disease_extent"] == pytest.approx(extent, nan_ok=True)


def test_lines_count_within_the_setting_and_prior_lines_over_all() -> None:
    found = one(line_of_therapy=1, line_overall=3, setting="metastatic")
    assert (found["line"], found["prior_lines"], found["setting"]) == (1, 2, "metastatic")


def test_the_report_tells_used_constant_and_missing_apart() -> None:
    frame = pd.DataFrame({"sex": ["male", "female", "unknown"], "ecog": [1.0, 1.0, np.nan], "stage": ["unknown"] * 3})
    used, constant, missing, absent = covariate_report(frame, ["sex", "ecog", "stage", "never_made"])
    assert used == {"covariate": "sex", "state": "used", "n": 2, "unknown": 1, "levels": {"female": 1, "male": 1}}
    assert (constant["state"], constant["levels"]) == ("constant", {"1": 2})
    assert (missing["state"], absent["state"], absent["unknown"]) == ("missing", "missing", 3)
