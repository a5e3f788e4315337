"""Folds: patients apart in every design, stable under growth, balanced where promised, mistakes told in one line."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.cases.folds import assign, main, patient_table
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Folds
from oncoraft.planning.config_files import check_config

TYPES = Folds().cancer_types
PANELS = ("IMPACT341", "IMPACT410", "IMPACT468", "IMPACT505", "IMPACT-HEME-400")
ALL = ("kfold", "kfold_stratified", "leave_cancer_out", "panel_era")


def cohort(count: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Patients with one to four cases each, and labels of the strict definition; patient n is the same in every cohort."""
    rows = []
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        kind, panel = TYPES[draw.integers(5)], PANELS[draw.choice(5, p=[0.1, 0.2, 0.45, 0.2, 0.05])]
        for place in range(draw.integers(1, 5)):
            answer = [True, False, None][draw.choice(3, p=[0.3, 0.4, 0.3])]
            rows.append((f"P-{number:07d}", f"P-{number:07d}_{place:+d}", kind, panel, answer))
    table = pd.DataFrame(rows, columns=["patient_id", "case_id", "cancer_type", "gene_panel", "responder"])
    labels = table[["case_id", "responder"]].astype({"responder": "boolean"}).assign(definition="strict")
    return table.drop(columns="responder"), labels


def folds_of(count: int, *designs: str, **values: object) -> pd.DataFrame:
    cases, labels = cohort(count)
    return assign(cases, Folds(designs=designs, **values), labels)[0]


@pytest.mark.parametrize("design", ALL)
def test_no_patient_is_held_out_and_trained_on(design: str) -> None:
    rows = folds_of(400, design)
    for fold in range(Folds().count(design)):
        held_out = set(rows.loc[rows["fold"] == fold, "patient_id"])
        training = rows[rows["fold"] != fold]
        assert held_out
        assert not held_out & set(training["patient_id"])
        tuning = set(training.loc[training["is_tuning"], "patient_id"])
        assert tuning, "an inner tuning part"
        assert not tuning & set(training.loc[~training["is_tuning"], "patient_id"])


@pytest.mark.parametrize("design", ["kfold", "leave_cancer_out", "panel_era"])
def test_new_patients_move_nobody(design: str) -> None:
    joined = folds_of(200, design).merge(folds_of(300, design), on="case_id", suffixes=("", "_later"))
    assert len(joined) == len(folds_of(200, design))
    assert np.array_equal(joined["fold"], joined["fold_later"])
    assert np.array_equal(joined["is_tuning"], joined["is_tuning_later"])


def test_new_patients_move_nobody_whose_folds_are_frozen() -> None:
    few, (cases, labels) = folds_of(200, "kfold_stratified"), cohort(300)
    frozen = few.drop_duplicates("patient_id").set_index("patient_id")["fold"].to_dict()
    later = assign(cases, Folds(designs=("kfold_stratified",)), labels, frozen)[0]
    joined = few.merge(later, on="case_id")
    assert np.array_equal(joined["fold_x"], joined["fold_y"])
    patients = patient_table(cases, labels, "strict").merge(later.drop_duplicates("patient_id")[["patient_id", "fold"]], on="patient_id")
    table = pd.crosstab(patients["stratum"], patients["fold"])
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1, "the new patients even every stratum out again"


@settings(max_examples=25, deadline=None)
@given(st.integers(30, 250), st.integers(2, 7), st.integers(0, 5))
def test_stratified_folds_differ_by_one_patient_at_most_in_total_and_in_every_stratum(count: int, folds: int, seed: int) -> None:
    cases, labels = cohort(count, seed)
    rows = assign(cases, Folds(designs=("kfold_stratified",), folds=folds), labels)[0]
    patients = patient_table(cases, labels, "strict").merge(rows.drop_duplicates("patient_id")[["patient_id", "fold"]], on="patient_id")
    table = pd.crosstab(patients["stratum"], patients["fold"]).reindex(columns=range(folds), fill_value=0)
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1
    assert table.sum().max() - table.sum().min() <= 1


def test_stratified_folds_do_not_depend_on_the_order_of_rows() -> None:
    cases, labels = cohort(120)
    shuffled = assign(cases.sample(frac=1, random_state=3), Folds(designs=("kfold_stratified",)), labels.sample(frac=1, random_state=4))[0]
    assert shuffled.equals(folds_of(120, "kfold_stratified"))


