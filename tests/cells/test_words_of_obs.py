"""Columns of obs as people and tools write them: one word for one thing, and what says nothing is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from oncoraft.cells.find_cases import found_cases
from oncoraft.cells.reading import cells_of, opened
from oncoraft.cells.removals import candidates
from tests.cells import made


def find(paths: list[Path], **values: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    study = made.study(**values)
    with opened(paths, study) as files:
        cases, _, _, flow = found_cases(files, study)
    return cases, flow


def lost(flow: dict[str, Any]) -> dict[str, int]:
    return {row["step"]: -row["cells"] for row in flow["steps"] if row["cells"] < 0}


@pytest.mark.parametrize("kind", ["Int64", "boolean", "string"])
def test_nullable_columns_are_read_and_what_is_null_is_missing(tmp_path: Path, kind: str) -> None:
    known: dict[str, list[Any]] = {"Int64": [1, 2, None], "boolean": [True, False, None], "string": ["a", "b", None]}
    path = made.write(tmp_path / "cells.h5ad", obs=made.obs_of(60).assign(donor=pd.array(known[kind] * 20, dtype=kind)))
    cases, flow = find([path])
    assert (cases["patient_id"].nunique(), lost(flow)) == (2, {"no donor": 20})


def test_a_donor_of_whole_number_is_one_person_though_a_file_with_gaps_stores_decimals(tmp_path: Path) -> None:
    whole = made.obs_of(60, data_set="one").assign(donor=[k % 6 + 1 for k in range(60)])
    gaps = made.obs_of(60, data_set="two").assign(donor=[None if k < 6 else float(k % 6 + 1) for k in range(60)])
    words = made.obs_of(60, data_set="three").assign(donor=[f"{k % 6 + 1}.0" for k in range(60)])
    paths = [made.write(tmp_path / f"{name}.h5ad", obs=obs) for name, obs in (("one", whole), ("two", gaps), ("three", words))]
    cases, _ = find(paths, donors="of_all")
    assert sorted(cases["patient_id"].unique()) == list("123456")


def test_a_time_or_a_label_of_whole_number_is_the_declared_word_however_it_is_stored(tmp_path: Path) -> None:
    obs = made.obs_of(60).assign(day=[0.0, None, 14.0] * 20, response=[float(k % 2) for k in range(60)])
    path = made.write(tmp_path / "cells.h5ad", obs=obs)
    for words in ("0", "1"), ("0.0", "1.0"):
        settings: dict[str, Any] = {"labels": {words[0]: 0.0, words[1]: 1.0}, "times": [words[0]], "columns": {"time": "day"}}
        cases, flow = find([path], **settings)
        assert (len(cases), int(cases["responder"].sum()), lost(flow)) == (20, 10, {"sampled at another time": 40})


def test_words_for_nothing_known_are_no_donor_no_drug_and_no_response(tmp_path: Path) -> None:
    obs = made.obs_of(60).astype(object)
    obs.loc[["cell-0", "cell-1", "cell-2"], "donor"] = ["NA", "unknown", "n/a"]
    obs.loc["cell-3", "response"] = "Not Available"
    obs.loc[["cell-4", "cell-5"], ["drug", "tissue"]] = "NA"
    cases, flow = find([made.write(tmp_path / "cells.h5ad", obs=obs)])
    assert lost(flow) == {"no donor": 3, "no response told": 1}
    assert cases["patient_id"].nunique() == 6
    of = cases.set_index("case_id")
    assert set(of.loc[["one:cell-4", "one:cell-5"], ["drug", "regimen", "tissue", "therapy_class"]].to_numpy().ravel()) == {"not stated"}


def test_a_declared_word_keeps_its_meaning_though_it_is_one_for_nothing_known(tmp_path: Path) -> None:
    obs = made.obs_of(60).assign(response=["none", "complete"] * 30, visit="unknown")
    settings: dict[str, Any] = {"labels": {"none": 0.0, "complete": 1.0}, "times": ["unknown"], "columns": {"time": "visit"}}
    cases, _ = find([made.write(tmp_path / "cells.h5ad", obs=obs)], **settings)
    assert (len(cases), int(cases["responder"].sum())) == (60, 30)


def test_categories_without_a_cell_and_space_around_words_make_no_level(tmp_path: Path) -> None:
    obs = made.obs_of(60).assign(tissue=pd.Categorical([" tumour", "tumour "] * 30, categories=["tumour ", " tumour", "never"]))
    study = made.study()
    with opened([made.write(tmp_path / "cells.h5ad", obs=obs)], study) as files:
        assert set(cells_of(files, study)["tissue"]) == {"tumour"}


def test_a_drug_in_several_spellings_is_one_level_that_no_fold_has_on_both_sides(tmp_path: Path) -> None:
    names = ["cisplatin", "Cisplatin", "Platinol", "erlotinib", "ERLOTINIB", "erlotinib"]
    obs = made.obs_of(120).assign(drug=[names[k % 6] for k in range(120)], tissue=["Lymph Node", "lymph  node"] * 60)
    obs.loc["cell-0", "drug"] = "cisplatin"
    cases, flow = find([made.write(tmp_path / "cells.h5ad", 120, obs=obs)], designs={"leave_drug_out": 2})
    assert cases["drug"].value_counts().to_dict() == {"Cisplatin": 60, "erlotinib": 60}
    assert (cases["regimen"] == cases["drug"]).all()
    assert cases["tissue"].nunique() == 1
    assert flow["spelled_otherwise"]["drug"] == {"ERLOTINIB": "erlotinib", "Platinol": "Cisplatin", "cisplatin": "Cisplatin"}


def test_names_that_the_drug_table_joins_without_knowing_them_stay_apart(tmp_path: Path) -> None:
    names = ["Lu-177 vipivotide", "Y-90 glass", "FT-819", "ft-820"]
    obs = made.obs_of(60).assign(drug=[names[k % 4] for k in range(60)])
    assert find([made.write(tmp_path / "cells.h5ad", obs=obs)])[0]["drug"].nunique() == 4


def test_donors_whose_names_or_responses_may_be_wrong_are_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    obs = {name: made.obs_of(60, data_set=name) for name in ("one", "two")}
    obs["one"].loc["cell-0", "response"] = "resistant"
    _, flow = find([made.write(tmp_path / f"{name}.h5ad", obs=table) for name, table in obs.items()])
    assert (flow["donors_of_both_responses"], flow["donor_names_in_several_data_sets"]) == (1, 6)
    assert "6 names of donors stand in several data sets" in caplog.text
    assert "1 donors are sensitive and resistant to one drug" in caplog.text
    other = made.obs_of(60, data_set="two").assign(donor=lambda table: "Q" + table["donor"])
    paths = [made.write(tmp_path / f"{name}.h5ad", obs=table) for name, table in (("one", made.obs_of(60)), ("two", other))]
    caplog.clear()
    _, flow = find(paths)
    assert (flow["donors_of_both_responses"], flow["donor_names_in_several_data_sets"], caplog.text) == (0, 0, "")


def test_a_donor_of_both_responses_is_what_most_of_his_cases_say_whatever_their_order() -> None:
    rows = [
        {"patient_id": donor, "responder": responds, "input": f"Genes: {gene}"}
        for donor, responds, gene in [("A", True, "G1"), ("A", True, "G1"), ("A", False, "G1"), ("B", False, "G2")]
    ]
    assert candidates(rows, 1) == candidates(rows[::-1], 1) == ["G1"]
