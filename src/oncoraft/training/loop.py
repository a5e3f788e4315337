"""The training loop: two losses over one forward pass, normalised over the whole optimiser step.

Language-modelling loss: cross-entropy of the answer tokens over all answer tokens of the step. Score loss: over the step's
cases, from the final-norm state of the last prompt token, which causal attention keeps blind to the answer. So micro-batches
change nothing but memory.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from oncoraft.config import Strategy, Training
from oncoraft.errors import RetryLater
from oncoraft.models.base import causal_of, final_hidden
from oncoraft.models.cases import Case, batches_by_length, padded
from oncoraft.models.fold_model import score_logit
from oncoraft.stable import stable_seed


@dataclass
class Trainer:
    """Model, head, optimiser and schedule of one run, and how far it has come."""

    model: Any
    head: nn.Sequential
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    step: int = 0
    log: list[dict[str, float]] = field(default_factory=list)

    def trainable(self) -> list[nn.Parameter]:
        """Parameters that learn: adapters, if any, and the head."""
        return [parameter for module in (self.model, self.head) for parameter in module.parameters() if parameter.requires_grad]

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs to go on as if it had not stopped."""
        adapter = {name: value for name, value in self.model.state_dict().items() if "lora_" in name}
        return {
            "step": self.step,
            "log": self.log,
            "adapter": adapter,
            "head": self.head.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self.step, self.log = state["step"], state["log"]
        self.model.load_state_dict(state["adapter"], strict=False)
        self.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])


def new_trainer(model: Any, head: nn.Sequential, settings: Training, total_steps: int) -> Trainer:
    """AdamW with a rate for the adapters and one for the head, both warming up and falling as a cosine."""
    adapters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [{"params": list(head.parameters()), "lr": settings.score_head_learning_rate}]
    if adapters:
        groups.append({"params": adapters, "lr": settings.learning_rate})
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    warmup = max(1, round(settings.warmup_fraction * total_steps))

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total_steps - warmup)))

    return Trainer(model, head, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate))


def steps_of(cases: list[Case], settings: Training) -> Iterator[list[Case]]:
    """The cases of every optimiser step: a seeded permutation an epoch, cut into global batches."""
    for epoch in range(settings.epochs):
        order = np.random.default_rng(stable_seed(settings.seed, "epoch", epoch)).permutation(len(cases))
        for start in range(0, len(cases), settings.global_batch_size):
            yield [cases[int(i)] for i in order[start : start + settings.global_batch_size]]


def losses(trainer: Trainer, batch: list[Case], strategy: Strategy, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed (not averaged) language-modelling and score loss of a micro-batch."""
    device = next(trainer.head.parameters()).device
    ids, mask = padded(batch, pad, device)
    starts = torch.tensor([len(case.prompt) for case in batch], device=device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        hidden = final_hidden(trainer.model, ids, mask)
        language = torch.zeros((), device=device)
        if strategy.language_model_weight:
            place = torch.arange(1, ids.shape[1], device=device)
            answered = (place >= starts[:, None]) & mask[:, 1:].bool()
            logits = causal_of(trainer.model).lm_head(hidden[:, :-1][answered])
            language = nn.functional.cross_entropy(logits.float(), ids[:, 1:][answered], reduction="sum")
    logit = score_logit(trainer.head, hidden[torch.arange(len(batch), device=device), starts - 1])
    if strategy.score_loss == "bce":
        wanted = torch.tensor([float(bool(case.responder)) for case in batch], device=device)
        score = nn.functional.binary_cross_entropy_with_logits(logit, wanted, reduction="sum")
    else:
        wanted = torch.tensor([case.score for case in batch], device=device)
        score = nn.functional.mse_loss(torch.sigmoid(logit), wanted, reduction="sum")
    return language, score


def take_step(trainer: Trainer, cases: list[Case], strategy: Strategy, settings: Training, pad: int) -> None:
    """One optimiser step over micro-batches, its loss parts and gradient norm logged."""
    started = time.monotonic()
    answer_tokens = max(1, sum(len(case.answer) for case in cases))
    trainer.optimizer.zero_grad()
    parts = np.zeros(2)
    for batch in batches_by_length(cases, settings.tokens_per_micro_batch):
        language, score = losses(trainer, batch, strategy, pad)
        language, score = language / answer_tokens, score / len(cases)
        (strategy.language_model_weight * language + strategy.score_weight * score).backward()
        parts += [float(language.detach()), float(score.detach())]
    norm = torch.nn.utils.clip_grad_norm_(trainer.trainable(), settings.max_gradient_norm)
    rates = trainer.schedule.get_last_lr()
    trainer.optimizer.step()
    trainer.schedule.step()
    trainer.step += 1
    trainer.log.append(
        {
            "step": trainer.step,
            "loss": float(strategy.language_model_weight * parts[0] + strategy.score_weight * parts[1]),
            "language_model_loss": float(parts[0]),
            "score_loss": float(parts[1]),
            "learning_rate": float(rates[-1]),
            "gradient_norm": float(norm),
            "tokens_per_second": sum(case.length for case in cases) / max(1e-9, time.monotonic() - started),
        }
    )


def train(trainer: Trainer, cases: list[Case], strategy: Strategy, settings: Training, pad: int, save: Callable[[], None]) -> None:
    """Run (or go on) to the last step, saving now and then; on SIGTERM save and stop.

    Raises:
        RetryLater: stopped by SIGTERM after its state was saved.
    """
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    before = signal.signal(signal.SIGTERM, stop)
    plan = list(steps_of(cases, settings))
    trainer.model.train()
    trainer.head.train()
    try:
        for batch in tqdm(plan[trainer.step :], desc="training", initial=trainer.step, total=len(plan), mininterval=5):
            take_step(trainer, batch, strategy, settings, pad)
            if stopped or trainer.step % settings.checkpoint_every_steps == 0:
                save()
            if stopped:
                raise RetryLater(f"stopped after step {trainer.step} of {len(plan)}; its state is saved, the next run goes on from there")
    finally:
        signal.signal(signal.SIGTERM, before)


def save_state(path: Path, key: str, trainer: Trainer) -> None:
    """Write the trainer's state, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    torch.save({"key": key} | trainer.state(), temporary)
    temporary.replace(path)


def load_state(path: Path, key: str) -> dict[str, Any] | None:
    """A saved state of the very same run, or None when there is none, it is of another run, or it cannot be read."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=False)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        tqdm.write(f"the saved state cannot be read ({type(error).__name__}); starting from the first step")
        return None
    return state if state.get("key") == key else None
