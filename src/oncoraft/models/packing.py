"""Padding-free batches: the cases of a micro-batch one after another in a single row, each at its own positions from 0.

Attention has to be bounded per case (`oncoraft.models.attention`), so that a case reads as if it stood alone. Beside the token ids a
packed row carries where each case begins, which position ends its prompt (the score is read there) and which positions predict an
answer token (only these need logits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from oncoraft.models.cases import Case


@dataclass(frozen=True)
class Packed:
    """Cases in one row of T tokens; everything lies on the model's device, except `lengths`.

    Args:
        ids: token ids, (1, T).
        positions: place of each token within its case, (1, T).
        bounds: first token of each case, then T; int32, (cases + 1,), as variable-length attention kernels want it.
        lengths: tokens of each case.
        prompt_ends: row index of each case's last prompt token, (cases,).
        predictors: row indices whose next token is an answer token, (answer tokens,), in the order of the row.
        targets: that next token's id, (answer tokens,).
    """

    ids: torch.Tensor
    positions: torch.Tensor
    bounds: torch.Tensor
    lengths: tuple[int, ...]
    prompt_ends: torch.Tensor
    predictors: torch.Tensor
    targets: torch.Tensor

    @property
    def longest(self) -> int:
        """Tokens of the longest case."""
        return max(self.lengths)


def on_device(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """An array on a device; on a GPU from pinned memory, since a copy from any other waits for all work before it."""
    found = torch.from_numpy(values)
    return found.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else found


@dataclass(frozen=True)
class LastRows:
    """The rows of a packed row that a loss reads: of each case from its prompt's last token to its end.

    Args:
        places: their indices in the packed row, (rows,).
        counts: how many there are of each case.
        prompt_ends: which of these rows is each case's last prompt token, (cases,).
        predictors: which of these rows predict an answer token, (answer tokens,).
    """

    places: torch.Tensor
    counts: tuple[int, ...]
    prompt_ends: torch.Tensor
    predictors: torch.Tensor


def last_rows(packed: Packed) -> LastRows:
    """Where a packed row is read, and the same places counted among these rows alone."""
    answers = packed.bounds[1:].long() - packed.prompt_ends
    first = answers.cumsum(0) - answers
    shift = (packed.prompt_ends - first).repeat_interleave(answers)
    numbers = torch.arange(len(shift), device=shift.device)
    predicts = numbers != (first + answers - 1).repeat_interleave(answers)  # a case's last token predicts nothing
    return LastRows(numbers + shift, tuple(answers.tolist()), first, numbers[predicts])


def pack(cases: Sequence[Case], device: torch.device) -> Packed:
    """The cases in one row, in the given order; a case without answer ends with its prompt."""
    parts = [np.asarray(part, dtype=np.int64) for case in cases for part in (case.prompt, case.answer)]
    ids = np.concatenate(parts)
    prompts = np.array([len(case.prompt) for case in cases])
    answers = np.array([len(case.answer) for case in cases])
    lengths = prompts + answers
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    ends = bounds[:-1] + prompts - 1
    # Token t predicts token t + 1: the last prompt token predicts the first answer token, the last answer token nothing.
    within = np.arange(answers.sum()) - np.repeat(np.cumsum(answers) - answers, answers)
    predictors = np.repeat(ends, answers) + within
    positions = np.arange(len(ids)) - np.repeat(bounds[:-1], lengths)

    def there(values: np.ndarray) -> torch.Tensor:
        return on_device(values, device)

    return Packed(
        ids=there(ids)[None],
        positions=there(positions)[None],
        bounds=there(bounds.astype(np.int32)),
        lengths=tuple(int(length) for length in lengths),
        prompt_ends=there(ends),
        predictors=there(predictors),
        targets=there(ids[predictors + 1]),
    )


def micro_batches(cases: Sequence[Case], tokens: int, at_least: int = 1) -> list[list[Case]]:
    """Cases in as few groups of at most `tokens` tokens as go (a longer case stands alone), of nearly equal size, every case once.

    The longest case first, each into the group with the fewest tokens: a step of a little more than one budget becomes two halves, not a
    full group and a remainder, which would leave a GPU waiting. The result depends on the cases alone, neither on their order nor on
    the machine.

    Args:
        cases: of one optimiser step.
        tokens: budget of a group.
        at_least: number of groups wanted, one a process; where more are needed, as many for each process.
    """
    ordered = sorted(cases, key=lambda case: (-case.length, case.case_id))
    alone = [[case] for case in ordered if case.length > tokens]
    rest = ordered[len(alone) :]
    count = max(-(-sum(case.length for case in rest) // tokens), 1)
    while True:
        whole = -(-(len(alone) + count) // at_least) * at_least - len(alone)
        groups: list[list[Case]] = [[] for _ in range(whole)]
        load = [0] * whole
        for case in rest:
            lightest = load.index(min(load))
            groups[lightest].append(case)
            load[lightest] += case.length
        # Greedy, so that now and then the fewest groups that could do are not enough; each case for itself always is.
        if max(load, default=0) <= tokens:
            return alone + [group for group in groups if group]
        count += 1


def shares(groups: Sequence[list[Case]], processes: int) -> list[list[list[Case]]]:
    """The groups dealt to processes, the heaviest first, each to the process with the fewest tokens so far."""
    dealt: list[list[list[Case]]] = [[] for _ in range(processes)]
    load = [0] * processes
    # A stable sort: each process deals for itself, and all have to deal alike.
    for group in sorted(groups, key=lambda group: -sum(case.length for case in group)):
        lightest = load.index(min(load))
        dealt[lightest].append(group)
        load[lightest] += sum(case.length for case in group)
    return dealt


def turns(groups: Sequence[list[Case]], rank: int, processes: int, even: bool) -> list[tuple[list[Case], float]]:
    """The groups that one process reads, each with its weight: 1, or 0 for what it reads only to keep pace.

    Args:
        groups: of all processes.
        rank: which process.
        processes: how many.
        even: whether all have to read equally often; a process with fewer groups then reads the shortest case for the others.
    """
    dealt = shares(groups, processes)
    mine = [(group, 1.0) for group in dealt[rank]]
    if not even:
        return mine
    shortest = min((case for group in groups for case in group), key=lambda case: (case.length, case.case_id))
    return mine + [([shortest], 0.0)] * (max(map(len, dealt)) - len(mine))
