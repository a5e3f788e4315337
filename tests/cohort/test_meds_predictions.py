"""Predictions go out in the form that meds-evaluation takes, and it finds in them the numbers that `oncoraft metrics` finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest

from oncoraft.cases.build import main as cases
from oncoraft.cohort.ingest import main as ingest
from oncoraft.cohort.meds_export import main as export_meds
from oncoraft.evaluation.metrics import main as metrics
from oncoraft.foundation.errors import InputError
from oncoraft.twin.twin import main as twin

Rows = list[dict[str, Any]]
SETTINGS = ["--settings", '{"evaluation": {"bootstrap": 100}, "labels": {}}']


def evaluated(paths: list[Path]) -> dict[str, float]:
    """What meds-evaluation says of prediction files, every prediction counting once."""
    import polars
    from meds_evaluation.evaluate import evaluate_binary_classification
    from meds_evaluation.schema import PredictionSchema

    for path in paths:
        PredictionSchema.validate(parquet.read_table(path))
    return evaluate_binary_classification(polars.read_parquet(paths))["samples_equally_weighted"]


def agrees(folder: Path, records: Rows, scope: str) -> None:
    """AUROC of each fold, AUPRC as the mean of folds, and the Brier score are those of `oncoraft metrics` to 1e-6.

    Args:
        folder: with fold-K.parquet.
        records: of metrics.json.
        scope: `recalibrated` or `as_delivered`, whichever the folder tells.
    """
    ours = {(row["metric"], row["scope"], row["group"]): row for row in records if row["predictor"] == "model"}
    paths = sorted(folder.glob("*.parquet"))
    theirs = [evaluated([path]) for path in paths]
    for path, found in zip(paths, theirs, strict=True):
        assert found["roc_auc_score"] == pytest.approx(ours["auroc", "fold", path.stem.removeprefix("fold-")]["estimate"], abs=1e-6)
    for metric, name in (("auroc", "roc_auc_score"), ("auprc", "average_precision_score")):
        assert np.mean([found[name] for found in theirs]) == pytest.approx(ours[metric, "mean_of_folds", None]["estimate"], abs=1e-6)
    together = evaluated(paths)
    assert together["brier_score"] == pytest.approx(ours["brier", scope, None]["estimate"], abs=1e-6)
    if scope == "as_delivered":
        assert together["roc_auc_score"] == pytest.approx(ours["auroc", "pooled", None]["estimate"], abs=1e-6)
    assert sum(parquet.read_metadata(path).num_rows for path in paths) == ours["brier", scope, None]["n"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables and cases of a twin, and predictions whose scores, probabilities and thresholds differ."""
    home = tmp_path_factory.mktemp("meds-predictions")
    assert twin(["--patients", "120", "--seed", "5", "--clean", "--out", str(home / "study"), "--processes", "1"]) == 0
    assert ingest([str(home / "study"), "--out", str(home / "tables")]) == 0
    assert cases([str(home / "tables"), "--out", str(home / "cases")]) == 0
    folds = pd.read_parquet(home / "cases" / "folds.parquet", filters=[("design", "==", "kfold"), ("fold", ">=", 0)])
    draw = np.random.default_rng(3)
    # Ties among them, as scores that come of few words have.
    score = np.round(draw.random(len(folds)), 2)
    told = zip(folds["case_id"], folds["patient_id"], folds["fold"].astype(int), score, strict=True)
    rows = [
        {"case_id": case, "patient_id": who, "fold": fold, "score": one, "probability": 0.1 + one * (0.2 + fold / 20), "threshold": 0.3 + fold / 10}
        for case, who, fold, one in told
    ]  # fmt: skip
    save(home, rows)
    baseline = folds[["case_id", "fold"]].assign(predictor="chance", score=draw.random(len(folds)))
    baseline.to_parquet(home / "baselines.parquet")
    return home


