"""The model of one fold, ready to infer with: base, adapter and head as the strategy says, and the tokens that end an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from torch import nn

from oncoraft.foundation.errors import InputError
from oncoraft.models.base import causal_of, first_line, load_base
from oncoraft.models.choice_head import CHOICE_HEAD_FILE, CHOICES_FILE, read_choice_head
from oncoraft.models.fold_model import HEAD_FILE, check_digests
from oncoraft.models.model_folder import read_score_head
from oncoraft.planning.config import Strategy

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def trained_files(strategy: Strategy) -> tuple[str, ...]:
    """Files that training leaves of a strategy, and inference needs."""
    adapter = ADAPTER_FILES if strategy.has_adapter else ()
    head = (CHOICE_HEAD_FILE, CHOICES_FILE) if strategy.score_loss == "choices" else (HEAD_FILE,)
    return (*adapter, *head) if strategy.has_head else adapter


def check_fold_model(folder: Path | None, strategy: Strategy) -> None:
    """Whether a fold's folder is there exactly where the strategy trains something, and is whole.

    Raises:
        InputError: a folder for a strategy that trains nothing, none for one that does, or a file that is missing.
    """
    if not strategy.is_trained:
        if folder is not None:
            raise InputError("--fold-model: expected none; this strategy trains nothing", file=folder)
        return
    if folder is None:
        raise InputError("--fold-model: expected the folder that `oncoraft train` wrote; this strategy is trained")
    for name in (*trained_files(strategy), "manifest.json"):
        if not (folder / name).is_file():
            raise InputError("expected this file of a fold written by `oncoraft train`", file=folder / name)


def open_fold(base: Path, folder: Path | None, strategy: Strategy, device: torch.device) -> tuple[Any, nn.Sequential | None]:
    """Model in evaluation mode, and the head if the strategy has one: of the score, or over a text task's choices.

    Raises:
        InputError: an incomplete folder, an adapter or a head of another base model.
    """
    check_fold_model(folder, strategy)
    model = load_base(base, device)
    if folder is None:
        return model.eval(), None
    head = None
    if strategy.has_head:
        size, is_choice = model.config.hidden_size, strategy.score_loss == "choices"
        head = (read_choice_head(folder, size) if is_choice else read_score_head(folder / HEAD_FILE, size)).to(device)
    model = with_trained_adapter(model, folder) if strategy.has_adapter else model
    check_digests(folder, trained_files(strategy))
    return model.eval(), head


def with_trained_adapter(model: Any, folder: Path) -> Any:
    """The base model with the adapter of a fold, not merged: the adapter's own numbers are the ones that count.

    Raises:
        InputError: it cannot be read or is of another base model.
    """
    try:
        adapted: Any = PeftModel.from_pretrained(model, folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(f"expected an adapter of this base model ({first_line(error)})", file=folder) from None
    # The library holds adapters in fp32 whatever the base; on a GPU they are rounded to bf16 as autocast did while training, or each
    # adapted layer would copy its input to fp32 and multiply in it.
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            weight.data = weight.data.to(model.dtype)
    return adapted


def stop_tokens(tokenizer: Any, model: Any) -> list[int]:
    """Token ids that end an answer: the tokenizer's, and those that the checkpoint adds (instruct models end a turn with another)."""
    found = getattr(causal_of(model).generation_config, "eos_token_id", None)
    more = found if isinstance(found, list) else [] if found is None else [found]
    return sorted({tokenizer.eos_token_id, *more})
