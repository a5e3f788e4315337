#!/usr/bin/env bash
# transformers 5.17.0, torch 2.13.0: TrainingArguments(train_sampling_strategy="group_by_length") and Trainer.predict
#
# Guess: a setting called train_sampling_strategy, "the sampler to use for the training dataloader", concerns training; row i of predict(data).predictions is
#        for row i of data, as with every other strategy.
# Fact:  evaluation and prediction group by length too, so rows come in an order drawn from lengths and seed. predict() returns its labels in the same order, so
#        that the trainer's own metrics are right and nothing looks broken; nothing that it returns says which row is whose, and nothing is said.
# Why:   scores are written beside patients by position, and each then stands beside the follow-up of another: the trainer's metric is good, the survival
#        curves of the score groups fall together. Records of patients are of very unequal length, which is when one groups by length.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON' 2>&1 | tr '\r' '\n' | sed '/examples\/s\]/d; /it\/s\]/d; /^$/d'
import sys

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification, Trainer, TrainingArguments

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
model = LlamaForSequenceClassification(LlamaConfig(vocab_size=64, num_labels=2, pad_token_id=0, **sizes)).eval()
patients = [{"input_ids": torch.randint(1, 64, (int(n),)), "labels": place % 2} for place, n in enumerate(torch.randint(4, 40, (12,)))]


def padded(rows: list[dict]) -> dict[str, torch.Tensor]:
    tokens = torch.nn.utils.rnn.pad_sequence([row["input_ids"] for row in rows], batch_first=True)
    return {"input_ids": tokens, "attention_mask": (tokens > 0).long(), "labels": torch.tensor([row["labels"] for row in rows])}


with torch.no_grad():
    alone = np.stack([model(input_ids=patient["input_ids"][None]).logits[0].numpy() for patient in patients])
labels = np.array([patient["labels"] for patient in patients])


def answered(strategy: str) -> tuple[list[int], bool]:
    """Whose score each row of the predictions is, and whether the trainer's own labels fit it."""
    settings = TrainingArguments(
        "out", train_sampling_strategy=strategy, per_device_eval_batch_size=4, report_to="none", use_cpu=True, disable_tqdm=True
    )
    answer = Trainer(model, settings, data_collator=padded).predict(patients)
    whose = [int(np.abs(alone - row).sum(axis=1).argmin()) for row in answer.predictions]
    assert np.allclose(answer.predictions, alone[whose], atol=1e-4)
    return whose, bool((answer.label_ids == labels[whose]).all())


order = {strategy: answered(strategy) for strategy in ("random", "sequential", "group_by_length")}
for strategy, (whose, fits) in order.items():
    print(f"{strategy}: rows of predict() are those of patients, guess {list(range(12))}, fact {whose}; its labels in the same order: {fits}")
kept = [strategy for strategy, (whose, _) in order.items() if whose == list(range(12))]
if kept == ["random", "sequential"] and sorted(order["group_by_length"][0]) == list(range(12)) and order["group_by_length"][1]:
    sys.exit(0)
sys.exit("changed: predict() keeps the order of the data, or no strategy does")
PYTHON
