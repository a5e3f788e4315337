"""A model's decoder layers compiled for training."""

from __future__ import annotations

from typing import Any

from oncoraft.models import compiling
from oncoraft.training.lean_layers import use_own_layers


def compile_layers(model: Any, backend: str = "inductor") -> compiling.Fallbacks:
    """Compile each decoder layer, see `models.compiling`."""
    use_own_layers(model)  # a compiler fuses by itself, and what it reads has to be the library's code
    return compiling.compile_layers(model, "train", backend)
