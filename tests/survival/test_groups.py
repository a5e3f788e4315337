"""Score groups are cut by patients of other folds: of the regimen, else of the cancer type, else of all."""

import numpy as np
import pandas as pd

from oncoraft.survival.groups import low_score


def scores(fold: int, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"fold": fold, "score": values})


NEAR_HALF, NEAR_TENTH = np.linspace(0.4, 0.6, 61), np.linspace(0.05, 0.15, 61)


def test_a_fold_is_cut_at_the_median_of_the_other_folds_of_the_regimen() -> None:
    group = pd.concat([scores(0, np.array([0.09, 0.11])), scores(1, NEAR_TENTH)])
    everyone = pd.concat([group, scores(1, NEAR_HALF)])
    assert low_score(group, everyone, everyone)[:2].tolist() == [True, False]


def test_a_rare_regimen_is_cut_by_its_cancer_type_and_a_cancer_type_that_is_a_fold_by_all() -> None:
    group = pd.concat([scores(0, np.array([0.09, 0.11])), scores(1, NEAR_HALF[:5])])
    of_type = pd.concat([group, scores(1, NEAR_TENTH)])
    everyone = pd.concat([of_type, scores(1, NEAR_HALF)])
    assert low_score(group, of_type, everyone)[:2].tolist() == [True, False]
    alone = scores(0, np.array([0.09, 0.11]))
    assert low_score(alone, alone, pd.concat([alone, scores(1, NEAR_TENTH)])).tolist() == [True, False]


def test_one_fold_alone_is_cut_at_a_half_whatever_its_own_scores() -> None:
    alone = scores(0, np.array([0.1, 0.4, 0.5, 0.9]))
    assert low_score(alone, alone, alone).tolist() == [True, True, False, False]
