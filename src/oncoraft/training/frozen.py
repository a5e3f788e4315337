"""Where the base model learns nothing, its prompts are read once, and the score head learns from the states that are kept.

A state of a prompt's last token then never changes: every epoch after the first would compute it again. What is kept is one row a
case, 30,000 cases of a model of width 4,096 are 0.25 GB in half precision. The order of reading follows from the cases alone, so a
resumed run stands on the same states, bit for bit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from oncoraft.models.attention import packed_hidden
from oncoraft.models.base import causal_of
from oncoraft.models.cases import Case
from oncoraft.models.packing import micro_batches, pack, turns
from oncoraft.training.processes import Processes

log = logging.getLogger("oncoraft")


@dataclass(frozen=True)
class PromptStates:
    """Final-norm states of the last prompt tokens, (cases, hidden), and the row of each case."""

    rows: dict[str, int]
    states: torch.Tensor

    def of(self, cases: Sequence[Case]) -> torch.Tensor:
        """The states of these cases, (cases, hidden), in their order."""
        return self.states[[self.rows[case.case_id] for case in cases]]


@torch.no_grad()
def read_once(model: Any, cases: Sequence[Case], tokens: int, processes: Processes, even: bool = False) -> PromptStates:
    """Read every prompt once, the micro-batches dealt to the processes; each process ends with all states.

    Args:
        model: without adapters; read as it answers, no dropout.
        cases: of the training file; their answers, if they have any, change nothing.
        tokens: of a micro-batch, at most.
        processes: of this launch.
        even: whether all of them have to read equally often.
    """
    started, was_training = time.monotonic(), model.training
    weight = causal_of(model).lm_head.weight
    found = PromptStates({case.case_id: row for row, case in enumerate(cases)}, weight.new_zeros((len(cases), weight.shape[1])))
    mine = turns(micro_batches(cases, tokens, processes.count), processes.rank, processes.count, even)
    model.eval()
    for batch, is_mine in tqdm(mine, desc="reading prompts", unit="batch", disable=None if processes.is_first else True):
        packed = pack(batch, weight.device)
        with torch.autocast(weight.device.type, torch.bfloat16, enabled=weight.is_cuda):
            hidden = packed_hidden(model, packed)
        if is_mine:
            found.states[[found.rows[case.case_id] for case in batch]] = hidden[packed.prompt_ends].to(weight.dtype)
    # Rows that other processes read are still 0 here, so the sum is the whole table.
    processes.sum(found.states)
    model.train(was_training)
    if processes.is_first:
        read, seconds = sum(case.length for case in cases), max(1e-9, time.monotonic() - started)
        log.info("train: read %d prompts once, %d tokens, %.0f tokens/s", len(cases), read, read / seconds)
    return found
