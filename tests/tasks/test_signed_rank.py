"""The one-sided signed-rank test: exact where libraries that call themselves so are not."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as draw
from scipy.stats import rankdata

from oncoraft.tasks.signed_rank import signed_rank

WHOLE = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
RIGHT_OR_WRONG = [1] * 9 + [-1] * 3 + [0] * 28
QUARTERS = [0.5, 0.25, 0, 0, 0, -0.25, 0.5, 0.25, 0.125, 0, -0.125, 0.5, 0.25, 0, 0.375]
SMALL = [0, 1, 2, 3, 4, 5, -1, -2]


@pytest.mark.parametrize(
    ("differences", "exact", "normal"),
    [
        # Exact: R 4.2.2 and scipy 1.17.1 (no ties); the binomial tail of 9 in 12, one-sided exact McNemar; scipy's permutation of all signs.
        # Normal with correction: R 4.2.2 wilcox.test, its default where there are ties.
        (WHOLE, 0.0206298828125, 0.0218861619),
        (RIGHT_OR_WRONG, 0.0729980469, 0.0729980469),  # the sign test is exact at any size
        (QUARTERS, 0.015625, 0.0153215388),
        (SMALL, 0.0859375, 0.0746623052),
    ],
)
def test_p_is_that_of_all_signs_and_of_r_beyond(differences: list[float], exact: float, normal: float) -> None:
    assert signed_rank(differences).p == pytest.approx(exact, abs=1e-9)
    assert signed_rank(differences, most_exact=0).p == pytest.approx(normal, abs=1e-9)


def test_what_went_in_is_told() -> None:
    found = signed_rank(RIGHT_OR_WRONG)
    assert (found.n, found.zeros, found.positive, found.negative, found.name) == (40, 28, 9, 3, "sign test")
    assert signed_rank(QUARTERS).name == "Wilcoxon signed-rank test"


def test_without_any_difference_p_is_one() -> None:
    assert (signed_rank([0.0, 0.0]).p, signed_rank([]).p) == (1.0, 1.0)


def test_rounding_of_floats_makes_no_ranks() -> None:
    assert signed_rank([0.3 - 0.1, 0.7 - 0.5, 0.30000000000000004 - 0.1, 0.5 - 0.3, 0.4 - 0.2]).name == "sign test"


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        signed_rank([1.0, float("nan")])


@given(draw.lists(draw.integers(-4, 4), min_size=1, max_size=9))
def test_it_equals_the_enumeration_of_all_signs(differences: list[int]) -> None:
    kept = np.array([one for one in differences if one])
    found = signed_rank(differences)
    if not len(kept):
        assert found.p == 1
        return
    ranks = rankdata(np.abs(kept))
    observed = ranks[kept > 0].sum()
    sums = [sum(rank for rank, sign in zip(ranks, signs) if sign) for signs in product((0, 1), repeat=len(ranks))]
    assert found.p == pytest.approx(np.mean([one >= observed - 1e-9 for one in sums]), abs=1e-12)


def test_ten_gains_and_no_loss_are_the_least_that_a_thousandth_needs() -> None:
    assert signed_rank([1.0] * 10).p == pytest.approx(2**-10)
    assert signed_rank([1.0] * 9).p > 0.001
