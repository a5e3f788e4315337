"""What alignment minimises: the preference loss of pairs and the clipped policy loss of groups, from log-probabilities of answers.

DPO: Rafailov and others 2023, "Direct preference optimization"; label smoothing as in Mitchell 2023 ("cDPO"). GRPO: Shao and others
2024, "DeepSeekMath", with its estimate of the divergence (Schulman 2020, "k3"). Equal to the losses of TRL 1.16 to rounding
(`tests/alignment/test_against_trl.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from oncoraft.models.base import logits_of

LOGITS_AT_ONCE = 2**26  # 256 MiB in fp32; more are computed in parts, each again in the backward pass
SPREAD_FLOOR = 1e-4  # added to the standard deviation of a group's rewards, as published


def token_log_probabilities(
    model: Any, states: torch.Tensor, targets: torch.Tensor, temperature: float = 1.0, at_once: int = LOGITS_AT_ONCE
) -> torch.Tensor:
    """Log-probability of each target token, (n,), from final-norm states (n, hidden).

    Args:
        model: whose language-modelling head is applied.
        states: at the positions that predict.
        targets: token ids.
        temperature: logits are divided by it.
        at_once: most logits to hold; beyond, rows go in parts whose logits are not kept for the backward pass.
    """

    def part(rows: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        logits = logits_of(model, rows)
        # Not divided by 1: it costs a copy of all logits, forward and backward.
        return -nn.functional.cross_entropy(logits if temperature == 1.0 else logits / temperature, wanted, reduction="none")

    rows = max(1, at_once // model.config.vocab_size)
    if len(states) <= rows:
        return part(states, targets)
    pairs = zip(states.split(rows), targets.split(rows), strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([part(*pair) for pair in pairs])
    return torch.cat([checkpoint(part, *pair, use_reentrant=False) for pair in pairs])


def by_answer(values: torch.Tensor, lengths: torch.Tensor, mean: bool = False) -> torch.Tensor:
    """Sum (or mean) of token values (n,) over each answer, (answers,); an answer's tokens are neighbours."""
    owner = torch.repeat_interleave(torch.arange(len(lengths), device=values.device), lengths)
    summed = torch.zeros(len(lengths), dtype=values.dtype, device=values.device).index_add(0, owner, values)
    return summed / lengths if mean else summed


def preference_losses(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    beta: float,
    smoothing: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and margin of each pair, (pairs,) each.

    Args:
        chosen, rejected: log-probabilities of the two answers under the model, (pairs,).
        reference_chosen, reference_rejected: the same under the frozen starting model.
        beta: scale of the margin.
        smoothing: share of the pairs that may be the wrong way round.
    """
    margin = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    sigmoid = nn.functional.logsigmoid
    return -(1 - smoothing) * sigmoid(margin) - smoothing * sigmoid(-margin), margin


def advantages(rewards: torch.Tensor) -> torch.Tensor:
    """Rewards of a group, (samples,), less their mean, over their standard deviation (n - 1); 0 where all are alike."""
    if bool((rewards == rewards[0]).all()):
        return torch.zeros_like(rewards)
    return (rewards - rewards.mean()) / (rewards.std() + SPREAD_FLOOR)


def divergence(new: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Estimate of the divergence from the reference at each sampled token, (n,), never below 0: exp(d) - d - 1, d = reference - new."""
    difference = reference - new
    return torch.exp(difference) - difference - 1


def policy_losses(
    new: torch.Tensor, old: torch.Tensor, reference: torch.Tensor | None, advantage: torch.Tensor, clip: float, kl_weight: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of each token, (n,), and whether its ratio was clipped.

    Args:
        new: log-probabilities under the model that learns, (n,).
        old: under the model that wrote the answers, (n,).
        reference: under the starting model, (n,); None where kl_weight is 0.
        advantage: of the token's answer, (n,).
        clip: the ratio counts between 1 - clip and 1 + clip.
        kl_weight: of the divergence from the reference.
    """
    ratio = torch.exp(new - old)
    bounded = ratio.clamp(1 - clip, 1 + clip)
    losses = -torch.minimum(ratio * advantage, bounded * advantage)
    is_clipped = ((ratio < 1 - clip) & (advantage < 0)) | ((ratio > 1 + clip) & (advantage > 0))
    if reference is not None:
        # Times the ratio: only so is the gradient that of the divergence itself (DeepSeek-V3.2, 2025), the default of TRL 1.16 too.
        losses = losses + kl_weight * ratio * divergence(new, reference)
    return losses, is_clipped
