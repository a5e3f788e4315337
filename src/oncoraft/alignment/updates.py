"""Optimiser steps of alignment: pairs of answers (dpo) and groups of sampled answers (grpo), packed so that answers share their prompt.

Sums are divided by the counts of the whole step before the backward pass, as in supervised training, so that rows and processes change
memory and speed only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from oncoraft.alignment.attention import shared_hidden
from oncoraft.alignment.groups import Group, SharedRow, micro_groups, pack_groups
from oncoraft.alignment.objective import advantages, by_answer, divergence, policy_losses, preference_losses, token_log_probabilities
from oncoraft.alignment.policy import with_weights
from oncoraft.alignment.sampling import Sampled, Writer
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.stable import stable_seed
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import score_logit
from oncoraft.planning.config import Alignment
from oncoraft.training.loop import memory_gib, memory_named
from oncoraft.training.objective import summed_score_loss
from oncoraft.training.trainer import Entry, Trainer


@dataclass(frozen=True)
class Pair:
    """Two answers to a case, the better one first, and their log-probabilities under the starting model."""

    group: Group
    reference: tuple[float, float]


def read(trainer: Trainer, groups: Sequence[Group], temperature: float = 1.0) -> tuple[SharedRow, torch.Tensor, torch.Tensor]:
    """A row of groups, the log-probability of each answer token, (n,), and the states of the prompts' ends, (groups, hidden)."""
    row = pack_groups(groups, trainer.device)
    with memory_named(trainer.settings, row.ids.shape[1]):
        with torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.device.type == "cuda"):
            hidden = shared_hidden(trainer.model, row)
            found = token_log_probabilities(trainer.model, hidden[row.predictors], row.targets, temperature)
        return row, found, hidden[row.prompt_ends]


@torch.no_grad()
def log_probabilities(
    trainer: Trainer, groups: Sequence[Group], temperature: float, weights: dict[str, torch.Tensor]
) -> list[torch.Tensor]:
    """Log-probability of each answer token under other adapter weights, a tensor a row of `micro_groups`."""
    with with_weights(trainer.model, weights):
        return [read(trainer, part, temperature)[1] for part in micro_groups(groups, trainer.settings.tokens_per_micro_batch)]


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
        raise InputError(f"step {trainer.step + 1}: the gradient is not a finite number; lower alignment.learning_rate")
    trainer.optimizer.step()
    trainer.schedule.step()
    return norm


def preference_step(trainer: Trainer, pairs: Sequence[Pair], settings: Alignment) -> Entry:
    """One step on pairs; what it cost is logged and returned."""
    started, processes = time.monotonic(), trainer.processes
    trainer.optimizer.zero_grad()
    mine = list(pairs)[processes.rank :: processes.count]
    chosen_tokens = sum(len(pair.group.answers[0]) for pair in pairs)
    total = torch.zeros(5, device=trainer.device)
    references = {pair.group.case.case_id: pair.reference for pair in mine}
    for part in micro_groups([pair.group for pair in mine], trainer.settings.tokens_per_micro_batch):
        row, tokens, states = read(trainer, part)
        answers = by_answer(tokens, row.lengths, settings.length_normalised).view(-1, 2)
        known = torch.tensor([references[group.case.case_id] for group in part], device=trainer.device)
        if settings.length_normalised:
            known = known / row.lengths.view(-1, 2)
        losses, margin = preference_losses(answers[:, 0], answers[:, 1], known[:, 0], known[:, 1], settings.beta, settings.label_smoothing)
        likelihood = -by_answer(tokens, row.lengths).view(-1, 2)[:, 0].sum() / chosen_tokens
        score = score_loss(trainer, part, states) / len(pairs)
        loss = losses.sum() / len(pairs) + trainer.strategy.language_model_weight * likelihood + score
        loss.backward()
        gains = settings.beta * (answers - known).detach()
        total += torch.stack([loss.detach(), margin.detach().sum(), (margin.detach() > 0).sum(), gains[:, 0].sum(), gains[:, 1].sum()])
    loss, margin, right, chosen, rejected = processes.sum(total).tolist()
    rate, norm, count = float(trainer.schedule.get_last_lr()[-1]), descend(trainer), len(pairs)
    entry: Entry = {"loss": loss, "margin": margin / count, "accuracy": right / count}
    entry |= {"chosen_reward": chosen / count, "rejected_reward": rejected / count, "gradient_norm": norm, "learning_rate": rate}
    return logged(trainer, entry, started, sum(pair.group.length for pair in pairs))


def policy_step(trainer: Trainer, cases: Sequence[Case], settings: Alignment, writer: Writer, reference: dict[str, torch.Tensor]) -> Entry:
    """Sample, judge, and learn from one batch of prompts, `updates_per_batch` times; what it cost is logged and returned."""
    started, processes = time.monotonic(), trainer.processes
    sampled = writer.answers(list(cases)[processes.rank :: processes.count], trainer.step)
    judged = [(one, worth(one, trainer.device)) for one in sampled]
    learning = [(one.group, advantage) for one, advantage in judged if bool(advantage.any())]
    entry = described(trainer, sampled, len(learning), len(cases))
    entry["entropy"] = None  # unless there is something to learn from
    rate, parts = float(trainer.schedule.get_last_lr()[-1]), [0.0, 0.0, 0.0, 0.0]
    # Asked of all processes: one without a group to learn from must still take part in the sums.
    if processes.any(bool(learning), trainer.device):
        parts = learn(trainer, learning, settings, reference, entry)
    loss, kl, clipped, norm = parts
    entry |= {"loss": loss, "kl": kl, "clipped_share": clipped, "gradient_norm": norm, "learning_rate": rate}
    read_tokens = int(processes.sum(torch.tensor(float(sum(one.group.length for one in sampled)), device=trainer.device)))
    return logged(trainer, entry, started, read_tokens)


