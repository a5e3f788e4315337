"""What training leaves of a fold: LoRA adapter and score head, on top of a base model that is not copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from oncoraft.errors import InputError

HEAD_FILE = "score_head.pt"


def new_score_head(hidden_size: int) -> nn.Sequential:
    """The published head: Linear(H, 128), GELU, Dropout(0.2), Linear(128, 1), Sigmoid; kept in fp32."""
    return nn.Sequential(nn.Linear(hidden_size, 128), nn.GELU(), nn.Dropout(0.2), nn.Linear(128, 1), nn.Sigmoid())


def score_logit(head: nn.Sequential, hidden: torch.Tensor) -> torch.Tensor:
    """The head's output before its sigmoid, (batch,), from final-norm states (batch, hidden)."""
    return head[:-1](hidden.float()).squeeze(-1)


def with_adapter(model: Any, rank: int, alpha: float, dropout: float, target_modules: tuple[str, ...]) -> Any:
    """The model with trainable fp32 LoRA adapters on the named linear layers.

    Raises:
        InputError: none of the named layers exists.
    """
    names = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    if unknown := set(target_modules) - names:
        raise InputError(f"adapter.target_modules: expected among {', '.join(sorted(names))}", found=sorted(unknown)[0])
    # peft types alpha as an integer but scales by alpha / rank, which any number serves.
    alpha_value: Any = alpha
    config = LoraConfig(r=rank, lora_alpha=alpha_value, lora_dropout=dropout, target_modules=list(target_modules), task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return adapted


def load_fold(model: Any, folder: Path) -> tuple[Any, nn.Sequential]:
    """Base model with the fold's adapter (if it has one) and the score head, both in evaluation mode.

    Raises:
        InputError: the score head is absent, unreadable, or of another width.
    """
    path = folder / HEAD_FILE
    if not path.is_file():
        raise InputError("expected a score head written by `oncoraft train`", file=path)
    if (folder / "adapter_config.json").is_file():
        model = PeftModel.from_pretrained(model, folder, local_files_only=True)
    head = new_score_head(model.config.hidden_size)
    try:
        head.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise InputError(f"expected the weights of a score head ({str(error).splitlines()[0][:120]})", file=path) from None
    device = next(model.parameters()).device
    return model.eval(), head.to(device).eval()
