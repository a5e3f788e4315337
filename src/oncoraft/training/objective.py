"""The two losses of a packed micro-batch, summed: the caller divides by the counts of the whole optimiser step.

Language-modelling loss: cross-entropy of the answer tokens, the end-of-text token included, from logits at these positions only.
Score loss: from the final-norm state of the last prompt token, which causal attention keeps blind to the answer; binary
cross-entropy on the logit, squared error of the sigmoid from the graded score, or of a text task cross-entropy over its choices.
Both in fp32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.autograd import Function

from oncoraft.models.attention import packed_hidden
from oncoraft.models.base import causal_of, logits_of
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import score_logit
from oncoraft.models.packing import Packed, last_rows, pack
from oncoraft.planning.config import Strategy
from oncoraft.training.dropout import CaseDraws
from oncoraft.training.frozen import PromptStates
from oncoraft.training.lean_layers import reads_last_rows_alone

# Logits held at once: 1 GiB in fp32 on a GPU, where few large products are quick, 8 MiB on a CPU, where they stay in the cache.
LOGITS_AT_ONCE = {"cuda": 2**28, "cpu": 2**21}


# From so many rows on, torch's attention kernel for a CPU works in blocks of 256 queries; in smaller ones it is slower than the products alone.
AS_ATTENTION = 768


class Ready(NamedTuple):
    """A micro-batch on the device: its packed row, and the numbers that decide what is dropped, if anything is."""

    packed: Packed
    keys: torch.Tensor | None


def made_ready(batch: Sequence[Case], device: torch.device, draws: CaseDraws | None, step: int) -> Ready:
    """Pack a micro-batch of an optimiser step; it needs no model, so that it can be done while the device works."""
    return Ready(pack(batch, device), None if draws is None else draws.keys(batch, device, step))


def losses(
    model: Any,
    head: nn.Sequential | None,
    batch: Sequence[Case],
    strategy: Strategy,
    draws: CaseDraws | None = None,
    step: int = 0,
    frozen: PromptStates | None = None,
    ready: Ready | None = None,
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
        ready: the batch packed ahead of time; None: it is packed now.
    """
    device = next(model.parameters()).device
    packed, keys = made_ready(batch, device, draws, step) if ready is None else ready
    # Before the states that were read once are used: the head's dropout needs its keys too.
    if draws is not None and keys is not None:
        draws.use(keys, packed)
    language = score = torch.zeros((), device=device)
    if frozen is not None and head is not None:
        return language, summed_score_loss(score_logit(head, frozen.of(batch)), batch, strategy)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        # Nothing below the head learns without an adapter: no graph is kept for it.
        with torch.set_grad_enabled(torch.is_grad_enabled() and strategy.has_adapter):
            # The same states either way, counted in the whole row or among the rows that are read.
            read = last_rows(packed) if reads_last_rows_alone(model) else None
            hidden = packed_hidden(model, packed, read)
        places = packed if read is None else read
        if strategy.language_model_weight and len(packed.targets):
            language = summed_cross_entropy(model, hidden[places.predictors], packed.targets)
    # Outside autocast, which would take the head's products in bf16.
    if head is not None:
        score = summed_score_loss(score_logit(head, hidden[places.prompt_ends]), batch, strategy)
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


def summed_cross_entropy(model: Any, states: torch.Tensor, targets: torch.Tensor, at_once: int | None = None) -> torch.Tensor:
    """Cross-entropy of the targets (n,) from final-norm states (n, hidden), summed.

    Args:
        model: whose language-modelling head is applied.
        states: at the positions that predict.
        targets: token ids.
        at_once: most logits to hold; None: what suits the device.
    """
    causal = causal_of(model)
    rows = max(1, (at_once or LOGITS_AT_ONCE.get(states.device.type, 2**28)) // causal.config.vocab_size)
    if any(parameter.requires_grad for parameter in causal.lm_head.parameters()):
        return nn.functional.cross_entropy(logits_of(model, states), targets, reduction="sum")
    return _CrossEntropy.apply(states, targets, model, rows)


class _CrossEntropy(Function):
    """Through a frozen head, a few rows at a time: the gradient is taken while their logits are there, which then need not be kept."""

    @staticmethod
    def forward(context: Any, states: torch.Tensor, targets: torch.Tensor, model: Any, rows: int) -> torch.Tensor:
        weight, cap = causal_of(model).lm_head.weight, getattr(causal_of(model).config, "final_logit_softcapping", None)
        plain = cap is None and causal_of(model).lm_head.bias is None and states.is_cpu and states.dtype == weight.dtype == torch.float32
        if plain and context.needs_input_grad[0] and len(states) >= AS_ATTENTION:
            whole, of_states = _by_attention(states, weight, targets)
            context.save_for_backward(of_states)
            return whole
        total = torch.zeros((), device=states.device)
        gradient = torch.empty_like(states) if context.needs_input_grad[0] else None
        for place in range(0, len(states), rows):
            some, wanted = states[place : place + rows], targets[place : place + rows, None].long()
            logits = logits_of(model, some)
            # In place, and the division left to the short side: every pass over the logits costs as much as a tenth of their product.
            chosen, most = logits.gather(1, wanted), logits.amax(dim=-1, keepdim=True)
            slope = None if cap is None or gradient is None else 1 - (logits / cap).square_()  # the derivative of cap * tanh(x / cap)
            likely = logits.sub_(most).exp_()
            sums = likely.sum(dim=-1, keepdim=True)
            total += (sums.log() + (most - chosen)).sum()  # the difference first: large logits would swallow the logarithm
            if gradient is not None:
                # d/d logits of -log softmax: the softmax, less 1 at the target; both times the sum, which is then divided by.
                likely.scatter_add_(1, wanted, -sums)
                if slope is not None:
                    likely.mul_(slope)
                gradient[place : place + rows] = (likely.to(weight.dtype) @ weight).div_(sums)
        context.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        (gradient,) = context.saved_tensors
        return gradient * gradients[0], None, None, None


def _by_attention(states: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy from (n, hidden), summed, and its gradient.

    States that attend to the rows of the head, keys and values alike, draw from them by the softmax of their logits: what comes out is
    the gradient but for the target's row, and the kernel knows the logarithm of the sum. The logits never leave the processor's cache.
    """
    # The kernel takes the numbers of a row to lie side by side, and asks nobody.
    states, weight = states.contiguous(), weight.contiguous()
    rows = weight[None, None]
    drawn, logarithms = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(states[None, None], rows, rows, 0.0, False, scale=1.0)
    wanted = weight.index_select(0, targets)  # an index, unlike brackets, takes no -1 for the last token
    total = (logarithms.flatten() - (states * wanted).sum(dim=-1)).sum()
    return total, drawn[0, 0].sub_(wanted)
