"""Products of the frozen base weights in FP8, for GPUs that take them twice as fast as in bf16 (compute capability 9.0, Hopper, or later).

Every token and every row of a weight has a scale of its own, so that what a token becomes does not depend on the cases beside it. Forward
and for the gradient of the states, both factors are rounded to E4M3; adapters, norms, attention and both losses are as without. The
products are torch's `scaled_mm`. torchao's `Float8Linear` takes a third product a layer, the gradient of the weight, though a frozen
weight has none (0.18), which is as much time as FP8 saves.

Inference reads the base as it is, so training tells how far the scores of its own cases lie apart.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.autograd import Function
from torch.nn.functional import ScalingType, scaled_mm

from oncoraft.foundation.errors import InputError
from oncoraft.models.base import causal_of
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import score_logit
from oncoraft.training.frozen import read_once
from oncoraft.training.processes import Processes

log = logging.getLogger("oncoraft")
E4M3 = torch.float8_e4m3fn
LARGEST = torch.finfo(E4M3).max
SMALLEST_SCALE = torch.finfo(torch.float32).tiny
WIDTHS = 16  # both widths of a weight have to be a multiple of this, for the tensor cores
COMPARED = 256  # cases whose scores are taken both ways


class Fp8Linear(nn.Linear):
    """A frozen linear layer whose products are taken in FP8, or in its weight's own precision while `is_plain`."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        self.weight, self.bias, self.is_plain = layer.weight, layer.bias, False
        # Once as the forward product reads it and once as the backward one does: the hardware wants what is summed over side by side.
        for name, matrix in (("outputs", layer.weight), ("inputs", layer.weight.T)):
            rounded, scales = in_fp8(matrix)
            self.register_buffer(f"{name}_fp8", rounded, persistent=False)
            self.register_buffer(f"{name}_scale", scales, persistent=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States (..., inputs) to (..., outputs)."""
        if self.is_plain:
            return super().forward(states)
        out: torch.Tensor = _Product.apply(states, self.outputs_fp8, self.outputs_scale, self.inputs_fp8, self.inputs_scale)
        return out if self.bias is None else out + self.bias


class _Product(Function):
    @staticmethod
    def forward(context: Any, states: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        outputs, outputs_scale, inputs, inputs_scale = weights
        context.save_for_backward(inputs, inputs_scale)
        return _product(states, outputs, outputs_scale)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        return _product(gradients[0], *context.saved_tensors), None, None, None, None


def in_fp8(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (n, width) in E4M3, and the scale (n, 1) in fp32 that gives each back; a row of zeros has the scale 1."""
    largest = matrix.detach().abs().amax(dim=-1, keepdim=True).float()
    # Not below the smallest normal number: a quotient that is rounded to 0 would make 0 / 0 of the row's zeros.
    scale = torch.where(largest > 0, (largest / LARGEST).clamp(min=SMALLEST_SCALE), 1.0)
    # Held within the range: what rounds to more than the largest number of E4M3 would be no number.
    return (matrix.detach().float() / scale).clamp(-LARGEST, LARGEST).to(E4M3).contiguous(), scale


def _product(states: torch.Tensor, rows: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """States (..., width) times the transpose of rows (n, width) with their scale (n, 1): (..., n)."""
    rounded, states_scale = in_fp8(states.flatten(0, -2))
    by_row = ScalingType.RowWise
    found = scaled_mm(rounded, rows.T, states_scale, by_row, scale.T, by_row, output_dtype=torch.bfloat16)
    return found.to(states.dtype).unflatten(0, states.shape[:-1])


def use_fp8_base(model: Any, is_cut: bool = False) -> int:
    """Let the frozen linear layers of a model's decoder take their products in FP8; how many do.

    Args:
        is_cut: whether each process holds a part of the base alone.

    Raises:
        InputError: the base is cut, the device cannot, or no layer's widths are multiples of 16.
    """
    if is_cut:
        raise InputError("expected training.shard false beside it; a base model in parts is read as it is", column="training.fp8_base")
    device = next(model.parameters()).device
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < (9, 0):
        name = torch.cuda.get_device_name(device)
        raise InputError("expected a GPU of compute capability 9.0 (Hopper) or later", column="training.fp8_base", found=name)
    layers = causal_of(model).model.layers
    names = [name for name, module in layers.named_modules() if type(module) is nn.Linear and _fits(module)]
    for name in names:
        layers.set_submodule(name, Fp8Linear(layers.get_submodule(name)))
    if not names:
        raise InputError(f"expected a base model whose widths are multiples of {WIDTHS}", column="training.fp8_base")
    log.info("train: %d frozen linear layers take their products in FP8", len(names))
    return len(names)


def _fits(layer: nn.Linear) -> bool:
    return not layer.weight.requires_grad and layer.in_features % WIDTHS == layer.out_features % WIDTHS == 0


@contextmanager
def plain_products(model: Any) -> Iterator[None]:
    """Every product in the base's own precision meanwhile."""
    layers = [module for module in model.modules() if isinstance(module, Fp8Linear)]
    for layer in layers:
        layer.is_plain = True
    try:
        yield
    finally:
        for layer in layers:
            layer.is_plain = False


def score_drift(model: Any, head: nn.Sequential | None, cases: Sequence[Case], tokens: int) -> dict[str, float]:
    """How far scores with FP8 products lie from those with the base as it is, which inference reads.

    Args:
        model: with its adapters, after training.
        head: its score head; None: there is no score to compare.
        cases: of which the first 256 are scored.
        tokens: of a micro-batch, at most.

    Returns:
        Cases compared, mean and largest absolute difference of their scores, for the manifest.
    """
    if head is None:
        return {}
    some, alone, was_training = cases[:COMPARED], Processes(), head.training
    head.eval()
    with torch.no_grad():
        rounded = torch.sigmoid(score_logit(head, read_once(model, some, tokens, alone).of(some)))
        with plain_products(model):
            plain = torch.sigmoid(score_logit(head, read_once(model, some, tokens, alone).of(some)))
    head.train(was_training)
    apart = (rounded - plain).abs()
    mean, largest = float(apart.mean()), float(apart.max())
    log.info("train: scores of %d training cases with FP8 products are %.4f off on average, %.4f at most", len(some), mean, largest)
    return {"fp8_scores_compared": len(some), "fp8_score_drift_mean": mean, "fp8_score_drift_largest": largest}
