"""Attention over rows whose answers share their prompt: an answer sees the context and itself, never another answer.

Registered with transformers' attention interface, as the other two ways of reading are, so that the models' own code runs unchanged.
The answers of a group are attended as a small batch: the keys of the context stand before those of each answer, and one mask serves
all, since answers are padded behind their end and a causal mask hides what comes later.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from oncoraft.alignment.groups import SharedRow, Span
from oncoraft.models.base import causal_of

NAME = "oncoraft_shared"
ARGUMENT = "shared_row"  # keyword that carries the row through the model's forward to every layer


def shared_hidden(model: Any, row: SharedRow) -> torch.Tensor:
    """Final-norm hidden states of a row, (T, hidden); no logits are computed and no cache is kept."""
    causal = causal_of(model)
    if causal.config._attn_implementation != NAME:
        causal.set_attn_implementation(NAME)
    given = {ARGUMENT: row}
    return causal.model(input_ids=row.ids, position_ids=row.positions, use_cache=False, **given).last_hidden_state[0]


def attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """The function that transformers calls in every layer.

    Args:
        query: (1, heads, T, head size); `key`, `value`: (1, key-value heads, T, head size).
        scaling: of the scores before the softmax.
        sliding_window: a token sees this many tokens, itself included; None: all before it.

    Returns:
        (1, T, heads, head size), and no attention weights.
    """
    row: SharedRow = others[ARGUMENT]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    # Split, not sliced: the backward pass of a slice fills a gradient of the whole row with zeros, that of a split does not.
    sizes = [size for span in row.spans for size in (span.context, sum(span.answers))]
    pieces = [part.split(sizes, dim=2) for part in (query, key, value)]
    parts = []
    for place, span in enumerate(row.spans):
        context = [part[2 * place] for part in pieces]
        parts.append(_context(context[0], context[1], context[2], scale, sliding_window))
        if any(span.answers):
            parts.append(_answers(context, [part[2 * place + 1] for part in pieces], span, scale, sliding_window))
    return torch.cat(parts, dim=1), None


def _context(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None) -> torch.Tensor:
    """Causal attention within the context, (1, context, heads, head size)."""
    length = query.shape[2]
    if window is None or length <= window:
        grouped = query.shape[1] != key.shape[1]
        return scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=grouped).transpose(1, 2)
    place = torch.arange(length, device=query.device)
    return _masked(query, key, value, visible(place, place, window), scale).transpose(1, 2)


def _answers(context: list[torch.Tensor], own: list[torch.Tensor], span: Span, scale: float, window: int | None) -> torch.Tensor:
    """Attention of every answer over the context and itself, (1, tokens of all answers, heads, head size).

    Args:
        context, own: query, key and value of the context's and of the answers' tokens, (1, heads, tokens, head size).
    """
    layout = _layout(span.context, span.answers, window, own[0].device)
    query, key, value = (part[0][:, layout.places].transpose(0, 1) for part in own)  # (answers, heads, longest, head size)
    keys = torch.cat([context[1].expand(len(span.answers), -1, -1, -1), key], dim=2)
    values = torch.cat([context[2].expand(len(span.answers), -1, -1, -1), value], dim=2)
    found = _masked(query, keys, values, layout.mask, scale).transpose(1, 2)  # (answers, longest, heads, head size)
    return found.flatten(0, 1).index_select(0, layout.real)[None]


class Layout(NamedTuple):
    """How the answers of a group lie as a small batch, each padded behind its end.

    Args:
        places: token of the answers' tokens at each place, (answers, longest); padding reads some token, and no real one sees it.
        real: places of `places`, counted through, that are no padding, (tokens of all answers,).
        mask: what each place of an answer sees of context and answer, (longest, context + longest).
    """

    places: torch.Tensor
    real: torch.Tensor
    mask: torch.Tensor


@lru_cache(maxsize=1024)  # the same in every layer, forward and backward; a few kilobytes each
def _layout(context: int, answers: tuple[int, ...], window: int | None, device: torch.device) -> Layout:
    longest = max(answers)
    lengths, step = torch.tensor(answers, device=device), torch.arange(longest, device=device)
    is_there = step < lengths[:, None]
    index = torch.where(is_there, (lengths.cumsum(0) - lengths)[:, None] + step, 0)
    mask = visible(context + step, torch.arange(context + longest, device=device), window)
    return Layout(index, is_there.flatten().nonzero()[:, 0], mask)


def visible(asking: torch.Tensor, asked: torch.Tensor, window: int | None) -> torch.Tensor:
    """Which positions are seen from which, (asking, asked): those at or before one's own, within the window."""
    distance = asking[:, None] - asked[None, :]
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)


def _masked(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
    """Masked attention, (rows, heads, tokens, head size), the queries of one key head side by side in the query axis."""
    rows, heads, tokens, size = query.shape
    groups = heads // key.shape[1]
    folded = query.reshape(rows, key.shape[1], groups * tokens, size)
    # Folded, so that keys and values of grouped queries are never repeated.
    found = scaled_dot_product_attention(folded, key, value, attn_mask=mask.repeat(groups, 1), scale=scale)
    return found.reshape(rows, heads, tokens, size)


def _no_mask(*_: Any, **__: Any) -> None:
    """Masks follow from the row."""


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, _no_mask)
