"""Folds: patients apart, stable under growth, balanced where promised."""

import numpy as np
import pandas as pd
import pytest

from oncoraft.cases.folds import assign
from oncoraft.config import Folds
from oncoraft.errors import InputError


def patients_with_two_cases(count: int) -> pd.DataFrame:
    people = [f"P-{number:07d}" for number in range(count) for _ in range(2)]
    return pd.DataFrame({"patient_id": people, "case_id": [f"{who}_{n % 2}" for n, who in enumerate(people)]})


def test_folds_never_share_a_patient_and_new_patients_move_nobody() -> None:
    few, many = assign(patients_with_two_cases(100), Folds()), assign(patients_with_two_cases(150), Folds())
    assert few.groupby("patient_id")["fold"].nunique().max() == 1
    joined = few.merge(many, on="case_id")
    assert np.array_equal(joined["fold_x"], joined["fold_y"])
    assert set(few["fold"]) == set(range(5))


def test_fewer_patients_than_folds_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="expected at most 3, the number of patients, found 5"):
        assign(patients_with_two_cases(3), Folds())
