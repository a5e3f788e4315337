"""Predictions as metrics and survival read them: ids stay text, and what belongs to another cohort is refused."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as draw

from oncoraft.foundation.errors import InputError
from oncoraft.predictions import read_predictions

ID = draw.text(draw.one_of(draw.sampled_from("0123456789.eE-+"), draw.characters(exclude_categories=["Cs"])), min_size=1)


def prediction(case_id: str, patient_id: str, **other: Any) -> dict[str, Any]:
    return {"case_id": case_id, "patient_id": patient_id, "fold": 0, "score": 0.25, "score_from_text": None} | other


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@given(ids=draw.dictionaries(ID, ID, min_size=1))
def test_ids_of_any_text_come_back_as_that_text(ids: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = written(tmp_path_factory.mktemp("p") / "predictions.jsonl", [prediction(*pair) for pair in ids.items()])
    found = read_predictions(path, pd.DataFrame({"case_id": list(ids), "patient_id": list(ids.values())}))
    assert dict(zip(found["case_id"], found["patient_id"], strict=True)) == ids


def test_patients_whose_ids_are_the_same_number_stay_two(tmp_path: Path) -> None:
    rows = [prediction("1", "0071", score_from_text=0.7), prediction("1.0", "71")]
    cases = pd.DataFrame({"case_id": ["1", "1.0"], "patient_id": ["0071", "71"]})
    found = read_predictions(written(tmp_path / "p.jsonl", rows), cases)
    assert found["patient_id"].tolist() == ["0071", "71"]
    assert found["score_from_text"].iloc[0] == 0.7
    assert found["score_from_text"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (prediction("a", "p"), "line 2: expected one prediction a case, the first was line 1, found 'a'"),
        (prediction("z", "p"), "line 2, column case_id: expected a case of the cohort, found 'z'"),
        (prediction("b", "p"), "line 2, column patient_id: expected 'q', the patient of b, found 'p'"),
        (prediction("b", "q", fold=True), "line 2, column fold: expected a whole number"),
        (prediction("b", "q", fold="0"), "line 2, column fold: expected a whole number"),
        (prediction("b", "q", score=1.5), "line 2, column score: expected a number from 0 to 1, found '1.5'"),
        (prediction("b", "q", score=None), "line 2, column score: expected a number from 0 to 1, found 'None'"),
        (prediction("b", "q", score=float("nan")), "line 2, column score: expected a finite number, found 'nan'"),
        (prediction("b", "q", score_from_text=True), "line 2, column score_from_text: expected a number from 0 to 1"),
        ({"case_id": "b", "patient_id": "q"}, "line 2, column fold: expected this column"),
    ],
)
def test_a_row_that_is_no_prediction_of_the_cohort_is_named(row: dict[str, Any], said: str, tmp_path: Path) -> None:
    cases = pd.DataFrame({"case_id": ["a", "b"], "patient_id": ["p", "q"]})
    with pytest.raises(InputError) as caught:
        read_predictions(written(tmp_path / "p.jsonl", [prediction("a", "p"), row]), cases)
    assert said in str(caught.value)
