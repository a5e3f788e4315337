"""The arithmetic of a decoder layer with frozen weights, each part with a backward pass of its own; for eager training on a CPU.

Autograd keeps and passes over a tensor of all tokens for every elementary operation. Here the elementwise passes go over a few hundred
rows at a time, which stay in the processor's cache; projections that read the same states are one step, whose gradients are added in
place; and nothing is kept that the backward pass can do without. Values and gradients are those of the layers' own code, to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd import Function

aten = torch.ops.aten
BLOCK = 2**16  # numbers in a block, a quarter of a MiB in fp32: a few such blocks fit into the cache of one core


@dataclass(frozen=True)
class Projection:
    """A frozen linear layer (outputs, inputs), and its adapter, (rank, inputs) and (outputs, rank), where it has one."""

    weight: torch.Tensor
    first: torch.Tensor | None = None
    second: torch.Tensor | None = None
    scale: float = 0.0


class _Norm(Function):
    @staticmethod
    def forward(context: Any, states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        length = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
        inverse = length.square_().div_(states.shape[-1]).add_(epsilon).rsqrt_()
        out = torch.empty_like(states, memory_format=torch.contiguous_format)
        for one, its_inverse, its_out in zip(*(_blocks(part, states.shape[-1]) for part in (states, inverse, out)), strict=True):
            torch.mul(one, its_inverse, out=its_out).mul_(weight)
        context.save_for_backward(states, weight, inverse)
        return out

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        states, weight, inverse = context.saved_tensors
        found = torch.empty_like(states, memory_format=torch.contiguous_format)
        for gradient, one, its_inverse, out in zip(
            *(_blocks(part, states.shape[-1]) for part in (gradients[0], states, inverse, found)), strict=True
        ):
            torch.mul(gradient, weight, out=out)
            along = (out * one).sum(-1, keepdim=True).mul_(its_inverse.pow(3)).div_(-states.shape[-1])
            out.mul_(its_inverse).addcmul_(one, along)
        return found, None, None


def root_mean_square_norm(states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """States (..., width) divided by their root mean square, times a frozen weight (width,)."""
    return _Norm.apply(states, weight, epsilon)


class _Gate(Function):
    @staticmethod
    def forward(context: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(gate, up)
        out = torch.empty_like(up)
        for its_gate, its_up, its_out in zip(*(_blocks(part, up.shape[-1]) for part in (gate, up, out)), strict=True):
            aten.silu.out(its_gate, out=its_out).mul_(its_up)
        return out

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        gate, up = context.saved_tensors
        of_gate, of_up = torch.empty_like(gate), torch.empty_like(up)
        room = torch.empty(0)
        for parts in zip(*(_blocks(part, up.shape[-1]) for part in (gradients[0], gate, up, of_gate, of_up)), strict=True):
            gradient, its_gate, its_up, its_of_gate, its_of_up = parts
            aten.silu.out(its_gate, out=its_of_up).mul_(gradient)
            room = torch.mul(gradient, its_up, out=room.resize_(0))
            aten.silu_backward.grad_input(room, its_gate, grad_input=its_of_gate)
        return of_gate, of_up


def gated(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """SiLU of the gate times the other projection, (..., width) each."""
    return _Gate.apply(gate, up)


class _Rotate(Function):
    @staticmethod
    def forward(context: Any, states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(cosine, sine)
        return _turn(states, cosine, sine, 1)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        # The two halves of a sine are equal, so that a rotation is undone by the opposite angle.
        cosine, sine = context.saved_tensors
        return _turn(gradients[0], cosine, sine, -1), None, None


def rotated(states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotary positions: states (batch, tokens, heads, size), cosine and sine (batch, tokens, size)."""
    return _Rotate.apply(states, cosine, sine)


