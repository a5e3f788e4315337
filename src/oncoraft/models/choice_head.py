"""The head of a text task: which of the answers that its fold has trained on a case has, read where the answer would begin.

It stands beside the text as the score head does for response: same layers, one output a choice. `choices.json` names the outputs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from oncoraft.foundation.errors import InputError
from oncoraft.models.model_folder import read_head

CHOICE_HEAD_FILE, CHOICES_FILE = "choice_head.pt", "choices.json"


def by_frequency(answers: Sequence[str]) -> list[str]:
    """Distinct answers, the most frequent first, of equals by the alphabet."""
    return [answer for answer, _ in sorted(Counter(answers).items(), key=lambda one: (-one[1], one[0]))]


def new_choice_head(hidden_size: int, choices: int) -> nn.Sequential:
    """The layers of the published score head with an output a choice: Linear(H, 128), GELU, Dropout(0.2), Linear(128, choices), Softmax."""
    return nn.Sequential(nn.Linear(hidden_size, 128), nn.GELU(), nn.Dropout(0.2), nn.Linear(128, choices), nn.Softmax(dim=-1))


def choice_logits(head: nn.Sequential, hidden: torch.Tensor) -> torch.Tensor:
    """The head's outputs before its softmax, (batch, choices), fp32, from final-norm states (batch, hidden)."""
    return head[:-1](hidden.float())


def write_choices(path: Path, choices: Sequence[str]) -> None:
    """The answers in the order of the head's outputs."""
    path.write_text(json.dumps(list(choices), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_choices(path: Path) -> list[str]:
    """The answers in the order of the head's outputs.

    Raises:
        InputError: no such file, or no list of at least two different texts.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError("expected the choices that `oncoraft train` wrote beside a head over choices", file=path) from None
    if not isinstance(found, list) or len(found) < 2 or not all(isinstance(one, str) for one in found) or len(set(found)) < len(found):
        raise InputError("expected a list of at least two different texts", file=path)
    return found


def read_choice_head(folder: Path, hidden_size: int) -> nn.Sequential:
    """The head of a fold, fp32, in evaluation mode, on the CPU.

    Raises:
        InputError: see `read_choices` and `model_folder.read_head`.
    """
    return read_head(folder / CHOICE_HEAD_FILE, new_choice_head(hidden_size, len(read_choices(folder / CHOICES_FILE))), hidden_size)
