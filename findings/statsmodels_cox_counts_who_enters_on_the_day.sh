#!/usr/bin/env bash
# statsmodels 0.15.0 (lifelines 0.30.3 beside it): delayed entry in PHReg where entries and deaths share a day
#
# Guess: PHReg(entry=...) and SurvfuncRight(entry=...) of one library agree on who is at risk on a day: those who entered before it, follow-up being
#        (entry, exit] as in R's Surv(start, stop, event) and in lifelines.
# Fact:  SurvfuncRight leaves out who enters on the day of a death, PHReg counts them: a risk set with people who could not have been seen to
#        die in it. Whole days or months tie all the time, so the coefficient is another one; the smallest shift of the entries gives back the usual one.
# Why:   sequencing dates and death dates of a cohort are whole days, or whole months in public releases. PHReg is a natural second opinion for a
#        hazard ratio under delayed entry, and disagrees for a reason that is not in its documentation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile lifelines==0.30.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 statsmodels==0.15.0
venv/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight

# Month 5: one death; patients 1, 2 and 3 entered before, patient 4 enters in this very month.
exit_, entry = np.array([5, 8, 9, 12]), np.array([0, 0, 1, 5])
print("at risk in month 5 by SurvfuncRight:", int(SurvfuncRight(exit_, np.ones(4), entry=entry).n_risk[0]))
marker = np.array([[0.0], [1.0], [0.0], [1.0]])
first = PHReg(exit_, marker, status=np.array([1, 0, 0, 0]), entry=entry)  # the death of month 5 is the only event
counted = round(float(np.exp(-first.loglike(np.zeros(1)))))
print(f"at risk in month 5 by PHReg: guess 3, fact {counted}")

draw = np.random.default_rng(1)
death, start, treated = np.ceil(draw.exponential(12, 4000)), np.floor(draw.uniform(0, 24, 4000)), draw.binomial(1, 0.5, 4000)
death = np.where(treated == 1, np.ceil(death * 1.5), death)
seen = death > start
cohort = pd.DataFrame({"death": death, "event": 1.0, "entry": start, "treated": treated.astype(float)})[seen]


def by_statsmodels(shift: float) -> float:
    model = PHReg(cohort.death, cohort[["treated"]], status=cohort.event, entry=cohort.entry + shift, ties="efron")
    return float(model.fit().params[0])


lifelines = float(CoxPHFitter().fit(cohort, "death", "event", entry_col="entry").params_.iloc[0])
as_given, shifted = by_statsmodels(0.0), by_statsmodels(1e-6)
print(f"log hazard ratio of {len(cohort)} patients in whole months: lifelines {lifelines:.4f}")
print(f"  statsmodels: guess the same, fact {as_given:.4f}; with every entry a millionth of a month later {shifted:.4f}")
if counted == 4 and abs(shifted - lifelines) < 1e-5 < 1e-3 < abs(as_given - lifelines):
    sys.exit(0)
sys.exit("changed: PHReg no longer counts who enters on the day of a death")
PYTHON
