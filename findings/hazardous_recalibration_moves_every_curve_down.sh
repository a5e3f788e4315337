#!/usr/bin/env bash
# hazardous 0.2.0 (lifelines 0.30.3, scikit-learn 1.9.1): how far predicted survival curves lie from Kaplan-Meier, and their recalibration by that
#
# Guess: km_calibration(..., return_diff_at_t=True) gives beside the score the difference "mean predicted survival minus Kaplan-Meier" at each time, as its
#        manual writes it, and a curve minus that difference is right on average; recalibrate_survival_function does so.
# Fact:  the difference has lost its sign. It is subtracted all the same, so that curves that lie too high are mended, and curves that lie too low are moved
#        down once more: twice the error of before, and survival below zero. Nothing is said.
# Why:   a model that is too pessimistic is the usual case for patients treated later than those it learned from. Recalibrated on the first of
#        the new cohort, it says 0.17 alive at two years, 0.34 before, where 0.51 are; a plot of the differences shows optimism and pessimism alike.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1 MPLCONFIGDIR="$folder/matplotlib"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile hazardous==0.2.0 lifelines==0.30.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 scikit-learn==1.9.1
cat > curves.py <<'PYTHON'
import sys
import warnings

import numpy as np
import pandas as pd
from hazardous.metrics import km_calibration
from hazardous.metrics._km_calibration import recalibrate_survival_function_predictions
from lifelines import KaplanMeierFitter

PATIENTS, TIMES, SHOWN = 2000, np.linspace(1, 60, 60), 23  # months; the place of month 24
draw = np.random.default_rng(0)
death, end = draw.exponential(34, PATIENTS), draw.uniform(0, 90, PATIENTS)
outcome = pd.DataFrame({"event": (death <= end).astype(int), "duration": np.minimum(death, end)})
seen = KaplanMeierFitter().fit(outcome.duration, outcome.event).predict(TIMES).to_numpy()
holds = []
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for name, scale in (("too optimistic", 55), ("too pessimistic", 22)):
        predicted = np.tile(np.exp(-TIMES / scale), (PATIENTS, 1))
        score, difference = km_calibration(outcome, TIMES, predicted, return_diff_at_t=True)
        after = recalibrate_survival_function_predictions(predicted, predicted, outcome, TIMES).mean(0)
        before = predicted.mean(0)
        print(
            f"{name:15} alive at {TIMES[SHOWN]:.0f} months: Kaplan-Meier {seen[SHOWN]:.2f}, predicted {before[SHOWN]:.2f}, recalibrated {after[SHOWN]:.2f}"
            f" (lowest {after.min():.2f}); difference: guess {before[SHOWN] - seen[SHOWN]:+.2f}, fact {difference[SHOWN]:+.2f}"
        )
        lost = np.allclose(difference, np.abs(before - seen))
        holds.append(lost and np.allclose(after, before - np.abs(before - seen)))
        wrong = float(np.abs(after - seen).max())
print(f"warnings of the package: {sum('hazardous' in str(one.filename) for one in said)}")
if all(holds) and wrong > 0.2:
    sys.exit(0)
sys.exit("changed: the difference has its sign, and recalibrated curves are right on average")
PYTHON
venv/bin/python curves.py
