"""Follow-up that a study should not hold: it ends in an estimate that says so or in an error, never in a number that looks like one."""

import numpy as np
import pytest

from oncoraft.survival.bootstrap import Groups, bootstrap_record, log_ratios, patient_weights
from oncoraft.survival.concordance import concordance
from oncoraft.survival.cox import cox, fit_cox
from oncoraft.survival.proportional import proportional_hazards
from oncoraft.survival.records import LONGEST_TABLE, half_years
from oncoraft.survival.risk_sets import Subjects, log_rank, log_rank_of_groups

N = 60
LOW = np.arange(N) % 5 < 2
STRATA = np.arange(N) % 3


def subjects(event: np.ndarray | None = None) -> Subjects:
    """Half of them enter late."""
    draw = np.random.default_rng(3)
    entry = np.floor(draw.exponential(100, N)) * (np.arange(N) % 2)
    return Subjects(entry, entry + 1 + np.floor(draw.exponential(300, N)), draw.random(N) < 0.6 if event is None else event)


def weights(resamples: int = 40) -> np.ndarray:
    return patient_weights(np.arange(N), resamples, np.random.default_rng(0))


def test_without_an_event_the_bootstrap_tells_no_ratio() -> None:
    groups = Groups(LOW, STRATA, STRATA, 100.0)
    record = bootstrap_record(subjects(np.zeros(N, bool)), np.arange(N) / N, np.arange(N)[:, None] ** 2.0, groups, weights())
    assert record["without_maximum"] == 40
    for name in ("hazard_ratio", "adjusted_hazard_ratio", "concordance"):
        assert (record[f"{name}_lower"], record[f"{name}_upper"]) == (None, None)


@pytest.mark.parametrize("strata", [np.arange(N), LOW.astype(int)])
def test_where_no_stratum_holds_both_groups_the_bootstrap_tells_no_ratio(strata: np.ndarray) -> None:
    assert np.isnan(log_ratios(subjects(), LOW[:, None].astype(float), strata, weights())).all()


def test_a_resample_that_draws_nobody_has_no_ratio_and_leaves_the_others_theirs() -> None:
    drawn = weights(4)
    alone = log_ratios(subjects(), LOW[:, None].astype(float), STRATA, drawn)
    drawn = np.insert(drawn, 2, 0.0, axis=1)
    found = log_ratios(subjects(), LOW[:, None].astype(float), STRATA, drawn)
    assert np.isnan(found[2])
    assert np.delete(found, 2) == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_covariate_that_is_no_number_somewhere_is_refused_by_name(wrong: float) -> None:
    x = np.column_stack([LOW, np.where(np.arange(N) == 7, wrong, np.arange(N))])
    with pytest.raises(ValueError, match="number in every row of age"):
        fit_cox(subjects(), x, ["low", "age"])


def test_of_nobody_there_is_no_estimate() -> None:
    nobody, none = Subjects(*np.zeros((3, 0))), np.zeros(0)
    assert cox(nobody, none) is None
    assert cox(nobody, none, none) is None
    assert proportional_hazards(nobody, none) is None
    assert concordance(nobody, none) is None
    assert np.isnan(log_rank(nobody, none)).all()


def test_cases_of_no_named_stratum_are_a_stratum_in_every_test() -> None:
    unnamed = np.where(STRATA == 1, np.nan, STRATA)
    assert log_rank(subjects(), LOW, unnamed) == log_rank(subjects(), LOW, STRATA)
    assert log_rank_of_groups(subjects(), LOW.astype(int), unnamed).chi2 == pytest.approx(log_rank(subjects(), LOW, STRATA)[0])
    risk = np.random.default_rng(1).random(N)
    assert concordance(subjects(), risk, unnamed).pairs == concordance(subjects(), risk, STRATA).pairs  # type: ignore[union-attr]
    assert cox(subjects(), LOW, unnamed).coefficient == pytest.approx(cox(subjects(), LOW, STRATA).coefficient)  # type: ignore[union-attr]


def test_a_stratum_without_an_event_adds_nothing() -> None:
    all_of, event = subjects(), subjects().event & (STRATA != 1)
    some = Subjects(all_of.entry, all_of.exit, event)
    kept = STRATA != 1
    assert log_rank(some, LOW, STRATA) == pytest.approx(log_rank(some.where(kept), LOW[kept], STRATA[kept]))
    alone = cox(some.where(kept), LOW[kept], STRATA[kept])
    assert cox(some, LOW, STRATA).coefficient == pytest.approx(alone.coefficient)  # type: ignore[union-attr]


def test_an_exit_of_billions_of_days_asks_for_no_billions_of_columns() -> None:
    assert half_years(365.25) == [0, 6, 12]
    assert half_years(1e12) == [6 * step for step in range(LONGEST_TABLE)]


@pytest.mark.parametrize(("entry", "leave"), [(5.0, 5.0), (6.0, 5.0), (-1.0, 5.0), (np.nan, 5.0), (0.0, np.inf), (0.3, 0.1 + 0.2)])
def test_times_out_of_order_are_refused(entry: float, leave: float) -> None:
    with pytest.raises(ValueError, match="entry"):
        Subjects(np.array([0.0, entry]), np.array([9.0, leave]), np.array([True, False]))
