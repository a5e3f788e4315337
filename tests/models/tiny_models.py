"""Tiny random models of every architecture, and cases of made-up tokens, for the tests of packing, attention and training."""

from typing import Any

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from oncoraft.models.cases import Case

ARCHITECTURES = ("qwen3", "llama", "gemma3")
VOCABULARY = 97
WINDOW = 6  # of Gemma 3's sliding layers: shorter than the cases, so that it matters


def random_model(architecture: str, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    common: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
        "tie_word_embeddings": True,
        "initializer_range": 0.2,
    }
    if architecture == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**common)).eval()
    if architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(**common)).eval()
    layers = ["sliding_attention", "full_attention", "sliding_attention"]
    return Gemma3ForCausalLM(Gemma3TextConfig(**common, sliding_window=WINDOW, layer_types=layers, query_pre_attn_scalar=8)).eval()


def random_cases(count: int, seed: int = 0, shortest: int = 3, longest: int = 23, answered: bool = True) -> list[Case]:
    draw = torch.Generator().manual_seed(seed)

    def tokens(least: int, most: int) -> tuple[int, ...]:
        length = int(torch.randint(least, most + 1, (1,), generator=draw))
        return tuple(torch.randint(2, VOCABULARY, (length,), generator=draw).tolist())

    return [
        Case(
            f"c{n:03d}", f"p{n:03d}", 0, tokens(shortest, longest), tokens(1, 9) if answered else (), n % 3 == 0, 0.7 if n % 3 == 0 else 0.3
        )
        for n in range(count)
    ]
