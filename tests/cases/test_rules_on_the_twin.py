"""The rules against the twin's truth: of the regimens that each trap touches, at least 95 of 100 come out right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from oncoraft.cases import build
from oncoraft.cohort import ingest
from oncoraft.twin import traps, twin
from oncoraft.twin.truth import NO_DAY

pytestmark = pytest.mark.slow
RIGHT = 0.95
NEAREST_DAYS = 3
ORAL_DAYS = 15  # from an oral agent handed out early to its infusion, either may be the index day


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Regimens of the truth with the case that began nearest (missing: none) and its strict label."""
    folder = tmp_path_factory.mktemp("rules")
    study, tables, cases = (str(folder / name) for name in ("study", "tables", "cases"))
    assert twin.main(["--patients", "2500", "--seed", "17", "--out", study, "--truth", str(folder / "truth.parquet")]) == 0
    assert ingest.main([study, "--out", tables]) == 0
    assert build.main([tables, "--out", cases]) == 0
    labels = pd.read_parquet(folder / "cases/labels.parquet").query("definition == 'strict'").drop(columns=["definition"])
    joined = pd.read_parquet(folder / "cases/cases.parquet").drop(columns=["agents"]).merge(labels, on="case_id")
    return match(pd.read_parquet(folder / "truth.parquet"), joined)


def match(truth: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Each regimen of the truth with the nearest case of its patient."""
    left = truth.rename(columns={"cancer_type": "own_cancer_type"}).astype({"start_day": "int64"}).sort_values("start_day")
    right = cases.assign(day=cases["index_day"].astype("int64")).sort_values("day")
    options = {"left_on": "start_day", "right_on": "day", "by": "patient_id", "direction": "nearest"}
    parts = [
        pd.merge_asof(left[left["trap_early_oral"] == oral], right, tolerance=days, **options)
        for oral, days in ((True, ORAL_DAYS), (False, NEAREST_DAYS))
    ]
    return pd.concat(parts, ignore_index=True).sort_values(["patient_id", "start_day"], ignore_index=True)


def share(right: pd.Series, at_least: int = 10) -> float:
    """Share of rows that are right; so few that it says nothing are refused."""
    assert len(right) >= at_least
    return float(right.astype(bool).mean())


def judged_as_in_truth(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose label rests on the scan that decides in truth; another scan decides where the first had the disease out of view."""
    rows = rows[rows["scan_days"].map(lambda days: isinstance(days, list | np.ndarray) and len(days) > 0)]
    return rows[rows["index_day"] + rows["scan_days"].map(min) == rows["true_deciding_day"]]


def test_the_second_part_of_a_protocol_opens_no_line(found: pd.DataFrame) -> None:
    rows = found[found["trap_protocol"] & ~found["trap_other_cancer"]]
    pairs = rows.groupby(["patient_id", "true_protocol"])
    first, second = pairs.nth(0).set_index("patient_id"), pairs.nth(1).set_index("patient_id")
    both = second.join(first[["line_of_therapy", "setting"]], rsuffix="_first")
    no_case = both["case_id"].isna()
    other_setting = both["setting"] != both["setting_first"]  # an operation lies between: lines are counted anew
    same_line = (both["line_of_therapy"] == both["line_of_therapy_first"]) | (other_setting & (both["line_of_therapy"] == 1))
    assert share(no_case | (same_line & both["protocol"].notna())) >= RIGHT


def test_treatment_before_and_after_an_operation_is_told_apart(found: pd.DataFrame) -> None:
    rows = found[found["trap_perioperative"]].dropna(subset=["case_id"])
    assert share(rows["setting"] == rows["true_setting"]) >= RIGHT


def test_chemoradiation_is_found_and_nothing_else_is_taken_for_it(found: pd.DataFrame) -> None:
    rows = found.dropna(subset=["case_id"])
    assert share(rows.loc[rows["trap_chemoradiation"], "is_chemoradiation"]) >= RIGHT
    assert share(~rows.loc[~rows["trap_chemoradiation"], "is_chemoradiation"].astype(bool)) >= RIGHT


def test_treatment_of_an_earlier_cancer_makes_no_case_of_this_one(found: pd.DataFrame) -> None:
    rows = found[found["trap_other_cancer"]]
    assert share(rows["case_id"].isna() | (rows["cancer_type"] == rows["true_cancer_type"])) >= RIGHT


def test_of_two_known_cancers_the_treated_one_is_told_by_the_agents(found: pd.DataFrame) -> None:
    rows = found[found["has_other_cancer"].eq(True) & ~found["trap_other_cancer"]]
    # No trap of the twin's: what is left are agents usual for both, and trial drugs, which go to the later diagnosis.
    assert share(rows["cancer_type"] == rows["true_cancer_type"]) >= 0.9


def test_local_treatment_before_the_deciding_scan_is_told(found: pd.DataFrame) -> None:
    rows = judged_as_in_truth(found[found["trap_local_treatment"]])
    told = [kind in said for kind, said in zip(rows["true_local_treatment"], rows["local_treatment_between"].fillna(""), strict=True)]
    assert share(pd.Series(told, index=rows.index)) >= RIGHT


def test_a_day_whose_reports_contradict_one_another_is_told_and_is_no_complete_response(found: pd.DataFrame) -> None:
    rows = judged_as_in_truth(found[found["trap_contradiction"]])
    assert share(rows["is_contradicted"]) >= RIGHT
    assert not rows["category"].eq("CR").any()


def test_no_response_rests_on_a_scan_of_the_head_alone(found: pd.DataFrame) -> None:
    rows = found[found["trap_head_only"] & found["category"].isin(["CR", "PR"])]
    first = rows["index_day"] + rows["scan_days"].map(min)
    assert share((first >= rows["true_deciding_day"]) & (rows["true_deciding_day"] != NO_DAY)) >= RIGHT


def test_an_oral_agent_handed_out_early_joins_its_infusion(found: pd.DataFrame) -> None:
    rows = found[found["trap_early_oral"]].dropna(subset=["case_id"])
    assert share(rows["agents_at_index"].map(set) == rows["agents"].map(set)) >= RIGHT


def test_tracers_make_no_regimen_and_spellings_no_new_agent(found: pd.DataFrame) -> None:
    rows = found.dropna(subset=["case_id"])
    strange = {name for name, _ in traps.TRACERS} | {name for names in traps.SPELLINGS.values() for name in names}
    assert not rows["agents_at_index"].map(strange.intersection).any()
    touched = found[(found["trap_tracer"] | found["trap_spelling"]) & ~found["trap_protocol"]]
    assert share(touched["case_id"].notna()) >= RIGHT