def _turn(states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, sign: int) -> torch.Tensor:
    out = torch.empty(states.shape, dtype=states.dtype)
    half = states.shape[-1] // 2
    rows = max(1, BLOCK // (states.shape[-1] * states.shape[-2]))
    ways = cosine[:, :, None].expand(len(states), -1, -1, -1), sine[:, :, None].expand(len(states), -1, -1, -1)
    for one, its_cosine, its_sine, its_out in zip(*(part.flatten(0, 1).split(rows) for part in (states, *ways, out)), strict=True):
        torch.mul(one, its_cosine, out=its_out)
        its_out[..., :half].addcmul_(one[..., half:], its_sine[..., :half], value=-sign)
        its_out[..., half:].addcmul_(one[..., :half], its_sine[..., half:], value=sign)
    return out


class _Project(Function):
    @staticmethod
    def forward(
        context: Any, states: torch.Tensor, kept: torch.Tensor | None, parts: Sequence[Projection], *adapters: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        rows = states.flatten(0, -2)
        adapted = [place for place, part in enumerate(parts) if part.first is not None]
        left = rows if kept is None or not adapted else _dropped(rows, kept)
        # One product for the first matrices of all adapters, which read the same states.
        first = torch.cat(adapters[: len(adapted)]) if adapted else rows.new_empty(0, rows.shape[1])
        low = left @ first.T if adapted else rows.new_empty(0)
        sizes = [len(adapters[number]) for number in range(len(adapted))]
        found = [rows @ part.weight.T for part in parts]
        for place, its_low, second in zip(adapted, low.split(sizes, -1) if adapted else (), adapters[len(adapted) :], strict=True):
            found[place].addmm_(its_low, second.T, alpha=parts[place].scale)
        context.save_for_backward(left if adapted else None, low, kept, *adapters)
        context.parts, context.adapted, context.sizes, context.shape = parts, adapted, sizes, states.shape
        return tuple(out.view(*states.shape[:-1], -1) for out in found)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        left, low, kept, *adapters = context.saved_tensors
        parts, adapted = context.parts, context.adapted
        flat = [gradient.flatten(0, -2) for gradient in gradients]
        of_states = None
        if context.needs_input_grad[0]:
            of_states = flat[0] @ parts[0].weight
            for gradient, part in zip(flat[1:], parts[1:], strict=True):
                of_states.addmm_(gradient, part.weight)
        found: list[torch.Tensor] = []
        if adapted:
            seconds = adapters[len(adapted) :]
            pairs = list(zip(adapted, low.split(context.sizes, -1), seconds, strict=True))
            of_second = [(flat[place].T @ its_low).mul_(parts[place].scale) for place, its_low, _ in pairs]
            of_low = torch.cat([(flat[place] @ second).mul_(parts[place].scale) for place, _, second in pairs], dim=-1)
            found = [*(of_low.T @ left).split(context.sizes), *of_second]
            if of_states is not None:
                _add_through_dropout(of_states, of_low, torch.cat(adapters[: len(adapted)]), kept)
        return (None if of_states is None else of_states.view(context.shape)), None, None, *found


def _dropped(rows: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Rows (n, width) without what is not kept; a product with truth values takes eight times as long as one with their numbers."""
    out = torch.empty_like(rows)
    for one, its_kept, its_out in zip(*(_blocks(part, rows.shape[1]) for part in (rows, kept, out)), strict=True):
        torch.mul(one, its_kept.to(rows.dtype), out=its_out)
    return out


def _add_through_dropout(total: torch.Tensor, low: torch.Tensor, first: torch.Tensor, kept: torch.Tensor | None) -> None:
    """Add a gradient, the product of (n, rank) and (rank, width), in place, but for what was dropped."""
    if kept is None:
        total.addmm_(low, first)
        return
    for one, its_low, its_kept in zip(*(part.split(max(1, BLOCK // total.shape[1])) for part in (total, low, kept)), strict=True):
        one.addcmul_(its_low @ first, its_kept.to(total.dtype))


def projected(states: torch.Tensor, parts: Sequence[Projection], kept: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
    """What several projections make of the same states.

    Args:
        states: (..., inputs).
        parts: frozen projections and their adapters, whose scale includes that of dropout.
        kept: features that the adapters see, (rows, inputs); None: all.
    """
    adapters = [part.first for part in parts if part.first is not None] + [part.second for part in parts if part.second is not None]
    return _Project.apply(states, kept, parts, *adapters)


def _blocks(states: torch.Tensor, width: int) -> Sequence[torch.Tensor]:
    """Rows (n, last) of (..., last), as many at a time as make a block of this width."""
    return states.flatten(0, -2).split(max(1, BLOCK // width))
