"""The reference that packed training is held against: padded batches, logits at every position, transformers' own attention."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from oncoraft.models.cases import Case, padded
from oncoraft.planning.config import Strategy


def padded_losses(model: Any, head: nn.Sequential | None, cases: Sequence[Case], strategy: Strategy) -> tuple[torch.Tensor, torch.Tensor]:
    """Both losses, summed, from one padded batch: nothing is shared with the packed path but the padding of ids."""
    ids, mask = padded(list(cases), 0, torch.device("cpu"))
    out = model(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
    labels = torch.full_like(ids, -100)
    for row, case in enumerate(cases):
        labels[row, len(case.prompt) : case.length] = torch.tensor(case.answer)
    logits, wanted = out.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    language = nn.functional.cross_entropy(logits, wanted, ignore_index=-100, reduction="sum")
    if head is None:
        return language, torch.zeros(())
    states = torch.stack([out.hidden_states[-1][row, len(case.prompt) - 1] for row, case in enumerate(cases)])
    probability = head(states).squeeze(-1)
    if strategy.score_loss == "bce":
        wanted_score = torch.tensor([float(case.responder) for case in cases])
        return language, nn.functional.binary_cross_entropy(probability, wanted_score, reduction="sum")
    return language, ((probability - torch.tensor([case.score for case in cases])) ** 2).sum()
