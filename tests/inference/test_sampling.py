"""Draws by inversion: the right distribution, the exact nucleus, and each case its own stream."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.inference.sampling import draw, uniforms

LOGITS = torch.log(torch.tensor([[0.05, 0.5, 0.15, 0.3]]))


def shares(temperature: float, top_p: float, count: int = 4000) -> list[float]:
    """Share of each token among evenly spaced draws: exact up to 1 / count."""
    uniform = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    tokens = draw(LOGITS.expand(count, -1), uniform, temperature, top_p)
    return (torch.bincount(tokens, minlength=4) / count).tolist()


def near(found: list[float], expected: list[float]) -> bool:
    return all(abs(one - other) < 1e-3 for one, other in zip(found, expected, strict=True))


def test_shares_are_the_probabilities() -> None:
    assert near(shares(1.0, 1.0), [0.05, 0.5, 0.15, 0.3])


def test_the_nucleus_is_the_smallest_set_that_reaches_its_mass() -> None:
    # 0.5 + 0.3 = 0.8: short of 0.81, so the third token is inside; renormalised over 0.95.
    assert near(shares(1.0, 0.81), [0, 0.5 / 0.95, 0.15 / 0.95, 0.3 / 0.95])
    assert near(shares(1.0, 0.79), [0, 0.625, 0, 0.375])
    assert near(shares(1.0, 0.01), [0, 1, 0, 0])


def test_temperature_is_a_power_of_the_probabilities() -> None:
    # At 0.5 probabilities are squared: 0.0025, 0.25, 0.0225, 0.09, sum 0.365.
    assert near(shares(0.5, 1.0), [0.0025 / 0.365, 0.25 / 0.365, 0.0225 / 0.365, 0.09 / 0.365])
    assert shares(0, 0.9) == [0, 1, 0, 0]


@settings(max_examples=50)
@given(st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=30), st.floats(0, 1, exclude_max=True), st.floats(0.01, 1.0))
def test_a_draw_is_always_inside_the_nucleus(values: list[float], uniform: float, top_p: float) -> None:
    logits = torch.tensor([values])
    token = int(draw(logits, torch.tensor([uniform], dtype=torch.float64), 0.6, top_p))
    probability = torch.softmax(logits[0].double() / 0.6, dim=0)
    likelier = float(probability[probability > probability[token]].sum())
    assert likelier < top_p + 1e-5


def test_each_case_has_a_stream_of_its_own() -> None:
    together = uniforms(41, ["a", "b", "c"], 8)
    assert together.shape == (3, 8)
    assert torch.equal(uniforms(41, ["c"], 8)[0], together[2])
    assert torch.equal(uniforms(41, ["a", "b", "c"], 4), together[:, :4])  # a shorter answer is the beginning of a longer one
    assert not torch.equal(uniforms(42, ["a"], 8)[0], together[0])
    assert len(torch.unique(together)) == 24


def test_a_draw_from_the_whole_vocabulary_follows_its_probabilities_without_a_sort() -> None:
    logits = torch.tensor([[1.0, 0.0, 2.0, -1.0]])
    places = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    drawn = torch.cat([draw(logits, place[None], 0.8, 1.0) for place in places[::20]])
    share = torch.bincount(drawn, minlength=4) / len(drawn)
    torch.testing.assert_close(share, torch.softmax(logits[0] / 0.8, dim=0), atol=2e-3, rtol=0)
    assert draw(logits, torch.tensor([1 - 1e-16], dtype=torch.float64), 0.8, 1.0).item() == 3
