#!/usr/bin/env bash
# torchao 0.18.0, peft 0.21.2, transformers 5.17.0, torch 2.13.0: LoRA over a base whose linear layers were converted for FP8 training
#
# Guess: under an adapter the base is frozen, so a layer takes two products, forward and for the gradient of its states, as torch's own linear layer does;
#        FP8 products take half the time of bf16 ones, so the step takes little more than half as long.
# Fact:  the converted layer's backward pass rounds states and gradient once more and multiplies them to the gradient of the weight as well, whether or not
#        the weight wants one (`matmul_with_hp_or_float8_args.backward` does not look at what its inputs need); autograd then throws the result away.
#        A decoder's base takes 1.5 times the arithmetic, and every layer's input is kept for it.
# Why:   three products at half the time are three quarters of the bf16 step before the extra rounding, and memory grows with the tokens, which is what FP8
#        was to save on one Hopper card. Losses and adapters are the same with and without, so nothing tells. `training.fp8_base` here takes two products.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 torchao==0.18.0 transformers==5.17.0 accelerate==1.15.0 peft==0.21.2 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON' 2>/dev/null
import math
import sys

import torch
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from torchao.float8 import Float8LinearConfig, convert_to_float8_training
from transformers import LlamaConfig, LlamaForCausalLM


class Products(TorchDispatchMode):
    """Multiplications in matrix products with both widths above the adapter's rank: those of the base."""

    def __init__(self) -> None:
        super().__init__()
        self.multiplications = 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        if function.overloadpacket is torch.ops.aten.mm and min(*arguments[0].shape, *arguments[1].shape) > 8:
            self.multiplications += math.prod(arguments[0].shape) * arguments[1].shape[1]
        return function(*arguments, **(named or {}))


def backward_over_forward(converted: bool) -> float:
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    model = get_peft_model(LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes)), LoraConfig(r=8, target_modules=["q_proj", "v_proj"]))
    if converted:
        convert_to_float8_training(
            model.base_model.model.model,
            module_filter_fn=lambda module, name: "lora_" not in name,
            config=Float8LinearConfig(emulate=True),  # the same products on a CPU
        )
    states = torch.randn(1, 48, 64, requires_grad=True)
    with Products() as forward:
        out = model.base_model.model.model(inputs_embeds=states).last_hidden_state
    with Products() as backward:
        out.sum().backward()
    assert all(value.grad is None for name, value in model.named_parameters() if "lora_" not in name)
    return backward.multiplications / forward.multiplications


own, fp8 = backward_over_forward(converted=False), backward_over_forward(converted=True)
print(f"multiplications of the backward pass over those of the forward pass: torch's layers {own:.2f}, guess the same, fact {fp8:.2f}")
if own <= 1.0 and fp8 > 1.9:
    sys.exit(0)
sys.exit("changed: a frozen weight in FP8 is spared its gradient")
PYTHON
