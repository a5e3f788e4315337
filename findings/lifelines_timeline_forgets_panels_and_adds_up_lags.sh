#!/usr/bin/env bash
# lifelines 0.30.3 (pandas 2.3.3): utils.add_covariate_to_timeline with a table of laboratory values
#
# Guess: a row of the table with CEA measured and CA 19-9 not changes CEA from its day on and leaves CA 19-9 as it was. delay=2 shifts the values by 2 in the
#        table that comes back, and the caller's table stays as it is.
# Fact:  a row with any missing value is dropped as a whole, so that CEA keeps its value of long ago: where two markers are never drawn on one day, neither
#        is ever known. And the delay is added to the caller's own table: lags of 1, 2 and 3 tried in turn are 1, 3 and 6, and the analysis without a lag
#        that follows has one of 6. Neither is said.
# Why:   it is the documented way to markers that change over time, `delay` is there "for checking for reverse causality", which is done by trying several; and
#        a cohort's laboratory table has a row a day with a column a marker, mostly empty.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile lifelines==0.30.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import sys
import warnings

import pandas as pd
from lifelines.utils import add_covariate_to_timeline, to_long_format

cohort = pd.DataFrame({"patient": ["A"], "months": [20.0], "died": [True], "age": [61.0]})
panel = pd.DataFrame({"patient": "A", "month": [0.0, 4.0, 9.0], "cea": [2.0, 50.0, 90.0], "ca_19_9": [30.0, None, None]})
apart = pd.DataFrame({"patient": "A", "month": [0.0, 1.0], "cea": [2.0, None], "ca_19_9": [None, 30.0]})


def timeline(values: pd.DataFrame, delay: int = 0) -> pd.DataFrame:
    return add_covariate_to_timeline(to_long_format(cohort, "months"), values, "patient", "month", "died", delay=delay)


with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    alone = timeline(panel[["patient", "month", "cea"]].copy())["cea"].tolist()
    both = timeline(panel.copy())["cea"].tolist()
    never = "cea" in timeline(apart.copy()) and timeline(apart.copy())[["cea", "ca_19_9"]].notna().any().any()
    markers = panel[["patient", "month", "cea"]].copy()
    first_rise = {lag: float(timeline(markers, lag)["start"].iloc[-2]) - 4 for lag in (1, 2, 3)}
    afterwards = markers["month"].tolist()
said = [str(one.message) for one in said if issubclass(one.category, (UserWarning, RuntimeWarning))]

print(f"CEA over time, in a table of its own: {alone}")
print(f"the same beside CA 19-9, measured once: guess {alone}, fact {both}")
print(f"CEA and CA 19-9 drawn a month apart: any value known afterwards: guess True, fact {bool(never)}")
print(f"lags tried in turn: guess {{1: 1.0, 2: 2.0, 3: 3.0}}, fact {first_rise}")
print(f"months in the caller's table: guess [0.0, 4.0, 9.0], fact {afterwards}; warnings: {len(said)}")
if both == [2.0] and not never and list(first_rise.values()) == [1, 3, 6] and afterwards == [6, 10, 15] and not said:
    sys.exit(0)
sys.exit("changed: a partly empty row is used, the caller's table is left alone, or something is said")
PYTHON