def test_a_patient_counts_as_responding_if_any_case_responded() -> None:
    cases = pd.DataFrame({"patient_id": list("aabbc"), "case_id": list("12345"), "cancer_type": "X", "gene_panel": "Y"})
    labels = pd.DataFrame({"case_id": list("12345"), "responder": [False, True, False, None, None]}).astype({"responder": "boolean"})
    table = patient_table(cases, labels.assign(definition="strict"), "strict")
    assert list(table["stratum"]) == ["X / response", "X / no response", "X / not evaluable"]
    assert list(table["cases"]) == [2, 2, 1]


def test_hashed_folds_are_balanced_within_sampling_error() -> None:
    """Of n patients in k folds a share p is hashed to a fold with a standard deviation of sqrt(n p (1 - p)); five of them are allowed."""
    cases, _ = cohort(3000)
    rows = assign(cases, Folds(), None)[0].merge(cases[["case_id", "cancer_type"]], on="case_id").drop_duplicates("patient_id")
    for _, part in [("all", rows), *rows.groupby("cancer_type")]:
        sizes = part["fold"].value_counts().reindex(range(5), fill_value=0)
        assert (sizes - len(part) / 5).abs().max() < 5 * np.sqrt(len(part) * 0.2 * 0.8)


def test_leave_cancer_out_numbers_the_configured_types_and_counts_the_others() -> None:
    cases, labels = cohort(200)
    rows, counts = assign(cases, Folds(designs=("leave_cancer_out",), cancer_types=TYPES[:2]), labels)
    typed = rows.merge(cases[["case_id", "cancer_type"]], on="case_id")
    assert typed.groupby("fold")["cancer_type"].unique().map(list).to_dict() == {0: [TYPES[0]], 1: [TYPES[1]]}
    assert counts["leave_cancer_out"]["cases_in_no_part"] == (~cases["cancer_type"].isin(TYPES[:2])).sum() > 0


def test_panel_era_trains_on_older_panels_and_counts_the_others() -> None:
    cases, labels = cohort(300)
    rows, counts = assign(cases, Folds(designs=("panel_era",)), labels)
    panels = rows.merge(cases[["case_id", "gene_panel"]], on="case_id").groupby("fold")["gene_panel"].unique().map(sorted).to_dict()
    assert panels == {-1: ["IMPACT341", "IMPACT410", "IMPACT468"], 0: ["IMPACT505"]}
    assert counts["panel_era"]["patients_in_no_part"] == cases.loc[cases["gene_panel"] == "IMPACT-HEME-400", "patient_id"].nunique() > 0


def test_the_number_of_folds_is_known_without_data() -> None:
    block = Folds(folds=4, cancer_types=TYPES[:3])
    assert [block.count(design) for design in ALL] == [4, 4, 3, 1]


