#!/usr/bin/env bash
# lifelines 0.30.3 (numpy 2.4.6, pandas 2.3.3, scipy 1.17.1): the concordance of a Cox model with strata
#
# Guess: fitted.score(table, scoring_method="concordance_index") on the table of the fit is fitted.concordance_index_, as it is for a model without strata; on
#        other patients, and in k_fold_cross_validation, it is the same measure.
# Fact:  concordance_index_, which the summary prints, compares patients within a stratum, as R does. score() compares everybody with everybody by the
#        partial hazard, which leaves out the baseline of the stratum and so means nothing between strata. The same model on the same patients
#        has 0.71 and 0.51; cross-validation gives 0.51 too. score(..., "log_likelihood") does heed the strata. Nothing is said.
# Why:   strata are what cancer types, regimens or centres are when their hazards are not proportional. Held-out concordance then looks like overfitting, a biomarker
#        that sorts patients within each cancer looks useless, and one that only tells cancers apart looks good.
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
from lifelines import CoxPHFitter
from lifelines.utils import k_fold_cross_validation

PATIENTS = 600
draw = np.random.default_rng(0)
breast = draw.integers(0, 2, PATIENTS)  # the other half has pancreatic cancer
marker = draw.normal(size=PATIENTS) + 1.5 * breast  # high in breast cancer; in either cancer it shortens life
death = draw.exponential(np.where(breast, 60, 2) * np.exp(-marker))
end = draw.uniform(6, 36, PATIENTS)
cohort = pd.DataFrame({"months": np.minimum(death, end), "died": death <= end, "marker": marker, "cancer": np.where(breast, "breast", "pancreas")})


def concordance(table: pd.DataFrame, hazard: pd.Series) -> tuple[float, float]:
    """Pairs in the right order and pairs that can be compared, by the definition."""
    first = (table.months.to_numpy()[:, None] < table.months.to_numpy()) & table.died.to_numpy()[:, None]
    higher = hazard.to_numpy()[:, None] > hazard.to_numpy()
    return float((first & higher).sum()), float(first.sum())


with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    model = CoxPHFitter(strata=["cancer"]).fit(cohort, "months", "died")
    printed, scored = model.concordance_index_, model.score(cohort, scoring_method="concordance_index")
    hazard = model.predict_partial_hazard(cohort)
    folds = k_fold_cross_validation(CoxPHFitter(strata=["cancer"]), cohort, "months", "died", k=5, scoring_method="concordance_index", seed=0)
    plain = CoxPHFitter().fit(cohort.drop(columns="cancer"), "months", "died")
    alike = plain.concordance_index_ - plain.score(cohort, scoring_method="concordance_index")
said = [one for one in said if "strat" in str(one.message) or "concordance" in str(one.message)]
pairs = [concordance(table, hazard.loc[table.index]) for _, table in cohort.groupby("cancer")]
within = sum(right for right, _ in pairs) / sum(all_pairs for _, all_pairs in pairs)
print(f"by the definition, within each cancer: {within:.3f}")
print(f"concordance_index_ of the fit:         {printed:.3f}")
print(f"score() of it on the same patients:    guess the same, fact {scored:.3f}")
print(f"five-fold cross-validation:            guess about the same, fact {np.mean(folds):.3f}")
print(f"without strata the two differ by {alike:.6f}; warnings about it: {len(said)}")
if abs(within - printed) < 1e-6 and printed - scored > 0.15 and printed - np.mean(folds) > 0.15 and abs(alike) < 1e-9 and not said:
    sys.exit(0)
sys.exit("changed: score() compares patients within their stratum, or says that it does not")
PYTHON
