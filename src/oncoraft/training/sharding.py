"""A base model cut over the processes: each keeps its part of every decoder layer and gathers a layer only while it is read.

torch's `fully_shard` (FSDP2) does it. What is cut are the decoder layers with their adapters; embedding, last norm and both heads stay whole in
every process, so that tied weights stay tied. Gradients are summed, as without cutting, for losses are divided by the counts of the whole
step already. What is saved and published is whole, so that a run moves between one process and several, cut or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from oncoraft.models.base import causal_of
from oncoraft.models.streamed import Weights
from oncoraft.training.processes import Processes


def shard(model: Any, folder: Path, processes: Processes) -> None:
    """Give an outline its weights, a decoder layer at a time, and cut each layer before the next one is read.

    So no device ever holds more than one whole layer beside its own parts. Every process reads the files for itself.

    Args:
        model: `models.streamed.outline` of the folder, adapters on it; their parameters are replaced, so an optimiser takes them later.
        folder: base model.
        processes: of this launch, more than one.

    Raises:
        InputError: see `models.streamed.Weights`.
    """
    causal, weights = causal_of(model), Weights(folder)
    device = next(causal.parameters()).device
    mesh = init_device_mesh(device.type, (processes.count,))
    for name, part in causal.model.named_children():
        if part is not causal.model.layers:
            weights.fill(part, f"model.{name}", device)
    causal.tie_weights()
    weights.fill(causal.lm_head, "lm_head", device)
    whole = set(causal.parameters()) - set(causal.model.layers.parameters())
    for place, layer in enumerate(causal.model.layers):
        weights.fill(layer, f"model.layers.{place}", device)
        # Not left to torch: a unit that turns out to be a root would keep its layer whole from the forward to the backward pass.
        unit: Any = fully_shard(layer, mesh=mesh, reshard_after_forward=True)
        # Both, and before the first backward pass: the default is the mean, and the factor alone is a reduction that gloo refuses (torch 2.13).
        unit.set_force_sum_reduction_for_comms(True)
        unit.set_gradient_divide_factor(1.0)
    # A unit without parameters of its own, which lets a layer be gathered while the one before it is read.
    fully_shard(causal.model, mesh=mesh, ignored_params=whole)


def is_cut(parameter: torch.Tensor) -> bool:
    """Whether this process holds only a part of it."""
    return isinstance(parameter, DTensor)


def gathered(value: Any) -> Any:
    """A state (tensors in dicts and lists) with everything whole; all processes have to call it together."""
    if isinstance(value, DTensor):
        return value.full_tensor()
    if isinstance(value, dict):
        return {name: gathered(one) for name, one in value.items()}
    return [gathered(one) for one in value] if isinstance(value, list) else value


def cut_as(value: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """A whole tensor cut as a parameter of the same shape is, without talk: every process has read it."""
    if not isinstance(own, DTensor) or value.shape != own.shape:
        return value
    return distribute_tensor(value.to(own.device), own.device_mesh, own.placements, src_data_rank=None)


def optimizer_state(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """A saved state of an optimiser, its moments cut as the parameters are that it moves now."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = {
        place: {name: cut_as(value, parameters[place]) if torch.is_tensor(value) else value for name, value in one.items()}
        for place, one in state["state"].items()
    }
    return state | {"state": moments}


def clip(parameters: Sequence[nn.Parameter], largest: float, processes: Processes) -> torch.Tensor:
    """Scale all gradients to a norm of at most `largest`; their norm before, over all parameters and processes.

    Whole gradients are the same in every process and count once; of cut ones each process has its part. torch's own function takes
    either kind, not both.
    """
    cut = [parameter for parameter in parameters if is_cut(parameter)]
    if not cut:
        return nn.utils.clip_grad_norm_(parameters, largest)
    whole = [parameter for parameter in parameters if not is_cut(parameter)]
    parts = [parameter.grad.to_local() for parameter in cut if isinstance(parameter.grad, DTensor)]
    square = processes.sum(nn.utils.get_total_norm(parts).square())
    square = square + nn.utils.get_total_norm([one.grad for one in whole if one.grad is not None]).square()
    norm = square.sqrt()
    for kind in (cut, whole):
        nn.utils.clip_grads_with_norm_(kind, largest, norm)
    return norm
