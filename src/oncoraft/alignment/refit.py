"""The score head after alignment: its input has moved with the adapter, and it is fitted again so that it says what it said before.

Aligned texts come from the very states from which the head reads its score. Left alone, the head keeps its ranking nearly but not its
probabilities. The target is not the label, which the adapter has learnt from these very cases, but the starting model's own score of
each training case: so the calibration of the starting model is kept, and nothing is fitted twice to the same labels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from oncoraft.alignment.policy import with_weights
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import score_logit
from oncoraft.training.frozen import read_once
from oncoraft.training.trainer import Trainer

STEPS, LEARNING_RATE = 300, 1e-3  # full batches of a head of 128 units: its loss no longer moves in the third digit well before


def prompt_states(trainer: Trainer, cases: Sequence[Case], weights: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
    """Final-norm states of the last prompt tokens, (cases, hidden), fp32, under the adapter or under other weights of it."""
    bare = [replace(case, answer=()) for case in cases]
    tokens = trainer.settings.tokens_per_micro_batch
    if weights is None:
        return read_once(trainer.model, bare, tokens, trainer.processes).of(bare).float()
    with with_weights(trainer.model, weights):
        return read_once(trainer.model, bare, tokens, trainer.processes).of(bare).float()


def refitted(head: nn.Sequential, states: torch.Tensor, target: torch.Tensor) -> nn.Sequential:
    """A head fitted to probabilities, from another on; the given one is left as it is.

    Args:
        head: to start from.
        states: (cases, hidden).
        target: (cases,), in [0, 1].
    """
    fitted = copy.deepcopy(head)
    for parameter in fitted.parameters():
        parameter.requires_grad = True
    optimizer = torch.optim.Adam(fitted.parameters(), lr=LEARNING_RATE)
    with torch.enable_grad():
        for _ in range(STEPS):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(score_logit(fitted, states), target).backward()
            optimizer.step()
    return fitted


def ranking(probability: torch.Tensor, labels: torch.Tensor) -> float:
    """AUROC: how often a responder stands above a non-responder, equals counting half."""
    above, below = probability[labels], probability[~labels].sort().values
    less = torch.searchsorted(below, above, right=False) + torch.searchsorted(below, above, right=True)
    return float(less.double().mean() / (2 * len(below)))


@torch.no_grad()
def compared(heads: dict[str, tuple[nn.Sequential, torch.Tensor]], starting: torch.Tensor, labels: Sequence[bool]) -> dict[str, Any]:
    """AUROC of each head on the training cases, and how far its probabilities lie from the starting ones.

    Args:
        heads: name -> head and the states that it reads.
        starting: probabilities of the starting model, (cases,).
        labels: responders.
    """
    is_responder = torch.tensor(labels, device=starting.device)
    found: dict[str, Any] = {"cases": len(labels), "starting_auroc": ranking(starting, is_responder)}
    for name, (head, states) in heads.items():
        probability = torch.sigmoid(score_logit(head, states))
        moved = (probability - starting).abs()
        found[f"{name}_auroc"] = ranking(probability, is_responder)
        found[f"{name}_mean_difference"], found[f"{name}_largest_difference"] = float(moved.mean()), float(moved.max())
    return found
