"""Attention over packed rows: every case sees itself only, sliding windows are kept, and padded calls go on as before.

Registered with transformers' attention interface under the name `NAME`, so that no model code is patched. A forward pass that hands
over the bounds of the cases (`packed_hidden`) takes the packed path: on a GPU in half precision one variable-length kernel of
torch (`torch.nn.attention.varlen`, torch 2.11 or newer), elsewhere one scaled-dot-product call a case. A pass without bounds
(padded batches, generation with a cache) is transformers' own SDPA.
"""

from __future__ import annotations

import inspect
import logging
from contextlib import suppress
from functools import cache
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from oncoraft.models.base import causal_of
from oncoraft.models.packing import LastRows, Packed

varlen_attn: Any = None
with suppress(ImportError):  # torch before 2.10 has none
    from torch.nn.attention.varlen import varlen_attn

log = logging.getLogger("oncoraft")
NAME = "oncoraft_packed"
_VARLEN_OPTIONS = set(inspect.signature(varlen_attn).parameters) if varlen_attn is not None else set()
# torch 2.11 lets key-value heads be fewer by their shape alone; later versions want to be asked by name.
_SHARED_HEADS: dict[str, Any] = {"enable_gqa": True} if "enable_gqa" in _VARLEN_OPTIONS else {}


def packed_hidden(model: Any, packed: Packed, rows: LastRows | None = None) -> torch.Tensor:
    """Final-norm hidden states of a packed row, (T, hidden); no logits are computed and no cache is kept.

    Args:
        model: any that transformers knows.
        packed: the row.
        rows: which of its states are wanted, (rows, hidden); for a model whose last layer knows of them. None: all.
    """
    use_packed_attention(model)
    causal = causal_of(model)
    wanted: dict[str, Any] = {} if rows is None else {"read_rows": rows}
    states = causal.model(
        input_ids=packed.ids,
        position_ids=packed.positions,
        # A mask of four dimensions is handed on untouched: none is built for the row, whose attention the bounds limit.
        attention_mask=packed.ids.new_ones((1, 1, 1, 1)),
        use_cache=False,
        cu_seq_lens_q=packed.bounds,
        max_length_q=packed.longest,
        case_lengths=None if _use_varlen(causal, packed.ids.device) else packed.lengths,
        **wanted,
    )
    return states.last_hidden_state[0]


def use_packed_attention(model: Any) -> None:
    """Let a model read packed rows; what it could do before it still can."""
    causal = causal_of(model)
    if causal.config._attn_implementation != NAME:
        causal.set_attn_implementation(NAME)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int = 0,
    case_lengths: tuple[int, ...] | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each case.

    Args:
        module: the attention layer that calls.
        query: (1, heads, T, head size).
        key: (1, key-value heads, T, head size); `value` likewise.
        attention_mask: for padded batches only.
        scaling: of the scores before the softmax.
        sliding_window: a token sees this many tokens, itself included; None: all before it.
        cu_seq_lens_q: bounds of the cases, int32; None: not a packed row.
        max_length_q: tokens of the longest case.
        case_lengths: tokens of each case, for attention case by case; None: the variable-length kernel.

    Returns:
        (1, T, heads, head size), and no attention weights.
    """
    if cu_seq_lens_q is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **others)
    if case_lengths is not None:
        return by_case(query, key, value, case_lengths, scaling, sliding_window), None
    first, second, third = (states[0].transpose(0, 1).to(value.dtype) for states in (query, key, value))
    return _varlen(first, second, third, cu_seq_lens_q, max_length_q, scaling, sliding_window)[None], None


def by_case(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: tuple[int, ...], scaling: float | None, window: int | None
) -> torch.Tensor:
    """One scaled-dot-product call a case: exact everywhere, and quick on a CPU, where there is no variable-length kernel."""
    parts = []
    for one, its_key, its_value in zip(*_split_by_case(query, key, value, lengths, lengths), strict=True):
        length = one.shape[2]
        mask = None if window is None or length <= window else _window_mask(0, length, window, one.device)
        parts.append(scaled_dot_product_attention(one, its_key, its_value, attn_mask=mask, is_causal=mask is None, scale=scaling))
    return _joined(parts)


def last_rows_by_case(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    rows: LastRows,
    lengths: tuple[int, ...],
    scaling: float | None,
    sliding_window: int | None,
) -> torch.Tensor:
    """As `by_case`, for queries of the last rows of each case alone, (1, heads, rows, head size)."""
    parts = []
    for one, its_key, its_value in zip(*_split_by_case(query, key, value, rows.counts, lengths), strict=True):
        length, asking = its_key.shape[2], one.shape[2]
        if sliding_window is None or length <= sliding_window:
            # What is added to the scores, as the kernel wants it: truth values would be turned into it in several passes.
            mask = one.new_full((asking, length), -torch.inf).triu_(length - asking + 1)
        else:
            mask = _window_mask(length - asking, length, sliding_window, one.device)
        parts.append(scaled_dot_product_attention(one, its_key, its_value, attn_mask=mask, scale=scaling))
    return _joined(parts)


def _split_by_case(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rows: tuple[int, ...], lengths: tuple[int, ...]
) -> list[tuple[torch.Tensor, ...]]:
    """Each case's (key-value heads, queries that share one, tokens, head size); keys and values are shared, not copied."""
    sharing = query.shape[1] // key.shape[1]
    grouped = query[0].unflatten(0, (key.shape[1], sharing))
    shared = [states[0][:, None].expand(-1, sharing, -1, -1) for states in (key, value)]
    return [grouped.split(rows, dim=2), *(states.split(lengths, dim=2) for states in shared)]


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """The cases' (key-value heads, sharing, tokens, head size) as one row, (1, T, heads, head size)."""
    return torch.cat([part.permute(2, 0, 1, 3) for part in parts]).flatten(1, 2)[None]


