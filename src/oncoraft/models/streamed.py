"""A base model whose weights come later, a part at a time: for one that no single device could hold whole.

`outline` builds the architecture with placeholders that take no memory, so that adapters are put on it as on any model; `Weights.fill` then
reads one module after another from the folder's safetensors, and whoever calls it cuts a module up before the next one is read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, Gemma3ForCausalLM

from oncoraft.foundation.errors import InputError
from oncoraft.models.base import check_folder, first_line, text_configuration

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
# peft puts the layer that it wraps below this name.
WRAPPED = ".base_layer."


def outline(folder: Path, device: torch.device) -> Any:
    """The causal language model of a folder without its weights: as `load_base` returns it, but every parameter one number, repeated.

    Raises:
        InputError: the folder is incomplete, or its architecture is not known.
    """
    check_folder(folder)
    text_configuration(folder)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if getattr(config, "quantization_config", None) is not None:
            raise ValueError("it is quantised, which training.shard does not read")
        # Buffers (rotary frequencies, the scale of Gemma's embedding) are computed, for no file holds them.
        with init_empty_weights(include_buffers=False):
            if config.model_type == "gemma3":
                model: Any = Gemma3ForCausalLM._from_config(config.text_config, dtype=dtype)
            else:
                model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    except MemoryError:
        raise
    except Exception as error:  # a stranger's configuration can end in any exception inside the library
        raise InputError(f"expected a causal language model ({first_line(error)})", file=folder) from None
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            # On the device and not on torch's meta: peft moves an adapter to where its layer lies, and its first values would be lost there.
            whole = torch.zeros((), dtype=parameter.dtype, device=device).expand(parameter.shape)
            setattr(module, name, nn.Parameter(whole, requires_grad=False))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, buffer.to(device))
    model.tie_weights()
    return model.eval()


class Weights:
    """The weights of a base-model folder by name, read when they are asked for.

    Args:
        folder: with `model.safetensors`, or the files that `model.safetensors.index.json` names.

    Raises:
        InputError: neither is there, or a file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / INDEX
        names = [SINGLE] if not index.is_file() else sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        self.files: dict[str, Path] = {}
        for name in names:
            if not (folder / name).is_file():
                raise InputError(f"expected {SINGLE} or {INDEX}: training.shard reads weights by their names", file=folder)
            with self._opened(folder / name) as opened:
                self.files |= dict.fromkeys(opened.keys(), folder / name)

    def fill(self, module: nn.Module, name: str, device: torch.device) -> None:
        """Give the frozen parameters of a module their values, on a device, in the dtype that they have; adapters are left alone.

        Args:
            module: part of `outline`'s model.
            name: its own in the model, as files name it.
            device: to put them on.

        Raises:
            InputError: a weight is missing, has another shape or cannot be read.
        """
        for owner_name, owner in module.named_modules():
            if "lora_" in owner_name:
                continue
            for last, parameter in list(owner.named_parameters(recurse=False)):
                if parameter.untyped_storage().nbytes() > parameter.element_size():
                    continue  # no placeholder any more: a tied one comes twice
                full = ".".join(part for part in (name, owner_name, last) if part).replace(WRAPPED, ".")
                value = self._read(full, parameter.shape).to(device, parameter.dtype)
                setattr(owner, last, nn.Parameter(value, requires_grad=False))

    def _read(self, name: str, shape: torch.Size) -> torch.Tensor:
        bare = name.removeprefix("model.")
        # The last three: as multimodal Gemma 3 is published, as it is saved today, and a model saved without its language-modelling head.
        candidates = (name, f"language_model.{name}", f"model.language_model.{bare}", bare)
        found = next((one for one in candidates if one in self.files), None)
        if found is None:
            raise InputError(f"expected a weight {name}: training.shard reads them by their names", file=self.folder)
        file = self.files[found]
        with self._opened(file) as opened:
            value: torch.Tensor = opened.get_tensor(found)
        if value.shape != shape:
            raise InputError(f"expected a weight {found} of shape {tuple(shape)}", file=file, found=tuple(value.shape))
        return value

    def _opened(self, file: Path) -> Any:
        try:
            return safe_open(file, framework="pt", device="cpu")
        except (SafetensorError, OSError) as error:
            raise InputError(f"expected weights as safetensors ({first_line(error)})", file=file) from None
