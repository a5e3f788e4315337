"""Where R and the Python libraries disagree (docs/survival.md): the convention that is ours."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.datasets import load_lung

from oncoraft.survival.adjusted import gain
from oncoraft.survival.concordance import concordance
from oncoraft.survival.cox import cox
from oncoraft.survival.curves import kaplan_meier
from oncoraft.survival.risk_sets import Subjects, at_risk, log_rank

from .test_further import simulated


def test_who_enters_at_the_moment_of_a_death_is_not_at_risk_for_it() -> None:
    subjects = Subjects(np.array([0.0, 0, 2]), np.array([2.0, 5, 4]), np.array([1, 0, 1]))
    assert at_risk(subjects, np.array([2.0, 4.0])).tolist() == [2, 2]
    assert kaplan_meier(subjects).survival.tolist() == [0.5, 0.25]
    # The third says nothing of the death at 2: neither the test nor the model compares him with it.
    first = np.array([True, False, False])
    alone = Subjects(np.array([0.0, 0]), np.array([2.0, 5]), np.array([1, 0]))
    assert log_rank(subjects, first)[0] == pytest.approx(log_rank(alone, first[:2])[0])


def test_an_entry_that_is_the_exit_is_refused_where_lifelines_kills_the_curve() -> None:
    entry, leave, event = np.array([0.0, 0, 3]), np.array([2.0, 5, 3]), np.array([1, 1, 1])
    with pytest.raises(ValueError, match="0 <= entry < exit"):
        Subjects(entry, leave, event)
    silently = KaplanMeierFitter().fit(leave, event, entry=entry).survival_function_
    assert silently.loc[3].item() == 0


def test_a_curve_that_rests_at_one_half_has_the_middle_as_median_where_lifelines_takes_its_start() -> None:
    assert kaplan_meier(Subjects(np.zeros(2), np.array([1.0, 3]), np.ones(2))).median() == 2
    assert KaplanMeierFitter().fit([1, 3], [1, 1]).median_survival_time_ == 1


def test_times_that_differ_by_rounding_are_tied_where_lifelines_tells_them_apart() -> None:
    times = np.array([0.1 + 0.2, 0.3, 1.0])
    curve = kaplan_meier(Subjects(np.zeros(3), times, np.ones(3)))
    assert (len(curve.times), curve.events.tolist()) == (2, [2, 1])
    assert curve.survival[0] == pytest.approx(1 / 3)
    assert len(KaplanMeierFitter().fit(times, np.ones(3)).survival_function_) == 4
    months = np.array([10, 10, 7]) / 30.4375 * 30.4375
    assert len(kaplan_meier(Subjects(np.zeros(3), months, np.ones(3))).times) == 2
    # Days are not tied: a difference that is told is one.
    assert len(kaplan_meier(Subjects(np.zeros(2), np.array([1000.0, 1000.5]), np.ones(2))).times) == 2
    with pytest.raises(ValueError, match="by more than rounding"):
        Subjects(np.array([0.3]), np.array([0.1 + 0.2]), np.array([1]))


def test_tied_deaths_are_efrons_and_neither_breslows_nor_exact() -> None:
    lung = load_lung()
    subjects = Subjects(np.zeros(len(lung)), lung["time"].to_numpy(float), lung["status"].to_numpy())
    found = cox(subjects, lung["sex"].to_numpy() == 2)
    assert found.coefficient == pytest.approx(-0.5310235376, abs=1e-8)
    assert abs(found.coefficient + 0.5303965746) > 5e-4


def test_lifelines_stops_short_of_the_maximum_by_default() -> None:
    lung = load_lung()
    table = pd.DataFrame({"t": lung["time"], "e": lung["status"], "women": (lung["sex"] == 2).astype(float)})
    short, far = CoxPHFitter().fit(table, "t", "e"), CoxPHFitter().fit(table, "t", "e", fit_options={"precision": 1e-12})
    assert abs(short.params_["women"] + 0.5310235376) > 1e-7
    assert far.params_["women"] == pytest.approx(-0.5310235376, abs=1e-8)


def test_intervals_of_curves_are_log_log_and_have_none_at_zero_and_one() -> None:
    lung = load_lung()
    men = Subjects(np.zeros(len(lung)), lung["time"].to_numpy(float), lung["status"].to_numpy()).where(lung["sex"].to_numpy() == 1)
    assert kaplan_meier(men).median_interval() == (210, 306)  # by the logarithm alone, R's default: 212 to 310
    ends = kaplan_meier(Subjects(np.zeros(3), np.array([1.0, 2, 3]), np.ones(3)))
    assert (ends.survival[-1], np.isnan(ends.lower[-1]), np.isnan(ends.upper[-1])) == (0, True, True)


def test_of_who_dies_together_none_is_compared_and_who_is_lost_at_a_death_has_outlived_it() -> None:
    together = Subjects(np.zeros(3), np.array([1.0, 1, 2]), np.array([1, 1, 0]))
    assert concordance(together, np.array([2.0, 3, 1])).pairs == 2
    lost = Subjects(np.zeros(2), np.array([1.0, 1]), np.array([1, 0]))
    assert concordance(lost, np.array([2.0, 1])).estimate == 1


def test_equal_risks_count_a_half_and_rounding_makes_no_order_of_them() -> None:
    assert concordance(Subjects(np.zeros(2), np.array([1.0, 2]), np.ones(2)), np.array([5.0, 5])).estimate == 0.5
    rows = simulated(0.5, seed=2).assign(age=60.0, line=1.0, ecog=1.0)
    # Two flags make four risks: whatever the order of rows, ties stay ties.
    orders = [gain(rows.sample(frac=1, random_state=seed))["concordance_clinical"] for seed in range(4)]
    assert orders == pytest.approx([orders[0]] * 4, abs=1e-12)


def test_every_convention_of_the_table_names_a_test_that_there_is() -> None:
    here = Path(__file__).parent
    table = (here.parents[1] / "docs" / "survival.md").read_text(encoding="utf-8").partition("## Where libraries disagree")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    cited = [re.search(r"`(test_\w+\.py): (\w+)` \|$", row) for row in rows]
    assert len(rows) >= 16
    for row, found in zip(rows, cited):
        assert found or row.endswith("| the same |"), row
        if found:
            assert re.search(rf"def test_\w*{found[2]}", (here / found[1]).read_text(encoding="utf-8")), row
