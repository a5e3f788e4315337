"""Keys and values of a batch of prompts, and the attention that reads them: one prefill serves score, score texts and rationale.

The cache is registered as an attention function of transformers, so that the models' own code runs unchanged and only attention
is ours. Prompts are padded on the right: under a causal mask the padding comes after every real token, so that a prefill needs no
mask at all (the fast kernels apply) and a row's result does not depend on its neighbours' lengths. New tokens of a row are written
over its padding, at the slot that is their position. Keys and values of grouped queries are never repeated: the queries that
share a key head are folded into the query axis. Sliding windows (Gemma 3) are read from a slice of the cache. What the prompts of a run
begin with alike is read once: its keys and values are copied into every row, and the rest of each prompt is read after them.

Shapes: query (rows, heads, tokens, head_dim); key, value (rows, key_value_heads, tokens, head_dim); cache of a layer
(rows, key_value_heads, slots, head_dim).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface

NAME, NAME_WHERE_COMPILED = "oncoraft_cache", "oncoraft_cache_uncompiled"
ARGUMENT = "reading"  # keyword that carries a `Reading` through the model's forward to every layer
BLOCK = 256  # queries at a time where a mask is needed: of the keys after a block, and of those before its window, nothing is computed


class Cache:
    """Keys and values of some rows; layers are allocated when they first write.

    Args:
        rows: prompts.
        slots: longest prompt and everything that may be written after it, in tokens.
    """

    def __init__(self, rows: int, slots: int) -> None:
        self.rows, self.slots = rows, slots
        self.layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def layer(self, index: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Buffers of one layer, of the type and device of `like`."""
        if index not in self.layers:
            shape = (self.rows, like.shape[1], self.slots, like.shape[3])
            # Zeros: a hidden slot has weight 0, and 0 times whatever lay in memory may be NaN.
            self.layers[index] = (like.new_zeros(shape), like.new_zeros(shape))
        return self.layers[index]

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (indices), so that finished answers cost no further reading."""
        self.rows = len(rows)
        for index in self.layers:  # one layer at a time, so that no more than one stands twice
            keys, values = self.layers[index]
            self.layers[index] = (keys[rows], values[rows])
            del keys, values

    def put(self, rows: torch.Tensor, other: Cache) -> None:
        """Another cache's rows, of no more slots, in place of these (indices)."""
        for index, parts in other.layers.items():
            for part, its in zip(self.layers[index], parts, strict=True):
                part[rows, :, : other.slots] = its
                part[rows, :, other.slots :] = 0  # what was there before may be no number, and a hidden slot has weight 0


def joined(first: Cache, second: Cache) -> Cache:
    """The rows of two caches in one."""
    whole = Cache(first.rows + second.rows, max(first.slots, second.slots))
    for index in second.layers:
        parts = [[pad(part, (0, 0, 0, whole.slots - one.slots)) for part in one.layers[index]] for one in (first, second)]
        whole.layers[index] = (torch.cat([parts[0][0], parts[1][0]]), torch.cat([parts[0][1], parts[1][1]]))
    return whole


