"""Puts the arithmetic of `oncoraft.training.lean` into the decoder layers that train on a CPU; what it does not know runs as before.

In the last layer only the rows that are read afterwards, from each prompt's last token on, ask anything of the others: its queries, its
attention and its feed-forward part are computed for these alone, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from peft.tuners.lora import Linear as AdaptedLinear
from torch import nn
from transformers.activations import SiLUActivation
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from oncoraft.models.attention import last_rows_by_case, reads_by_case
from oncoraft.models.base import causal_of
from oncoraft.models.packing import LastRows
from oncoraft.training.dropout import CaseDropout
from oncoraft.training.lean import Projection, gated, projected, root_mean_square_norm, rotated

# Decoder layers whose code this stands for, as transformers 5.10 to 5.23 has them.
KNOWN = {"Qwen3DecoderLayer", "LlamaDecoderLayer", "Gemma3DecoderLayer"}


def use_lean_layers(model: Any) -> bool:
    """Let the layers of a model run leaner; False, and nothing changed, where the architecture is not known."""
    decoder = causal_of(model).model
    if not {type(layer).__name__ for layer in decoder.layers} <= KNOWN:
        return False
    for module in decoder.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = partial(_norm, module, module.forward)
    for layer in decoder.layers:
        layer.self_attn.forward = partial(_attend, layer.self_attn, layer.self_attn.forward)
        layer.mlp.forward = partial(_feed_forward, layer.mlp)
    last = decoder.layers[-1]
    last.forward = partial(_last_layer, last, last.forward)
    causal_of(model).reads_last_rows_alone = True
    return True


def use_own_layers(model: Any) -> None:
    """Let the layers run as their library wrote them again."""
    causal = causal_of(model)
    for module in causal.model.modules():
        if isinstance(vars(module).get("forward"), partial):
            del module.forward
    causal.reads_last_rows_alone = False


def reads_last_rows_alone(model: Any) -> bool:
    """Whether a packed row may be read with `LastRows`."""
    causal = causal_of(model)
    return bool(getattr(causal, "reads_last_rows_alone", False)) and reads_by_case(model, causal.device)


def _norm(module: Any, original: Any, states: torch.Tensor) -> torch.Tensor:
    if module.weight.requires_grad or states.dtype != torch.float32 or not states.is_cpu:
        return original(states)
    if hasattr(module, "variance_epsilon"):
        return root_mean_square_norm(states, module.weight, module.variance_epsilon)
    return root_mean_square_norm(states, 1.0 + module.weight, module.eps)  # Gemma's weights are kept less 1


def _feed_forward(module: Any, states: torch.Tensor, places: torch.Tensor | None = None) -> torch.Tensor:
    gate, up = _project(states, places, module.gate_proj, module.up_proj)
    lean = states.is_cpu and gate.dtype == torch.float32 and isinstance(module.act_fn, nn.SiLU | SiLUActivation)
    return _project(gated(gate, up) if lean else module.act_fn(gate) * up, places, module.down_proj)[0]


def _attend(
    module: Any,
    original: Any,
    hidden_states: torch.Tensor,
    position_embeddings: Any = None,
    attention_mask: torch.Tensor | None = None,
    past_key_values: Any = None,
    last_rows: LastRows | None = None,
    **others: Any,
) -> tuple[torch.Tensor, Any]:
    """The attention part of a layer; with `last_rows` its output for these rows alone."""
    attention = ALL_ATTENTION_FUNCTIONS.get(module.config._attn_implementation)
    if past_key_values is not None or attention is None or hidden_states.dtype != torch.float32 or not hidden_states.is_cpu:
        return original(
            hidden_states,
            position_embeddings=position_embeddings,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            **others,
        )
    cosine, sine = position_embeddings
    places = None if last_rows is None else last_rows.places
    if places is None:
        query, key, value = _project(hidden_states, None, module.q_proj, module.k_proj, module.v_proj)
        asking = (cosine, sine)
    else:
        (query,) = _project(hidden_states.index_select(1, places), places, module.q_proj)
        key, value = _project(hidden_states, None, module.k_proj, module.v_proj)
        asking = (cosine.index_select(1, places), sine.index_select(1, places))
    query, key, value = (states.unflatten(-1, (-1, module.head_dim)) for states in (query, key, value))
    if hasattr(module, "q_norm"):
        query, key = module.q_norm(query), module.k_norm(key)
    query, key = rotated(query, *asking).transpose(1, 2), rotated(key, cosine, sine).transpose(1, 2)
    given = {"scaling": module.scaling, "sliding_window": getattr(module, "sliding_window", None)}
    if last_rows is None:
        out, weights = attention(module, query, key, value.transpose(1, 2), attention_mask, **given, **others)
    else:
        out, weights = last_rows_by_case(query, key, value.transpose(1, 2), last_rows, others["case_lengths"], **given), None
    return _project(out.flatten(2), places, module.o_proj)[0], weights


def _last_layer(layer: Any, original: Any, hidden_states: torch.Tensor, read_rows: LastRows | None = None, **others: Any) -> torch.Tensor:
    """The last layer; with `read_rows` its output for these rows alone, (1, rows, hidden)."""
    if read_rows is None:
        return original(hidden_states, **others)
    attended, _ = layer.self_attn(hidden_states=layer.input_layernorm(hidden_states), last_rows=read_rows, **others)
    residual = hidden_states.index_select(1, read_rows.places)
    if hasattr(layer, "post_feedforward_layernorm"):  # Gemma: a norm behind each part as well
        residual = residual + layer.post_attention_layernorm(attended)
        return residual + layer.post_feedforward_layernorm(layer.mlp(layer.pre_feedforward_layernorm(residual), read_rows.places))
    residual = residual + attended
    return residual + layer.mlp(layer.post_attention_layernorm(residual), read_rows.places)


def _project(states: torch.Tensor, places: torch.Tensor | None, *modules: Any) -> Sequence[torch.Tensor]:
    """Outputs of linear layers that read the same states, which stand at these places of the packed row (None: all of it)."""
    parts = [_projection(module) for module in modules]
    dropouts = {id(dropout): dropout for module in modules for dropout in _dropouts(module)}
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len(dropouts) > 1 or states.dtype != torch.float32 or not states.is_cpu:
        for dropout in dropouts.values():
            dropout.places = places
        try:
            return [module(states) for module in modules]
        finally:
            for dropout in dropouts.values():
                # In the last layer key and value read other states than the query: nobody comes for what waits for all three.
                dropout.places = dropout.waiting = None
    kept = None
    for dropout in dropouts.values():
        if dropout.training and dropout.probability:
            kept = dropout.kept(places)
            scale = 1 / (1 - dropout.probability)
    if kept is not None:
        known = [Projection(part.weight, part.first, part.second, part.scale * scale) for part in known]
    return projected(states, known, kept)


def _dropouts(module: Any) -> list[CaseDropout]:
    """Dropout layers of a linear layer's active adapters, whatever the layer itself is."""
    if not isinstance(module, AdaptedLinear) or module.disable_adapters or module.merged:
        return []
    found = [module.lora_dropout[name] for name in module.active_adapters if name in module.lora_dropout]
    return [dropout for dropout in found if isinstance(dropout, CaseDropout)]


def _projection(module: Any) -> Projection | None:
    """A linear layer with at most one plain adapter; None where it is anything else."""
    base = module.base_layer if isinstance(module, AdaptedLinear) else module
    if type(base) is not nn.Linear or base.bias is not None or base.weight.requires_grad or base.weight.dtype != torch.float32:
        return None
    if base is module or module.disable_adapters or module.merged:
        # Merged weights are switched off by the layer's own code.
        return None if base is not module and module.disable_adapters and module.merged else Projection(base.weight)
    active = [name for name in module.active_adapters if name in module.lora_A]
    if len(active) != 1 or active[0] in module.lora_variant:
        return None
    first, second, dropout = module.lora_A[active[0]], module.lora_B[active[0]], module.lora_dropout[active[0]]
    plain = first.weight.dtype == torch.float32 and first.bias is None and second.bias is None
    if not plain or not isinstance(dropout, CaseDropout | nn.Identity):
        return None
    return Projection(base.weight, first.weight, second.weight, module.scaling[active[0]])
