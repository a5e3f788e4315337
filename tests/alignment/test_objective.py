"""Losses and gradients equal those of TRL 1.16.0 (`trl_golden.json`, written by `trl_oracle.py`), and what must hold of them by themselves."""

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as draw

from oncoraft.alignment.attention import shared_hidden
from oncoraft.alignment.groups import Group, SharedRow, pack_groups
from oncoraft.alignment.objective import advantages, by_answer, divergence, policy_losses, preference_losses, token_log_probabilities
from tests.alignment import trl_oracle as oracle

GOLDEN = json.loads(oracle.GOLDEN.read_text())


def read(model: Any, some: list[Group]) -> tuple[SharedRow, torch.Tensor]:
    row = pack_groups(some, torch.device("cpu"))
    return row, token_log_probabilities(model, shared_hidden(model, row)[row.predictors], row.targets)


def agree(model: Any, loss: torch.Tensor, golden: dict[str, Any]) -> None:
    loss.backward()
    assert float(loss) == pytest.approx(golden["loss"], rel=1e-5)
    found = oracle.gradients(model)
    assert found.keys() == golden["gradients"].keys()
    for name, norm in found.items():
        assert norm == pytest.approx(golden["gradients"][name], rel=1e-5, abs=1e-6), name


@pytest.mark.parametrize("kind", ["grpo", "dapo"])
def test_the_policy_loss_and_its_gradient_equal_trls(kind: str) -> None:
    model, some = oracle.policy(1), oracle.groups()
    with torch.no_grad():
        old, reference = (read(oracle.policy(seed), some)[1] for seed in (2, 3))
    row, new = read(model, some)
    losses, _ = policy_losses(new, old, reference, oracle.advantages().repeat_interleave(row.lengths), oracle.CLIP, oracle.KL)
    agree(model, by_answer(losses, row.lengths, mean=True).mean() if kind == "grpo" else losses.mean(), GOLDEN[kind])


@pytest.mark.parametrize("kind", ["sigmoid", "sigmoid_norm"])
def test_the_preference_loss_and_its_gradient_equal_trls(kind: str) -> None:
    model = oracle.policy(1)
    # TRL closes plain-text answers with the end-of-text token.
    some = [Group(group.case, (), tuple((*answer, 0) for answer in group.answers)) for group in oracle.groups()]
    with torch.no_grad():
        row, tokens = read(oracle.policy(3), some)
        known = by_answer(tokens, row.lengths, kind == "sigmoid_norm").view(-1, 2)
    row, tokens = read(model, some)
    answers = by_answer(tokens, row.lengths, kind == "sigmoid_norm").view(-1, 2)
    losses, _ = preference_losses(answers[:, 0], answers[:, 1], known[:, 0], known[:, 1], oracle.BETA)
    agree(model, losses.mean(), GOLDEN[kind])


def test_smoothing_is_the_mean_over_pairs_that_are_the_wrong_way_round_with_that_probability() -> None:
    numbers = torch.tensor([[-5.0, -7.0, -6.0, -6.5]])
    right, margin = preference_losses(*numbers.T, beta=0.5)
    wrong, _ = preference_losses(numbers[:, 1], numbers[:, 0], numbers[:, 3], numbers[:, 2], beta=0.5)
    smooth, _ = preference_losses(*numbers.T, beta=0.5, smoothing=0.2)
    torch.testing.assert_close(smooth, 0.8 * right + 0.2 * wrong)
    torch.testing.assert_close(margin, torch.tensor([0.5 * ((-5 + 6) - (-7 + 6.5))]))


@given(draw.lists(draw.floats(0, 1, width=32), min_size=2, max_size=12))
def test_advantages_of_a_group_sum_to_nothing_and_keep_its_order(rewards: list[float]) -> None:
    given_rewards = torch.tensor(rewards)
    found = advantages(given_rewards)
    assert abs(float(found.sum())) < 1e-2
    assert torch.isfinite(found).all()
    assert all((found[i] - found[j]) * (given_rewards[i] - given_rewards[j]) >= 0 for i in range(len(rewards)) for j in range(i))
    assert not bool(advantages(torch.full((4,), rewards[0])).any())


def test_the_divergence_is_never_below_zero_and_nothing_where_both_are_alike() -> None:
    new, reference = torch.randn(50), torch.randn(50)
    assert bool((divergence(new, reference) >= 0).all())
    assert not bool(divergence(new, new).any())


@pytest.mark.parametrize(
    ("ratio", "advantage", "is_clipped"), [(1.3, 1.0, True), (1.3, -1.0, False), (0.7, -1.0, True), (0.7, 1.0, False), (1.1, 1.0, False)]
)
def test_a_ratio_is_clipped_where_it_would_gain_from_going_further(ratio: float, advantage: float, is_clipped: bool) -> None:
    new = torch.tensor([ratio]).log().requires_grad_()
    losses, clipped = policy_losses(new, torch.zeros(1), None, torch.tensor([advantage]), 0.2, 0.0)
    losses.sum().backward()
    assert bool(clipped[0]) == is_clipped == (float(new.grad[0]) == 0)  # type: ignore[index]
