"""What `benchmarks/training.py` measures on: shapes of models with random weights, and the loop that one would write first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import Qwen3Config, Qwen3ForCausalLM

from oncoraft.models.cases import Case, padded
from oncoraft.models.fold_model import new_score_head, score_logit, with_adapter

if TYPE_CHECKING:
    from oncoraft.planning.config import Adapter

SMALL = {
    "vocab_size": 16_384,
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
}
QWEN3_8B = {
    "vocab_size": 151_936,
    "hidden_size": 4096,
    "intermediate_size": 12_288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
# Qwen3-8B's shape made small enough for a CPU and some seconds: the same ratios of heads and widths.
TINY = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 16,
}


def new_model(shape: dict[str, int], device: torch.device) -> Any:
    """Random weights on the device: bf16 on a GPU, fp32 on a CPU."""
    config = Qwen3Config(**shape, max_position_embeddings=8192, tie_word_embeddings=False)
    torch.manual_seed(0)
    with device:
        torch.set_default_dtype(torch.bfloat16 if device.type == "cuda" else torch.float32)
        model = Qwen3ForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    return model


class PaddedLoop:
    """The reference: one padded batch a step, the model's own loss over logits at all positions, head on the hidden state."""

    def __init__(self, model: Any, adapter: Adapter, device: torch.device, checkpointing: bool) -> None:
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self.model = with_adapter(model, adapter.rank, adapter.alpha, adapter.dropout, adapter.target_modules).train()
        if checkpointing:
            self.model.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
        self.head = new_score_head(model.config.hidden_size).to(device).train()
        self.device = device
        self.learned = [p for module in (self.model, self.head) for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.learned, lr=1e-4)

    def step(self, cases: list[Case]) -> float:
        """One optimiser step; its loss."""
        ids, mask = padded(cases, 0, self.device)
        labels = torch.full_like(ids, -100)
        for row, case in enumerate(cases):
            labels[row, len(case.prompt) : case.length] = ids[row, len(case.prompt) : case.length]
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            out = self.model(input_ids=ids, attention_mask=mask, labels=labels, output_hidden_states=True, use_cache=False)
        ends = torch.tensor([len(case.prompt) - 1 for case in cases], device=self.device)
        logit = score_logit(self.head, out.hidden_states[-1][torch.arange(len(cases), device=self.device), ends])
        wanted = torch.tensor([float(bool(case.responder)) for case in cases], device=self.device)
        loss = out.loss + nn.functional.binary_cross_entropy_with_logits(logit, wanted)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learned, 1.0)
        self.optimizer.step()
        return float(loss.detach())
