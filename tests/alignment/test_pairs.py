"""Answers to one prompt are paired from the outside in, as far as their rewards differ."""

from types import SimpleNamespace
from typing import Any

import pytest

from oncoraft.alignment.pairs import best_and_worst


def sampled(*rewards: float | None) -> Any:
    return SimpleNamespace(judged=[SimpleNamespace(total=reward) for reward in rewards])


@pytest.mark.parametrize(
    ("rewards", "margin", "most", "pairs"),
    [
        ((0.2, 0.9, 0.5), 0.05, 1, [(1, 0)]),
        ((0.2, 0.9, 0.5), 0.05, 3, [(1, 0)]),  # the middle one has no partner
        ((0.2, 0.9, 0.5, 0.6), 0.05, 2, [(1, 0), (3, 2)]),
        ((0.2, 0.9, 0.58, 0.6), 0.05, 2, [(1, 0)]),  # the inner two are too close
        ((0.5, 0.5, 0.5), 0.0, 2, []),  # equals teach nothing, whatever the margin
        ((None, 0.9, 0.1, None), 0.05, 2, [(1, 2)]),  # what no reward applies to is neither good nor bad
        ((None, 0.9), 0.0, 2, []),
        ((0.7, 0.7, 0.1), 0.05, 1, [(0, 2)]),  # the first of equals
    ],
)
def test_pairs_go_from_the_outside_in(rewards: Any, margin: float, most: int, pairs: list[tuple[int, int]]) -> None:
    assert best_and_worst(sampled(*rewards), margin, most) == pairs
