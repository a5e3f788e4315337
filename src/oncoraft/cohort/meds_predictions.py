"""The answers of a finished run beside its labels, as MEDS evaluators take them (`PredictionSchema` of meds-evaluation 0.0.6).

A file a fold, since the mean over folds is the headline; a glob over the files gives what the folds say together. The schema takes no
further column: `metadata/cases.parquet` tells which case a subject and a prediction time are.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from oncoraft.foundation.errors import InputError
from oncoraft.predictions import read_predictions

FOLDER = "predictions"
RECALIBRATED, SCORE = "recalibrated", "score"


@dataclass(frozen=True)
class Answers:
    """Tables by file name, what the manifest says of them, and what they were read from; empty where no predictions were given."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    def write(self, home: Path) -> dict[str, int]:
        """Every table below `home`, and the counts."""
        for name, table in self.tables.items():
            (home / FOLDER).mkdir(exist_ok=True)
            parquet.write_table(table, home / FOLDER / name)
        return self.counts


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments that `answers_of` reads."""
    parser.add_argument("--predictions", type=Path, metavar="FILE", help="predictions.jsonl of a run, whose answers are written too")
    parser.add_argument(
        "--probability",
        choices=(RECALIBRATED, SCORE),
        default=RECALIBRATED,
        help="what is told as a probability: recalibrated by each fold's tuning patients (the default), or the score as delivered",
    )


def answers_of(given: argparse.Namespace, cases: pd.DataFrame, folds: pd.DataFrame, labels: pa.Table, which: pa.Table) -> Answers:
    """What a run said of the evaluable cases.

    Args:
        given: predictions, probability and design.
        cases: case_id, patient_id.
        folds: case_id and fold of the design.
        labels: subject_id, prediction_time, boolean_value.
        which: case_id, in the same order.

    Raises:
        InputError: as `read_answers`, or no evaluable case has a prediction.
    """
    if given.predictions is None:
        return Answers()
    found = read_answers(given.predictions, cases, folds, given.design, given.probability)
    tables = prediction_tables(labels, which, found)
    written = sum(table.num_rows for table in tables.values())
    if not written:
        raise InputError("expected a prediction of an evaluable case", file=given.predictions, found="none")
    counts = {
        "predictions": written,
        "predictions_not_evaluable": len(found) - written,
        "labels_without_prediction": labels.num_rows - written,
    }
    return Answers(tables, counts, (given.predictions,), {"probability": given.probability})


def read_answers(path: Path, cases: pd.DataFrame, folds: pd.DataFrame, design: str, kind: str) -> pd.DataFrame:
    """Held-out predictions with the probability that is to be told.

    Args:
        path: predictions.jsonl of a run.
        cases, folds, design: as for `answers_of`.
        kind: `RECALIBRATED`, by each fold's tuning patients, or `SCORE`, as delivered.

    Returns:
        case_id, fold, score, threshold (nan where none was fitted), told (the probability).

    Raises:
        InputError: a prediction of another cohort, of a fold that does not hold its case out, or without a recalibrated probability
            where that is asked for.
    """
    found = read_predictions(path, cases)
    held_out = folds[folds["fold"] >= 0].set_index("case_id")["fold"]
    home = found["case_id"].map(held_out)
    # NaN equals nothing, so that a case which the design never holds out is found too.
    if (elsewhere := np.flatnonzero(found["fold"] != home)).size:
        one = found.iloc[elsewhere[0]]
        wanted = held_out.get(one["case_id"], "none")
        expected = f"expected the fold that holds the case out in design {design}; case {one['case_id']} has {wanted}"
        raise InputError(
            f"{expected} ({elsewhere.size} such lines)", file=path, line=int(one["line"]), column="fold", found=str(one["fold"])
        )
    column = "probability" if kind == RECALIBRATED else "score"
    if (lacking := np.flatnonzero(found[column].isna())).size:
        expected = f"expected a recalibrated probability; `--probability {SCORE}` tells scores as delivered ({lacking.size} such lines)"
        raise InputError(expected, file=path, line=int(found["line"].iloc[lacking[0]]), column=column, found="none")
    return found[["case_id", "fold", "score", "threshold"]].assign(told=found[column])


def prediction_tables(labels: pa.Table, which: pa.Table, answers: pd.DataFrame) -> dict[str, pa.Table]:
    """One table a fold, by file name: labels and what was predicted, of the evaluable cases that have a prediction.

    predicted_boolean_value tells of every case, by the threshold of its fold (a score that reaches it is a yes), or of none where an answer
    has no threshold.

    Args:
        labels, which: as for `answers_of`.
        answers: from `read_answers`.
    """
    found = pd.DataFrame({"case_id": which["case_id"].to_pylist(), "row": np.arange(which.num_rows)})
    found = found.merge(answers, on="case_id", validate="one_to_one").sort_values("row")
    has_threshold = bool(answers["threshold"].notna().all())
    tables = {}
    for fold, rows in found.groupby("fold", sort=True):
        table = labels.take(pa.array(rows["row"]))
        # Null throughout rather than absent: the schema has the column optional, and its evaluator (0.0.6) fails where it is not there.
        answer = (rows["score"] >= rows["threshold"]).to_numpy(bool)
        table = table.append_column(
            "predicted_boolean_value", pa.array(answer, pa.bool_()) if has_threshold else pa.nulls(len(rows), pa.bool_())
        )
        told = pa.array(rows["told"].to_numpy(np.float32), pa.float32())
        tables[f"fold-{fold}.parquet"] = table.append_column("predicted_boolean_probability", told)
    return tables
