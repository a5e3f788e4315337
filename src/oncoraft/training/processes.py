"""One process or several: who takes which micro-batch, and sums over all of them.

Their number, places and group are accelerate's `PartialState`, whichever launcher says them by environment variables. Losses are divided by the
counts of the whole optimiser step before the backward pass, so gradients are simply summed, and every process takes the same step: the
number of processes changes speed only, never the global batch. Therefore no more of accelerate is used: what its `Accelerator` prepares takes
the mean of gradients, and synchronises none where the inner decoder is called, as it is here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import PartialState
from torch import distributed, nn
from torch.distributed.tensor import DTensor

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
        """Sum the gradients over all processes, in one message; a process without work adds 0.

        Those of cut parameters are left alone: they are summed as they are cut, in the backward pass.
        """
        learned = [parameter for parameter in parameters if not isinstance(parameter, DTensor)]
        if self.count == 1 or not learned:
            return
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
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    # Without it accelerate (1.15) takes the process for one that is alone.
    place = int(os.environ.setdefault("LOCAL_RANK", "0"))
    if on_gpu and place >= torch.cuda.device_count():
        raise RetryLater(f"process {place} of this machine finds no GPU of its own; {torch.cuda.device_count()} visible")
    # Unset, accelerate would share the machine's cores out among the processes and forget --threads.
    os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))
    state = PartialState(cpu=not on_gpu)
    try:
        yield Processes(state.process_index, state.num_processes)
    finally:
        state.destroy_process_group()
