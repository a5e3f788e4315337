"""Training speed against the loop that one would write first: padded batches, logits at every position.

    python benchmarks/training.py                     a small Qwen3 on a CPU; samples/s, same batches, one run
    python benchmarks/training.py --gpu --out FILE    Qwen3-8B's shape with random weights on one GPU

Both sides train the same LoRA (rank 16, alpha 32, dropout 0.1 on q, k, v, o) and the same score head on the same global batches of
eight cases with the same two losses; steps alternate, so that a busy machine slows both. On a GPU the first side is the default
recipe (activation checkpointing, padding to the longest of the batch, bf16 autocast), beside it the same without
checkpointing, and this engine as it is and compiled. Tokens are those of prompts and answers, padding not counted.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import Qwen3Config, Qwen3ForCausalLM

from oncoraft.foundation.errors import InputError
from oncoraft.models.cases import Case, padded
from oncoraft.models.fold_model import new_score_head, score_logit, with_adapter
from oncoraft.planning.config import Adapter, Strategy, Training
from oncoraft.training.loop import take_step
from oncoraft.training.roofline import measured_roof, work_of
from oncoraft.training.train import equip

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


def cases_of(steps: int, vocabulary: int, on_gpu: bool, seed: int = 11) -> list[list[Case]]:
    """Global batches of eight cases with lengths that vary as those of real prompts do.

    CPU: prompts of 100-700 tokens, answers of 40-200. GPU: prompts around 1,484 tokens (up to 3,072), rationales around 618 (up to
    1,024), as measured for the published layout.
    """
    draw = np.random.default_rng(seed)
    count = 8 * steps
    if on_gpu:
        prompts = np.clip(draw.lognormal(np.log(1400), 0.35, count), 300, 3072).astype(int)
        answers = np.clip(draw.lognormal(np.log(590), 0.3, count), 100, 1024).astype(int)
    else:
        prompts, answers = draw.integers(100, 701, count), draw.integers(40, 201, count)
    cases = []
    for number, (prompt, answer) in enumerate(zip(prompts, answers)):
        ids = draw.integers(2, vocabulary, prompt + answer).tolist()
        responder = bool(draw.random() < 0.3)
        cases.append(Case(f"c{number:05d}", f"p{number:05d}", 0, ids[:prompt], ids[prompt:], responder, 0.7 if responder else 0.0))
    return [cases[start : start + 8] for start in range(0, count, 8)]


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


def new_model(shape: dict[str, int], device: torch.device) -> Any:
    """Random weights on the device: bf16 on a GPU, fp32 on a CPU."""
    config = Qwen3Config(**shape, max_position_embeddings=8192, tie_word_embeddings=False)
    torch.manual_seed(0)
    with device:
        torch.set_default_dtype(torch.bfloat16 if device.type == "cuda" else torch.float32)
        model = Qwen3ForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    return model


def engine(shape: dict[str, int], device: torch.device, steps: int, tokens: int, compiled: bool) -> Callable[[list[Case]], float]:
    """A step of this engine."""
    settings = Training(tokens_per_micro_batch=tokens, compile=compiled, learning_rate=1e-4, score_head_learning_rate=1e-4)
    trainer = equip(new_model(shape, device), {"strategy": Strategy(), "training": settings, "adapter": Adapter()}, steps)
    trainer.model.train()
    assert trainer.head is not None
    trainer.head.train()
    return lambda cases: float(take_step(trainer, cases)["loss"] or 0.0)


def timed(step: Callable[[list[Case]], float], cases: list[Case], device: torch.device) -> tuple[float, float]:
    """Seconds of one step, and its loss."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    loss = step(cases)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started, loss


def row(name: str, seconds: list[float], batches: list[list[Case]], work: Any, roof: float, device: torch.device) -> dict[str, Any]:
    """What is reported of one side."""
    tokens = sum(case.length for batch in batches for case in batch)
    operations = sum(work.operations(batch, True) for batch in batches)
    return {
        "loop": name,
        "samples_per_second": round(8 * len(batches) / sum(seconds), 2),
        "tokens_per_second": round(tokens / sum(seconds)),
        "share_of_roof": round(operations / sum(seconds) / roof, 3),
        "memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1) if device.type == "cuda" else None,
    }


