"""AUROC, its paired comparison and average precision on the data that R's package pROC ships, against R.

Numbers are facts: 113 patients with an aneurysmal subarachnoid haemorrhage, Turck et al., Intensive Care Med 2010;36:107-115 (table `aSAH` of
pROC 1.18.0, Robin et al., BMC Bioinformatics 2011;12:77); the golden values are pROC's.
"""

import numpy as np
import pytest

from oncoraft.evaluation.discrimination import auroc, ranking
from oncoraft.evaluation.paired import covariance, delong


def numbers(text: str) -> np.ndarray:
    """A column of the table."""
    return np.array([float(word) for word in text.split()])


S100B = numbers(
    "0.13 0.14 0.1 0.04 0.13 0.1 0.47 0.16 0.18 0.1 0.12 0.1 0.44 0.71 0.04 0.08 0.49 0.04 0.07 0.33 0.09 0.09 0.07 0.11 0.07 0.17 0.07 "
    "0.11 0.13 0.19 0.05 0.16 0.41 0.14 0.34 0.35 0.48 0.09 0.96 0.25 0.5 0.46 0.16 0.07 0.43 0.45 0.11 0.08 0.09 0.86 0.52 0.08 0.06 "
    "0.13 2.07 0.1 0.14 0.15 0.07 0.06 0.77 0.05 0.09 0.3 0.03 0.09 0.04 0.23 0.7 0.09 0.27 0.71 0.08 0.26 0.08 0.16 0.09 0.13 0.1 0.08 "
    "0.11 0.33 0.11 0.28 0.07 0.1 0.32 0.22 0.07 0.05 0.24 0.38 0.1 0.15 0.08 0.14 0.1 0.07 0.04 0.19 0.56 0.14 0.58 0.32 0.82 0.74 "
    "0.15 0.47 0.17 0.44 0.15 0.5 0.48"
)
NDKA = numbers(
    "3.01 8.54 8.09 10.42 17.4 12.75 6 13.2 15.54 6.01 15.96 17.86 5.18 8.9 13.41 20.75 11.6 16.11 32.37 54.82 32.41 49.94 40.34 9.47 "
    "6.29 12.53 6.54 6.3 80.3 12.8 9.8 9.81 9.85 18.21 5.03 14.04 21.93 8.02 7.42 8.38 6.59 9.63 13.12 7.96 14.34 41.43 7.63 7.06 12.59 "
    "13.56 3.87 9.44 7.66 12.98 419.19 27.19 22.27 9.95 21.22 11.73 10.4 58.83 6.39 11.09 12.22 13.67 17.21 22.63 12.9 9.7 21.57 8.23 "
    "72.57 15.54 10.51 10.6 14.57 5.19 9.63 4.61 21.48 17.3 12.71 9.44 11.07 19.46 10.83 5.37 11.97 7.75 9.83 10.55 28.49 8.53 12.57 "
    "12.9 46.83 11.68 12.67 9.01 9.57 34.06 11.72 14.26 47.61 11.67 24.58 10.33 13.87 15.89 22.43 6.79 13.45"
)
WFNS = numbers(
    "1 1 1 1 3 2 5 4 1 2 5 2 5 5 1 2 5 2 2 5 2 1 1 1 1 2 1 2 1 1 3 4 2 1 4 5 4 1 4 2 5 5 1 1 2 4 1 1 2 5 5 2 1 2 5 1 2 2 2 1 5 1 1 2 5 "
    "2 1 4 5 2 4 4 1 4 1 2 1 4 2 1 2 3 2 4 2 1 4 5 1 1 5 4 2 2 1 1 1 3 1 2 5 2 2 5 5 5 2 4 4 5 1 1 1"
)
POOR = numbers(
    "0 0 0 0 1 1 0 1 0 0 1 0 1 1 0 0 1 0 1 1 1 0 1 0 0 0 0 0 0 0 0 0 1 0 0 1 1 0 1 1 0 0 0 0 0 0 0 0 0 1 1 0 0 0 1 0 0 0 1 0 1 0 0 1 1 "
    "1 0 1 1 0 1 1 1 1 0 0 0 1 1 0 1 0 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1 1 1 1 0 0 0 1 0 0 0"
)


def test_areas_and_delongs_intervals_are_those_of_r() -> None:
    area, spread = covariance(np.stack([S100B, NDKA, WFNS]), POOR == 1, np.arange(113))
    assert (len(POOR), POOR.sum()) == (113, 41)
    assert area == pytest.approx([0.7313686, 0.6119580, 0.8236789], abs=1e-6)
    assert area == pytest.approx([float(auroc(score, POOR == 1)) for score in (S100B, NDKA, WFNS)], abs=1e-12)
    error = 1.959963984540054 * np.sqrt(np.diag(spread))
    assert area - error == pytest.approx([0.6301182, 0.5012450, 0.7485349], abs=1e-6)
    assert area + error == pytest.approx([0.8326189, 0.7226710, 0.8988228], abs=1e-6)


@pytest.mark.parametrize(("other", "z", "p"), [(WFNS, -2.2089836, 0.02717578), (NDKA, 1.39077, 0.1642952)])
def test_the_paired_test_is_that_of_r(other: np.ndarray, z: float, p: float) -> None:
    found = delong(S100B, other, POOR == 1, np.arange(113), np.zeros(113))
    assert (found.z, found.p) == pytest.approx((z, p), abs=1e-6)


def test_the_difference_has_the_interval_of_r() -> None:
    found = delong(S100B, WFNS, POOR == 1, np.arange(113), np.zeros(113))
    error = 1.959963984540054 * found.standard_error
    assert (found.difference - error, found.difference + error) == pytest.approx((-0.1742144, -0.0104062), abs=1e-6)


def test_average_precision_is_that_of_r() -> None:
    found = ranking(S100B, POOR == 1, np.zeros(113), with_precision=True)
    assert found.precision.item() == pytest.approx(0.6856209, abs=1e-6)
