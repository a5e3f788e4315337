#!/usr/bin/env bash
# meds-evaluation 0.0.6 (meds 0.4.1, polars 2.1.0, pyarrow 26.0.1): predictions that hold probabilities and no yes or no
#
# Guess: PredictionSchema says that `predicted_boolean_value` and `predicted_boolean_probability` are optional, one of them enough, and shows a
#        table with probabilities alone as valid; evaluate_binary_classification aligns to that schema and judges what is there.
# Fact:  the schema takes the table, the evaluator, which has just called the schema, ends in polars' ColumnNotFoundError. The same numbers with the
#        optional column full of nulls are judged. And what it calls "subjects_equally_weighted" is four draws of each subject with replacement:
#        of the same predictions 20 seeds give an AUROC that moves by several hundredths, told without an interval.
# Why:   a model of response gives a probability, and a threshold belongs to whoever uses it. An export that is valid by the published schema fails
#        at the colleague's who evaluates it; and a difference between two models in the mean by subject can be the draw's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile meds-evaluation==0.0.6 meds==0.4.1 polars==2.1.0 pyarrow==26.0.1 numpy==2.4.6 scikit-learn==1.9.1
venv/bin/python - <<'PYTHON'
import sys
from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa
from meds_evaluation.evaluate import evaluate_binary_classification
from meds_evaluation.schema import PredictionSchema
from polars.exceptions import ColumnNotFoundError

draw = np.random.default_rng(0)
subject = np.repeat(np.arange(150), draw.integers(1, 7, 150))  # one to six treatments each
truth = draw.random(len(subject)) < 0.3
score = np.clip(0.3 + 0.15 * truth + draw.normal(0, 0.2, len(subject)), 0.01, 0.99)
columns = {
    "subject_id": pa.array(subject, pa.int64()),
    "prediction_time": pa.array([datetime(2024, 1, 1)] * len(subject), pa.timestamp("us")),
    "boolean_value": pa.array(truth),
    "predicted_boolean_probability": pa.array(score, pa.float32()),
}
aligned = PredictionSchema.align(pa.table(columns))
print("the schema takes a table of", aligned.column_names)
try:
    evaluate_binary_classification(pl.from_arrow(aligned))
    raised = None
except ColumnNotFoundError as error:
    raised = str(error).splitlines()[0]
print("the evaluator:", raised)
whole = pl.from_arrow(pa.table({**columns, "predicted_boolean_value": pa.nulls(len(subject), pa.bool_())}))
found = [evaluate_binary_classification(whole, resampling_seed=seed) for seed in range(20)]
by_case = {one["samples_equally_weighted"]["roc_auc_score"] for one in found}
by_subject = [one["subjects_equally_weighted"]["roc_auc_score"] for one in found]
print(f"with a column of nulls: AUROC by case {by_case}, by subject {min(by_subject):.3f} to {max(by_subject):.3f} over 20 seeds")
if raised and len(by_case) == 1 and max(by_subject) - min(by_subject) > 0.02:
    sys.exit(0)
sys.exit("changed: probabilities alone are judged, or the mean by subject no longer depends on a draw")
PYTHON
