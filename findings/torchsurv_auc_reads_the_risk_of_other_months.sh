#!/usr/bin/env bash
# torchsurv 0.2.0 (torch 2.13.0, torchmetrics 1.9.0): Auc of a risk that changes with time
#
# Guess: Auc()(risk, event, time) takes a table of patients by patients, "the entry at row i and column j the risk score for subject i at the time of subject j",
#        and gives the AUC at each time of death from the column of that time. The same risks handed over as patients by times, with new_time, give the same.
# Fact:  the columns are looked up by the place of a death among the deaths, in a table of all patients: once anyone is censored, the AUC of a month is
#        computed from the risks of some other month. The same patients with the dead in the first rows and the longest follow-up last are right. Nothing is said.
# Why:   this is the form that a network with time-dependent risk is scored in, and AUC the measure that the manual recommends for it. Where a marker reverses,
#        as when curves cross under immunotherapy, an AUC far below chance is reported as good: 0.78 at twelve months for 0.22.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torchsurv==0.2.0 torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > months.py <<'PYTHON'
import sys
import warnings

import numpy as np
import torch
from torchsurv.metrics.auc import Auc

PATIENTS, SHOWN = 400, (3, 12, 20, 30)
draw = np.random.default_rng(0)
marker = draw.normal(size=PATIENTS)
death = draw.exponential(12 * np.exp(-1.5 * marker))
death = np.where(death < 10, death, 10 + draw.exponential(20 * np.exp(marker)))


def risk(months: torch.Tensor) -> torch.Tensor:
    """Risk of each patient at each of the months: that of the marker, and after ten months its opposite."""
    column = torch.tensor(marker).float()[:, None]
    return torch.where(months[None] < 10, column, -column)


def by_hand(months: torch.Tensor, died: torch.Tensor, time: float) -> float:
    """Cumulative AUC at a time: pairs of one dead by then and one who lives longer."""
    score = risk(torch.tensor([time]))[:, 0]
    dead, alive = score[(months <= time) & died], score[months > time]
    return float((dead[:, None] > alive[None]).float().mean())


def both(rows: np.ndarray) -> tuple[Auc, Auc]:
    """AUC of the patients in this order, from the table of patients by patients and from that of patients by times of death."""
    square, times = Auc(), Auc()
    square(risk(months[rows])[rows], died[rows], months[rows])
    times(risk(square.new_time)[rows], died[rows], months[rows], new_time=square.new_time)
    return square, times


end = draw.uniform(0, 60, PATIENTS)
months, died = torch.tensor(np.minimum(death, end)).float(), torch.tensor(death <= end)
dead_first = np.lexsort((np.minimum(death, end), death > end))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    square, times = both(np.arange(PATIENTS))
    ordered, also_ordered = both(dead_first)
for month in SHOWN:
    place = int((square.new_time - month).abs().argmin())
    time = float(square.new_time[place])
    found = f"patients by times {float(times.auc[place]):.2f}, patients by patients {float(square.auc[place]):.2f}"
    print(f"month {time:4.1f}: by hand {by_hand(months, died, time):.2f}, {found}")
    assert abs(by_hand(months, died, time) - float(times.auc[place])) < 1e-4, "the guess itself"
apart, apart_in_order = (square.auc - times.auc).abs(), (ordered.auc - also_ordered.auc).abs()
print(f"{int((apart > 0.01).sum())} of {len(apart)} times differ, by up to {float(apart.max()):.2f}")
print(f"with the dead in the first rows by up to {float(apart_in_order.max()):.2f}")
print(f"warnings: {len(said)}")
if float(apart.max()) > 0.5 and float(apart_in_order.max()) < 1e-6 and not said:
    sys.exit(0)
sys.exit("changed: each AUC is that of its own month, or something is said")
PYTHON
venv/bin/python months.py
