"""Base models from local folders, tiny and real ones by the same way; nothing is ever downloaded."""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

# Before transformers is imported: huggingface_hub reads them once, when it is.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import AutoConfig, AutoModelForCausalLM, Gemma3ForCausalLM, Gemma3ForConditionalGeneration
from transformers.utils import logging as transformers_logging

from oncoraft.answers import open_tokenizer
from oncoraft.foundation.errors import InputError, RetryLater

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


def check_folder(folder: Path) -> None:
    """Whether a folder can be a base model.

    Raises:
        InputError: the folder, its configuration, its weights (each file that the weights' index names) or its tokenizer is missing.
    """
    if not folder.is_dir():
        raise InputError("expected a base-model folder", file=folder)
    for what, pattern in (("config.json", "config.json"), ("weights (*.safetensors)", "*.safetensors"), ("a tokenizer", "tokenizer*")):
        if not any(folder.glob(pattern)):
            pickled = sorted(folder.glob("*.bin")) if pattern == "*.safetensors" else []
            found = f"{pickled[0].name}, a pickle, which is not read: save it again as safetensors" if pickled else None
            raise InputError(f"expected {what} in a base-model folder", file=folder, found=found)
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            named = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError):
            raise InputError("expected an index of weights (JSON with `weight_map`)", file=index) from None
        if missing := [name for name in named if not (folder / name).is_file()]:
            raise InputError(f"expected the {len(named)} weight files that its index names; {missing[0]} is not there", file=folder)


def device_for(gpus: int) -> torch.device:
    """The device to run on.

    Raises:
        RetryLater: fewer GPUs are visible than were asked for.
    """
    if gpus and torch.cuda.device_count() < gpus:
        raise RetryLater(f"{gpus} GPU asked for, {torch.cuda.device_count()} visible; a retry may land on a better node")
    return torch.device("cuda" if gpus else "cpu")


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees for its next allocation, where its C library is glibc; False elsewhere.

    glibc asks the kernel for every large block anew, and the kernel fills each page with zeros: a tenth of a training step on a CPU.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    # M_MMAP_MAX (-4): no block of its own for a large allocation; M_TRIM_THRESHOLD (-1): nothing given back (mallopt(3)).
    return bool(set_option(-4, 0) and set_option(-1, 2**31 - 1))


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a base model, padding token set (end of text where the model has none).

    Raises:
        InputError: its files cannot be read, or it has no end-of-text token.
    """
    check_folder(folder)
    tokenizer = open_tokenizer(folder)
    if tokenizer.eos_token_id is None:
        raise InputError("expected a tokenizer with an end-of-text token", file=folder, column="eos_token")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    check_vocabulary(folder, tokenizer)
    return tokenizer


def check_vocabulary(folder: Path, tokenizer: Any) -> None:
    """Whether every token that a text can become has a row of the embedding.

    Control tokens are left out but for those that are used: a text model may keep its family's image token, which lies beyond its
    embedding and which no text becomes.

    Raises:
        InputError: a token lies beyond the embedding; reading it would end in an index error, or on a GPU in a wrong number.
    """
    rows = int(text_configuration(folder).vocab_size)
    control = set(tokenizer.all_special_ids) | {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    used = {tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.bos_token_id} - {None}
    beyond = sorted(number for number in {*tokenizer.get_vocab().values(), *used} - (control - used) if number >= rows)
    if beyond:
        raise InputError(f"expected token ids below {rows}, the rows of the embedding", file=folder, column="vocab_size", found=beyond[0])


def load_base(folder: Path, device: torch.device) -> Any:
    """The causal language model of a folder: bf16 on a GPU, fp32 on a CPU, text part alone of a multimodal Gemma 3.

    Raises:
        InputError: the folder is incomplete, a weight is missing or unreadable, or there is no language-modelling head.
    """
    check_folder(folder)
    text_configuration(folder)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    try:
        # trust_remote_code left out, the library asks on the terminal whether to run the folder's own code.
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        multimodal = config.model_type == "gemma3"
        loader: Any = Gemma3ForConditionalGeneration if multimodal else AutoModelForCausalLM
        model, found = loader.from_pretrained(folder, local_files_only=True, trust_remote_code=False, dtype=dtype, output_loading_info=True)
    except MemoryError:
        raise
    except Exception as error:  # a stranger's configuration can end in any exception inside the library
        raise InputError(f"expected a causal language model ({first_line(error)})", file=folder) from None
    # transformers would start these at random and only mention it.
    if missing := sorted(found["missing_keys"]):
        raise InputError(
            f"expected every weight of {type(model).__name__}; {len(missing)} are not there, the first {missing[0]}", file=folder
        )
    return (text_part(model) if multimodal else model).to(device)


def text_part(whole: Any) -> Any:
    """The language model of a multimodal Gemma 3, its weights not copied; the text class would not find them under their names."""
    with torch.device("meta"):
        text: Any = Gemma3ForCausalLM(whole.config.text_config)
    text.model = whole.model.language_model
    text.lm_head = whole.lm_head
    text.tie_weights()
    text.generation_config = whole.generation_config
    return text.eval()


def first_line(error: BaseException) -> str:
    """What an exception says, short."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def causal_of(model: Any) -> Any:
    """The causal language model inside a PEFT wrapper, or itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def final_hidden(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Hidden states after the final norm, (batch, length, hidden); no logits are computed."""
    return causal_of(model).model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state


def context_length(model: Any) -> int:
    """The longest sequence that the model can read, in tokens."""
    return int(causal_of(model).config.max_position_embeddings)


def text_configuration(folder: Path) -> Any:
    """The configuration of a folder's language model, known without loading it; no code that lies in the folder is run.

    Raises:
        InputError: it cannot be read, or its context length or vocabulary size is no positive whole number.
    """
    path = folder / "config.json"
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False).get_text_config()
    except Exception as error:  # see load_base
        raise InputError(f"expected the configuration of a language model ({first_line(error)})", file=path) from None
    for key in ("max_position_embeddings", "vocab_size"):
        value = getattr(config, key, None)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError("expected a whole number of at least 1", file=path, column=key, found=str(value))
    return config


def logits_of(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Logits over the vocabulary from final-norm states, (..., vocabulary), in fp32, soft-capped where the model says so."""
    causal = causal_of(model)
    logits = causal.lm_head(hidden).float()
    cap = getattr(causal.config, "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap


def context_of_folder(folder: Path) -> int:
    """The longest sequence, in tokens, that the model of a folder can read; known without loading it.

    Raises:
        InputError: its configuration cannot be read or does not say.
    """
    check_folder(folder)
    return int(text_configuration(folder).max_position_embeddings)
