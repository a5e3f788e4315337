"""What the optimiser steps of both methods share: reading a row of answers, the head's loss, the step itself, its log entry.

Sums are divided by the counts of the whole step before the backward pass, as in supervised training, so that rows and processes change
memory and speed only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from oncoraft.alignment.attention import shared_hidden
from oncoraft.alignment.groups import Group, SharedRow, pack_groups
from oncoraft.alignment.objective import token_log_probabilities
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.stable import stable_seed
from oncoraft.models.fold_model import score_logit
from oncoraft.training.loop import memory_gib, memory_named
from oncoraft.training.objective import summed_score_loss
from oncoraft.training.trainer import Entry, Trainer


def read(trainer: Trainer, groups: Sequence[Group], temperature: float = 1.0) -> tuple[SharedRow, torch.Tensor, torch.Tensor]:
    """A row of groups, the log-probability of each answer token, (n,), and the states of the prompts' ends, (groups, hidden)."""
    row = pack_groups(groups, trainer.device)
    with memory_named(trainer.settings, row.ids.shape[1]):
        with torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.device.type == "cuda"):
            hidden = shared_hidden(trainer.model, row)
            found = token_log_probabilities(trainer.model, hidden[row.predictors], row.targets, temperature)
        return row, found, hidden[row.prompt_ends]


def score_loss(trainer: Trainer, groups: Sequence[Group], states: torch.Tensor) -> torch.Tensor:
    """The head's loss summed over the cases, if the head learns; 0 otherwise."""
    head = trainer.head
    if head is None or not next(head.parameters()).requires_grad:
        return torch.zeros((), device=states.device)
    return trainer.strategy.score_weight * summed_score_loss(score_logit(head, states), [group.case for group in groups], trainer.strategy)


def descend(trainer: Trainer) -> float:
    """Take the step that the gradients ask for; their norm before clipping.

    Raises:
        InputError: it is not a number.
    """
    trainer.processes.sum_gradients(trainer.trainable())
    norm = float(torch.nn.utils.clip_grad_norm_(trainer.trainable(), trainer.settings.max_gradient_norm))
    if not math.isfinite(norm):
        raise InputError(f"step {trainer.step + 1}: the gradient is not a finite number; lower its learning rate")
    trainer.optimizer.step()
    trainer.schedule.step()
    return norm


def logged(trainer: Trainer, entry: Entry, started: float, tokens: int) -> Entry:
    """The entry of a step that has been taken, with its number, speed and memory."""
    trainer.step += 1
    seconds = max(1e-9, time.monotonic() - started)
    whole: Entry = {"step": trainer.step} | entry
    whole |= {"tokens": tokens, "tokens_per_second": tokens / seconds, "memory_gib": memory_gib(trainer.device)}
    trainer.log.append(whole)
    return whole


def batches(items: Sequence[Any], epochs: int, per_step: int, seed: int) -> list[list[Any]]:
    """The items of every step: a seeded order an epoch, cut into steps."""
    found = []
    for epoch in range(epochs):
        order = np.random.default_rng(stable_seed(seed, "alignment", epoch)).permutation(len(items))
        ordered = [items[int(place)] for place in order]
        found += [ordered[start : start + per_step] for start in range(0, len(ordered), per_step)]
    return found