def worth(one: Sampled, device: torch.device) -> torch.Tensor:
    """Advantage of each answer of a group, (samples,); an answer that no reward applies to has none, and takes no part in the mean."""
    found = torch.zeros(len(one.judged), device=device)
    told = [place for place, judged in enumerate(one.judged) if judged.total is not None]
    if len(told) > 1:
        rewards = torch.tensor([one.judged[place].total for place in told], dtype=torch.float32, device=device)
        found[told] = advantages(rewards)
    return found


def learn(
    trainer: Trainer, learning: Sequence[tuple[Group, torch.Tensor]], settings: Alignment, reference: dict[str, torch.Tensor], entry: Entry
) -> list[float]:
    """Update on the sampled answers; mean loss, divergence, clipped share and gradient norm of the last update."""
    processes, temperature = trainer.processes, settings.temperature
    groups = [group for group, _ in learning]
    by_case = {group.case.case_id: advantage for group, advantage in learning}
    rows = micro_groups(groups, trainer.settings.tokens_per_micro_batch)
    known = log_probabilities(trainer, groups, temperature, reference) if settings.kl_weight else [None] * len(rows)
    # Of all answers of the step, those of groups without variance too: a few that remain must not weigh more.
    answers, tokens = entry["answers"] or 1.0, entry["answer_tokens"] or 1.0
    old: list[torch.Tensor] = []
    last = [0.0, 0.0, 0.0, 0.0]
    for update in range(settings.updates_per_batch):
        trainer.optimizer.zero_grad()
        total = torch.zeros(4, device=trainer.device)
        for place, part in enumerate(rows):
            row, new, states = read(trainer, part, temperature)
            if update == 0:
                old.append(new.detach())
            advantage = torch.cat([by_case[group.case.case_id] for group in part]).repeat_interleave(row.lengths)
            losses, clipped = policy_losses(new, old[place], known[place], advantage, settings.clip, settings.kl_weight)
            summed = (
                by_answer(losses, row.lengths, mean=True).sum() / answers if settings.normalised_by == "answer" else losses.sum() / tokens
            )
            loss = summed + score_loss(trainer, part, states) / (entry["prompts"] or 1.0)
            loss.backward()
            moved = new.new_zeros(()) if known[place] is None else divergence(new.detach(), known[place]).sum()  # type: ignore[arg-type]
            total += torch.stack([loss.detach(), moved, clipped.sum().float(), new.new_tensor(float(len(new)))])
        loss, moved, clipped_tokens, counted = processes.sum(total).tolist()
        last = [loss, moved / counted, clipped_tokens / counted, descend(trainer)]
        if update == 0:
            # Of the tokens as they were drawn; at temperature 1 and without a nucleus an unbiased estimate of the entropy.
            drawn = torch.stack([-torch.cat(old).sum(), old[0].new_tensor(float(sum(map(len, old))))]) if old else torch.zeros(2)
            nats, count = processes.sum(drawn.to(trainer.device)).tolist()
            entry["entropy"] = nats / max(1.0, count)
    return last


def described(trainer: Trainer, sampled: Sequence[Sampled], learning: int, prompts: int) -> Entry:
    """What the samples of a step are like, over all processes: rewards by name, spread within groups, lengths, share cut."""
    judged = [judged for one in sampled for judged in one.judged]
    names = sorted(judged[0].parts) if judged else []
    totals = [[j.total for j in one.judged if j.total is not None] for one in sampled]
    spreads = [float(torch.tensor(values).std()) for values in totals if len(values) > 1]
    answers = [answer for one in sampled for answer in one.group.answers]
    ended = [ended for one in sampled for ended in one.is_ended]
    sums = [
        float(learning),
        float(len(answers)),
        float(sum(map(len, answers))),
        float(len(ended) - sum(ended)),
        sum(spreads),
        float(len(spreads)),
    ]
    for name in [None, *names]:
        values = [value for j in judged if (value := j.total if name is None else j.parts[name]) is not None]
        sums += [sum(values), float(len(values))]
    found = trainer.processes.sum(torch.tensor(sums, dtype=torch.float64, device=trainer.device)).tolist()
    learned, count, tokens, cut, spread, groups = found[:6]
    entry: Entry = {"prompts": float(prompts), "answers": count, "answer_tokens": tokens, "length": tokens / max(1.0, count)}
    entry |= {"cut_share": cut / max(1.0, count), "zero_variance_share": 1 - learned / prompts, "reward_spread": spread / max(1.0, groups)}
    for place, name in enumerate([None, *names]):
        total, applying = found[6 + 2 * place], found[7 + 2 * place]
        entry["reward" if name is None else f"reward_{name}"] = total / applying if applying else None
    return entry


def logged(trainer: Trainer, entry: Entry, started: float, tokens: int) -> Entry:
    """The entry of a step that has been taken, with its number, speed and memory."""
    trainer.step += 1
    seconds = max(1e-9, time.monotonic() - started)
    whole: Entry = {"step": trainer.step} | entry
    whole |= {"tokens": tokens, "tokens_per_second": tokens / seconds, "memory_gib": memory_gib(trainer.device)}
    trainer.log.append(whole)
    return whole


def batches(items: Sequence[Any], settings: Alignment) -> list[list[Any]]:
    """The items of every step: a seeded order an epoch, cut into steps."""
    found = []
    for epoch in range(settings.epochs):
        order = np.random.default_rng(stable_seed(settings.seed, "alignment", epoch)).permutation(len(items))
        ordered = [items[int(place)] for place in order]
        found += [ordered[start : start + settings.prompts_per_step] for start in range(0, len(ordered), settings.prompts_per_step)]
    return found