@pytest.mark.parametrize(
    ("people", "values", "message"),
    [
        (3, {}, "folds.folds: expected at most 3, the number of patients, found 5"),
        (100, {"designs": ("leave_cancer_out",), "cancer_types": ("Breast Cancer", "Brest Cancer")}, "found 'Brest Cancer'"),
        (
            100,
            {"designs": ("panel_era",), "newest_panels": ("IMPACT600",)},
            "folds.newest_panels: expected a panel of the cohort: IMPACT-HEME",
        ),
        (100, {"tuning_fraction": 1.0}, "folds.tuning_fraction: expected a share that leaves patients to train on, found 1.0"),
    ],
)
def test_folds_that_cannot_be_are_one_line(people: int, values: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        assign(cohort(people)[0], Folds(**values))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"designs": ["kfold", "kfold"]}, "designs: expected each design once"),
        ({"newest_panels": ["IMPACT468"]}, "newest_panels: expected panels that are not in older_panels too, found 'IMPACT468'"),
        ({"cancer_types": ["Breast Cancer", "Breast Cancer"]}, "cancer_types: expected each cancer type once"),
        ({"folds": 1}, "folds.folds: expected greater than or equal to 2, found 1"),
    ],
)
def test_folds_that_contradict_one_another_are_refused(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        check_config({"folds": values})


def test_the_step_balances_by_labels_and_keeps_a_frozen_file(tmp_path: Path) -> None:
    cases, labels = cohort(60)
    cases.to_parquet(tmp_path / "cases.parquet")
    argument = '{"folds": {"designs": ["kfold_stratified"], "folds": 3, "frozen": %s}}'
    with pytest.raises(InputError, match=r"labels\.parquet: expected a table written by `oncoraft labels`"):
        main([str(tmp_path), "--settings", argument % "null"])
    assert not (tmp_path / "folds.parquet").exists()
    labels.to_parquet(tmp_path / "labels.parquet")
    main([str(tmp_path), "--settings", argument % "null"])
    first = pd.read_parquet(tmp_path / "folds.parquet")
    (tmp_path / "folds.parquet").rename(tmp_path / "before.parquet")
    labels.assign(responder=pd.array([None] * len(labels), dtype="boolean")).to_parquet(tmp_path / "labels.parquet")
    main([str(tmp_path), "--settings", argument % f'"{tmp_path}/before.parquet"'])
    assert pd.read_parquet(tmp_path / "folds.parquet").equals(first), "other labels, same folds"
    with pytest.raises(InputError, match=r"before\.parquet, column fold: expected folds below 2"):
        main([str(tmp_path), "--settings", (argument % f'"{tmp_path}/before.parquet"').replace('"folds": 3', '"folds": 2')])


def test_a_cohort_of_as_many_patients_as_folds_is_divided_with_nobody_left_out() -> None:
    """By hash alone, half of the seeds would put two patients into one of two folds."""
    for people, folds in ((2, 2), (5, 5), (6, 5), (12, 5)):
        for seed in range(12):
            found, _ = assign(cohort(people)[0], Folds(designs=("kfold",), folds=folds, seed=seed))
            assert set(found["fold"]) == set(range(folds))
            for held_out in range(folds):
                assert not found.loc[found["fold"] != held_out, "is_tuning"].all()
    draw = Folds(designs=("kfold",), folds=5, seed=3)
    large, larger = (assign(cohort(people)[0], draw)[0] for people in (60, 90))
    both = large.merge(larger, on="case_id")
    assert (both["fold_x"] == both["fold_y"]).all()


def test_the_step_gives_the_folds_of_the_table_whatever_the_order_of_its_rows(tmp_path: Path) -> None:
    """A patient's first case in the file says of which cancer type the patient is, even where its id is not the first."""
    cases, labels = cohort(40)
    cases["cancer_type"] = [TYPES[number % 5] for number in range(len(cases))]
    cases, labels = cases.sample(frac=1, random_state=2), labels.sample(frac=1, random_state=5)
    cases.to_parquet(tmp_path / "cases.parquet")
    labels.to_parquet(tmp_path / "labels.parquet")
    main([str(tmp_path), "--settings", f'{{"folds": {{"designs": {list(ALL)}}}}}'.replace("'", '"')])
    expected, _ = assign(cases, Folds(designs=ALL), labels)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "folds.parquet"), expected, check_dtype=False)


def test_the_step_gives_the_folds_of_the_table_however_many_row_groups_it_has(tmp_path: Path) -> None:
    """Each row group has a numbering of its words of its own; a case that names no patient is in no part."""
    cases, labels = cohort(40)
    cases.loc[[3, 50], "patient_id"] = None
    expected, counts = assign(cases, Folds(designs=ALL), labels)
    labels.to_parquet(tmp_path / "labels.parquet", row_group_size=11)
    for rows in (1, 7, 1000):
        cases.to_parquet(tmp_path / "cases.parquet", row_group_size=rows)
        main([str(tmp_path), "--settings", json.dumps({"folds": {"designs": ALL}})])
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "folds.parquet"), expected, check_dtype=False)
        assert json.loads((tmp_path / "folds.parquet.manifest.json").read_text())["counts"] == counts
    assert counts["kfold"]["cases_in_no_part"] == 2


def test_a_cancer_type_asked_for_is_refused_in_one_line_where_no_case_has_any() -> None:
    cases, labels = cohort(60)
    with pytest.raises(InputError, match=f"folds.cancer_types: expected cancer types of the cohort.*found '{TYPES[0]}'"):
        assign(cases.assign(cancer_type=None), Folds(designs=("leave_cancer_out",), cancer_types=TYPES[:2]), labels)
