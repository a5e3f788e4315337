"""Who is compared: the patient's first use of a regimen, and score groups cut without looking at those who are compared.

Score groups are cut, for each fold, at the median of the scores of the other folds' cases of that regimen: out-of-fold scores of the patients
that trained the fold's model. The fold's own cases do not enter their own cut. With fewer than 50 such cases the median is that of the
cancer type, and with fewer than 50 of those, as where a cancer type is a fold, that of all cases; in a design with one held-out fold
the cut is 0.5.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

SMALLEST_CUT_SAMPLE = 50
FIXED_CUT = 0.5


def frame_of(predictions: pd.DataFrame, cases: pd.DataFrame, followup: pd.DataFrame) -> pd.DataFrame:
    """Held-out scores with follow-up and the covariates of `cases`, one row a case that has follow-up."""
    # validate: a doubled row of cases or follow-up would otherwise count twice, and nobody would see it.
    joined = predictions[["case_id", "patient_id", "fold", "score"]].merge(
        cases.drop(columns="patient_id"), on="case_id", validate="one_to_one"
    )
    return joined.merge(followup, on="case_id", validate="one_to_one")


def first_use(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The earliest case of each patient in each group."""
    return frame.sort_values(["index_day", "case_id"]).drop_duplicates(["patient_id", *by])


def low_score(group: pd.DataFrame, *wider: pd.DataFrame, score: str = "score") -> np.ndarray:
    """Whether each case's score is below the cut of its fold.

    Args:
        group: cases of one regimen.
        wider: cases of its cancer type, then all cases; for folds whose other folds have too few.
        score: the column of the score.
    """
    low = np.zeros(len(group), dtype=bool)
    fold, scores = group["fold"].to_numpy(), group[score].to_numpy()
    for held_out in np.unique(fold):
        others = [cases.loc[cases["fold"] != held_out, score].dropna().to_numpy() for cases in (group, *wider)]
        enough = next((found for found in others if len(found) >= SMALLEST_CUT_SAMPLE), others[-1])
        # A design with one held-out fold has no other scores; a cut from its own would be chosen by the patients it is tried on.
        cut = np.median(enough) if len(enough) else FIXED_CUT
        low[fold == held_out] = scores[fold == held_out] < cut
    return low
