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
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from oncoraft.errors import InputError
from oncoraft.models.base import check_folder
from oncoraft.models.fold_model import HEAD_FILE, new_score_head

INDEX_FILE = "model.safetensors.index.json"
HEAD_WIDTH = 128  # units of the hidden layer, as published


def read_score_head(path: Path, hidden_size: int) -> nn.Sequential:
    """The score head of a file, fp32, in evaluation mode, on the CPU.

    Args:
        path: `score_head.pt`.
        hidden_size: width of the model's residual stream, which the head reads.

    Raises:
        InputError: absent, unreadable, other keys than the published ones, of another width, or not finite.
    """
    if not path.is_file():
        raise InputError("expected a score head", file=path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a torn or foreign file
        raise InputError(f"expected the weights of a score head ({str(error).splitlines()[0][:120]})", file=path) from None
    head = new_score_head(hidden_size)
    wanted = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    if not isinstance(state, dict) or set(state) != set(wanted):
        found = ", ".join(sorted(map(str, state))) if isinstance(state, dict) else type(state).__name__
        raise InputError(f"expected the keys {', '.join(sorted(wanted))}", file=path, found=found or "none")
    for name, shape in wanted.items():
        if not isinstance(state[name], torch.Tensor) or tuple(state[name].shape) != shape:
            width = f"a head for hidden size {hidden_size}: {name} of shape {shape}"
            raise InputError(f"expected {width}", file=path, found=str(tuple(getattr(state[name], "shape", ()))))
        if not torch.isfinite(state[name]).all():
            raise InputError(f"expected finite numbers in {name}", file=path)
    head.load_state_dict({name: value.float() for name, value in state.items()})
    return head.eval()


def check_model_folder(folder: Path) -> None:
    """Whether every file of a model folder is there, weight files named by the index included.

    Raises:
        InputError: the first file that is missing, or an index that cannot be read.
    """
    check_folder(folder)
    if not (folder / HEAD_FILE).is_file():
        raise InputError(f"expected {HEAD_FILE} in a model folder written by `oncoraft export`", file=folder)
    index = folder / INDEX_FILE
    if not index.is_file():
        return
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (json.JSONDecodeError, KeyError, AttributeError, UnicodeDecodeError):
        raise InputError("expected an index of weight files with a `weight_map`", file=index) from None
    for name in sorted(names):
        if not (folder / name).is_file():
            raise InputError(f"expected {name}, which {INDEX_FILE} names", file=folder)


def load_merged(folder: Path, dtype: torch.dtype) -> Any:
    """The merged model of a folder on the CPU, in evaluation mode, every weight from the file.

    Raises:
        InputError: not a text-only causal language model, a torn weight file, or a weight that is missing: the library would start
            a missing weight at random and only warn.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if not hasattr(config, "hidden_size"):
            raise InputError("expected a text-only model (a configuration with `hidden_size`)", file=folder / "config.json")
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError(f"expected a causal language model ({str(error).splitlines()[0][:200]})", file=folder) from None
    model, information = loaded
    missing = sorted(information["missing_keys"])
    if missing:
        raise InputError(f"expected every weight of the model; {len(missing)} are missing, the first is {missing[0]}", file=folder)
    return model.eval()


def open_model_folder(folder: Path, device: torch.device) -> tuple[Any, nn.Sequential]:
    """Model and score head of a folder: bf16 on a GPU, fp32 on a CPU; the head always in fp32.

    Raises:
        InputError: see `check_model_folder`, `load_merged` and `read_score_head`.
    """
    check_model_folder(folder)
    model = load_merged(folder, torch.bfloat16 if device.type == "cuda" else torch.float32)
    head = read_score_head(folder / HEAD_FILE, model.config.hidden_size)
    return model.to(device), head.to(device)


def number_weight_files(folder: Path) -> None:
    """Give a single weight file the numbered name of the published layout, with the index that makes it load."""
    single = folder / "model.safetensors"
    if not single.is_file():
        return
    from safetensors import safe_open

    name = "model-00001-of-00001.safetensors"
    with safe_open(single, framework="pt") as weights:
        keys = sorted(weights.keys())
    size = single.stat().st_size
    single.rename(folder / name)
    index = {"metadata": {"total_size": size}, "weight_map": dict.fromkeys(keys, name)}
    (folder / INDEX_FILE).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
