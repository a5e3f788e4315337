"""The model that learns, from a trained fold on, and the frozen copy of where it started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from oncoraft.inference.opening import open_fold
from oncoraft.planning.config import Strategy


def open_policy(base: Path, folder: Path, strategy: Strategy, device: torch.device, head_learns: bool) -> tuple[Any, nn.Sequential | None]:
    """Model and head of a fold, ready to learn: adapters in fp32, nothing dropped out.

    Dropout would make the model that learns another one than that which wrote the answers: their ratio would not start at 1.

    Raises:
        InputError: see `inference.opening.open_fold`.
    """
    model, head = open_fold(base, folder, strategy, device)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            # The library opens an adapter frozen unless asked, and then trains nothing without a word.
            parameter.data, parameter.requires_grad = parameter.data.float(), True
        else:
            parameter.requires_grad = False
    modules = [model] if head is None else [model, head]
    for module in (inner for outer in modules for inner in outer.modules() if isinstance(inner, nn.Dropout)):
        module.p = 0.0
    if head is not None:
        for parameter in head.parameters():
            parameter.requires_grad = head_learns
    return model, head


def adapter_weights(model: Any) -> dict[str, torch.Tensor]:
    """A copy of the adapters' weights by name: the reference, never merged."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters() if "lora_" in name}


@contextmanager
def with_weights(model: Any, weights: dict[str, torch.Tensor]) -> Iterator[None]:
    """The model with other adapter weights, within the block; the base is shared, so that no second copy of it is held."""
    parameters = {name: parameter for name, parameter in model.named_parameters() if name in weights}
    own = {name: parameter.data for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        parameter.data = weights[name]
    try:
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = own[name]
