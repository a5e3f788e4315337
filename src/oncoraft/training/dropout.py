"""Dropout whose draws belong to the case, not to the batch: equal however a step is cut into micro-batches and processes.

Whether a feature of a token is dropped is a hash of the run's seed, the step, the case, the token's place and the layer. No random
state is consumed, so packing, accumulation, the number of processes, recomputation and resumption change no draw. The mixing is
multiply and shift-xor on 32-bit integers, as in common integer hashes (compare Steele, Lea and Flood 2014, "Fast splittable
pseudorandom number generators"); on a CPU it takes half the time of torch's own draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from oncoraft.foundation.stable import stable_seed
from oncoraft.models.cases import Case
from oncoraft.models.packing import Packed, on_device

# Layers that read the same states in every supported architecture.
SAME_INPUT = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "gate_up", "up_proj": "gate_up"}
# Odd 32-bit multipliers, as signed integers: 0x9E3779B1 and 0x85EBCA6B.
FIRST_MULTIPLIER, SECOND_MULTIPLIER = 0x9E3779B1 - 2**32, 0x85EBCA6B - 2**32
BLOCK = 2**16  # features hashed at once


class Draws:
    """Holds the random number of every row that a module is about to read; shared by its dropout layers."""

    keys: torch.Tensor | None = None


class CaseDraws:
    """The draws of a model, a number a token, and of a score head, the number of each prompt's last token."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.model, self.head = Draws(), Draws()

    def prepare(self, cases: Sequence[Case], packed: Packed, step: int) -> None:
        """Set the numbers for the cases that are read next, at an optimiser step from 0."""
        self.use(self.keys(cases, packed.ids.device, step), packed)

    def keys(self, cases: Sequence[Case], device: torch.device, step: int) -> torch.Tensor:
        """The number of every token of a packed row, (T,)."""
        return on_device(token_keys(cases, self.seed, step), device)

    def use(self, keys: torch.Tensor, packed: Packed) -> None:
        """Take these numbers for what is read next."""
        self.model.keys, self.head.keys = keys, keys[packed.prompt_ends]


