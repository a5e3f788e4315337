"""What the law of the twin makes likeliest: as good as nothing else can be, and read as the tasks read answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.tasks.icd10 import icd10_of_description
from oncoraft.tasks.registry import task_of
from oncoraft.twin.cohort import Cohort, make_cohort
from oncoraft.twin.parameters import CANCERS
from oncoraft.twin.procedures import radiation
from oncoraft.twin.regimens import OPTIONS
from oncoraft.twin.task_law import LOCAL_RADIATION, code_of, likeliest_options, main, of_regimens, radiation_soon, written

NOBODY = pd.DataFrame({"patient_id": pd.Series(dtype=object), "start_day": pd.Series(dtype=int)})


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return make_cohort(3, np.arange(1, 2001))


def test_the_likeliest_regimen_is_right_as_often_as_its_weight_says_and_more_often_than_the_usual_one(cohort: Cohort) -> None:
    regimens, chosen = cohort.regimens, likeliest_options(cohort)
    right = chosen == regimens.option
    cancer = cohort.people.cancer[regimens.person]
    usual = np.array([np.bincount(regimens.option[cancer == kind]).argmax() for kind in range(5)])[cancer]
    assert right.mean() > (usual == regimens.option).mean() + 0.15
    # By hand: of first metastatic lines of colorectal cancer without instability on record, 5.01 of the allowed weights are FOLFOX.
    colon = [option for option in OPTIONS if option.agents[:1] == ("FLOXURIDINE",)]
    assert len(colon) == 1
    mine = (cancer == 2) & ~regimens.is_early & (regimens.line == 1) & ~cohort.people.states["MSI"][regimens.person]
    weights = (5, 1.8, 0.5, 0.5, 0.9, 0.8, 0, 0.2, 0, 0.1, 0, 0.6, 0, 0.15)  # PEMBROLIZUMAB needs instability
    expected = 5.01 / (sum(weights) + 0.01 * 13)
    assert right[mine].mean() == pytest.approx(expected, abs=4 * (expected * (1 - expected) / mine.sum()) ** 0.5)


def test_no_option_of_metastatic_disease_is_likeliest_twice_and_what_the_source_masks_never_is(cohort: Cohort) -> None:
    regimens, chosen = cohort.regimens, likeliest_options(cohort)
    assert not any(OPTIONS[option].agents == ("INVESTIGATIONAL",) for option in chosen[regimens.protocol < 0])
    frame = pd.DataFrame({"person": regimens.person, "given": regimens.option, "likeliest": chosen})[~regimens.is_early]
    before = frame.groupby("person")["given"].apply(lambda given: [set(given.iloc[:place]) for place in range(len(given))]).explode()
    is_second = regimens.protocol[~regimens.is_early] >= 0
    again = [likeliest in seen for likeliest, seen in zip(frame["likeliest"], before)]
    assert not np.any(np.array(again) & ~is_second)


def test_radiation_is_likelier_than_none_where_the_drugs_are_given_with_it_and_the_days_say_so(cohort: Cohort) -> None:
    table = radiation(cohort)
    days = {(int(person), int(day)) for person, day in zip(table["person"], table["start_day"])}
    regimens = cohort.regimens
    who = list(zip(regimens.person.tolist(), regimens.start.tolist()))
    begun = np.array([(person, day - 1) in days for person, day in who])
    soon = radiation_soon(cohort, begun)
    comes = np.array([any((person, day + wait) in days for wait in range(31)) for person, day in who])
    assert 0.55 < comes[soon].mean() < 0.95
    assert comes[~soon].mean() < 0.2
    assert not soon[begun].any()
    local = regimens.local[(regimens.local > 0)]
    assert (local == 2).mean() == pytest.approx(LOCAL_RADIATION, abs=0.05)


def test_the_words_of_every_site_have_the_code_that_the_mapping_gives_their_registry_row() -> None:
    for cancer in CANCERS:
        for site, topography, *_ in cancer.primary_sites:
            for _, _, histology, _ in cancer.histologies:
                words, morphology = histology.split("|")
                text = f"{words} | {site} ({morphology} | {topography})"
                assert code_of(text) == icd10_of_description(text).code


def test_agents_are_written_as_answers_and_what_supports_them_alone_is_not() -> None:
    assert written(("FLUOROURACIL", "LEUCOVORIN", "OXALIPLATIN")) == "Drugs: fluorouracil (fluoropyrimidine); oxaliplatin (platinum)"
    for option in OPTIONS:
        if option.agents != ("INVESTIGATIONAL",):
            assert task_of("drug_regimen").read(written(option.agents)), option


def test_other_patients_change_nothing() -> None:
    few, many = (of_regimens(3, patients, NOBODY).sort_values(["patient_id", "start_day"], ignore_index=True) for patients in (60, 200))
    pd.testing.assert_frame_equal(few, many[many["patient_id"] <= few["patient_id"].max()].reset_index(drop=True))


def tables(folder: Path, words: str) -> Path:
    folder.mkdir()
    NOBODY.to_parquet(folder / "timeline_radiation.parquet")
    pd.DataFrame({"patient_id": ["P-0000001"], "start_day": [-9], "dx_description": [words]}).to_parquet(
        folder / "timeline_diagnosis.parquet"
    )
    return folder


def test_the_table_has_a_row_a_day_and_null_where_a_task_asks_nothing(tmp_path: Path) -> None:
    folder = tables(tmp_path / "tables", "ADENOCARCINOMA, NOS | PROSTATE GLAND (M8140/3 | C619)")
    settings = json.dumps({"twin": {"patients": 60, "seed": 3}})
    assert main([str(folder), "--out", str(tmp_path / "law.parquet"), "--settings", settings]) == 0
    law = pd.read_parquet(tmp_path / "law.parquet")
    assert not law.duplicated(["patient_id", "start_day"]).any()
    assert law["icd10"].dropna().tolist() == ["C61"]
    assert law["drug_regimen"].notna().sum() == law["radiation_start"].notna().sum() == len(of_regimens(3, 60, NOBODY))


def test_tables_of_no_twin_are_one_line(tmp_path: Path) -> None:
    folder = tables(tmp_path / "tables", "ADENOCARCINOMA, NOS | SOMEWHERE (M8140/3 | C760)")
    with pytest.raises(InputError, match="expected diagnoses of a twin; it does not write this site, found 'SOMEWHERE'"):
        main([str(folder), "--out", str(tmp_path / "law.parquet"), "--settings", json.dumps({"twin": {"patients": 60}})])
    with pytest.raises(InputError, match=r"timeline_radiation\.parquet: expected a table written by"):
        main([str(tmp_path), "--out", str(tmp_path / "law.parquet"), "--settings", json.dumps({"twin": {"patients": 60}})])
