"""Tiny random models of the three architectures with a trained-looking fold, made in a second: for tests of export and inference.

The tokenizers differ as the real ones do: Qwen adds no begin-of-text token, Llama and Gemma do; Llama has no padding token.
Weights are drawn wide, so that states, attention and scores differ visibly from prompt to prompt. Gemma's window is far shorter than
the prompts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from oncoraft.foundation.provenance import manifest, write_json
from oncoraft.models.fold_model import HEAD_FILE, new_score_head, with_adapter

ARCHITECTURES = ("qwen3", "llama", "gemma3")
WINDOW = 8
CONTEXT = 512
GENES = ("KRAS G12D", "TP53 R175H", "EGFR L858R", "BRAF V600E", "no alteration")


def rows(count: int) -> list[dict[str, Any]]:
    """Cases in the published format, prompts of 40 to 100 tokens."""
    return [
        {
            "instruction": "How likely is a response to this treatment?",
            "input": f"Drugs: {'docetaxel' if n % 2 else 'osimertinib'}\nPatient: ECOG {n % 3}; line {n % 5}\nGenomics: {GENES[n % 5]}"
            + "; liver lesion" * (n % 7),
            "output": f"Score: {0.7 if n % 3 else 0.0}\nReasoning:\nECOG {n % 3} matters.",
            "case_id": f"c{n:02d}",
            "patient_id": f"p{n:02d}",
            "fold": 0,
            "category": "PR" if n % 3 else "PD",
            "score": 0.7 if n % 3 else 0.0,
            "responder": bool(n % 3),
        }
        for n in range(count)
    ]


def write_rows(path: Path, given: list[dict[str, Any]]) -> Path:
    """A JSONL file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    return path


def tokenizer_of(architecture: str) -> Any:
    """A byte-level tokenizer with the special tokens of its kind."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split("\n", behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<end>", "<begin>", "<pad>", "<unused0>"]
    trainer = trainers.BpeTrainer(
        vocab_size=384, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([row["instruction"] + row["input"] + row["output"] for row in rows(20)], trainer)
    names: dict[str, Any] = {"eos_token": "<end>"}
    if architecture != "qwen3":
        tokenizer.post_processor = processors.TemplateProcessing(single="<begin> $A", special_tokens=[("<begin>", 1)])
        names["bos_token"] = "<begin>"
    if architecture != "llama":
        names["pad_token"] = "<pad>"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **names)


def base_of(architecture: str, vocabulary: int, seed: int = 5) -> Any:
    """A random model of an architecture."""
    torch.manual_seed(seed)
    common: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 64,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.3,
        "eos_token_id": 0,
        "bos_token_id": None if architecture == "qwen3" else 1,
        "pad_token_id": None if architecture == "llama" else 2,
        "tie_word_embeddings": architecture != "llama",
    }
    if architecture == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**common))
    if architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(**common))
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    model = Gemma3ForCausalLM(Gemma3TextConfig(**common, query_pre_attn_scalar=8, sliding_window=WINDOW, layer_types=kinds))
    with torch.no_grad():
        model.model.embed_tokens.weight *= 0.1  # scaled up inside, and tied: else every token predicts itself
    return model


def build(folder: Path, architecture: str, dtype: torch.dtype = torch.float32, seed: int = 5) -> Path:
    """`base/`, `rows.jsonl` and `fold/` (adapter, score head, manifest) below a folder, as `oncoraft train` leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    data = write_rows(folder / "rows.jsonl", rows(20))
    tokenizer = tokenizer_of(architecture)
    model = base_of(architecture, len(tokenizer), seed).to(dtype)
    model.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    adapted = with_adapter(model, 4, 8.0, 0.1, ("q_proj", "k_proj", "v_proj", "o_proj"))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.05)  # a fresh adapter changes nothing: its second factor starts at zero
    adapted.save_pretrained(folder / "fold")
    (folder / "fold" / "README.md").unlink(missing_ok=True)
    head = new_score_head(32)
    with torch.no_grad():
        head[3].weight *= 4  # scores from 0.2 to 0.8 rather than all near 0.5
    torch.save(head.state_dict(), folder / "fold" / HEAD_FILE)
    beside = folder / "fold" / "manifest.json"
    outputs = {file: file for file in sorted((folder / "fold").iterdir()) if file.is_file()}
    write_json(beside, manifest("train", inputs=[data, folder / "base"], outputs=outputs, settings={}, counts={}, beside=beside))
    return folder