def _window_mask(first: int, length: int, window: int, device: torch.device) -> torch.Tensor:
    """True where a query (row), of the tokens from `first` on, may see a key (column): not later, and fewer than `window` tokens back."""
    place = torch.arange(length, device=device)
    back = place[first:, None] - place[None, :]
    return (back >= 0) & (back < window)


def _varlen(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: torch.Tensor,
    longest: int,
    scaling: float | None,
    window: int | None,
) -> torch.Tensor:
    """Torch's variable-length kernel on (T, heads, head size); a left width of w - 1 is w tokens with the token itself."""
    width = (-1, 0) if window is None else (window - 1, 0)
    return varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=scaling, window_size=width, **_SHARED_HEADS)


def reads_by_case(model: Any, device: torch.device) -> bool:
    """Whether packed rows are attended case by case here and now, not by the variable-length kernel."""
    return not _use_varlen(causal_of(model), device)


def _use_varlen(causal: Any, device: torch.device) -> bool:
    """Whether a forward pass here and now goes through the variable-length kernel: on a GPU, in half precision, where it works."""
    if device.type != "cuda":
        return False
    half = causal.dtype in (torch.bfloat16, torch.float16) or torch.is_autocast_enabled("cuda")
    head_size = getattr(causal.config, "head_dim", None) or causal.config.hidden_size // causal.config.num_attention_heads
    return half and varlen_works(device.index or 0, head_size)


@cache
def varlen_works(device_index: int, head_size: int) -> bool:
    """Whether this device's kernel gives the same values and gradients as attention case by case; tried once, said if not."""
    if "window_size" not in _VARLEN_OPTIONS:
        log.warning("this torch has no variable-length attention with windows (torch 2.11 has); slower, case by case")
        return False
    device, lengths = torch.device("cuda", device_index), (5, 40, 17)
    bounds = torch.tensor([0, 5, 45, 62], dtype=torch.int32, device=device)
    draws = torch.Generator(device="cpu").manual_seed(0)
    try:
        # The first call may come under no_grad or autocast; the probe needs gradients, and bf16 by itself alone.
        with torch.enable_grad(), torch.autocast("cuda", enabled=False):
            for window in (None, 8):
                inputs = [torch.randn((62, heads, head_size), generator=draws) for heads in (4, 2, 2)]
                inputs = [states.to(device, torch.bfloat16).requires_grad_() for states in inputs]
                query, key, value = (states.transpose(0, 1)[None] for states in inputs)
                one = _varlen(inputs[0], inputs[1], inputs[2], bounds, 40, None, window)
                other = by_case(query, key, value, lengths, None, window)[0]
                gradients = [torch.autograd.grad(out.float().square().sum(), inputs) for out in (one, other)]
                for a, b in [(one, other), *zip(*gradients, strict=True)]:
                    # Two kernels in bf16 (8 significant bits) differ by some hundredths; a wrong window or bound by far more.
                    torch.testing.assert_close(a.float(), b.float(), rtol=0.05, atol=0.05)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        log.warning("variable-length attention does not serve on this GPU (%s); slower, case by case", str(error).strip().split("\n")[0])
        return False
    return True


AttentionInterface.register(NAME, packed_attention)
# A name without a mask function gets no mask from transformers, and padded calls would then see their padding.
AttentionMaskInterface.register(NAME, sdpa_mask)
