"""One process or several: who takes which micro-batch, and sums over all of them.

`torchrun` and `accelerate launch` say by environment variables how many processes there are. Losses are divided by the counts of the
whole optimiser step before the backward pass, so gradients are simply summed, and every process takes the same step: the
number of processes changes speed only, never the global batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from oncoraft.foundation.errors import RetryLater


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is; the first one writes."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process logs, saves and publishes."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place."""
        if self.count > 1:
            # DistributedDataParallel would average, and synchronises nothing where the inner decoder is called, as here (torch 2.13).
            distributed.all_reduce(values)
        return values

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum the gradients over all processes, in one message; a process without work adds 0."""
        if self.count == 1:
            return
        learned = list(parameters)
        for parameter in learned:
            # Every process has to send as much: a sum waits for all of them.
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.flatten() for parameter in learned if parameter.grad is not None])
        self.sum(flat)
        for parameter, part in zip(learned, flat.split([parameter.numel() for parameter in learned]), strict=True):
            parameter.grad = part.view_as(parameter)

    def any(self, value: bool, device: torch.device) -> bool:
        """Whether it is true in any process."""
        return bool(self.sum(torch.tensor(float(value), device=device)) > 0)


@contextmanager
def joined(on_gpu: bool) -> Iterator[Processes]:
    """The processes of this launch; alone where no launcher was used."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    if on_gpu:
        place = int(os.environ.get("LOCAL_RANK", "0"))
        if place >= torch.cuda.device_count():
            raise RetryLater(f"process {place} of this machine finds no GPU of its own; {torch.cuda.device_count()} visible")
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
