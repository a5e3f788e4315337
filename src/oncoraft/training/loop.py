"""The training loop: packed micro-batches, two losses normalised over the whole optimiser step, a step at a time until the last.

Micro-batches and processes change nothing but memory and speed: sums are divided by the answer tokens and by the cases of the
whole step before the backward pass, and dropout is drawn by case. So a step is a function of the seed, its number and its
cases alone, and a resumed run is the run that was not interrupted.
"""

from __future__ import annotations

import math
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.foundation.stable import stable_seed
from oncoraft.models.base import causal_of
from oncoraft.models.cases import Case
from oncoraft.planning.config import Training
from oncoraft.training.ahead import Ahead, my_turns
from oncoraft.training.objective import Ready, losses
from oncoraft.training.progress import Progress
from oncoraft.training.sharding import clip
from oncoraft.training.trainer import Entry, Trainer


def steps_of(cases: list[Case], settings: Training) -> Iterator[list[Case]]:
    """The cases of every optimiser step: a seeded permutation an epoch, cut into global batches."""
    for epoch in range(settings.epochs):
        # Each epoch has a seed of its own, so a resumed run needs no random state to find its place.
        order = np.random.default_rng(stable_seed(settings.seed, "epoch", epoch)).permutation(len(cases))
        for start in range(0, len(cases), settings.global_batch_size):
            yield [cases[int(i)] for i in order[start : start + settings.global_batch_size]]


