#!/usr/bin/env bash
# torchsurv 0.2.0 (torch 2.13.0, torchmetrics 1.9.0): the default interval of ConcordanceIndex and its comparison of two models
#
# Guess: confidence_interval() and compare(), both by Noether's method (Pencina and D'Agostino 2004) unless told otherwise, have the standard error that
#        the index really has from cohort to cohort: 95 % intervals hold 95 %, and two models are told apart as often as the data allow.
# Fact:  Noether's formula counts for each patient all pairs that he is in. torchsurv counts a pair for him who dies first alone, and divides as if for both,
#        so that the standard error is twice as large. The interval is twice as wide, a p-value of 0.0001 against chance is 0.05, and a difference between
#        two models that is there is found by compare() in a fraction of the cohorts of a bootstrap of the patients. The same formula with both counts is right.
# Why:   a better language model than the clinical score, with 300 patients of a cohort to show it, is reported as "no significant difference"; a marker as
#        no better than chance. Nothing looks amiss: index, interval and p-value agree with each other, and more patients help only to the square root.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torchsurv==0.2.0 torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > intervals.py <<'PYTHON'
import sys
import warnings

import numpy as np
import torch
from torchsurv.metrics.cindex import ConcordanceIndex

COHORTS, PATIENTS, REPEATS = 100, 300, 200


def noether(score: np.ndarray, months: np.ndarray, died: np.ndarray) -> float:
    """Standard error of Noether's method, each pair counted for both patients in it."""
    first = (months[:, None] < months[None]) & died[:, None]
    right, wrong = (first & (score[:, None] > score[None])).astype(float), (first & (score[:, None] < score[None])).astype(float)
    right, wrong = right.sum(0) + right.sum(1), wrong.sum(0) + wrong.sum(1)
    pairs = PATIENTS * (PATIENTS - 1)
    triples = pairs * (PATIENTS - 2)
    p, q = right.sum() / pairs, wrong.sum() / pairs
    pp, qq, pq = (right * (right - 1)).sum() / triples, (wrong * (wrong - 1)).sum() / triples, (right * wrong).sum() / triples
    return float(np.sqrt(4 / (p + q) ** 4 * (q**2 * pp - 2 * p * q * pq + p**2 * qq) / PATIENTS))


def index(score: np.ndarray, months: np.ndarray, died: np.ndarray) -> float:
    first = (months[:, None] < months[None]) & died[:, None]
    return float((first & (score[:, None] > score[None])).sum() / first.sum())


def bootstrap_finds(one: np.ndarray, other: np.ndarray, months: np.ndarray, died: np.ndarray, draw: np.random.Generator) -> bool:
    """Whether 95 of 100 resamplings of the patients find the first model better."""
    rows = [draw.integers(0, PATIENTS, PATIENTS) for _ in range(REPEATS)]
    return float(np.mean([index(one[r], months[r], died[r]) <= index(other[r], months[r], died[r]) for r in rows])) < 0.05


warnings.simplefilter("ignore")
table = []
for seed in range(COHORTS):
    draw = np.random.default_rng(seed)
    risk = draw.normal(size=PATIENTS)
    death, end = draw.exponential(24 * np.exp(-risk)), draw.exponential(20, PATIENTS)
    months, died = np.minimum(death, end), death <= end
    better, worse = risk + draw.normal(size=PATIENTS), risk + 1.8 * draw.normal(size=PATIENTS)
    measured = [ConcordanceIndex(), ConcordanceIndex()]
    for measure, score in zip(measured, (better, worse)):
        measure(torch.tensor(score), torch.tensor(died), torch.tensor(months))
    low, high = measured[0].confidence_interval().tolist()
    assert abs(float(measured[0].cindex) - index(better, months, died)) < 1e-6, "the index itself"
    found = bootstrap_finds(better, worse, months, died, draw)
    table.append((float(measured[0].cindex), (high - low) / 2 / 1.959964, noether(better, months, died), float(measured[0].compare(measured[1])) < 0.05, found))
value, printed, both, told, found = np.array(table, dtype=float).T
spread = value.std(ddof=1)
print(f"concordance index of {PATIENTS} patients, over {COHORTS} cohorts: {value.mean():.3f}, its spread {spread:.4f}")
print(f"standard error: torchsurv {printed.mean():.4f}; each pair counted for both patients {both.mean():.4f}")
print(f"the better of two models found better (one-sided, 0.05): compare() {told.mean():.2f}, bootstrap of the patients {found.mean():.2f} of the cohorts")
if 1.9 < printed.mean() / both.mean() < 2.1 and abs(both.mean() / spread - 1) < 0.2 and told.mean() < found.mean() - 0.2:
    sys.exit(0)
sys.exit("changed: the standard error is that of the index")
PYTHON
venv/bin/python intervals.py