def save(home: Path, rows: Rows) -> None:
    (home / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def export(home: Path, out: Path, *words: str) -> Path:
    arguments = [str(home / "tables"), str(home / "cases"), "--predictions", str(home / "predictions.jsonl"), "--out", str(out), *words]
    assert export_meds(arguments) == 0
    return out


@pytest.mark.parametrize(("kind", "scope"), [("recalibrated", "recalibrated"), ("score", "as_delivered")])
def test_the_numbers_of_meds_evaluation_are_those_of_metrics(home: Path, tmp_path: Path, kind: str, scope: str) -> None:
    measured = [str(home / "predictions.jsonl"), str(home / "cases"), "--baselines", str(home / "baselines.parquet"), *SETTINGS]
    assert metrics([*measured, "--out", str(tmp_path / "metrics")]) == 0
    records = json.loads((tmp_path / "metrics" / "metrics.json").read_text())
    agrees(export(home, tmp_path / "meds", "--probability", kind) / "predictions", records, scope)


def test_a_prediction_stands_at_the_subject_time_and_label_of_its_case_and_a_score_that_reaches_the_threshold_is_a_yes(
    home: Path, tmp_path: Path
) -> None:
    out = export(home, tmp_path / "meds")
    which = parquet.read_table(out / "metadata" / "cases.parquet").to_pandas()
    responder = pd.read_parquet(home / "cases" / "labels.parquet", filters=[("definition", "==", "strict")]).set_index("case_id")[
        "responder"
    ]
    said = pd.read_json(home / "predictions.jsonl", lines=True, dtype={"case_id": str}).set_index("case_id")
    found = pd.concat([parquet.read_table(path).to_pandas() for path in (out / "predictions").glob("*.parquet")])
    joined = found.merge(which, on=["subject_id", "prediction_time"], validate="one_to_one").set_index("case_id")
    assert set(joined.index) == set(which["case_id"]) == set(responder[responder.notna()].index)
    said = said.loc[joined.index]
    assert (joined["boolean_value"] == responder.loc[joined.index].astype(bool)).all()
    np.testing.assert_allclose(joined["predicted_boolean_probability"], said["probability"], atol=1e-7)
    reached = said["score"] >= said["threshold"]
    assert 0 < reached.sum() < len(reached)
    assert (joined["predicted_boolean_value"] == reached).all()


def test_what_was_not_written_is_counted(home: Path, tmp_path: Path) -> None:
    out = export(home, tmp_path / "meds")
    told = json.loads((out / "manifest.json").read_text())
    lines = len((home / "predictions.jsonl").read_text().splitlines())
    assert told["counts"]["predictions"] + told["counts"]["predictions_not_evaluable"] == lines
    assert told["counts"]["predictions"] == told["counts"]["labels"]
    assert told["counts"]["predictions_not_evaluable"] > 0
    assert told["settings"]["probability"] == "recalibrated"
    assert any(path.endswith("predictions.jsonl") for path in told["inputs"])


@pytest.fixture
def changed(home: Path, tmp_path: Path) -> Callable[..., Path]:
    """The run with some of its predictions changed, in a folder of its own."""

    def change(edit: Callable[[Rows], Rows]) -> Path:
        for name in ("tables", "cases"):
            (tmp_path / name).symlink_to(home / name)
        save(tmp_path, edit([json.loads(line) for line in (home / "predictions.jsonl").read_text().splitlines()]))
        return tmp_path

    return change


def test_without_a_threshold_there_is_no_yes_or_no(changed: Callable[..., Path], tmp_path: Path) -> None:
    out = export(changed(lambda rows: [{**row, "threshold": None} for row in rows]), tmp_path / "meds")
    paths = sorted((out / "predictions").glob("*.parquet"))
    assert all(table["predicted_boolean_value"].null_count == table.num_rows for table in map(parquet.read_table, paths))
    # Its evaluator takes that, and says nothing of a yes or no.
    assert {"roc_auc_score", "brier_score"} < set(evaluated(paths))
    assert not {"binary_accuracy", "f1_score"} & set(evaluated(paths))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: [rows[0], {**rows[1], "probability": None}, *rows[2:]], r"predictions\.jsonl, line 2, column probability: expected a recalibrated probability; `--probability score` tells"),
        (lambda rows: [{**rows[0], "fold": rows[0]["fold"] + 1}, *rows[1:]], r"predictions\.jsonl, line 1, column fold: expected the fold that holds the case out in design kfold"),
        (lambda rows: [*rows, {**rows[0], "case_id": "elsewhere"}], r"line \d+, column case_id: expected a case of the cohort, found 'elsewhere'"),
        (lambda rows: [], r"predictions\.jsonl: expected a prediction of an evaluable case"),
    ],
)  # fmt: skip
def test_predictions_that_do_not_fit_end_in_one_line_and_write_nothing(
    changed: Callable[..., Path], tmp_path: Path, edit: Callable[[Rows], Rows], message: str
) -> None:
    home = changed(edit)
    with pytest.raises(InputError, match=message):
        export(home, tmp_path / "meds")
    assert not (tmp_path / "meds").exists()
