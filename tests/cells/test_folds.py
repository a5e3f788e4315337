"""Folds: no donor on both sides in any design but the one that leaks by intent, and that one does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.cells.declared import UNKNOWN
from oncoraft.cells.folds import assigned, counted
from oncoraft.cells.tables import parts_of_fold
from oncoraft.foundation.errors import InputError
from tests.cells import made

DESIGNS = {"pooled_by_donor": 3, "pooled_by_cell": 3, "leave_dataset_out": 3, "leave_drug_out": 2, "leave_tissue_out": 2}


def cases_of(seed: int, donors: int = 24, cells: int = 6) -> pd.DataFrame:
    """Donors with cells in several tissues and under several drugs, so that holding a level out parts a donor."""
    draw = np.random.default_rng(seed)
    of = np.repeat(np.arange(donors), cells)
    responds = np.arange(donors) % 2 == 0
    return pd.DataFrame(
        {
            "case_id": [f"c{k}" for k in range(len(of))],
            "patient_id": [f"p{k}" for k in of],
            "data_set": [f"set-{k % 3}" for k in of],
            # Most donors have one drug and one tissue; some have cells of others too, which must not train where a level is left out.
            "drug": np.where(draw.random(len(of)) < 0.03, draw.choice(["a", "b"], len(of)), np.array(["a", "b", "c"])[of // 2 % 3]),
            "tissue": np.where(draw.random(len(of)) < 0.03, UNKNOWN, np.array(["blood", "tumour"])[of // 2 % 2]),
            "score": responds[of].astype(float),
            "responder": responds[of],
        }
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_donors_are_apart_in_every_design_but_the_one_by_cell(seed: int) -> None:
    cases = cases_of(seed)
    study = made.study(designs=DESIGNS, seed=seed % 1000)
    folds = assigned(cases, study)
    told = counted(cases, folds, study)
    for design, found in told.items():
        shared = [fold["donors_on_both_sides"] for fold in found["folds"]]
        assert all(shared) if design == "pooled_by_cell" else not any(shared)
        for fold in found["folds"]:
            assert fold["training_cases"] + fold["heldout_cases"] + fold["cases_set_aside"] == len(cases)


def test_a_shared_donor_stops_a_design_that_must_not_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """The assertion itself: were the donors of the held-out cases not taken out of training, it would end the step."""
    cases = cases_of(3)
    folds = assigned(cases, made.study(designs={"pooled_by_cell": 3}))
    _, held = parts_of_fold(cases, folds, 0, leaks=True)
    train, _ = parts_of_fold(cases, folds, 0, leaks=True)
    assert set(cases["patient_id"].iloc[train]) & set(cases["patient_id"].iloc[held])
    monkeypatch.setattr(pd.Series, "isin", lambda self, values: pd.Series(np.zeros(len(self), dtype=bool)))
    with pytest.raises(AssertionError, match="donors are on both sides"):
        parts_of_fold(cases, folds, 0, leaks=False)


def test_whole_levels_are_left_out_and_what_is_not_stated_never_is() -> None:
    cases = cases_of(5)
    folds = assigned(cases, made.study(designs={"leave_dataset_out": 3})).merge(cases, on="case_id")
    assert folds.groupby("data_set")["fold"].nunique().max() == 1
    assert sorted(folds["held_out"].unique()) == ["set-0", "set-1", "set-2"]
    one_tissue = cases.assign(patient_id=cases["patient_id"] + cases["tissue"])
    folds = assigned(one_tissue, made.study(designs={"leave_tissue_out": 2})).merge(one_tissue, on="case_id")
    assert set(folds.loc[folds["tissue"] == UNKNOWN, "fold"]) == {-1}


def test_the_order_of_the_cases_changes_no_fold() -> None:
    cases = cases_of(7)
    study = made.study(designs={"pooled_by_donor": 3, "pooled_by_cell": 3, "leave_dataset_out": 2})
    one = assigned(cases, study).set_index(["design", "case_id"])["fold"].sort_index()
    other = assigned(cases.sample(frac=1, random_state=1), study).set_index(["design", "case_id"])["fold"].sort_index()
    pd.testing.assert_series_equal(one, other)


@pytest.mark.parametrize(
    ("designs", "said"),
    [
        ({"pooled_by_donor": 40}, "expected at most 24 folds, the number of donors"),
        ({"leave_dataset_out": 4}, "expected at most 3 folds, the number of levels of data_set that are stated"),
    ],
)
def test_more_folds_than_there_is_to_hold_out_are_one_line(designs: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        assigned(cases_of(1), made.study(designs=designs))


def test_a_fold_that_leaves_one_class_to_train_on_is_one_line() -> None:
    cases = cases_of(1)
    cases = cases.assign(responder=cases["data_set"] == "set-0", score=(cases["data_set"] == "set-0").astype(float))
    with pytest.raises(InputError, match="expected sensitive and resistant cases to train on in fold"):
        assigned(cases, made.study(designs={"leave_dataset_out": 3}))
