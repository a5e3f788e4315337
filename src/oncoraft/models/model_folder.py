"""The model folder: one merged model with its score head, as the published quick start loads it.

    config.json  model-*.safetensors (+ index)  tokenizer files  generation_config.json  score_head.pt

The weights are a plain causal language model (text only for Gemma 3), so `AutoModelForCausalLM` finds `hidden_size` in the
configuration and the final-norm state in `hidden_states[-1]`. The head is Linear(H, 128), GELU, Dropout(0.2), Linear(128, 1),
Sigmoid under the keys 0.weight, 0.bias, 3.weight, 3.bias. Everything that is read here is checked first: a folder that lacks a
file, a weight or the right width is refused in one line, never filled with random numbers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from oncoraft.foundation.errors import InputError
from oncoraft.models.base import check_folder, first_line, load_base
from oncoraft.models.fold_model import HEAD_FILE, check_digests, new_score_head

INDEX_FILE = "model.safetensors.index.json"


def read_score_head(path: Path, hidden_size: int) -> nn.Sequential:
    """The score head of a file, fp32, in evaluation mode, on the CPU.

    Args:
        path: `score_head.pt`.
        hidden_size: width of the model's residual stream, which the head reads.

    Raises:
        InputError: absent, unreadable, other keys than the published ones, of another width, or not finite.
    """
    return read_head(path, new_score_head(hidden_size), hidden_size)


def read_head(path: Path, head: nn.Sequential, hidden_size: int) -> nn.Sequential:
    """A head filled with the weights of a file, fp32, in evaluation mode; see `read_score_head`."""
    if not path.is_file():
        raise InputError("expected a score head", file=path)
    try:
        # weights_only: a pickle from elsewhere can run code.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a torn or foreign file
        raise InputError(f"expected the weights of a score head ({first_line(error)})", file=path) from None
    wanted = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    if not isinstance(state, dict) or set(state) != set(wanted):
        found = ", ".join(sorted(map(str, state))) if isinstance(state, dict) else type(state).__name__
        raise InputError(f"expected the keys {', '.join(sorted(wanted))}", file=path, found=found or "none")
    for name, shape in wanted.items():
        if not isinstance(state[name], torch.Tensor) or tuple(state[name].shape) != shape:
            width = f"a head for hidden size {hidden_size}: {name} of shape {shape}"
            raise InputError(f"expected {width}", file=path, found=str(tuple(getattr(state[name], "shape", ()))))
        if not state[name].is_floating_point():
            raise InputError(f"expected floating-point numbers in {name}", file=path, found=str(state[name].dtype).removeprefix("torch."))
        if not torch.isfinite(state[name]).all():
            raise InputError(f"expected finite numbers in {name}", file=path)
    head.load_state_dict({name: value.float() for name, value in state.items()})
    return head.eval()


def check_model_folder(folder: Path) -> None:
    """Whether a folder is a model folder: every file there, and a text-only model, whose configuration names the width.

    Raises:
        InputError: the first file that is missing, or a configuration without `hidden_size`.
    """
    check_folder(folder)
    if not (folder / HEAD_FILE).is_file():
        raise InputError(f"expected {HEAD_FILE} in a model folder written by `oncoraft export`", file=folder)
    path = folder / "config.json"
    try:
        is_text_only = "hidden_size" in json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError):
        raise InputError("expected the configuration of a model as JSON", file=path) from None
    if not is_text_only:
        raise InputError("expected a text-only model (a configuration with `hidden_size`)", file=path)


def open_model_folder(folder: Path, device: torch.device) -> tuple[Any, nn.Sequential]:
    """Model and score head of a folder, in evaluation mode: bf16 on a GPU, fp32 on a CPU; the head always in fp32.

    Raises:
        InputError: see `check_model_folder`, `models.base.load_base` and `read_score_head`.
    """
    check_model_folder(folder)
    model = load_base(folder, device).eval()
    head = read_score_head(folder / HEAD_FILE, model.config.hidden_size).to(device)
    if (folder / "manifest.json").is_file():  # a folder published by others has none
        check_digests(folder, [HEAD_FILE, *sorted(path.name for path in folder.glob("*.safetensors"))])
    return model, head


def number_weight_files(folder: Path) -> None:
    """Give a single weight file the numbered name of the published layout, with the index that makes it load."""
    single = folder / "model.safetensors"
    if not single.is_file():
        return
    name = "model-00001-of-00001.safetensors"
    with safe_open(single, framework="pt") as weights:
        keys = sorted(weights.keys())
    size = single.stat().st_size
    single.rename(folder / name)
    index = {"metadata": {"total_size": size}, "weight_map": dict.fromkeys(keys, name)}
    (folder / INDEX_FILE).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
