"""Who is compared: the patient's first use of a regimen, and score groups cut without looking at those who are compared.

Score groups are cut, for each fold, at the median (or the tertiles, the quartiles) of the scores of the other folds' cases of that regimen:
out-of-fold scores of the patients that trained the fold's model. The fold's own cases do not enter their own cut. With fewer than 50 such
cases the quantiles are those of the cancer type, and with fewer than 50 of those, as where a cancer type is a fold, of all cases; in a design
with one held-out fold the cuts part the scores from 0 to 1 into equal lengths. Or the cuts are fixed scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from oncoraft.survival.risk_sets import Array

SMALLEST_CUT_SAMPLE = 50
QUANTILES = {"median": (1 / 2,), "tertiles": (1 / 3, 2 / 3), "quartiles": (1 / 4, 1 / 2, 3 / 4)}
# From the highest scores down.
NAMES = {2: ("high", "low"), 3: ("high", "middle", "low"), 4: ("high", "upper middle", "lower middle", "low")}


def frame_of(predictions: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Held-out scores with the covariates of `cases`, one row a case."""
    # validate: a doubled row of cases would otherwise count twice, and nobody would see it.
    joined = predictions[["case_id", "patient_id", "fold", "score"]].merge(
        cases.drop(columns="patient_id"), on="case_id", validate="one_to_one"
    )
    # Sums depend on the order of what is added, in their last digit: an order of its own makes equal bytes of equal rows.
    return joined.sort_values("case_id", ignore_index=True)


def first_use(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The earliest case of each patient in each group."""
    return frame.sort_values(["index_day", "case_id"]).drop_duplicates(["patient_id", *by])


def score_groups(group: pd.DataFrame, *wider: pd.DataFrame, by: str | tuple[float, ...] = "median", score: str = "score") -> Array:
    """The group of each case, 0 for the lowest scores.

    Args:
        group: cases of one regimen.
        wider: cases of its cancer type, then all cases; for folds whose other folds have too few.
        by: a name of `QUANTILES`, or fixed scores at and above which the next group begins.
        score: the column of the score.
    """
    scores = group[score].to_numpy(float)
    if not isinstance(by, str):
        return np.searchsorted(np.array(by), scores, side="right")
    shares = np.array(QUANTILES[by])
    fold, found = group["fold"].to_numpy(), np.zeros(len(group), dtype=int)
    for held_out in np.unique(fold):
        cuts = np.searchsorted(_cuts((group, *wider), score, held_out, shares), scores[fold == held_out], side="right")
        found[fold == held_out] = cuts
    return found


def _cuts(samples: Sequence[pd.DataFrame], score: str, held_out: int, shares: Array) -> Array:
    """Quantiles of the scores of the other folds, of the first sample that holds enough."""
    others = np.zeros(0)
    for cases in samples:
        scores = cases[score].to_numpy(float)
        others = scores[(cases["fold"].to_numpy() != held_out) & ~np.isnan(scores)]
        if len(others) >= SMALLEST_CUT_SAMPLE:
            break
    # A design with one held-out fold has no other scores; a cut from its own would be chosen by the patients it is tried on.
    found: Array = np.quantile(others, shares) if len(others) else shares
    return found


def low_score(group: pd.DataFrame, *wider: pd.DataFrame, score: str = "score") -> Array:
    """Whether each case's score is below the median of its fold's cut (`score_groups`)."""
    return score_groups(group, *wider, score=score) == 0


def group_names(by: str | tuple[float, ...]) -> tuple[str, ...]:
    """Names of the score groups, from the highest scores down."""
    count = len(QUANTILES[by] if isinstance(by, str) else by) + 1
    if isinstance(by, str) or count == 2:
        return NAMES[count]
    cuts = [f"{cut:g}" for cut in by]
    between = [f"{lower} to {upper}" for lower, upper in pairwise(cuts)]
    return (f"{cuts[-1]} and above", *between[::-1], f"below {cuts[0]}")
