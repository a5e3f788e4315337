"""What training leaves of a fold: LoRA adapter and score head, on top of a base model that is not copied."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import file_digest

HEAD_FILE = "score_head.pt"
LAYER = r"(^|\.)layers\.\d+\."
# Parts of a multimodal model that read no text; their layers carry the same names as the decoder's.
OTHER_SENSES = r".*(vision|visual|image|audio|multi_modal|mm_projector).*"


def new_score_head(hidden_size: int) -> nn.Sequential:
    """The published head: Linear(H, 128), GELU, Dropout(0.2), Linear(128, 1), Sigmoid; kept in fp32."""
    return nn.Sequential(nn.Linear(hidden_size, 128), nn.GELU(), nn.Dropout(0.2), nn.Linear(128, 1), nn.Sigmoid())


def score_logit(head: nn.Sequential, hidden: torch.Tensor) -> torch.Tensor:
    """The head's output before its sigmoid, (batch,), from final-norm states (batch, hidden)."""
    return head[:-1](hidden.float()).squeeze(-1)


def with_adapter(model: Any, rank: int, alpha: float, dropout: float, target_modules: tuple[str, ...]) -> Any:
    """The model with trainable fp32 LoRA adapters on the named linear layers of its decoder; towers of other senses get none.

    Raises:
        InputError: one of the named layers does not exist in the decoder.
    """
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    # Decoder layers alone: an adapter on a tied language-modelling head would be merged into the embedding as well.
    inside = {name.rsplit(".", 1)[-1] for name in linear if re.search(LAYER, name) and not re.fullmatch(OTHER_SENSES, name)}
    if unknown := set(target_modules) - inside:
        layers = ", ".join(sorted(inside))
        raise InputError(f"adapter.target_modules: expected linear parts of a decoder layer ({layers})", found=sorted(unknown)[0])
    # peft types alpha as an integer but scales by alpha / rank, which any number serves.
    alpha_value: Any = alpha
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha_value,
        lora_dropout=dropout,
        target_modules=list(target_modules),
        exclude_modules=OTHER_SENSES if any(re.fullmatch(OTHER_SENSES, name) for name in linear) else None,
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, config)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            # Adapters learn in fp32: bf16 would round much of a small update away.
            parameter.data = parameter.data.float()
    return adapted


def check_digests(folder: Path, names: Iterable[str]) -> None:
    """Whether files of a fold or of a model folder are, bit for bit, those that its manifest names.

    A flipped bit of an adapter loads like any other number and only moves scores.

    Raises:
        InputError: the manifest cannot be read, does not name a file, or names another content.
    """
    path = folder / "manifest.json"
    try:
        written = json.loads(path.read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError("expected a manifest written by `oncoraft train` or `oncoraft export`", file=path) from None
    for name in names:
        if name not in written:
            raise InputError(f"expected a manifest that names {name}", file=path)
        if (found := file_digest(folder / name)) != written[name]:
            raise InputError(
                f"expected the file that the manifest names (sha256 {written[name][:12]})", file=folder / name, found=found[:12]
            )
