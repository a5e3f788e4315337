#!/usr/bin/env bash
# lifelines 0.30.3 (numpy 2.4.6, pandas 2.3.3, scipy 1.17.1): CoxPHFitter(baseline_estimation_method="spline")
#
# Guess: the model with a smooth baseline (Royston and Parmar) has about the hazard ratio of the ordinary Cox model, whichever baseline it is given; months,
#        days or years make no difference to a ratio; and a fit that fails ends in ConvergenceError, which is what the library does.
# Fact:  on clean data with three or four knots the optimiser often stops at a point with a log-likelihood ten times as low and calls it success. The summary
#        stands there with standard errors and p-values: an effect of 0.67 (p = 1e-12) is -0.02 (p = 0.96), everyone is alive for ever, no warning is
#        given. Whom it meets depends on the unit: the same patients are right in years and wrong in days. (Scaling down is advised, where it fails.)
# Why:   this is the way to a curve that can be drawn on beyond the follow-up and to an adjusted median; a biomarker that doubles the hazard is reported as having
#        none. The ordinary Cox model beside it, or log_likelihood_ in two units, is the only sign. Here: twelve cohorts of 600 patients.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile lifelines==0.30.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import sys
import warnings

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter

UNITS = {"days": 30.4375, "months": 1.0, "years": 1 / 12}
COHORTS, KNOTS = 12, (2, 3, 4)


def cohort(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    marker = draw.integers(0, 2, 600).astype(float)
    death, censored = draw.exponential(24 * np.exp(-0.6 * marker)), draw.uniform(12, 60, 600)  # true logarithm of the hazard ratio 0.6
    return pd.DataFrame({"time": np.minimum(death, censored) + 0.01, "event": (death <= censored).astype(int), "marker": marker})


wrong = {(unit, knots): 0 for unit in UNITS for knots in KNOTS}
for seed in range(COHORTS):
    patients = cohort(seed)
    truth = CoxPHFitter().fit(patients, "time", "event").params_["marker"]
    for (unit, knots) in wrong:
        table = patients.assign(time=patients.time * UNITS[unit])
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            cox = CoxPHFitter(baseline_estimation_method="spline", n_baseline_knots=knots).fit(table, "time", "event")
        row = cox.summary.loc[("beta_", "marker")]
        wrong[unit, knots] += abs(row["coef"] - truth) > 0.1 and not said
        if seed == 0 and knots == 3:
            curve = cox.predict_survival_function(pd.DataFrame({"marker": [0.0]}), times=[24 * UNITS[unit]])
            likelihood = cox.log_likelihood_ + patients.event.sum() * np.log(UNITS[unit])  # of the same density, per month
            print(f"cohort 0 in {unit:6}, 3 knots: coefficient guess {truth:.2f}, fact {row['coef']:.2f} (p {row['p']:.2g}); "
                  f"alive at 24 months {float(curve.iloc[0, 0]):.2f}; log-likelihood {likelihood:.0f}; warnings {len(said)}")
for knots in KNOTS:
    counts = ", ".join(f"{wrong[unit, knots]} in {unit}" for unit in UNITS)
    print(f"{knots} knots: coefficients off by more than 0.1 without a warning, of {COHORTS} cohorts: guess 0, fact {counts}")
if sum(wrong[unit, knots] for unit in UNITS for knots in (3, 4)) >= COHORTS / 2 and len({wrong[unit, 3] for unit in UNITS}) > 1:
    sys.exit(0)
sys.exit("changed: the fit finds the maximum in each unit of time, or says that it has not")
PYTHON
