#!/usr/bin/env bash
# lifelines 0.30.3 (numpy 2.4.6, pandas 2.3.3, scipy 1.17.1): multivariate_logrank_test(..., weights=...) with the columns of a sorted table
#
# Guess: four columns of one table are read row by row: each patient keeps his weight. The order of the rows changes nothing.
# Fact:  times, groups and events lose their index (row 0, 1, 2, ...), the weights keep theirs and are looked up in it. After a sort, each patient has
#        the weight of the one whose number in the index is his place. Without a word as long as the index holds 0 to n - 1 in any order, which is what
#        sort_values and sample(frac=1) leave; only where rows are missing does pandas refuse. KaplanMeierFitter is right with the same columns,
#        and so is logrank_test, which makes arrays of them.
# Why:   weights are inverse probabilities of treatment or of being sequenced, and a table is sorted by time or by date before. The weighted curves are right and the
#        p-value printed beneath them is of weights dealt at random. Here: p = 0.72 instead of 4e-7.
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
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test

draw = np.random.default_rng(0)
stage = draw.integers(0, 2, 800)  # late stages are treated more often and die earlier: the crude comparison hides that the treatment helps
chance = np.where(stage == 1, 0.8, 0.2)
treated = (draw.random(800) < chance).astype(int)
death, censored = draw.exponential(36 * np.exp(0.4 * treated - 0.9 * stage)), draw.uniform(12, 60, 800)
cohort = pd.DataFrame({
    "months": np.minimum(death, censored),
    "event": (death <= censored).astype(int),
    "treated": treated,
    "weight": np.where(treated == 1, 1 / chance, 1 / (1 - chance)),  # inverse probability of the treatment received
})


def p_value(table: pd.DataFrame, weights) -> float:
    return multivariate_logrank_test(table.months, table.treated, table.event, weights=weights).p_value


def alive(table: pd.DataFrame) -> float:
    treated = table[table.treated == 1]
    return KaplanMeierFitter().fit(treated.months, treated.event, weights=treated.weight).predict(24)


tables = {"as read": cohort, "sorted by time": cohort.sort_values("months"), "shuffled": cohort.sample(frac=1, random_state=1)}
warnings.simplefilter("ignore", category=Warning)  # Kaplan-Meier notes that weights are not whole numbers
curves = {name: alive(table) for name, table in tables.items()}
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    columns = {name: p_value(table, table.weight) for name, table in tables.items()}
    arrays = {name: p_value(table, table.weight.to_numpy()) for name, table in tables.items()}
for name in tables:
    print(f"{name:15}: p-value guess {arrays['as read']:.2g}, fact {columns[name]:.2g}; weights as an array {arrays[name]:.2g}; "
          f"treated alive at 24 months, weighted {curves[name]:.3f}")
print(f"crude p-value {p_value(cohort, None):.2g}; warnings: {sorted({str(one.message)[:60] for one in said}) or 'none'}")
same = max(arrays.values()) / min(arrays.values()) < 1.01 and max(curves.values()) - min(curves.values()) < 1e-6
if same and all(columns[name] > 20 * columns["as read"] for name in ("sorted by time", "shuffled")) and columns["as read"] < 0.05:
    sys.exit(0)
sys.exit("changed: weights stay with their patients")
PYTHON