def on_cpu(steps: int, threads: int) -> dict[str, Any]:
    """Both sides alternating on the same batches; the ratio is the median over the steps."""
    torch.set_num_threads(threads)
    device = torch.device("cpu")
    batches = cases_of(steps + 1, SMALL["vocab_size"], on_gpu=False)
    reference = PaddedLoop(new_model(SMALL, device), Adapter(), device, checkpointing=False)
    ours = engine(SMALL, device, steps, 16_384, compiled=False)
    work, roof = work_of(reference.model, True), measured_roof(device)
    times: list[tuple[float, float]] = []
    cpu: list[float] = []
    for number, batch in enumerate(batches):
        spent = [time.process_time()]
        pair = []
        for step in (reference.step, ours):
            pair.append(timed(step, batch, device))
            spent.append(time.process_time())
        if number:  # the first step warms up
            times.append((pair[0][0], pair[1][0]))
            cpu.append((spent[1] - spent[0]) / (spent[2] - spent[1]))
        print(
            f"step {number}: padded {pair[0][0]:.2f} s, loss {pair[0][1]:.3f}; packed {pair[1][0]:.2f} s, loss {pair[1][1]:.3f}", flush=True
        )
    sides = zip(("padded, all logits", "packed"), zip(*times, strict=True), strict=True)
    rows = [row(name, list(seconds), batches[1:], work, roof, device) for name, seconds in sides]
    return {
        "rows": rows,
        "ratio": round(statistics.median(a / b for a, b in times), 2),
        "ratio_of_cpu_time": round(statistics.median(cpu), 2),
    }


def on_gpu(steps: int, tokens: int) -> dict[str, Any]:
    """One side after the other on one GPU, each with its own copy of the model."""
    device = torch.device("cuda")
    batches = cases_of(steps + 2, QWEN3_8B["vocab_size"], on_gpu=True)
    roof = measured_roof(device)
    sides: dict[str, Callable[[], Any]] = {
        "default loop: padded, all logits, checkpointing": lambda: PaddedLoop(new_model(QWEN3_8B, device), Adapter(), device, True).step,
        "packed, eager": lambda: engine(QWEN3_8B, device, steps, tokens, compiled=False),
        "packed, compiled": lambda: engine(QWEN3_8B, device, steps, tokens, compiled=True),
        "padded, all logits, no checkpointing": lambda: PaddedLoop(new_model(QWEN3_8B, device), Adapter(), device, False).step,
    }
    work: Any = None
    rows: list[dict[str, Any]] = []
    for name, build in sides.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        try:
            step = build()
            if work is None:
                work = work_of(step.__self__.model, True)
            seconds = [timed(step, batch, device)[0] for batch in batches]
            rows.append(row(name, seconds[2:], batches[2:], work, roof, device))
        except (torch.OutOfMemoryError, InputError):  # the engine turns it into a line that names the setting
            rows.append({"loop": name, "samples_per_second": None, "note": "out of memory"})
        step = None
        gc.collect()
        print(json.dumps(rows[-1]), flush=True)
    return {"rows": rows, "roof_tflops": round(roof / 1e12), "tokens_per_micro_batch": tokens, "device": torch.cuda.get_device_name()}


def main() -> None:
    """Measure and print; `--out` writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true", help="Qwen3-8B's shape on one GPU")
    parser.add_argument("--steps", type=int, default=8, help="measured steps of eight cases")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--tokens", type=int, default=16_384, help="tokens per micro-batch on a GPU")
    parser.add_argument("--out", type=Path, help="JSON to write")
    given = parser.parse_args()
    found = on_gpu(given.steps, given.tokens) if given.gpu else on_cpu(given.steps, given.threads)
    found |= {"steps": given.steps, "torch": torch.__version__, "machine": platform.processor() or platform.machine()}
    print(json.dumps(found, indent=1))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
