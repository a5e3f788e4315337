"""The mean of all folds' models on the same cases, and each one's score beside."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.inference.average import main as average
from oncoraft.inference.gather import check_prediction, read_lines

from .test_gather import prediction, write


def recalibration(path: Path, fold: int, slope: float | None, threshold: float | None) -> Path:
    state = "fitted" if slope is not None else "too few"
    row = {"fold": fold, "state": state, "intercept": None if slope is None else 0.0, "slope": slope, "threshold": threshold}
    path.write_text(json.dumps(row | {"cases": 30, "responders": 15, "patients": 20}))
    return path


def averaged(folder: Path, *folds: dict[str, float], slopes: tuple[float | None, ...] = (1.0, 1.0)) -> list[dict[str, Any]]:
    """Two folds' logits by case, averaged."""
    held_out = write(folder / "heldout.jsonl", [{"case_id": case, "patient_id": case[0], "fold": 0} for case in ("a", "b")])
    words: list[Any] = ["--heldout", held_out, "--out", folder / "predictions.jsonl"]
    for number, logits in enumerate(folds):
        words += ["--fold", write(folder / f"fold-{number}.jsonl", [prediction(case, logit=logit) for case, logit in logits.items()])]
    words += [
        "--recalibration",
        *(recalibration(folder / f"r{k}.json", k, slope, None if slope is None else 0.2 + 0.2 * k) for k, slope in enumerate(slopes)),
    ]
    assert average([str(word) for word in words]) == 0
    for line in read_lines([folder / "predictions.jsonl"]):
        check_prediction(line)
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_scores_probabilities_and_thresholds_are_means_of_the_folds(tmp_path: Path) -> None:
    first, _ = averaged(tmp_path, {"a": 1.0, "b": 0.0}, {"b": 0.0, "a": -2.0}, slopes=(1.0, 2.0))
    assert first["fold_scores"] == pytest.approx([sigmoid(1), sigmoid(-2)])
    assert first["score"] == pytest.approx((sigmoid(1) + sigmoid(-2)) / 2)
    assert first["probability"] == pytest.approx((sigmoid(1) + sigmoid(-4)) / 2)
    assert first["threshold"] == pytest.approx(0.3)


def test_where_one_fold_has_no_recalibration_there_is_no_mean_of_it(tmp_path: Path) -> None:
    first, _ = averaged(tmp_path, {"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 0.0}, slopes=(1.0, None))
    assert (first["probability"], first["threshold"]) == (None, None)


def test_a_case_that_one_model_has_not_judged_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="case b has no prediction"):
        averaged(tmp_path, {"a": 1.0, "b": 0.0}, {"a": 0.0})