@dataclass
class Reading:
    """One forward pass over the cache.

    Attributes:
        cache: where keys and values go; None: nothing is kept (a score alone).
        rows: rows of the cache that a prefill fills; an extension reads all of them.
        prefix: one row, the tokens that stand before those of a prefill; None: a prefill of whole prompts.
        starts: (rows,) tokens already in each row; None: a prefill.
        tree: (tokens, tokens) which new token sees which; None: each sees those before it.
        depths: (tokens,) position of each new token after its row's start; None: 0, 1, 2…
        end: slots to read, at least the largest start + tokens; an integer, so that no device is asked for it.
        first: smallest start, likewise.
    """

    cache: Cache | None
    rows: slice | None = None
    prefix: Cache | None = None
    starts: torch.Tensor | None = None
    tree: torch.Tensor | None = None
    depths: torch.Tensor | None = None
    end: int = 0
    first: int = 0
    masks: dict[int | None, tuple[torch.Tensor, int]] = field(default_factory=dict)
    bands: dict[tuple[int, int | None], torch.Tensor] = field(default_factory=dict)

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """Attention of the new tokens, (rows, heads, tokens, head_dim); their keys and values are kept."""
        if self.starts is None:
            if self.prefix is not None:
                begun = (part.expand(key.shape[0], -1, -1, -1) for part in self.prefix.layers[layer])
                key, value = (torch.cat(pair, dim=2) for pair in zip(begun, (key, value), strict=True))
            if self.cache is not None:
                keys, values = self.cache.layer(layer, key)
                rows = self.rows or slice(None)
                keys[rows, :, : key.shape[2]] = key
                values[rows, :, : key.shape[2]] = value
            return self._prefill(query, key, value, scale, window)
        assert self.cache is not None
        keys, values = self.cache.layer(layer, key)
        every = torch.arange(key.shape[0], device=key.device)[:, None]
        slots = self.starts[:, None] + torch.arange(key.shape[2], device=key.device)
        keys[every, :, slots] = key.transpose(1, 2)
        values[every, :, slots] = value.transpose(1, 2)
        mask, low = self._mask(query.shape[2], window)
        return _grouped(query, keys[:, :, low : self.end], values[:, :, low : self.end], mask, scale)

    def _prefill(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None) -> torch.Tensor:
        """Causal attention of the last tokens among all; a mask only where a prefix or a window shorter than the prompts asks for one."""
        length, grouped = key.shape[2], query.shape[1] != key.shape[1]
        skipped = length - query.shape[2]
        if window is None or length <= window:
            if not skipped:
                return scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=grouped)
            if query.device.type == "cuda":  # the fast kernels there know this mask by its name
                return after_prefix(query, key, value, scale, grouped)
        if grouped:  # with a mask, kernels that share key heads fall back to slow ones
            key, value = (part.repeat_interleave(query.shape[1] // key.shape[1], dim=1) for part in (key, value))
        found = []
        for start in range(0, query.shape[2], BLOCK):
            stop = min(start + BLOCK, query.shape[2])
            low = 0 if window is None else max(0, skipped + start - window + 1)
            mask = self._band(skipped + start, skipped + stop, low, window, query.device)
            seen = slice(low, skipped + stop)
            found.append(
                scaled_dot_product_attention(query[:, :, start:stop], key[:, :, seen], value[:, :, seen], attn_mask=mask, scale=scale)
            )
        return torch.cat(found, dim=2)

    def _band(self, start: int, stop: int, low: int, window: int | None, device: torch.device) -> torch.Tensor:
        """Which of the tokens from `low` on those from `start` to `stop` see, (1, 1, tokens, seen); built once for all layers alike."""
        if (start, window) not in self.bands:
            behind = torch.arange(start, stop, device=device)[:, None] - torch.arange(low, stop, device=device)
            seen = behind >= 0 if window is None else (behind >= 0) & (behind < window)
            self.bands[start, window] = seen[None, None]
        return self.bands[start, window]

    def _mask(self, tokens: int, window: int | None) -> tuple[torch.Tensor, int]:
        """Which slot each new token sees, (rows, 1, tokens, slots from `low`), and `low`; built once for all layers alike."""
        if window not in self.masks:
            assert self.starts is not None
            device = self.starts.device
            low = 0 if window is None else max(0, self.first - window + 1)
            depth = torch.arange(tokens, device=device) if self.depths is None else self.depths
            tree = torch.ones(tokens, tokens, device=device, dtype=torch.bool).tril() if self.tree is None else self.tree
            slot = torch.arange(low, self.end, device=device)
            after = slot[None] - self.starts[:, None]  # (rows, slots): 0 and more are the new tokens' own slots
            own = (after >= 0) & (after < tokens)
            which = after.clamp(0, tokens - 1)
            seen = torch.where(own[:, None], tree[:, which].transpose(0, 1), (after < 0)[:, None])
            if window is not None:
                place = torch.where(own, self.starts[:, None] + depth[which], slot[None])
                asked = self.starts[:, None] + depth
                seen = seen & (place[:, None] > asked[:, :, None] - window)
            self.masks[window] = (seen[:, None], low)
        return self.masks[window]


def after_prefix(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, is_grouped: bool) -> torch.Tensor:
    """Causal attention in one call where the queries are the last of the keys' tokens."""
    mask: Any = causal_lower_right(query.shape[2], key.shape[2])
    return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale, enable_gqa=is_grouped)


def _grouped(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
    """Masked attention with the queries of one key head side by side in the query axis."""
    rows, heads, tokens, size = query.shape
    groups = heads // key.shape[1]
    folded = query.reshape(rows, key.shape[1], groups * tokens, size)
    if tokens > 1:
        mask = mask.repeat(1, 1, groups, 1)
    found = scaled_dot_product_attention(folded, key, value, attn_mask=mask, scale=scale)
    return found.reshape(rows, heads, tokens, size)


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
    """The function that transformers calls in every layer; the forward's keyword `reading` says what is read."""
    reading: Reading = others[ARGUMENT]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    found = reading.attend(module.layer_idx, query, key, value, scale, sliding_window)
    return found.transpose(1, 2).contiguous(), None


def use_cache_attention(causal: Any, is_compiled: bool = False) -> None:
    """Switch a causal language model (outside any adapter wrapper) to attention over a `Cache`.

    No function of masks goes with it, so that the library makes none: those that it makes by looking at positions would ask the device
    for a number in every pass.

    Args:
        is_compiled: whether a compiler reads the layers; it leaves the attention out, which differs from layer to layer by its cache.
    """
    name = NAME_WHERE_COMPILED if is_compiled else NAME
    AttentionInterface.register(name, torch.compiler.disable(attention) if is_compiled else attention)
    causal.set_attn_implementation(name)
