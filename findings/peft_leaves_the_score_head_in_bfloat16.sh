#!/usr/bin/env bash
# peft 0.21.2, transformers 5.17.0, torch 2.13.0: LoRA and a new classification head on a base that was saved in bfloat16
#
# Guess: what is trained is kept in float32: peft says so of its adapters (autocast_adapter_dtype), and Trainer(bf16=True) is mixed precision.
# Fact:  transformers 5 loads in the type of the file, peft raises LoRA's matrices to float32 but not the head in modules_to_save, which stays in bfloat16,
#        with no float32 copy in the optimizer. At the learning rates of fine-tuning an update is smaller than half the distance of two bfloat16
#        numbers and is rounded away: most weights of the head never move. dtype=torch.float32 at loading lets all of them move.
# Why:   the head that turns a language model's state into the patient's score is new and has everything to learn. LoRA beside it does learn and the
#        loss may fall, so nothing shows that the head stands nearly still.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 peft==0.21.2 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON' 2>&1 | tr '\r' '\n' | sed '/examples\/s\]/d; /it\/s\]/d; /^$/d'
import sys

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import AutoModelForSequenceClassification, LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments
from transformers.utils import logging

logging.set_verbosity_error()
torch.manual_seed(0)
sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
LlamaForCausalLM(LlamaConfig(vocab_size=64, pad_token_id=0, **sizes)).to(torch.bfloat16).save_pretrained("base")


def share_that_moves(**how: torch.dtype) -> tuple[float, set[torch.dtype], torch.dtype]:
    """Share of the head's weights that differ after 20 steps, the types of LoRA's matrices and that of the head."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained("base", num_labels=2, **how)
    model = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, target_modules=["q_proj", "v_proj"]))
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    (head,) = (value for name, value in trained.items() if "score" in name)
    before = head.detach().clone()
    cases = [{"input_ids": torch.cat([torch.randint(3, 64, (8,)), torch.tensor([n % 2 + 1])]), "labels": n % 2} for n in range(64)]
    settings = TrainingArguments(
        "out", max_steps=20, learning_rate=2e-5, lr_scheduler_type="constant", per_device_train_batch_size=8, bf16=True,
        report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no",
    )
    Trainer(model, settings, train_dataset=cases).train()
    lora = {value.dtype for name, value in trained.items() if "lora" in name}
    return (head != before).float().mean().item(), lora, head.dtype


as_loaded, lora, head = share_that_moves()
raised, _, _ = share_that_moves(dtype=torch.float32)
print(f"LoRA is in {lora}; the head beside it: guess float32, fact {head}")
print(f"weights of the head that moved in 20 steps at 2e-5: guess all, fact {as_loaded:.0%}; loaded in float32 {raised:.0%}")
if lora == {torch.float32} and head == torch.bfloat16 and as_loaded < 0.6 and raised > 0.99:
    sys.exit(0)
sys.exit("changed: the head is trained in float32, or all of it moves")
PYTHON
