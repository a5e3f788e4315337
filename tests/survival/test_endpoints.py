"""Whatever day time is counted from, nobody is at risk before the index date and the first sequencing; a landmark begins anew."""

import numpy as np
import pandas as pd
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config_files import read_blocks
from oncoraft.survival.curves import kaplan_meier
from oncoraft.survival.endpoints import at_landmark, observe
from oncoraft.survival.inputs import read_response
from oncoraft.survival.risk_sets import Subjects


@pytest.fixture
def cases() -> pd.DataFrame:
    """Days are of the source: the first sequencing is 0. A dies on 100 and was sequenced after the index date, B is lost on 300."""
    frame = pd.DataFrame({"case_id": ["a", "b", "c", "d"], "index_day": [-30, 50, 50, 10]})
    return frame.assign(diagnosis_day=pd.array([-400, 20, None, 30], dtype="Int32"))


@pytest.fixture
def followup() -> pd.DataFrame:
    """Of the index date, as `oncoraft followup` writes it: entry max(0, -index_day)."""
    return pd.DataFrame(
        {"case_id": ["a", "b", "c", "d"], "entry_days": [30, 0, 0, 0], "exit_days": [130, 250, 60, 15], "event": [True, False, True, True]}
    )


@pytest.mark.parametrize(
    ("anchor", "entry", "leave"),
    [
        ("index", {"a": 30, "b": 0, "c": 0, "d": 0}, {"a": 130, "b": 250, "c": 60, "d": 15}),
        # From the diagnosis: sequencing (day 0) for A, the index date for B; C has no diagnosis, D was over before his.
        ("diagnosis", {"a": 400, "b": 30}, {"a": 500, "b": 280}),
        # From the sequencing: A is under observation at once, the others from their index date.
        ("sequencing", {"a": 0, "b": 50, "c": 50, "d": 10}, {"a": 100, "b": 300, "c": 110, "d": 25}),
    ],
)
def test_entry_is_the_later_of_index_date_and_sequencing_on_each_scale(cases, followup, anchor: str, entry: dict, leave: dict) -> None:
    found, left_out = observe(cases, followup, anchor)
    assert dict(zip(found["case_id"], found["entry_days"])) == entry
    assert dict(zip(found["case_id"], found["exit_days"])) == leave
    assert sum(left_out.values()) == 4 - len(entry)
    if anchor == "diagnosis":
        assert left_out == {"cases_without_follow_up": 0, "cases_without_anchor": 1, "cases_over_before_anchor": 1}


def test_cases_without_follow_up_of_the_endpoint_are_counted(cases, followup) -> None:
    assert observe(cases, followup.iloc[1:], "index").left_out["cases_without_follow_up"] == 1


@pytest.mark.parametrize("anchor", ["diagnosis", "sequencing"])
def test_survival_from_another_anchor_is_that_of_the_law_and_not_of_those_who_lived_to_be_treated(anchor: str) -> None:
    """Exponential survival from the diagnosis; treatment and sequencing come whenever they come, to those alive."""
    draw = np.random.default_rng(6)
    n = 6000
    death, start, sequencing = draw.exponential(500, n), draw.uniform(0, 400, n), draw.uniform(0, 400, n)
    alive = death > np.maximum(start, sequencing)
    index_day, diagnosis = (start - sequencing)[alive], -sequencing[alive]
    frame = pd.DataFrame({"case_id": np.arange(alive.sum()), "index_day": index_day, "diagnosis_day": diagnosis})
    followup = pd.DataFrame({"case_id": frame["case_id"], "entry_days": np.maximum(0, -index_day), "exit_days": (death - start)[alive]})
    found = observe(frame, followup.assign(event=True), anchor).frame
    subjects = Subjects(found["entry_days"].to_numpy(), found["exit_days"].to_numpy(), found["event"].to_numpy())
    # The law has no memory, so that the median is the same from either day, given that the first weeks have somebody at risk.
    window = (60.0, np.inf)
    assert kaplan_meier(subjects, window).median() - 60 == pytest.approx(500 * np.log(2), rel=0.06)
    assert kaplan_meier(subjects.without_delayed_entry(), window).median() - 60 > 1.08 * 500 * np.log(2)


def test_a_landmark_keeps_the_event_free_starts_time_anew_and_lets_others_enter_later() -> None:
    group = pd.DataFrame({"entry_days": [0.0, 100, 0, 0], "exit_days": [200.0, 300, 60, 59], "event": [True, False, True, True]})
    kept, over = at_landmark(group, 60)
    assert kept[["entry_days", "exit_days"]].to_numpy().tolist() == [[0, 140], [40, 240]]
    assert over == 2


def test_a_response_is_known_from_its_deciding_scan_on_and_else_from_the_end_of_its_window(tmp_path) -> None:
    rows = pd.DataFrame({"case_id": list("abc"), "responder": [True, False, None], "window_end_days": 120})
    rows = rows.assign(scan_days=[[20, 64], [], []])
    both = pd.concat([rows.assign(definition="strict"), rows.assign(definition="oncoraft")])
    both.to_parquet(tmp_path / "labels.parquet")
    assert read_response(tmp_path / "labels.parquet", "strict")["label_day"].tolist() == [64, 120, 120]
    # Of the published rule a later scan of the window may undo what an earlier one said.
    assert read_response(tmp_path / "labels.parquet", "oncoraft")["label_day"].tolist() == [120, 120, 120]
    with pytest.raises(InputError, match="rows of the definition 'strict_60'"):
        read_response(tmp_path / "labels.parquet", "strict_60")


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"response_label": "strict"}, "response_label: expected a day in landmarks .*immortal time"),
        ({"response_label": "strict", "landmarks": []}, "immortal time"),
        ({"landmarks": [0]}, "survival.landmarks.0: expected greater than or equal to 1, found 0"),
        ({"landmarks": [90, 90]}, "landmarks: expected each once, found 90 twice"),
        ({"endpoints": []}, "survival.endpoints: expected"),
        ({"endpoints": ["os"]}, "survival.endpoints.0: expected 'overall_survival'"),
        ({"anchor": "birth"}, "survival.anchor: expected 'index', 'diagnosis' or 'sequencing', found 'birth'"),
        ({"groups": "deciles"}, "survival.groups: expected median, tertiles, quartiles, or one to 5 rising scores"),
        ({"groups": [0.6, 0.3]}, "rising scores between 0 and 1"),
        ({"groups": [0.0, 0.5]}, "rising scores between 0 and 1"),
        ({"groups": []}, "rising scores between 0 and 1"),
        ({"covariates": ["frailty"]}, "covariates: expected one of age, .* or covariate_file with it, found 'frailty'"),
        ({"covariates": ["clinical_patient.OS_MONTHS"]}, "expected no column that tells the outcome"),
        ({"covariates": ["timeline_labs.value"]}, "expected one of clinical_patient.COLUMN, clinical_sample.COLUMN"),
        ({"covariate_file": "a.csv"}, "covariate_file: expected covariates to name some of its columns"),
        ({"horizons_months": [0]}, "horizons_months: expected at least one, of 1 month or more"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line(block: dict, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_blocks(["survival"], {"survival": block})
    assert "\n" not in str(caught.value)
