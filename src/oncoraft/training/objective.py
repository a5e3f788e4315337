"""The two losses of a packed micro-batch, summed: the caller divides by the counts of the whole optimiser step.

Language-modelling loss: cross-entropy of the answer tokens, the end-of-text token included, from logits at these positions only.
Score loss: from the final-norm state of the last prompt token, which causal attention keeps blind to the answer; binary
cross-entropy on the logit, squared error of the sigmoid from the graded score, or of a text task cross-entropy over its choices.
Both in fp32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from oncoraft.models.attention import packed_hidden
from oncoraft.models.base import logits_of
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import score_logit
from oncoraft.models.packing import pack
from oncoraft.planning.config import Strategy
from oncoraft.training.dropout import CaseDraws
from oncoraft.training.frozen import PromptStates

LOGITS_AT_ONCE = 2**28  # 1 GiB in fp32; more are computed in parts, each again in the backward pass


def losses(
    model: Any,
    head: nn.Sequential | None,
    batch: Sequence[Case],
    strategy: Strategy,
    draws: CaseDraws | None = None,
    step: int = 0,
    frozen: PromptStates | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Language-modelling loss summed over the answer tokens, and score loss summed over the cases, of one micro-batch.

    Args:
        model: base model, with adapters if the strategy has them.
        head: score head; None where the strategy has none.
        batch: cases with their answers and labels.
        strategy: says which losses are wanted; one that is not is 0.
        draws: of the dropout layers; None where nothing is dropped.
        step: of the optimiser, from 0; with the case it decides what is dropped.
        frozen: states that were read before, where nothing below the head learns; None: the model reads the batch.
    """
    device = next(model.parameters()).device
    packed = pack(batch, device)
    # Before the states that were read once are used: the head's dropout needs its keys too.
    if draws is not None:
        draws.prepare(batch, packed, step)
    language = score = torch.zeros((), device=device)
    if frozen is not None and head is not None:
        return language, summed_score_loss(score_logit(head, frozen.of(batch)), batch, strategy)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        # Nothing below the head learns without an adapter: no graph is kept for it.
        with torch.set_grad_enabled(torch.is_grad_enabled() and strategy.has_adapter):
            hidden = packed_hidden(model, packed)
        if strategy.language_model_weight and len(packed.targets):
            language = summed_cross_entropy(model, hidden[packed.predictors], packed.targets)
    # Outside autocast, which would take the head's products in bf16.
    if head is not None:
        score = summed_score_loss(score_logit(head, hidden[packed.prompt_ends]), batch, strategy)
    return language, score


def summed_score_loss(logit: torch.Tensor, batch: Sequence[Case], strategy: Strategy) -> torch.Tensor:
    """Binary cross-entropy on the responder, squared error from the graded score, or cross-entropy over choices, summed over the cases."""
    if strategy.score_loss == "choices":
        places = torch.tensor([case.choice for case in batch], device=logit.device)
        return nn.functional.cross_entropy(logit, places, reduction="sum")
    if strategy.score_loss == "bce":
        wanted = torch.tensor([float(bool(case.responder)) for case in batch], device=logit.device)
        # From the logit: the logarithm of a sigmoid that has rounded to 0 or 1 would be infinite or lost.
        return nn.functional.binary_cross_entropy_with_logits(logit, wanted, reduction="sum")
    wanted = torch.tensor([case.score for case in batch], device=logit.device, dtype=torch.float32)
    return nn.functional.mse_loss(torch.sigmoid(logit), wanted, reduction="sum")


def summed_cross_entropy(model: Any, states: torch.Tensor, targets: torch.Tensor, at_once: int = LOGITS_AT_ONCE) -> torch.Tensor:
    """Cross-entropy of the targets (n,) from final-norm states (n, hidden), summed.

    Args:
        model: whose language-modelling head is applied.
        states: at the positions that predict.
        targets: token ids.
        at_once: most logits to hold; beyond, rows go in parts whose logits are not kept for the backward pass.
    """

    def part(rows: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits_of(model, rows), wanted, reduction="sum")

    rows = max(1, at_once // model.config.vocab_size)
    if len(states) <= rows:
        return part(states, targets)
    parts = [checkpoint(part, *pair, use_reentrant=False) for pair in zip(states.split(rows), targets.split(rows), strict=True)]
    return torch.stack(parts).sum()
