#!/usr/bin/env bash
# peft 0.21.2, transformers 5.17.0, torch 2.13.0: merging one of several adapters, each with a classification head of its own
#
# Guess: merge_and_unload(adapter_names=["fold2"]) and merge_adapter(["fold2"]) give the model of fold 2, as set_adapter("fold2") does.
# Fact:  they merge the low-rank matrices of fold 2 and leave the head (modules_to_save) of whichever adapter is active, which is the first one loaded. Fold 1
#        is right, every other fold has the first fold's head on its own body: scores that look like scores and are nobody's. add_weighted_adapter
#        refuses a pair of heads, this says nothing. set_adapter before the merge is the way out.
# Why:   cross-validation leaves a folder a fold, which are loaded side by side over one base and merged one by one, for speed or to hand on a plain model. Four of
#        five held-out folds are then scored by a model that was never trained, one whose head, moreover, has seen their patients.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 peft==0.21.2 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python - <<'PYTHON' 2>&1 | tr '\r' '\n' | sed '/Loading weights/d; /model shards/d; /^$/d'
import sys
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForSequenceClassification

FOLDS = ["fold1", "fold2", "fold3"]
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
torch.manual_seed(0)
LlamaForSequenceClassification(LlamaConfig(vocab_size=64, num_labels=2, pad_token_id=0, **sizes)).save_pretrained("base")
patients = torch.randint(1, 64, (6, 20))


def base() -> LlamaForSequenceClassification:
    return LlamaForSequenceClassification.from_pretrained("base", dtype=torch.float32)


for fold in FOLDS:  # what the training of a fold leaves: its matrices and its head
    trained = get_peft_model(base(), LoraConfig(task_type="SEQ_CLS", target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    torch.nn.init.normal_(trained.base_model.model.score.modules_to_save["default"].weight, std=0.3)
    trained.save_pretrained(fold)


def all_folds() -> PeftModel:
    model = PeftModel.from_pretrained(base(), FOLDS[0], adapter_name=FOLDS[0])
    for fold in FOLDS[1:]:
        model.load_adapter(fold, adapter_name=fold)
    return model.eval()


@torch.no_grad()
def scores(model: torch.nn.Module) -> torch.Tensor:
    return model(input_ids=patients).logits.softmax(dim=-1)[:, 1]


told, right = [], []
for fold in FOLDS:
    model = all_folds()
    model.set_adapter(fold)
    truth = scores(model)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        merged = all_folds().merge_and_unload(adapter_names=[fold])
        beside = all_folds()
        beside.merge_adapter([fold])
    said = [one for one in said if "merg" in str(one.message).lower()]
    wrong, also = ((scores(one) - truth).abs().max().item() for one in (merged, beside))
    activated = (scores(model.merge_and_unload()) - truth).abs().max().item()
    print(f"{fold}: largest error of a patient's probability: guess 0, fact {wrong:.3f} (merge_adapter {also:.3f}); set_adapter first {activated:.3f}")
    told.append(wrong > 0.02 and abs(wrong - also) < 1e-4 and not said)
    right.append(activated < 1e-4)
if told == [False, True, True] and all(right):
    sys.exit(0)
sys.exit("changed: an adapter is merged with its own head, or something is said")
PYTHON
