"""A tiny base model: a real architecture of about a million parameters, pretrained on the text of a synthetic population.

It stands in for what a real base model has read. Its documents are prompts with their answers, of which the answers are learned: a model
of this size that has to write prompts too knows less of who responds. The tokenizer splits at line ends and digits only, so that
whole phrases become tokens and a prompt stays short.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from oncoraft.answers import answer_text, text_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.models.attention import packed_hidden
from oncoraft.models.base import device_for, keep_freed_memory, logits_of
from oncoraft.models.cases import Case, encode, prompt_text, read_rows
from oncoraft.models.packing import pack
from oncoraft.planning.config import TinyModel
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
SECONDS_BETWEEN_LINES = 15.0  # in a log; a terminal has a bar
END, PAD = "<|end|>", "<|pad|>"
PIECES = r"\n+|\d|[;,.:()]|[^\n\d;,.:()]+"  # a phrase between punctuation marks is one piece


def train_tokenizer(texts: list[str], vocabulary_size: int) -> Any:
    """A byte-level BPE tokenizer whose pieces are phrases: any text can be written in it."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    # use_regex=False, or ByteLevel cuts the phrases into words again, by the pattern of GPT-2.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    # All 256 bytes, or characters that the corpus lacks could not be written.
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=[END, PAD], initial_alphabet=alphabet, show_progress=False, min_frequency=3
    )
    tokenizer.train_from_iterator(texts, trainer)
    # Cleaning up would drop spaces before punctuation when tokens become text.
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False)


def new_model(settings: TinyModel, tokenizer: Any) -> Any:
    """The architecture with a random start from the configured seed."""
    torch.manual_seed(settings.seed)
    common = {
        "vocab_size": len(tokenizer),
        "hidden_size": settings.hidden_size,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        "num_key_value_heads": settings.key_value_heads,
        "head_dim": settings.hidden_size // settings.heads,
        "intermediate_size": settings.intermediate_size,
        "max_position_embeddings": settings.context_length,
        "tie_word_embeddings": True,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        # The libraries' defaults (Llama 1, Gemma 2) would name tokens of another vocabulary.
        "bos_token_id": None,
    }
    if settings.architecture == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**common))
    if settings.architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(**common))
    # Gemma 3 scales attention by this number; its default, 256, is that of the large models.
    return Gemma3ForCausalLM(Gemma3TextConfig(**common, query_pre_attn_scalar=common["head_dim"]))


def document_loss(model: Any, batch: list[Case], score_weight: float, score_tokens: int) -> torch.Tensor:
    """Weighted mean cross-entropy of the answers' tokens, the documents packed into one row.

    Args:
        model: a causal language model.
        batch: documents with answers.
        score_weight: of the first `score_tokens` tokens of each answer, which hold the score; another's is 1.
        score_tokens: tokens of an answer's first line.
    """
    packed = pack(batch, next(model.parameters()).device)
    in_score = np.concatenate([np.arange(len(case.answer)) < score_tokens for case in batch])
    weights = torch.where(torch.from_numpy(in_score).to(packed.targets.device), score_weight, 1.0)
    logits = logits_of(model, packed_hidden(model, packed)[packed.predictors])
    losses = torch.nn.functional.cross_entropy(logits, packed.targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


def pretrain(model: Any, cases: list[Case], settings: TinyModel, score_tokens: int = 0) -> list[float]:
    """AdamW with a one-cycle schedule over seeded batches of similar length; the loss of every step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.01, betas=(0.9, 0.98))
    # torch (2.13) divides by pct_start * total_steps - 1, which half of two steps makes 0.
    rise = 0.75 if settings.steps == 2 else min(0.5, max(0.1, 2 / settings.steps))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps, pct_start=rise)
    draw = np.random.default_rng(stable_seed(settings.seed, "pretraining"))
    ordered = sorted(cases, key=lambda case: (case.length, case.case_id))
    losses = []
    model.train()
    said, in_terminal = time.monotonic(), sys.stderr.isatty()
    for step in tqdm(range(1, settings.steps + 1), desc="pretraining", disable=not in_terminal):
        start = int(draw.integers(0, max(1, len(ordered) - 8 * settings.batch_size)))
        pool = ordered[start : start + 8 * settings.batch_size]  # neighbours in length: little padding
        batch = [pool[int(i)] for i in draw.choice(len(pool), min(settings.batch_size, len(pool)), replace=False)]
        loss = document_loss(model, batch, settings.score_weight, score_tokens)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if not in_terminal and time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            log.info("base-model: step %d of %d, loss %.3f", step, settings.steps, losses[-1])
    return losses


# What a base model's folder holds, by the pattern of its name.
WRITTEN = ("*config.json", "model*.safetensors*", "tokenizer*", "special_tokens_map.json", "*.jinja", "manifest.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a corpus, write a base-model folder."""
    parser = step_parser("base-model", "example:\n  oncoraft base-model corpus.jsonl --out models/tiny")
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="JSONL with instruction, input, output")
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder to write")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given = parser.parse_args(arguments)
    blocks = read_settings("base-model", given)
    settings = blocks["model"].build
    if settings is None:
        raise InputError("expected a model with a `build` block", column="model")
    claim(given.out, step="base-model", folders=[given.out], own=WRITTEN)
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    rows = read_rows(given.corpus)
    tokenizer = train_tokenizer([prompt_text(row) + row["output"] for row in rows], settings.vocabulary_size)
    model = new_model(settings, tokenizer).to(device_for(hold_devices(given.gpus)))
    cases = encode(rows, tokenizer, settings.context_length, max_answer_tokens=settings.context_length)
    size = sum(parameter.numel() for parameter in model.parameters())
    log.info(
        "base-model: %s, %d parameters, %d documents of %.0f tokens",
        settings.architecture,
        size,
        len(cases),
        np.mean([c.length for c in cases]),
    )
    score_tokens = len(text_token_ids(tokenizer, [answer_text(0.0, "").partition("Reasoning")[0]])[0])
    losses = pretrain(model, cases, settings, score_tokens)
    counts = {"parameters": size, "documents": len(cases), "first_loss": losses[0], "last_loss": float(np.mean(losses[-20:]))}
    with publishing(given.out, step="base-model", folders=[given.out], own=WRITTEN) as (folder,):
        model.eval().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        outputs = {given.out / path.name: path for path in sorted(folder.iterdir())}
        settings_now = settings_record(given, blocks)
        record = manifest(
            "base-model", inputs=[given.corpus], outputs=outputs, settings=settings_now, counts=counts, beside=given.out / "manifest.json"
        )
        write_json(folder / "manifest.json", record)
    log.info("base-model: loss %.3f -> %.3f", counts["first_loss"], counts["last_loss"])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
