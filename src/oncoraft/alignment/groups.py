"""Several answers to one prompt in one packed row: the prompt is read once, whatever the number of its answers.

A row holds, group after group, the context (prompt and the forced beginning of the answer), then each answer at the positions that
follow the context. Attention has to keep the answers apart (`oncoraft.alignment.attention`). The last token of an answer predicts
nothing and is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from oncoraft.models.cases import Case


@dataclass(frozen=True)
class Group:
    """A case and some answers to it.

    Args:
        case: whose prompt was answered; its own answer, the teacher's, is not read.
        opening: token ids forced before every answer, such as the score's line; not learned.
        answers: token ids of each, end-of-text token included where it was reached.
    """

    case: Case
    opening: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]

    @property
    def context(self) -> int:
        """Tokens that all answers share."""
        return len(self.case.prompt) + len(self.opening)

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return self.context + sum(len(answer) - 1 for answer in self.answers)


@dataclass(frozen=True)
class Span:
    """Where a group stands in its row: first token, tokens of the context, tokens read of each answer."""

    start: int
    context: int
    answers: tuple[int, ...]


@dataclass(frozen=True)
class SharedRow:
    """Groups in one row of T tokens.

    Args:
        ids: token ids, (1, T).
        positions: place of each token in its own sequence, (1, T).
        spans: of each group.
        prompt_ends: row index of the last prompt token of each group, (groups,); the score is read there.
        predictors: row indices whose next token is an answer token, (answer tokens,), answer after answer.
        targets: that token, (answer tokens,).
        lengths: tokens of each answer, (answers,); an answer's are neighbours in `predictors`.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    spans: tuple[Span, ...]
    prompt_ends: torch.Tensor
    predictors: torch.Tensor
    targets: torch.Tensor
    lengths: torch.Tensor


def pack_groups(groups: Sequence[Group], device: torch.device) -> SharedRow:
    """The groups one after another, in the given order.

    Raises:
        ValueError: an answer without a token.
    """
    ids: list[int] = []
    positions: list[int] = []
    predictors: list[int] = []
    targets: list[int] = []
    spans, ends, lengths = [], [], []
    for group in groups:
        start, context = len(ids), group.context
        ids += [*group.case.prompt, *group.opening]
        positions += range(context)
        ends.append(start + len(group.case.prompt) - 1)
        for answer in group.answers:
            if not answer:
                raise ValueError("an answer has at least one token")
            # The end of the context predicts the first token of every answer, an answer's own token the next.
            predictors += [start + context - 1, *range(len(ids), len(ids) + len(answer) - 1)]
            targets += answer
            lengths.append(len(answer))
            ids += answer[:-1]
            positions += range(context, context + len(answer) - 1)
        spans.append(Span(start, context, tuple(len(answer) - 1 for answer in group.answers)))

    def there(values: Sequence[int]) -> torch.Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(device)

    return SharedRow(there(ids)[None], there(positions)[None], tuple(spans), there(ends), there(predictors), there(targets), there(lengths))


def micro_groups(groups: Sequence[Group], tokens: int) -> list[list[Group]]:
    """Groups in rows of at most `tokens` tokens, in their order; a longer group stands alone."""
    rows: list[list[Group]] = []
    room = 0
    for group in groups:
        if not rows or group.length > room:
            rows.append([])
            room = tokens
        rows[-1].append(group)
        room -= group.length
    return rows
