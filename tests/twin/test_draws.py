"""Counter-based draws: independent of company and order, with the laws that they claim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.twin.draws import Draws, expand, mix, patient_keys

NUMBERS = np.arange(1, 20_001)
DRAWS = Draws(patient_keys(3, NUMBERS))


def test_a_patient_does_not_depend_on_the_others() -> None:
    rows = np.array([5, 17, 4711])
    assert np.array_equal(DRAWS[rows].uniform("x"), DRAWS.uniform("x")[rows])
    assert np.array_equal(Draws(patient_keys(3, NUMBERS[rows])).uniform("x"), DRAWS.uniform("x")[rows])


def test_names_seeds_and_places_give_other_numbers() -> None:
    base = DRAWS.uniform("x")
    others = [
        DRAWS.uniform("y"),
        Draws(patient_keys(4, NUMBERS)).uniform("x"),
        DRAWS.repeat(np.arange(20_000), np.zeros(20_000, dtype=np.int64), "r").uniform("x"),
        DRAWS.repeat(np.arange(20_000), np.ones(20_000, dtype=np.int64), "r").uniform("x"),
    ]
    for other in others:  # 4 / sqrt(20000) = 0.028: four standard errors of a correlation of nothing
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.03


def test_uniform_is_uniform() -> None:
    counts = np.histogram(DRAWS.uniform("x"), bins=50, range=(0, 1))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 95  # chi-squared, 49 degrees of freedom: 99.99 % are below 94.6


@pytest.mark.parametrize(
    ("values", "mean", "deviation"),
    [
        (DRAWS.normal("n", 2, 3), 2.0, 3.0),
        (DRAWS.exponential("e", 5), 5.0, 5.0),
        (DRAWS.chance("c", 0.3).astype(float), 0.3, np.sqrt(0.21)),
        (DRAWS.whole("w", 1, 6).astype(float), 3.5, np.sqrt(35 / 12)),
        (np.log(DRAWS.lognormal("l", np.e, 0.5)), 1.0, 0.5),
    ],
)
def test_laws(values: np.ndarray, mean: float, deviation: float) -> None:
    assert values.mean() == pytest.approx(mean, abs=4 * deviation / np.sqrt(len(values)))
    assert values.std() == pytest.approx(deviation, rel=0.04)


def test_choice_follows_the_weights_and_never_takes_a_zero() -> None:
    flat = DRAWS.choice("k", [2, 0, 1, 1])
    assert np.bincount(flat, minlength=4) / 20_000 == pytest.approx([0.5, 0, 0.25, 0.25], abs=0.02)
    rows = DRAWS.choice("k", np.tile([2.0, 0.0, 1.0, 1.0], (20_000, 1)))
    assert np.array_equal(flat, rows)


@given(st.lists(st.integers(0, 5), max_size=30))
def test_expand_gives_each_owner_its_places(counts: list[int]) -> None:
    owners, places = expand(np.array(counts, dtype=np.int64))
    assert list(zip(owners, places)) == [(owner, place) for owner, count in enumerate(counts) for place in range(count)]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=200, unique=True))
def test_mixing_is_one_to_one(words: list[int]) -> None:
    assert len(np.unique(mix(np.array(words, dtype=np.uint64)))) == len(words)
