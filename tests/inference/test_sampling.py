"""Draws by inversion: the right distribution, the exact nucleus, and each case its own stream."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.inference import sampling
from oncoraft.inference.sampling import draw, draw_first, uniforms

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
    probability = torch.softmax(logits[0] / 0.6, dim=0).double()  # of fp32, where neighbouring logits can be equals
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


def draw_by_sorting(logits: torch.Tensor, uniform: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """The definition: the whole vocabulary in stable order."""
    probability, token = torch.sort(torch.softmax(logits / temperature, dim=-1), dim=-1, descending=True, stable=True)
    total = probability.double().cumsum(dim=-1)
    inside = total - probability < top_p
    mass = torch.where(inside, total, 0.0).amax(dim=-1)
    place = torch.searchsorted(total, (uniform.to(total) * mass)[:, None], right=True)
    place = place.clamp(max=inside.sum(dim=-1, keepdim=True) - 1)
    return token.gather(1, place)[:, 0]


@st.composite
def logits_of_all_kinds(draws: st.DrawFn) -> torch.Tensor:
    """Rows flat and peaked, ties between none, some and all tokens, a few or nearly all tokens impossible."""
    generator = torch.Generator().manual_seed(draws(st.integers(0, 2**31)))
    width = draws(st.sampled_from([2, 5, sampling.FIRST - 1, sampling.FIRST, sampling.FIRST + 1, 300, 1000]))
    spread = torch.tensor(draws(st.lists(st.sampled_from([0.0, 0.01, 1.0, 4.0, 30.0, 1000.0]), min_size=1, max_size=6)))
    logits = torch.randn(len(spread), width, generator=generator) * spread[:, None]
    if step := draws(st.sampled_from([0.0, 0.5, 4.0])):
        logits = (logits / step).round() * step
    if draws(st.booleans()):
        logits = logits.bfloat16().float()  # what a GPU gives: many ties
    share = draws(st.sampled_from([0.0, 0.1, 0.99]))
    impossible = torch.rand(logits.shape, generator=generator) < share
    impossible[:, draws(st.integers(0, width - 1))] = False
    return logits.masked_fill(impossible, -torch.inf)


@settings(max_examples=400, deadline=None)
@given(
    logits_of_all_kinds(),
    st.sampled_from([0.0, 2.0**-60, 1e-9, 0.25, 0.5, 0.9, 0.999999, 1 - 2.0**-53]) | st.floats(0, 1, exclude_max=True),
    st.sampled_from([1e-30, 0.01, 0.6, 1.0, 50.0, 1e30]),
    st.sampled_from([1e-12, 0.25, 0.5, 0.75, 0.9, 0.99, 1 - 1e-7, 1 - 1e-12, 1 - 2.0**-53]) | st.floats(0.01, 1, exclude_max=True),
)
def test_the_likeliest_first_draw_what_sorting_the_whole_vocabulary_does(
    logits: torch.Tensor, uniform: float, temperature: float, top_p: float
) -> None:
    chances = torch.full((len(logits),), uniform, dtype=torch.float64)
    if torch.softmax(logits / temperature, dim=-1).isnan().any():  # a temperature that overflows: both refuse
        for way in (draw, draw_by_sorting):
            with pytest.raises(RuntimeError):
                way(logits, chances, temperature, top_p)
        return
    assert torch.equal(draw(logits, chances, temperature, top_p), draw_by_sorting(logits, chances, temperature, top_p))


@settings(max_examples=100, deadline=None)
@given(
    logits_of_all_kinds(),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([0.0, 0.6, 1.0, 50.0]),
    st.sampled_from([0.25, 0.9, 0.99, 1.0]),
)
def test_the_first_draw_is_the_draw_but_for_the_rows_that_it_names(
    logits: torch.Tensor, uniform: float, temperature: float, top_p: float
) -> None:
    chances = torch.full((len(logits),), uniform, dtype=torch.float64)
    token, is_wide = draw_first(logits, chances, temperature, top_p)
    expected = draw(logits, chances, temperature, top_p)
    assert torch.equal(token[~is_wide], expected[~is_wide])
    if is_wide.any():
        assert torch.equal(draw(logits[is_wide], chances[is_wide], temperature, top_p), expected[is_wide])
        likeliest = torch.softmax(logits[is_wide] / temperature, dim=-1).topk(sampling.FIRST).values.double().sum(dim=-1)
        assert bool((likeliest < top_p + 1e-6).all())


def test_a_border_among_equals_that_lie_beyond_the_first_is_found_in_the_order_of_ids() -> None:
    # A probability of 0.5 and 1,000 that share the rest: the nucleus of 0.75 holds 500 of them, far beyond the first look.
    logits = torch.zeros(1, 1001)
    logits[0, 700] = torch.log(torch.tensor(1000.0))
    ids = [number for number in range(1001) if number != 700]
    for uniform, token in ((0.0, 700), (0.6, 700), (0.7, ids[50]), (0.99, ids[485])):
        chance = torch.tensor([uniform + 1e-6], dtype=torch.float64)
        assert draw(logits, chance, 1.0, 0.75).tolist() == draw_by_sorting(logits, chance, 1.0, 0.75).tolist() == [token]
    mixed = torch.cat([logits, LOGITS.new_full((1, 1001), -30.0).index_fill(1, torch.tensor([3]), 0.0)])  # one row wide, one not
    assert draw(mixed, torch.tensor([0.99 + 1e-6, 0.5], dtype=torch.float64), 1.0, 0.75).tolist() == [ids[485], 3]


def test_the_whole_vocabulary_is_not_put_in_order_where_the_nucleus_is_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    likeliest = sampling._likeliest
    monkeypatch.setattr(sampling, "_likeliest", lambda values, count: asked.append(count) or likeliest(values, count))
    logits = torch.randn(4, 5000, generator=torch.Generator().manual_seed(0)) * 8
    draw(logits, torch.rand(4, dtype=torch.float64), 0.6, 0.9)
    assert asked == [sampling.FIRST]
    draw(logits / 100, torch.rand(4, dtype=torch.float64), 0.6, 0.9)
    assert asked == [sampling.FIRST, sampling.FIRST, 5000]
