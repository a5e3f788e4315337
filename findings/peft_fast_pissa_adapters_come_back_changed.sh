#!/usr/bin/env bash
# peft 0.21.2, transformers 5.17.0, torch 2.13.0: an adapter of init_lora_weights="pissa_niter_4" saved and loaded again
#
# Guess: a saved adapter on the same base gives the same model, whatever its weights started from.
# Fact:  PiSSA takes the largest singular vectors out of the base weight and puts them into the adapter; what is saved is the adapter, and the rest of the
#        weight is computed anew where it is loaded. The fast form does so by a randomised decomposition: another random state leaves another rest, and the
#        product in the saved adapter no longer completes it. The exact form ("pissa") comes back as it was. No warning on either side.
# Why:   with weights of a large model the fast form is the one that is used (seconds instead of hours); predictions made in the training process cannot be
#        had again from the folder, and a fold's score moves with whoever loads it. Here adapters start as LoRA does, from a second matrix of zeros.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 peft==0.21.2 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python - <<'PYTHON' 2>warnings
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
LlamaForCausalLM(LlamaConfig(vocab_size=64, initializer_range=0.1, **sizes)).save_pretrained("base")
prompt = torch.arange(1, 13)[None]


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=prompt).logits[0, -1]


def apart(start: str) -> tuple[float, float]:
    """How far the logits of the loaded adapter lie from those before it was saved; the range of the latter."""
    torch.manual_seed(1)
    config = LoraConfig(r=8, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=start)
    model = get_peft_model(LlamaForCausalLM.from_pretrained("base"), config)
    model.save_pretrained(start)
    before = logits(model)
    torch.manual_seed(2)  # a process of its own has another random state
    after = logits(PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained("base"), start))
    return float((after - before).abs().max()), float(before.max() - before.min())


(exact, _), (fast, span) = apart("pissa"), apart("pissa_niter_4")
print(f"largest difference of a logit after loading: exact PiSSA {exact:.6f}; fast PiSSA guess the same, fact {fast:.4f} (logits span {span:.2f})")
sys.exit(0 if exact < 1e-4 < 1e-2 < fast else "changed: a fast PiSSA adapter comes back as it was saved")
PYTHON
grep -i "pissa\|warn" warnings | head -3 || echo "warnings: none"