def steps_in(cases: int, settings: Training) -> int:
    """How many optimiser steps a run over so many cases has."""
    return settings.epochs * -(-cases // settings.global_batch_size)


def backward(trainer: Trainer, cases: list[Case], ready: list[Ready] | None = None) -> torch.Tensor:
    """Gradients of one whole optimiser step, summed over micro-batches and processes; the step's mean losses, (2,), on the device.

    Raises:
        InputError: memory ran out.
    """
    strategy, settings, processes = trainer.strategy, trainer.settings, trainer.processes
    # At least 1: without answers (a score loss alone) the language loss is 0, not 0 / 0.
    answer_tokens = max(1, sum(len(case.answer) for case in cases))
    total = torch.zeros(2, device=trainer.device)
    for number, (batch, weight) in enumerate(my_turns(trainer, cases)):
        tokens = sum(case.length for case in batch)
        recompute_activations(trainer, tokens)
        with memory_named(settings, tokens):
            given = (trainer.draws, trainer.step, trainer.frozen, None if ready is None else ready[number])
            language, score = losses(trainer.model, trainer.head, batch, strategy, *given)
            language, score = language / answer_tokens, score / len(cases)
            (weight * (strategy.language_model_weight * language + strategy.score_weight * score)).backward()
        total += weight * torch.stack([language.detach(), score.detach()]).float()
    processes.sum_gradients(trainer.trainable())
    return processes.sum(total)


def recompute_activations(trainer: Trainer, tokens: int) -> None:
    """Switch activation checkpointing for a micro-batch of so many tokens: memory for a third more arithmetic."""
    causal = causal_of(trainer.model)
    how = trainer.settings.activation_checkpointing
    wanted = how == "always" or (how == "over_budget" and tokens > trainer.settings.tokens_per_micro_batch)
    if wanted != causal.is_gradient_checkpointing:
        if wanted:
            # torch's reentrant kind passes no gradient where no input asks for one, and the embedding of a frozen base asks for none.
            causal.gradient_checkpointing_enable({"use_reentrant": False})
        else:
            causal.gradient_checkpointing_disable()


@contextmanager
def memory_named(settings: Training, tokens: int) -> Iterator[None]:
    """Turn running out of memory into a line that names the setting to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # On a CPU torch says it as a plain RuntimeError ("DefaultCPUAllocator: can't allocate memory").
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "alloc" not in str(error):
            raise
        raise InputError(
            f"memory ran out on a micro-batch of {tokens} tokens; lower training.tokens_per_micro_batch (now {settings.tokens_per_micro_batch})"
            " or set training.activation_checkpointing to always"
        ) from None


def take_step(trainer: Trainer, cases: list[Case], ready: list[Ready] | None = None) -> Entry:
    """One optimiser step; what it cost and how fast it was is logged and returned.

    Raises:
        InputError: memory ran out, or the loss is not a number.
    """
    started = time.monotonic()
    trainer.optimizer.zero_grad()
    total = backward(trainer, cases, ready)
    length = clip(trainer.trainable(), trainer.settings.max_gradient_norm, trainer.processes)
    # The one place in a step where a GPU is waited for.
    language, score, norm = torch.stack([*total, length.to(total.device)]).tolist()
    # After the sums, which are equal everywhere: every process ends here, and none is left waiting.
    if not (math.isfinite(language) and math.isfinite(score)):
        raise InputError(f"step {trainer.step + 1}: the loss is not a finite number; lower training.learning_rate")
    rates = trainer.schedule.get_last_lr()
    trainer.optimizer.step()
    trainer.schedule.step()
    trainer.step += 1
    seconds = max(1e-9, time.monotonic() - started)
    strategy = trainer.strategy
    work = 0.0 if trainer.work is None else trainer.work.operations(cases, strategy.language_model_weight > 0)
    entry: Entry = {
        "step": trainer.step,
        "loss": strategy.language_model_weight * language + strategy.score_weight * score,
        "language_model_loss": language if strategy.language_model_weight else None,
        "score_loss": score if strategy.has_head else None,
        # The last group's: the adapters', where there are any (`new_optimizer`).
        "learning_rate": float(rates[-1]),
        "gradient_norm": norm,
        "tokens": sum(case.length for case in cases),
        "tokens_per_second": sum(case.length for case in cases) / seconds,
        "share_of_roof": work / seconds / trainer.roof / trainer.processes.count,
        "memory_gib": memory_gib(trainer.device),
    }
    trainer.log.append(entry)
    return entry


def memory_gib(device: torch.device) -> float:
    """Most memory used so far, in GiB: the allocator's on a GPU, the process's on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    # Linux counts ru_maxrss in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def train(trainer: Trainer, cases: list[Case], save: Callable[[dict[str, Any]], None]) -> None:
    """Run (or go on) to the last step; see `go_through`."""
    steps = list(steps_of(cases, trainer.settings))
    if trainer.device.type != "cuda":
        return go_through(trainer, steps, len(steps), partial(take_step, trainer), save)
    with closing(Ahead(trainer, steps, take_step)) as ahead:
        go_through(trainer, steps, len(steps), ahead.take, save)


def go_through(
    trainer: Trainer, batches: Iterable[list[Any]], total: int, take: Callable[[list[Any]], Entry], save: Callable[[dict[str, Any]], None]
) -> None:
    """Take every step that is not taken yet, saving now and then; on SIGTERM or an interrupt save and stop.

    Args:
        trainer: knows how many steps it has taken.
        batches: what each step learns from, from the first on.
        total: how many there are.
        take: takes one step.
        save: writes the trainer's state, in the first process.

    Raises:
        RetryLater: stopped by a signal after its state was saved.
    """
    processes = trainer.processes
    trainer.model.train()
    if trainer.head is not None:
        trainer.head.train()
    progress = Progress(total, trainer.step, processes.is_first)
    with stop_asked() as asked:
        for number, batch in enumerate(batches, 1):
            if number <= trainer.step:
                continue
            progress.show(take(batch))
            # Asked of all: a signal may reach one process alone, for which the others would wait in the next sum.
            stop = asked() if processes.count == 1 else processes.any(asked(), trainer.device)
            if stop or trainer.step % trainer.settings.checkpoint_every_steps == 0:
                state = trainer.state()  # in every process: what is cut is gathered from all
                if processes.is_first:
                    save(state)
            if stop:
                processes.any(True, trainer.device)  # none leaves, and so has the others ended, before the first has saved
                progress.close()
                raise RetryLater(f"stopped after step {trainer.step} of {total}; its state is saved, the next run goes on from there")
    progress.close()


@contextmanager
def ending_with_75() -> Iterator[None]:
    """SIGTERM outside the loop (while reading or publishing) ends the step as one worth a retry, temporary files removed."""

    def stop(*_: object) -> None:
        raise RetryLater("stopped before the end; the next run goes on from the last saved state, if there is one")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stop_asked() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or an interrupt has come; a second interrupt ends the process at once.

    A second SIGTERM does not: of several processes each may get one from the batch system and one from the process that started it.
    """
    came: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, _: object) -> None:
        came.append(number)
        if number == signal.SIGINT:
            signal.signal(number, before[number])

    for number in (int(signal.SIGTERM), int(signal.SIGINT)):
        before[number] = signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