class CaseDropout(nn.Module):
    """Drops features with a probability while training, by the keys of the tokens.

    Args:
        probability: of a feature to be set to 0; the others are scaled up.
        width: features.
        salt: a number of this layer's own.
        draws: where the keys of the current row are found.
        readers: linear layers that read the very same states through this one (query, key and value); it then drops once for all.
    """

    def __init__(self, probability: float, width: int, salt: int, draws: Draws, readers: int = 1) -> None:
        super().__init__()
        self.probability = probability
        self.draws = draws
        self.readers = readers
        self.waiting: tuple[torch.Tensor, torch.Tensor, int] | None = None  # states, dropped states, readers still to come
        self.places: torch.Tensor | None = None  # of the states in the packed row, where they are not all of it
        columns = np.random.default_rng(salt).integers(-(2**31), 2**31, width, dtype=np.int32)
        # A buffer, so that layers differ in data only and a compiled layer serves all; not part of what is saved.
        self.register_buffer("columns", torch.from_numpy(columns), persistent=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States (..., tokens, width) with some features set to 0."""
        if not self.training or self.probability == 0:
            return states
        if self.readers == 1 or torch.compiler.is_compiling():  # a compiler finds by itself what is computed twice
            return self._dropped(states)
        if self.waiting is None or self.waiting[0] is not states:
            self.waiting = (states, self._dropped(states), self.readers)
        _, dropped, left = self.waiting
        self.waiting = (states, dropped, left - 1) if left > 1 else None  # nothing is held beyond the last reader
        return dropped

    def kept(self, places: torch.Tensor | None = None) -> torch.Tensor:
        """Which features stay, (rows, width), at places of the packed row (None: all of it)."""
        keys, columns = self._keys(places), self.get_buffer("columns")
        found = torch.empty((len(keys), len(columns)), dtype=torch.bool, device=keys.device)
        # A few rows at a time: the integers between the passes then stay in the processor's cache.
        rows = max(1, BLOCK // len(columns))
        mixed, shifted = (columns.new_empty((min(rows, len(keys)), len(columns))) for _ in range(2))
        for its_keys, out in zip(keys.split(rows), found.split(rows), strict=True):
            count = len(its_keys)
            mix(its_keys, columns, mixed[:count], shifted[:count])
            torch.ge(mixed[:count], _border(self.probability), out=out)
        return found

    def _keys(self, places: torch.Tensor | None) -> torch.Tensor:
        assert self.draws.keys is not None, "the keys of the row have to be set before it is read"
        return self.draws.keys if places is None else self.draws.keys[places]

    def _dropped(self, states: torch.Tensor) -> torch.Tensor:
        kept = keep(self._keys(self.places), self.get_buffer("columns"), self.probability)
        return torch.where(kept, states * (1 / (1 - self.probability)), 0.0)


def keep(keys: torch.Tensor, columns: torch.Tensor, probability: float) -> torch.Tensor:
    """Which features stay, (tokens, width), each independently with 1 - probability; integers wrap around."""
    mixed = (keys[:, None] ^ columns[None, :]).mul_(FIRST_MULTIPLIER)
    mixed = mixed.bitwise_xor_(mixed >> 15).mul_(SECOND_MULTIPLIER)
    return mixed >= _border(probability)


def mix(keys: torch.Tensor, columns: torch.Tensor, out: torch.Tensor, room: torch.Tensor) -> None:
    """The numbers that `keep` compares, (tokens, width), without new memory; `room` is of the same shape as `out`."""
    torch.bitwise_xor(keys[:, None], columns[None, :], out=out)
    torch.bitwise_right_shift(out.mul_(FIRST_MULTIPLIER), 15, out=room)
    out.bitwise_xor_(room).mul_(SECOND_MULTIPLIER)


def _border(probability: float) -> int:
    """A mixed integer is uniform over the signed 32-bit range; its lowest share of `probability` is dropped."""
    return int(probability * 2**32) - 2**31


def token_keys(cases: Sequence[Case], seed: int, step: int) -> np.ndarray:
    """A 32-bit random number for every token of a packed row, (T,), from the case and the token's place in it."""
    lengths = np.array([case.length for case in cases])
    starts = np.array([stable_seed(seed, "dropout", step, case.case_id) for case in cases], dtype=np.uint64)
    places = np.arange(lengths.sum(), dtype=np.uint64) - np.repeat(np.cumsum(lengths) - lengths, lengths).astype(np.uint64)
    mixed = (np.repeat(starts, lengths) << np.uint64(32)) + places
    for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # the finaliser of SplitMix64
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(multiplier)
    # Signed: torch computes on unsigned integers only in part. The bits are the same.
    return (mixed >> np.uint64(32)).astype(np.uint32).view(np.int32)


def use_case_dropout(model: Any, head: nn.Sequential | None, seed: int) -> CaseDraws:
    """Put this dropout in place of torch's in the adapters and in the score head; what is returned has to be prepared for each batch."""
    draws = CaseDraws(seed)
    homes: dict[str, list[Any]] = {}
    for name, module in model.named_modules():
        if isinstance(getattr(module, "lora_dropout", None), nn.ModuleDict):
            parent, _, last = name.rpartition(".")
            homes.setdefault(f"{parent}.{SAME_INPUT.get(last, last)}", []).append(module)
    for name, readers in homes.items():
        # Salted by the layer's name: an adapter more elsewhere changes no draw here.
        _share_dropout(readers, stable_seed(seed, "dropout", name), draws.model)
    width = 0
    for place, layer in enumerate(head if head is not None else []):
        if isinstance(layer, nn.Linear):
            width = layer.out_features
        elif isinstance(layer, nn.Dropout) and head is not None:
            salt = stable_seed(seed, "dropout", "head")
            head[place] = CaseDropout(layer.p, width, salt, draws.head).to(next(head.parameters()).device)
    return draws


def _share_dropout(readers: list[Any], salt: int, draws: Draws) -> None:
    """Give adapters that read the same states one dropout layer."""
    for adapter, old in list(readers[0].lora_dropout.items()):
        if isinstance(old, nn.Dropout) and old.p > 0:
            width = int(readers[0].in_features)
            layer = CaseDropout(old.p, width, salt, draws, len(readers)).to(next(readers[0].parameters()).device)
            for reader in readers:
                reader.lora_dropout[adapter] = layer
