"""The distribution of scores by class, shown of real people too: bins are joined until none tells of few, and nobody is lost."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.report.risk_bins import coarsened

COUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12)


def frame(counts: list[tuple[int, int]]) -> pd.DataFrame:
    edges = [place / len(counts) for place in range(len(counts) + 1)]
    columns = {
        "lower_edge": edges[:-1],
        "upper_edge": edges[1:],
        "responders": [one for one, _ in counts],
        "others": [one for _, one in counts],
    }
    return pd.DataFrame({"predictor": "model", **columns})


@given(COUNTS, st.integers(1, 15))
def test_no_bin_tells_of_few_and_nobody_is_lost(counts: list[tuple[int, int]], smallest: int) -> None:
    given_frame = frame(counts)
    rows = coarsened(given_frame, smallest)
    sums = given_frame[["responders", "others"]].sum()
    for row in rows:
        assert all(row[name] == 0 or row[name] >= smallest for name in sums.index)
    if rows:
        assert {name: sum(row[name] for row in rows) for name in sums.index} == sums.to_dict()
        assert all(one["upper_edge"] == after["lower_edge"] for one, after in pairwise(rows))
    else:
        assert any(0 < count < smallest for count in sums) or not sums.sum()


def test_bins_that_may_be_shown_stay_as_they_are() -> None:
    assert [row["responders"] for row in coarsened(frame([(12, 20), (0, 15), (3, 40), (9, 11)]), 10)] == [12, 0, 12]
    assert len(coarsened(frame([(1, 2), (3, 4)]), 1)) == 2
