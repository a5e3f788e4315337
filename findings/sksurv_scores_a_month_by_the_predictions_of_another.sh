#!/usr/bin/env bash
# scikit-survival 0.28.0 (scikit-learn 1.9.1): Brier score and AUC at several times that are not given in ascending order
#
# Guess: brier_score and cumulative_dynamic_auc take "estimate[:, i], the estimated survival probability up to the time point times[i]", in whatever order the
#        times are; as_integrated_brier_score_scorer(model, times) asks its model for those times itself, so that nothing can go wrong.
# Fact:  the times are sorted, the columns are not. The score of each time is computed from the predictions of another; the times that come back are in order,
#        as if nothing had happened. The scorer asks in the order given and does the same to itself: grid search then chooses by a wrong score.
# Why:   the main question first ([24, 6, 12]), or horizons from column names or a set, which come as 12, 24, 48, 6. The model that
#        drew the patients has a Brier score of 0.12 at 48 months, or of 0.43, worse than a coin's 0.25; an AUC of 0.79 at twelve months becomes 0.21.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile scikit-survival==0.28.0 scikit-learn==1.9.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > horizons.py <<'PYTHON'
import sys
import warnings

import numpy as np
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import as_integrated_brier_score_scorer, brier_score, cumulative_dynamic_auc
from sksurv.util import Surv

SORTED, BY_NAME = np.array([6.0, 12.0, 24.0, 48.0]), np.array([12.0, 24.0, 48.0, 6.0])
draw = np.random.default_rng(0)
marker = draw.normal(size=500)
hazard = np.exp(marker) / 24
death, end = draw.exponential(1 / hazard), draw.uniform(0, 80, 500)
outcome = Surv.from_arrays(death <= end, np.minimum(death, end))
fading = np.where(np.arange(100) < 15, 1, -1)  # months of a score whose sign turns at fifteen, to have columns that differ


def alive(times: np.ndarray) -> np.ndarray:
    """Survival of each patient at each time, by the model that drew him."""
    return np.exp(-hazard[:, None] * times)


def risk(times: np.ndarray) -> np.ndarray:
    return marker[:, None] * fading[times.astype(int)]


with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    found = {}
    for name, times in (("in order", SORTED), ("by name", BY_NAME)):
        scored, brier = brier_score(outcome, outcome, alive(times), times)
        areas, _ = cumulative_dynamic_auc(outcome, outcome, risk(times), times)
        scorer = as_integrated_brier_score_scorer(CoxPHSurvivalAnalysis(), times=times).fit(marker[:, None], outcome)
        found[name] = brier, areas, -scorer.score(marker[:, None], outcome)
        print(f"times {name} {times.astype(int)}: Brier score at {scored.astype(int)} {brier.round(2)}, AUC {areas.round(2)}")
        print(f"    Brier score integrated by the scorer {found[name][2]:.3f}")
print(f"warnings: {len(said)}")
(brier, areas, whole), (other_brier, other_areas, other_whole) = found["in order"], found["by name"]
if other_brier[-1] > 0.4 > 0.2 > brier[-1] and np.abs(areas - other_areas).max() > 0.3 and other_whole > 1.5 * whole and not said:
    sys.exit(0)
sys.exit("changed: predictions keep their times, or times out of order are refused")
PYTHON
venv/bin/python horizons.py
