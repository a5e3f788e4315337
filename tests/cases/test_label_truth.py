"""Labels against the truth of a twin: counts and measures on a table small enough to check by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases.label_truth import auroc, label_truth, main, match
from oncoraft.foundation.errors import InputError

CASES = pd.DataFrame({"case_id": list("abcde"), "patient_id": ["p", "p", "q", "q", "r"], "index_day": [0, 100, 0, 100, 0]})
TRUTH = pd.DataFrame(
    {
        "patient_id": ["p", "p", "q", "q", "s"],
        "start_day": [0, 103, -2, 96, 0],
        "probability": [0.8, 0.2, 0.6, 0.1, 0.5],
        "response": ["CR", "PD", "SD", "PD", "PR"],
    }
)


def labels(definition: str, categories: list[str]) -> pd.DataFrame:
    answer = [None if name in {"NE", "NED"} else name in {"CR", "PR"} for name in categories]
    frame = pd.DataFrame({"case_id": list("abcde"), "definition": definition, "category": categories, "responder": answer})
    return frame.astype({"responder": "boolean"})


def test_a_case_is_matched_within_three_days_only() -> None:
    assert sorted(match(CASES, TRUTH)["case_id"]) == ["a", "b", "c"], "d is four days off, r is not in the truth"


def test_one_true_regimen_is_matched_to_its_nearest_case_alone() -> None:
    cases = pd.DataFrame({"case_id": ["x", "y"], "patient_id": "p", "index_day": [99, 102]})
    assert list(match(cases, TRUTH)["case_id"]) == ["y"]


def test_measures_are_those_of_the_two_by_two_table() -> None:
    # Truth of a, b, c: response, none, none. Labels: response, response, none: 1 true and 1 false positive, 1 true negative.
    found = label_truth(CASES, labels("strict", ["PR", "CR", "SD", "SD", "SD"]), TRUTH)
    assert (found["cases"], found["matched"], found["unmatched"]) == (5, 3, 2)
    (row,) = found["definitions"]
    assert (row["evaluable"], row["responders"]) == (3, 2)
    assert row["agreement"] == pytest.approx(2 / 3)
    assert (row["sensitivity"], row["specificity"], row["positive_predictive_value"]) == (1.0, 0.5, 0.5)
    assert row["kappa"] == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9)), "by chance 2/3 * 1/3 + 1/3 * 2/3"
    assert row["auroc_truth_true_response"] == 1.0, "0.8 above 0.6 and 0.2"
    assert row["auroc_truth_label"] == 0.5, "0.8 above 0.6, 0.2 below it"
    assert row["auroc_lost"] == 0.5
    assert row["categories"]["CR"]["PR"] == row["categories"]["PD"]["CR"] == row["categories"]["SD"]["SD"] == 1


def test_cases_that_a_definition_cannot_judge_are_described_apart() -> None:
    (row,) = label_truth(CASES, labels("strict", ["NE", "SD", "SD", "SD", "SD"]), TRUTH)["definitions"]
    assert (row["evaluable"], row["response_share_evaluable"], row["response_share_not_evaluable"]) == (2, 0.0, 1.0)
    assert row["auroc_truth_label"] is None, "one class only"
    assert row["sensitivity"] is None


def test_disease_control_is_held_against_true_control() -> None:
    said = labels("disease_control", ["SD", "PD", "SD", "SD", "SD"]).assign(
        responder=pd.array([True, False, True, True, True], dtype="boolean")
    )
    (row,) = label_truth(CASES, said, TRUTH)["definitions"]
    assert row["agreement"] == 1.0


def test_auroc_gives_ties_one_half() -> None:
    # Pairs: 2 above 1, 2 ties 2, 2 above 1, 3 above 1, 3 above 2, 3 above 1 of 2 positives and 3 negatives: 5.5 of 6.
    assert auroc(pd.Series([2, 3, 1, 2, 1]), pd.Series([True, True, False, False, False])) == pytest.approx(5.5 / 6)


def test_the_step_writes_its_file_and_tells_the_wrong_truth(tmp_path: Path) -> None:
    CASES.to_parquet(tmp_path / "cases.parquet")
    labels("strict", ["PR", "CR", "SD", "SD", "SD"]).to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(InputError, match=r"truth\.parquet: expected the truth that `oncoraft twin --truth` writes"):
        main([str(tmp_path), "--truth", str(tmp_path / "truth.parquet")])
    TRUTH.assign(patient_id="z").to_parquet(tmp_path / "truth.parquet")
    with pytest.raises(InputError, match="expected the truth of the twin that these cases come from"):
        main([str(tmp_path), "--truth", str(tmp_path / "truth.parquet")])
    assert not (tmp_path / "label_truth.json").exists()
    TRUTH.to_parquet(tmp_path / "truth.parquet")
    assert main([str(tmp_path), "--truth", str(tmp_path / "truth.parquet")]) == 0
    assert json.loads((tmp_path / "label_truth.json").read_text())["matched"] == 3
    assert json.loads((tmp_path / "label_truth.json.manifest.json").read_text())["counts"]["unmatched"] == 2
