"""How much arithmetic a training step needs, and how much this machine could do: the share says what is left to gain.

With frozen base weights a token costs 4 operations per body weight (2 forward, 2 for the gradient of the activations), 6 per adapter
weight, 4 per weight of the language-modelling head where an answer is predicted; a pair of a token and one that it sees costs 4 per head
and feature forward (scores, then their product with the values) and twice that backward. The roof is measured on the
spot: a large matrix product in the precision that training uses.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from oncoraft.models.base import causal_of
from oncoraft.models.cases import Case


@dataclass(frozen=True)
class Work:
    """What a model's arithmetic depends on; weights are counted in linear layers."""

    body: int
    adapters: int
    head: int
    attention: int
    windows: tuple[int | None, ...]
    backward: bool

    def operations(self, cases: Sequence[Case], language_model: bool) -> float:
        """Floating-point operations of one pass, forward and backward, over these cases."""
        tokens = sum(case.length for case in cases)
        answers = sum(len(case.answer) for case in cases) if language_model else 0
        seen = sum(visible_pairs(case.length, window) for window in self.windows for case in cases)
        if not self.backward:
            return 2.0 * self.body * tokens + 4.0 * self.attention * seen
        return (4.0 * self.body + 6.0 * self.adapters) * tokens + 4.0 * self.head * answers + 12.0 * self.attention * seen


def visible_pairs(length: int, window: int | None) -> int:
    """Pairs of a token and one that it sees, under causal attention in a window."""
    width = length if window is None else min(length, window)
    return width * (width + 1) // 2 + (length - width) * width


def work_of(model: Any, backward: bool) -> Work:
    """Count a model's weights by what they cost."""
    causal = causal_of(model)
    linear = {name: module for name, module in causal.model.named_modules() if isinstance(module, nn.Linear)}
    adapters = sum(module.weight.numel() for name, module in linear.items() if "lora_" in name)
    body = sum(module.weight.numel() for name, module in linear.items() if "lora_" not in name)
    config = causal.config
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    windows = tuple(config.sliding_window if kind == "sliding_attention" else None for kind in kinds)
    return Work(body, adapters, causal.lm_head.weight.numel(), config.num_attention_heads * head_size, windows, backward)


def measured_roof(device: torch.device) -> float:
    """Operations a second of a large matrix product: bf16 on a GPU, fp32 on a CPU with the threads in use."""
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (768, torch.float32)
    left, right = (torch.ones((size, size), device=device, dtype=dtype) for _ in range(2))
    # The fastest of five: a slower one measures what disturbed it (as the documentation of `timeit` says).
    best = float("inf")
    for _ in range(5):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        # GPU kernels run behind their call: without waiting before and after, the clock would time the launch.
        started = time.perf_counter()
        torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best
