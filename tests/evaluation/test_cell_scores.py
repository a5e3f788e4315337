"""A number of single cells tells of how many resamples its interval is, and has none where too few have a value."""

import numpy as np
import pandas as pd
import pytest

from oncoraft.evaluation.cell_scores import METHOD, Judged

FRAME = pd.DataFrame({"patient_id": ["a", "b", "c", "c"]})
DATA = Judged(FRAME, np.array([True, False, True, False]), np.zeros(4), np.ones((10, 4)))


@pytest.mark.parametrize(
    ("valued", "flag", "has_interval"),
    [
        (10, "", True),
        (7, "interval of the 7 of 10 resamples that have a value", True),
        (4, "no interval: 4 of 10 resamples have a value", False),
    ],
)
def test_resamples_without_a_value_are_counted(valued: int, flag: str, has_interval: bool) -> None:
    samples = np.where(np.arange(10) < valued, np.linspace(0.4, 0.6, 10), np.nan)
    found = DATA.record("model", "auroc", "fold", np.ones(4, bool), 0.5, samples, group="x", flags="")
    assert found["flags"] == flag
    assert (found["lower"] is not None) == has_interval
    assert found["method"] == (METHOD if has_interval else "")
    assert (found["n"], found["events"], found["donors"]) == (4, 2, 3)


def test_a_flag_of_its_own_stands_before_what_is_said_of_the_interval() -> None:
    samples = np.array([0.5] * 6 + [np.nan] * 4)
    found = DATA.record("model", "auroc", "fold", np.ones(4, bool), 0.5, samples, flags="few")
    assert found["flags"] == "few; interval of the 6 of 10 resamples that have a value"
