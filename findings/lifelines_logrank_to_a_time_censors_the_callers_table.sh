#!/usr/bin/env bash
# lifelines 0.30.3 (numpy 2.4.6, pandas 2.3.3): multivariate_logrank_test(..., t_0=12)
#
# Guess: a test reads its arguments. t_0, "the final time period under observation", limits that test to the first year.
# Fact:  it sets the events after t_0 to 0 in the memory it was given: the column of the caller's table, or his array. Every death after a year is
#        censored from then on, in every later call. Numbers are changed, 0/1 as well as 0.0/1.0; a column of booleans is not (pandas makes another one), nor
#        do logrank_test and pairwise_logrank_test change anything. No word is said.
# Why:   the comparison of stages within the first year stands in the middle of a script; the Kaplan-Meier estimate below it has lost its median, the hazard ratio
#        is that of other data, and a table saved at the end carries it on. Run in another order, the script gives other results.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile lifelines==0.30.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import sys
import warnings

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test


def cohort(type_of_event: type) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    stage = draw.choice([2, 3, 4], 600)
    death, censored = draw.exponential(np.where(stage == 4, 12, 30)), draw.uniform(24, 60, 600)  # stage IV is worse, and most deaths come after a year
    event = (death <= censored).astype(type_of_event)
    return pd.DataFrame({"months": np.minimum(death, censored), "event": event, "stage": stage})


def results(table: pd.DataFrame) -> tuple[int, float, float]:
    """Deaths, median survival in months and hazard ratio of stage IV."""
    late = table.assign(late=(table.stage == 4).astype(float))[["months", "event", "late"]]
    ratio = float(CoxPHFitter().fit(late, "months", "event").hazard_ratios_.iloc[0])
    return int(table.event.sum()), float(KaplanMeierFitter().fit(table.months, table.event).median_survival_time_), ratio


changed = {}
for kind in (int, float, bool):
    table = cohort(kind)
    before = results(table)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        multivariate_logrank_test(table.months, table.stage, table.event, t_0=12)
    after = results(table)
    changed[kind] = before != after
    print(f"events as {kind.__name__:5}: deaths, median, hazard ratio before {before[0]}, {before[1]:.1f}, {before[2]:.2f}; "
          f"after the test: guess the same, fact {after[0]}, {after[1]:.1f}, {after[2]:.2f}")
    if kind is not bool and said:
        sys.exit("changed: something is said")
events = cohort(int).event.to_numpy()
deaths = int(events.sum())
multivariate_logrank_test(cohort(int).months.to_numpy(), cohort(int).stage.to_numpy(), events, t_0=12)
print(f"an array of numpy: {deaths} deaths before, {int(events.sum())} after")
if changed == {int: True, float: True, bool: False} and int(events.sum()) < deaths:
    sys.exit(0)
sys.exit("changed: the test leaves the caller's events alone")
PYTHON
