"""What training leaves of a fold: LoRA adapter and score head, on top of a base model that is not copied."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import nn

from oncoraft.foundation.errors import InputError
from oncoraft.models.base import first_line

HEAD_FILE = "score_head.pt"
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
    inside = {name.rsplit(".", 1)[-1] for name in linear if not re.fullmatch(OTHER_SENSES, name)}
    if unknown := set(target_modules) - inside:
        raise InputError(f"adapter.target_modules: expected among {', '.join(sorted(inside))}", found=sorted(unknown)[0])
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
            parameter.data = parameter.data.float()
    return adapted


def load_fold(model: Any, folder: Path) -> tuple[Any, nn.Sequential | None]:
    """Base model with the fold's adapter and the score head, each if the fold has one, both in evaluation mode.

    Raises:
        InputError: the fold has neither, or what it has cannot be read or is of another width.
    """
    path = folder / HEAD_FILE
    has_adapter = (folder / "adapter_config.json").is_file()
    if not path.is_file() and not has_adapter:
        raise InputError("expected a score head or an adapter written by `oncoraft train`", file=path)
    device = next(model.parameters()).device
    if has_adapter:
        try:
            model = PeftModel.from_pretrained(model, folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise InputError(f"expected an adapter of this base model ({first_line(error)})", file=folder) from None
    return model.eval(), load_head(path, model.config.hidden_size, device) if path.is_file() else None


def load_head(path: Path, hidden_size: int, device: torch.device) -> nn.Sequential:
    """A score head in evaluation mode.

    Raises:
        InputError: the file cannot be read or holds a head of another width.
    """
    head = new_score_head(hidden_size)
    try:
        head.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises plain errors of many kinds for a broken file
        raise InputError(f"expected the weights of a score head of width {hidden_size} ({first_line(error)})", file=path) from None
    return head.to(device).eval()
