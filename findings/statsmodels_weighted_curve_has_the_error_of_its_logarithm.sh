#!/usr/bin/env bash
# statsmodels 0.15.0 (numpy 2.4.6, pandas 2.3.3, scipy 1.17.1): SurvfuncRight with freq_weights
#
# Guess: a frequency weight of 3 is three patients: the curve, its standard error and the interval of the median are those of the rows written out.
# Fact:  the curve is. surv_prob_se is another quantity once weights are given, of the logarithm of the curve: it is not multiplied by the curve, and
#        so grows where the error of the curve shrinks. It stands in the same column of summary(), and quantile_ci and simultaneous_cb compute with it.
#        Weights that are all 1 suffice. Nothing is said.
# Why:   cohorts are handed over as counts by month, and matching or sampling gives weights. Of 900 patients 13 % are alive at 48 months, with an error of 0.013:
#        with weights 0.10, an interval that begins below zero. The interval of the median, 16 to 18 months, is 15 to infinity, as if follow-up were too short.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile statsmodels==0.15.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > weighted.py <<'PYTHON'
import sys
import warnings

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import SurvfuncRight

draw = np.random.default_rng(0)
death, end = draw.exponential(22, 900), draw.uniform(12, 90, 900)
rows = pd.DataFrame({"month": np.ceil(np.minimum(death, end)), "died": (death <= end).astype(int)})
counts = rows.groupby(["month", "died"]).size().rename("patients").reset_index()

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    whole = SurvfuncRight(rows.month, rows.died)
    ones = SurvfuncRight(rows.month, rows.died, freq_weights=np.ones(len(rows)))
    table = SurvfuncRight(counts.month, counts.died, freq_weights=counts.patients)
said = [one for one in said if "statsmodels" in str(one.filename)]
assert np.allclose(whole.surv_prob, table.surv_prob) and np.allclose(whole.n_risk, table.n_risk), "the curve itself"
for month in (6, 24, 48):
    place = int(np.flatnonzero(whole.surv_times <= month)[-1])
    told = [(one.surv_prob[place], one.surv_prob_se[place]) for one in (whole, ones, table)]
    shown = [f"{error:.3f} ({alive - 1.96 * error:.2f} to {alive + 1.96 * error:.2f})" for alive, error in told]
    print(f"alive at {month:2} months {whole.surv_prob[place]:.2f}: error by rows {shown[0]}, weights of 1 {shown[1]}, counts {shown[2]}")
medians = [tuple(float(end) for end in one.quantile_ci(0.5)) for one in (whole, ones, table)]
print(f"median {whole.quantile(0.5):.0f}, interval by rows {medians[0]}, weights of 1 {medians[1]}, counts {medians[2]}; warnings: {len(said)}")
logarithm = whole.surv_prob_se / whole.surv_prob
last = whole.surv_prob > 0.02
as_told = np.allclose(table.surv_prob_se, ones.surv_prob_se) and np.allclose(table.surv_prob_se[last], logarithm[last], rtol=0.15)
if as_told and table.surv_prob_se[place] > 5 * whole.surv_prob_se[place] and not said:
    sys.exit(0)
sys.exit("changed: the error is that of the curve, or something is said")
PYTHON
venv/bin/python weighted.py
