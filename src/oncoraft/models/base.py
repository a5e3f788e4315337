"""Base models from local folders, tiny and real ones by the same way; nothing is ever downloaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from oncoraft.errors import InputError, RetryLater

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


def check_folder(folder: Path) -> None:
    """Whether a folder can be a base model.

    Raises:
        InputError: the folder, its configuration, its weights or its tokenizer is missing.
    """
    if not folder.is_dir():
        raise InputError("expected a base-model folder", file=folder)
    for what, pattern in (("config.json", "config.json"), ("weights (*.safetensors)", "*.safetensors"), ("a tokenizer", "tokenizer*")):
        if not any(folder.glob(pattern)):
            raise InputError(f"expected {what} in a base-model folder", file=folder)


def device_for(gpus: int) -> torch.device:
    """The device to run on.

    Raises:
        RetryLater: fewer GPUs are visible than were asked for.
    """
    if gpus and torch.cuda.device_count() < gpus:
        raise RetryLater(f"{gpus} GPU asked for, {torch.cuda.device_count()} visible; a retry may land on a better node")
    return torch.device("cuda" if gpus else "cpu")


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a base model, padding token set (end of text where the model has none)."""
    check_folder(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(folder: Path, device: torch.device) -> Any:
    """The causal language model of a folder: bf16 on a GPU, fp32 on a CPU, text part alone of a multimodal Gemma 3.

    Raises:
        InputError: the folder is incomplete or holds an architecture without a language-modelling head.
    """
    check_folder(folder)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if config.model_type == "gemma3":
            return _gemma3_text(folder, dtype).to(device)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype)
        return model.to(device)
    except (OSError, ValueError) as error:
        raise InputError(f"expected a causal language model ({str(error).splitlines()[0]})", file=folder) from None


def _gemma3_text(folder: Path, dtype: torch.dtype) -> Any:
    """The language model of a multimodal Gemma 3 checkpoint; loading the text class directly would leave it untrained."""
    from transformers import Gemma3ForCausalLM, Gemma3ForConditionalGeneration

    whole: Any = Gemma3ForConditionalGeneration.from_pretrained(folder, local_files_only=True, dtype=dtype)
    text: Any = Gemma3ForCausalLM(whole.config.text_config)
    text.to(dtype)
    text.model.load_state_dict(whole.model.language_model.state_dict())
    text.tie_weights()
    return text


def causal_of(model: Any) -> Any:
    """The causal language model inside a PEFT wrapper, or itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def final_hidden(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Hidden states after the final norm, (batch, length, hidden); no logits are computed."""
    return causal_of(model).model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state


def context_length(model: Any) -> int:
    """The longest sequence that the model can read, in tokens."""
    return int(causal_of(model).config.max_position_embeddings)
