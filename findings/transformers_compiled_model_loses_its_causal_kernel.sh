#!/usr/bin/env bash
# transformers 5.17.0, torch 2.13.0: a causal model compiled as a whole, given token ids without an attention mask
#
# Guess: compiling a forward pass makes it quicker and changes nothing else: attention that is causal by itself, without a mask, stays so.
# Fact:  eager, the model looks at the numbers, finds nothing padded or packed, makes no mask and calls attention as causal. While it is traced it may not
#        look, so it makes a mask of (1, 1, tokens, tokens) and hands it to every layer, is_causal off. A mask rules out the flash kernels on a GPU; what
#        is left reads every pair, hidden or not: about twice the arithmetic, and a mask that grows with the square of the tokens. An attention mask of ones
#        does the same. Results are equal, no warning.
# Why:   at prompts of thousands of tokens attention is a good part of a step: the compiled step is slower or out of memory, and one blames the compiler.
#        Here decoder layers are compiled one by one, around an attention that is bounded by lengths and has no mask.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON' 2>/dev/null
import sys
from unittest import mock

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

TOKENS = 512
torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
model = LlamaForCausalLM(LlamaConfig(vocab_size=64, **sizes)).eval()
prompt = torch.randint(1, 64, (1, TOKENS))
calls: dict[str, list[tuple[int, bool]]] = {"eager": [], "compiled": []}  # of every call: numbers in its mask, whether it is causal by itself
attend = functional.scaled_dot_product_attention


def noted(*given, attn_mask=None, is_causal=False, **named):
    calls["eager"].append((0 if attn_mask is None else attn_mask.numel(), is_causal))
    return attend(*given, attn_mask=attn_mask, is_causal=is_causal, **named)


def read(graph, inputs):
    """A compiler that notes what attention is called with, and compiles nothing."""
    for node in graph.graph.nodes:
        if node.target is attend:
            mask = node.kwargs.get("attn_mask")
            calls["compiled"].append((0 if mask is None else mask.meta["example_value"].numel(), bool(node.kwargs.get("is_causal"))))
    return graph.forward


with torch.no_grad():
    with mock.patch.object(functional, "scaled_dot_product_attention", noted):
        before = model(input_ids=prompt, use_cache=False).logits
    after = torch.compile(model, backend=read)(input_ids=prompt, use_cache=False).logits
print("each layer's attention, eager:", set(calls["eager"]))
print("compiled: guess the same, fact", set(calls["compiled"]), "(numbers in its mask, causal by itself)")
is_so = set(calls["eager"]) == {(0, True)} and set(calls["compiled"]) == {(TOKENS**2, False)}
sys.exit(0 if is_so and torch.allclose(before, after, atol=1e-4) else "changed: a compiled model attends as the eager one does")
PYTHON
