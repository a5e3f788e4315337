"""The twin's traps: each is in the records in its declared share, the truth names whom it touches, `clean` has none of the disturbances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from oncoraft.twin import traps
from oncoraft.twin.blocks import Task, all_columns, make_block, patient_ids
from oncoraft.twin.cohort import make_cohort
from oncoraft.twin.parameters import NAMES
from oncoraft.twin.regimens import PROTOCOLS
from oncoraft.twin.response import SETTINGS
from oncoraft.twin.samples import make_samples
from oncoraft.twin.truth import truth_table

COUNT = 5000
DISTURBED = ("trap_head_only", "trap_tracer", "trap_spelling", "trap_missing_word")  # of the records alone


class Made(NamedTuple):
    truth: pd.DataFrame
    tables: dict[str, pd.DataFrame]


def make(clean: bool) -> Made:
    numbers = np.arange(1, COUNT + 1)
    cohort, ids = make_cohort(31, numbers), patient_ids(numbers)
    columns = all_columns(cohort, make_samples(cohort), clean)
    names = ["timeline_treatment", "timeline_surgery", "timeline_radiation", "timeline_diagnosis", "timeline_performance_status",
             "timeline_progression", "timeline_cancer_presence", "timeline_tumor_sites"]  # fmt: skip
    tables = {name: pd.DataFrame(columns[name]).assign(patient_id=lambda frame: ids[frame["person"]]) for name in names}
    return Made(truth_table(cohort, columns, ids, clean), tables)


@pytest.fixture(scope="module")
def made() -> Made:
    return make(clean=False)


@pytest.fixture(scope="module")
def tidy() -> Made:
    return make(clean=True)


def beside(rows: pd.DataFrame, table: pd.DataFrame, low: int, high: int) -> pd.Series:
    """Whether each regimen has a row of the table from `low` to `high` days after its first day."""
    joined = rows.reset_index()[["index", "patient_id", "start_day"]].merge(
        table[["patient_id", "start_day"]], on="patient_id", suffixes=("", "_other")
    )
    near = joined[(joined["start_day_other"] - joined["start_day"]).between(low, high)]
    return pd.Series(rows.index.isin(near["index"]), index=rows.index)


def test_the_truth_has_every_column_and_no_gap(made: Made) -> None:
    truth = made.truth
    words = {
        "true_setting",
        "true_line",
        "true_protocol",
        "true_is_chemoradiation",
        "true_cancer_type",
        "true_local_treatment",
        "true_contradicted",
        "true_deciding_day",
    }
    assert words <= set(truth)
    flags = [name for name in truth if name.startswith("trap_")]
    assert len(flags) == 15
    assert all(truth[name].dtype == bool and 0 < truth[name].mean() < 0.5 for name in flags)
    assert truth.notna().all().all()
    assert set(truth["true_setting"]) == set(SETTINGS)
    assert set(truth["true_protocol"]) == {"", *(one.name for one in PROTOCOLS)}
    assert set(truth["true_local_treatment"]) == {"", "surgery", "radiation"}
    assert set(truth["true_cancer_type"]) == {"", *NAMES}
    assert truth.sort_values(["patient_id", "start_day"], kind="stable").index.equals(truth.index)


def test_lines_count_from_one_within_a_setting_and_a_protocol_is_one_line(made: Made) -> None:
    own = made.truth[~made.truth["trap_other_cancer"]]
    late = own[(own["true_setting"] == "metastatic") & ~own["trap_treated_elsewhere"]]
    lines = late.groupby("patient_id")["true_line"]
    assert lines.first().eq(1).all()
    assert lines.diff().dropna().isin([0, 1]).all()
    stays = lines.diff().eq(0)
    assert (stays == (late["trap_protocol"] & late.groupby("patient_id")["true_protocol"].shift().eq(late["true_protocol"]))).all()
    assert own.loc[own["is_early"], "true_line"].eq(1).all()


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: one.name)
def test_a_protocols_parts_follow_one_another_with_its_gap(made: Made, protocol: object) -> None:
    rows = made.truth[made.truth["true_protocol"] == protocol.name]
    counts = rows.groupby("patient_id").size()
    assert len(counts) > 5
    assert counts.isin([2]).mean() > 0.99
    treatment = made.tables["timeline_treatment"].groupby("patient_id")
    assert {len(set(map(tuple, part["agents"]))) for _, part in rows.groupby("patient_id")} == {2}
    for patient, part in list(rows.groupby("patient_id"))[:20]:
        given = treatment.get_group(patient)
        before = given[given["start_day"] < part["start_day"].iloc[1] - 3]
        assert before["stop_day"].max() >= part["start_day"].iloc[0]


def test_doxorubicin_cyclophosphamide_is_followed_by_a_taxane_in_94_of_100(made: Made) -> None:
    own = made.truth[~made.truth["trap_treated_elsewhere"] & (made.truth["cancer_type"] == "Breast Cancer")]
    agents = own["agents"].map(" + ".join)
    rows = own[agents == "CYCLOPHOSPHAMIDE + DOXORUBICIN"]
    assert 0.88 < (rows["true_protocol"] == "AC then taxane").mean() < 0.98


def test_chemoradiation_has_radiation_beside_it_and_a_third_of_capecitabine_is_near_radiation(made: Made) -> None:
    truth, radiation = made.truth, made.tables["timeline_radiation"]
    assert beside(truth[truth["trap_chemoradiation"]], radiation, -1, 4).all()
    capecitabine = truth[truth["agents"].map(lambda agents: agents == ["CAPECITABINE"])]
    assert 0.25 < beside(capecitabine, radiation, -14, 28).mean() < 0.45


def test_local_treatment_lies_between_the_first_day_and_the_first_scan(made: Made) -> None:
    truth = made.truth
    for kind in ("surgery", "radiation"):
        rows = truth[truth["trap_local_treatment"] & (truth["true_local_treatment"] == kind)]
        table = made.tables[f"timeline_{kind}"]
        table = table[table["subtype"] == "PROCEDURE"] if kind == "surgery" else table
        assert beside(rows, table, 6, 32).all()
    responders = truth[truth["response"].isin(["CR", "PR"])]
    touched = responders["trap_local_treatment"] | responders["trap_minor_procedure"]
    assert 0.25 < touched.mean() < 0.40  # released rows: 561 of 1,716 responders
    assert responders["trap_local_treatment"].mean() > 3 * truth.loc[truth["response"] == "SD", "trap_local_treatment"].mean()


def test_an_operation_stands_between_neoadjuvant_and_adjuvant_treatment(made: Made) -> None:
    rows = made.truth[made.truth["trap_perioperative"]]
    ends = rows[rows["true_setting"] == "neoadjuvant"].groupby("patient_id")["start_day"].max()
    begins = rows[rows["true_setting"] == "adjuvant"].groupby("patient_id")["start_day"].min()
    operations = made.tables["timeline_surgery"].query("subtype == 'PROCEDURE'").groupby("patient_id")["start_day"].agg(list)
    assert len(ends) > 20
    for patient in ends.index:
        assert any(ends[patient] < day < begins[patient] for day in operations[patient])


def test_an_earlier_cancer_is_treated_before_the_first_diagnosis_of_this_one(made: Made) -> None:
    rows, registry = made.truth[made.truth["trap_other_cancer"]], made.tables["timeline_diagnosis"]
    patients = rows["patient_id"].nunique()
    assert 0.02 < patients / COUNT < 0.05
    first = registry.groupby("patient_id")["start_day"].min()
    nothing_told = rows["true_cancer_type"] == ""
    before = rows["patient_id"].map(first) - rows["start_day"]
    assert (before[nothing_told] > 30).all()
    assert (before[~nothing_told] < 0).all()
    assert 0.1 < (~nothing_told).mean() < 0.4
    assert (rows["cancer_type"] != made.truth[~made.truth["trap_other_cancer"]].groupby("patient_id")["cancer_type"].first().reindex(rows["patient_id"]).to_numpy()).all()  # fmt: skip


def test_a_contradicted_day_says_no_cancer_and_names_a_site(made: Made) -> None:
    truth = made.truth
    rows = truth[truth["true_contradicted"]]
    seen, sites = made.tables["timeline_cancer_presence"], made.tables["timeline_tumor_sites"]
    free = seen[seen["has_cancer"] == "N"][["patient_id", "start_day"]].merge(sites[["patient_id", "start_day"]]).drop_duplicates()
    assert beside(rows, free, 15, 120).all()
    judged = truth[(truth["response"] == "CR") & beside(truth, seen[seen["has_cancer"] == "N"], 15, 120)]
    assert 0.06 < judged["true_contradicted"].mean() < 0.18  # released rows: 75 of 621


def test_a_head_scan_says_nothing_of_the_body(made: Made) -> None:
    rows, seen = made.truth[made.truth["trap_head_only"]], made.tables["timeline_cancer_presence"]
    head = seen[seen["head"] & ~seen[["chest", "abdomen", "pelvis", "other"]].any(axis=1) & (seen["has_cancer"] == "N")]
    assert beside(rows, head, 17, 33).mean() > 0.93  # a few have no radiology on record at all


def test_status_of_the_first_day_oral_agents_tracers_and_spellings(made: Made) -> None:
    truth, treatment = made.truth, made.tables["timeline_treatment"]
    assert 0.07 < truth["trap_index_day"].mean() < 0.12
    assert beside(truth[truth["trap_index_day"]], made.tables["timeline_performance_status"], 0, 0).mean() > 0.98
    early = truth[truth["trap_early_oral"]]
    assert beside(early, treatment[treatment["agent"] == "OXALIPLATIN"], 8, 15).mean() > 0.9
    assert not beside(early, treatment[treatment["agent"] == "OXALIPLATIN"], 0, 7).any()
    pair = truth["agents"].map(lambda agents: agents == ["CAPECITABINE", "OXALIPLATIN"])
    assert 0.35 < truth.loc[pair, "trap_early_oral"].mean() < 0.65
    tracers = treatment[treatment["agent"].isin([name for name, _ in traps.TRACERS])]
    assert beside(truth[truth["trap_tracer"]], tracers, -20, -2).all()
    spelt = treatment["agent"].isin([name for names in traps.SPELLINGS.values() for name in names])
    assert 0.001 < spelt.mean() < traps.SPELLING
    assert beside(truth[truth["trap_spelling"]], treatment[spelt], 0, 16).all()


def test_who_is_sequenced_at_relapse_enters_late_and_sicker(made: Made) -> None:
    early = made.truth[made.truth["is_early"] & ~made.truth["trap_other_cancer"]]
    waits = early[early["trap_dependent_entry"]]
    assert 0.1 < len(waits) / len(early) < 0.5
    assert (waits["start_day"] < 0).mean() > 0.9
    later = set(made.truth.loc[made.truth["true_setting"] == "metastatic", "patient_id"])
    relapse = early.groupby("trap_dependent_entry")["patient_id"].agg(lambda ids: ids.isin(later).mean())
    assert relapse[True] > relapse[False] + 0.2


def test_a_clean_twin_has_no_disturbed_records_and_the_same_courses(made: Made, tidy: Made) -> None:
    assert not tidy.truth[list(DISTURBED)].any().any()
    same = [
        "patient_id",
        "start_day",
        "response",
        "true_setting",
        "true_line",
        "true_protocol",
        "true_local_treatment",
        "trap_other_cancer",
    ]
    pd.testing.assert_frame_equal(made.truth[same], tidy.truth[same])
    assert not tidy.tables["timeline_treatment"]["agent"].isin([name for name, _ in traps.TRACERS]).any()


def test_the_truth_of_a_patient_does_not_depend_on_the_block() -> None:
    alone, among = (make_block(Task(8, first, 120, False)).truth for first in (81, 1))
    among = among[among["patient_id"].isin(set(alone["patient_id"]))].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)
