"""The next step's cases are packed in a thread while a GPU works on this one's; on a CPU there is nothing to hide it behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from oncoraft.models.cases import Case
from oncoraft.models.packing import micro_batches, turns
from oncoraft.training.objective import Ready, made_ready
from oncoraft.training.trainer import Entry, Trainer


def my_turns(trainer: Trainer, cases: list[Case]) -> list[tuple[list[Case], float]]:
    """The micro-batches of a step that this process reads, each with its weight (see `models.packing.turns`)."""
    processes = trainer.processes
    groups = micro_batches(cases, trainer.settings.tokens_per_micro_batch, processes.count)
    return turns(groups, processes.rank, processes.count, trainer.is_sharded)


class Ahead:
    """Takes steps, each one's micro-batches made ready while the step before is at work.

    Args:
        trainer: knows which step is next.
        steps: the cases of every step, from the first on.
        take: takes a step, its micro-batches given.
    """

    def __init__(self, trainer: Trainer, steps: Sequence[list[Case]], take: Callable[[Trainer, list[Case], list[Ready]], Entry]) -> None:
        self.trainer, self.steps, self.take_ready = trainer, steps, take
        self.thread = ThreadPoolExecutor(1)
        self.next: tuple[int, Future[list[Ready]]] | None = None

    def ready(self, step: int) -> list[Ready]:
        """The micro-batches of a step, from 0."""
        trainer = self.trainer
        return [made_ready(batch, trainer.device, trainer.draws, step) for batch, _ in my_turns(trainer, self.steps[step])]

    def take(self, cases: list[Case]) -> Entry:
        """Take the trainer's next step, whose cases these are."""
        step = self.trainer.step
        ready = self.next[1].result() if self.next is not None and self.next[0] == step else self.ready(step)
        self.next = (step + 1, self.thread.submit(self.ready, step + 1)) if step + 1 < len(self.steps) else None
        return self.take_ready(self.trainer, cases, ready)

    def close(self) -> None:
        """Let the thread end."""
        self.thread.shutdown(cancel_futures=True)
