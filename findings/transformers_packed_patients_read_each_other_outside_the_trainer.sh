#!/usr/bin/env bash
# transformers 5.17.0 (torch 2.13.0, accelerate 1.15.0): a packed batch of DataCollatorWithFlattening on the default attention, sdpa, and on eager
#
# Guess: position_ids that begin anew with each patient keep packed patients apart, wherever the same model reads the same batch: in Trainer's evaluation, which
#        shows it, and in a script that scores them.
# Fact:  where one patient ends is looked for only while there is no key-value cache. Trainer sets use_cache to False in the model's configuration; a model
#        loaded from the file has True, makes itself an empty cache in every call, and takes the batch for one long text. Each patient but the first
#        then reads those packed before him: his score moves with his neighbour's record. use_cache=False gives the scores of each alone. No warning,
#        no error, and inference without gradients is no difference.
# Why:   held-out cases are packed because records are of very unequal length. The loss of the trainer and the scores of the script disagree by what looks like noise;
#        the scores depend on the order of the file, and a patient's label may stand in the text before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON' 2>&1 | tr '\r' '\n' | sed '/Loading weights/d; /model shards/d; /it\/s\]/d; /^{/d; /^$/d'
import sys

import torch
from transformers import AutoModelForCausalLM, DataCollatorWithFlattening, LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
LlamaForCausalLM(LlamaConfig(vocab_size=64, pad_token_id=0, initializer_range=0.2, **sizes)).save_pretrained("model")
records = [torch.randint(1, 64, (length,)).tolist() for length in (30, 7, 12)]
patients = [{"input_ids": record, "labels": record} for record in records]
YES = 5


@torch.no_grad()
def scores(model: LlamaForCausalLM, order: list[int], **settings: bool) -> list[float]:
    """The probability of "yes" after each patient's record, packed in an order and given back in that of the patients."""
    batch = DataCollatorWithFlattening()([patients[place] for place in order])
    batch = {name: value for name, value in batch.items() if name in ("input_ids", "position_ids")}
    found, end, answer = {}, 0, model(**batch, **settings).logits[0].softmax(dim=-1)
    for place in order:
        end += len(records[place])
        found[place] = answer[end - 1, YES].item()
    return [found[place] for place in range(len(records))]


def far(one: list[float], other: list[float]) -> float:
    return max(abs(a / b - 1) for a, b in zip(one, other))


told = []
for attention in ("sdpa", "eager"):
    model = AutoModelForCausalLM.from_pretrained("model", attn_implementation=attention).eval()
    with torch.no_grad():
        alone = [model(input_ids=torch.tensor([record])).logits[0, -1].softmax(dim=-1)[YES].item() for record in records]
        losses = [model(input_ids=torch.tensor([record]), labels=torch.tensor([record])).loss.item() for record in records]
    packed, turned, apart = scores(model, [0, 1, 2]), scores(model, [2, 1, 0]), scores(model, [0, 1, 2], use_cache=False)
    arguments = TrainingArguments("out", per_device_eval_batch_size=3, report_to="none", use_cpu=True, disable_tqdm=True)
    whole = sum(loss * (len(record) - 1) for loss, record in zip(losses, records)) / sum(len(record) - 1 for record in records)
    trainer = Trainer(model, arguments, data_collator=DataCollatorWithFlattening(), eval_dataset=patients).evaluate()["eval_loss"]
    print(f"{attention}: largest change of a patient's score against the patient alone")
    print(f"  as loaded, packed in one order: guess 0 %, fact {far(packed, alone):.0%}; in the other order {far(turned, alone):.0%}")
    print(f"  use_cache=False: {far(apart, alone):.0%}; first patient of a row: {abs(packed[0] / alone[0] - 1):.0%}")
    print(f"  loss of each alone {whole:.4f}, of Trainer's evaluation on the packed batch {trainer:.4f}")
    right = far(apart, alone) < 1e-3 and abs(trainer - whole) < 1e-3 and abs(packed[0] / alone[0] - 1) < 1e-3
    told.append(right and min(far(packed, alone), far(turned, alone)) > 0.05)
if all(told):
    sys.exit(0)
sys.exit("changed: packed patients are kept apart with a cache too, or not by Trainer either")
PYTHON
