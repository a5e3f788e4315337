#!/usr/bin/env bash
# transformers 5.17.0 (torch 2.13.0, accelerate 1.15.0; the same in transformers 5.24.0): Trainer with a sequence classification head
#
# Guess: 8 cases in one batch, or 2 cases and gradient_accumulation_steps=4, are one and the same step, but for rounding.
# Fact:  Trainer sees **kwargs in the model's forward, takes it that the model divides its loss by the number of items of the whole step, and leaves out
#        the division by the accumulation steps. The classification head of the decoders accepts the kwargs and does not hand them to its loss. So the
#        step has 4 times the loss and 4 times the gradient, and max_grad_norm clips what it would have let pass. Nothing is said; causal language
#        models, whose head does divide, are right, so that a check on those shows nothing.
# Why:   a score head on a language model is trained on 1 or 2 long prompts at a time with 16 to 64 accumulation steps. Whoever moves to a larger GPU and
#        halves the accumulation trains another model, and training loss cannot be compared with evaluation loss.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON' 2>&1 | tr '\r' '\n' | sed '/it\/s\]/d'
import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, Trainer, TrainingArguments

SIZES = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}


def first_step(kind: type, batch: int, accumulation: int) -> tuple[float, float]:
    """Loss and norm of the gradient that the first step of 8 cases reports."""
    torch.manual_seed(0)
    model = kind(LlamaConfig(vocab_size=64, num_labels=2, pad_token_id=0, **SIZES))
    tokens = torch.randint(1, 64, (8, 8))
    labels = tokens if kind is LlamaForCausalLM else torch.arange(8) % 2
    cases = [{"input_ids": row, "labels": label} for row, label in zip(tokens, labels)]
    settings = TrainingArguments(
        "out", per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation, max_steps=1, logging_steps=1,
        report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no",
    )
    trainer = Trainer(model, settings, train_dataset=cases)
    trainer.train()
    return trainer.state.log_history[0]["loss"], trainer.state.log_history[0]["grad_norm"]


ratio = {}
for kind in (LlamaForCausalLM, LlamaForSequenceClassification):
    (loss, norm), (loss_4, norm_4) = first_step(kind, 8, 1), first_step(kind, 2, 4)
    ratio[kind] = norm_4 / norm
    print(f"{kind.__name__}: loss {loss:.3f} in one batch, {loss_4:.3f} in four; gradient guess 1 times, fact {norm_4 / norm:.2f} times")
if abs(ratio[LlamaForCausalLM] - 1) < 0.01 and abs(ratio[LlamaForSequenceClassification] - 4) < 0.1:
    sys.exit(0)
sys.exit("changed: accumulation no longer multiplies the loss of a classification head")
PYTHON
