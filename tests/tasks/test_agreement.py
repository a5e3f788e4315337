"""Agreement of raters against values of the literature and of the libraries that this replaces."""

import math

import numpy as np
import pytest

from oncoraft.tasks.agreement import cohen, counts, fleiss, gwet, krippendorff, numbered, observed

N = None
# Krippendorff 2011, four raters and twelve units with missing ratings.
UNITS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]
TABLE = counts(numbered([[None if one is None else str(one) for one in row] for row in UNITS], list("12345")), 5)
# Fleiss 1971 as the textbooks have it: ten subjects, fourteen raters, five grades.
TEXTBOOK = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def raters(table: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Two raters whose cross table this is."""
    cells = [(row, column) for row, counted in enumerate(table) for column, count in enumerate(counted) for _ in range(count)]
    return np.array([row for row, _ in cells]), np.array([column for _, column in cells])


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107), ("ratio", 0.797403)])
def test_alpha_of_each_level_is_krippendorffs(level: str, alpha: float) -> None:
    assert krippendorff(TABLE, level) == pytest.approx(alpha, abs=1e-6)  # package krippendorff 0.9.0; .743 .815 .849 .797 in the paper


def test_fleiss_and_gwet_with_missing_ratings() -> None:
    # raw_4raters of irrCAC 0.4.4, which rounds to five decimals.
    assert fleiss(TABLE) == pytest.approx(0.76117, abs=5e-6)
    assert gwet(TABLE) == pytest.approx(0.77544, abs=5e-6)


def test_fleiss_of_the_textbook() -> None:
    assert fleiss(TEXTBOOK) == pytest.approx(0.209931, abs=1e-6)  # statsmodels 0.15.0
    assert krippendorff(TEXTBOOK) == pytest.approx(0.21557, abs=5e-6)


def test_cohen_and_its_weights() -> None:
    assert cohen(*raters([[20, 5], [10, 15]]), 2) == pytest.approx(0.4, abs=1e-12)
    three = raters([[11, 3, 1], [1, 9, 0], [0, 1, 10]])
    found = [cohen(*three, 3, weights) for weights in ("nominal", "linear", "quadratic")]
    assert found == pytest.approx([0.750289, 0.783133, 0.815490], abs=1e-6)  # scikit-learn 1.9.1 and statsmodels 0.15.0


def test_where_nearly_all_is_one_grade_kappa_collapses_and_ac1_holds() -> None:
    first, second = raters([[118, 5], [2, 0]])
    table = counts(np.array([first, second]), 2)
    assert cohen(first, second, 2) == pytest.approx(-0.02339, abs=5e-6)
    assert krippendorff(table) == pytest.approx(-0.02469, abs=5e-6)
    assert gwet(table) == pytest.approx(0.94078, abs=5e-6)


def test_grades_go_by_the_order_given_and_unused_ones_keep_the_scale() -> None:
    ratings = [["low", "mid", "high", "low"], ["low", "high", "high", "mid"]]
    in_order = numbered(ratings, ["low", "mid", "high"])
    by_alphabet = numbered(ratings, ["high", "low", "mid"])
    assert cohen(*in_order, 3, "linear") != pytest.approx(cohen(*by_alphabet, 3, "linear"))
    two_used = numbered([["low", "mid", "low"], ["mid", "mid", "low"]], ["low", "mid", "high", "highest"])
    assert krippendorff(counts(two_used, 4), "ordinal") == pytest.approx(krippendorff(counts(two_used, 2), "ordinal"))


def test_what_is_not_defined_is_no_number_and_raw_agreement_stays() -> None:
    one_grade = counts(np.zeros((2, 5), dtype=int), 2)
    assert math.isnan(fleiss(one_grade))
    assert math.isnan(krippendorff(one_grade))
    assert math.isnan(cohen(np.zeros(5, dtype=int), np.zeros(5, dtype=int), 2))
    assert observed(one_grade) == 1
    alone = counts(numbered([["yes", "no"]], ["yes", "no"]), 2)
    assert math.isnan(observed(alone))
    assert math.isnan(gwet(alone))


def test_a_rating_that_is_no_grade_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of yes, no"):
        numbered([["maybe"]], ["yes", "no"])
