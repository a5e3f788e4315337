"""How hard the twin is, measured with the package's own labels and evidence: neither trivial nor hopeless."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from oncoraft.cases import build
from oncoraft.cohort import ingest
from oncoraft.evidence import evidence
from oncoraft.twin import twin

pytestmark = pytest.mark.slow
OF_THE_REGIMEN = {"drug", "drug_mechanism"}  # fields that name what is about to be given
HISTORY = {"progression", "imaging_history", "cancer_presence", "tumor_sites", "tumor_marker", "prior_regimen", "prior_agents", "line"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cases with label and truth, and the evidence of each."""
    folder = tmp_path_factory.mktemp("signal")
    (folder / "config.yaml").write_text("evidence: {genomics_known: acquired}\n")
    study, tables, cases = (str(folder / name) for name in ("study", "tables", "cases"))
    assert twin.main(["--patients", "2400", "--seed", "21", "--out", study, "--truth", str(folder / "truth.parquet")]) == 0
    assert ingest.main([study, "--out", tables]) == 0
    assert build.main([tables, "--out", cases]) == 0
    assert evidence.main([tables, cases, "--out", str(folder / "evidence.parquet"), "--config", str(folder / "config.yaml")]) == 0
    return with_truth(folder), pd.read_parquet(
        folder / "evidence.parquet", columns=["case_id", "order", "field", "value", "text", "days_before_index"]
    )


def with_truth(folder: Path) -> pd.DataFrame:
    """Each case with its strict label and the truth of the regimen that began within three days of it."""
    cases = pd.read_parquet(folder / "cases/cases.parquet").astype({"index_day": "int64"})
    labels = pd.read_parquet(folder / "cases/labels.parquet")
    joined = cases.merge(labels.loc[labels["definition"] == "strict", ["case_id", "category", "responder"]], on="case_id")
    truth = pd.read_parquet(folder / "truth.parquet").astype({"start_day": "int64"}).drop(columns=["cancer_type", "agents"])
    left, right = joined.sort_values("index_day"), truth.sort_values("start_day")
    return pd.merge_asof(
        left, right, left_on="index_day", right_on="start_day", by="patient_id", direction="nearest", tolerance=3
    ).reset_index(drop=True)


def evaluable(cases: pd.DataFrame) -> pd.DataFrame:
    return cases[cases["responder"].notna() & cases["probability"].notna()].reset_index(drop=True)


def cross_validated(cases: pd.DataFrame, values: pd.DataFrame, strength: float = 0.3) -> float:
    """AUROC of a logistic regression on which values a case has, patients in five folds.

    Args:
        values: case_id and value, any number a case.
    """
    values = values.drop_duplicates(["case_id", "value"])
    values = values[values["case_id"].isin(cases["case_id"])]
    codes, words = pd.factorize(values["value"])
    rows = pd.Index(cases["case_id"]).get_indexer(values["case_id"])
    matrix = csr_matrix((np.ones(len(values)), (rows, codes)), shape=(len(cases), len(words)))
    target, score = cases["responder"].to_numpy(dtype=bool), np.zeros(len(cases))
    for train, test in GroupKFold(5).split(matrix, target, cases["patient_id"]):
        model = LogisticRegression(C=strength, max_iter=300).fit(matrix[train], target[train])
        score[test] = model.decision_function(matrix[test])
    return float(roc_auc_score(target, score))


def test_cases_have_a_truth_and_half_are_not_evaluable(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases, _ = measured
    assert len(cases) > 2.5 * 2400
    assert cases["probability"].isna().mean() < 0.01
    assert 0.40 < cases["category"].eq("NE").mean() < 0.56
    assert 0.20 < cases["responder"].mean() < 0.32


def test_the_oracle_is_neither_perfect_nor_blind(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases = evaluable(measured[0])
    assert 0.75 <= roc_auc_score(cases["responder"].astype(bool), cases["probability"]) <= 0.85


def test_the_regimen_alone_says_something_but_not_much(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases = evaluable(measured[0])
    assert 0.58 < cross_validated(cases, cases.assign(value=cases["cancer_type"] + cases["regimen"])[["case_id", "value"]], 0.5) < 0.72


def test_no_other_field_says_much_alone_but_together_they_do(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases, facts = evaluable(measured[0]), measured[1]
    alone = {str(field): cross_validated(cases, rows) for field, rows in facts.groupby("field")}
    assert max(value for field, value in alone.items() if field not in OF_THE_REGIMEN) < 0.70, alone
    assert max(value for field, value in alone.items() if field not in OF_THE_REGIMEN | HISTORY) < 0.65, alone
    named = facts.assign(value=facts["field"] + "=" + facts["value"])
    common = named[named.groupby("value")["case_id"].transform("size") >= 10]
    assert cross_validated(cases, common, 0.1) > 0.68


def load_benchmark() -> ModuleType:
    """benchmarks/twin_signal.py, which is a script and not in the package."""
    path = Path(__file__).parents[2] / "benchmarks" / "twin_signal.py"
    specification = importlib.util.spec_from_file_location("signal_of_the_twin", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_baselines_stand_in_the_order_of_released_rows(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    found = load_benchmark().measure(evaluable(measured[0]), measured[1])
    assert 0.61 < found["regimen prior"] < 0.68
    assert 0.08 < found["boosting, all evidence"] - found["regimen prior"] < 0.15
    assert 0.045 < found["boosting, all evidence"] - found["boosting without imaging"] < 0.12
    assert found["regimen prior"] - 0.01 < found["clinical logistic, disease status"] < found["boosting, all evidence"]
    assert found["TF-IDF"] - 0.01 <= found["boosting, all evidence"] < found["oracle"]


def test_a_null_regimen_responds_at_one_rate_whoever_has_it(measured: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases, facts = evaluable(measured[0]), measured[1]
    null = cases[cases["is_null"].astype(bool)]
    ecog = facts[facts["field"] == "ecog"].drop_duplicates("case_id").set_index("case_id")["value"]
    well = null["case_id"].map(ecog).eq("0")
    rates = null["responder"].astype(float).groupby(well).agg(["mean", "size"])
    error = 4 * np.sqrt((0.25 * 0.75 / rates["size"]).sum())
    assert abs(rates["mean"].diff().iloc[-1]) < error
