"""Cases per second: score and rationale from one prefill, against generate-then-forward-again, in one run on one machine.

    python benchmarks/inference.py                                        a Qwen3 of 7 million parameters, 384 in, 64 out
    python benchmarks/inference.py --shape qwen3-8b --device cuda         one GPU, random weights, 3072 in, 512 out, LoRA as published

Three ways answer the same prompts, all to the full length, sampled at temperature 0.6 and top-p 0.9, their rounds taking turns:
`published` (the quick start: one case at a time, generate, then a second pass over the prompt for the score), `batched` (the same two
passes over left-padded batches, which is what one would write next) and `ours`. On a CPU seconds are those that the process had, so that
a busy machine does not disturb the ratio. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import Qwen3Config, Qwen3ForCausalLM

from oncoraft.inference.answer import answer_group
from oncoraft.inference.engine import Engine, in_groups
from oncoraft.models.base import causal_of
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import new_score_head, with_adapter
from oncoraft.planning.config import Inference

SHAPES: dict[str, dict[str, int]] = {
    "small": {
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 32,
        "intermediate_size": 768,
        "vocab_size": 8192,
    },
    "qwen3-8b": {
        "hidden_size": 4096,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 12_288,
        "vocab_size": 151_936,
    },
}
PAD = 0


class Words:
    """Stands in for a tokenizer: the forced opening as ten tokens, any ids as text."""

    def __call__(self, texts: Sequence[str], **_: Any) -> dict[str, list[list[int]]]:
        """Ids of every text."""
        return {"input_ids": [list(range(10, 20)) for _ in texts]}

    def decode(self, tokens: Sequence[int], **_: Any) -> str:
        """Text of the ids."""
        return " ".join(map(str, tokens))


def built(shape: str, device: torch.device, context: int) -> tuple[Any, nn.Sequential]:
    """A model of this shape with random weights and the published adapter, and a score head."""
    config = Qwen3Config(**SHAPES[shape], max_position_embeddings=context, eos_token_id=None, pad_token_id=PAD, tie_word_embeddings=False)
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(torch.bfloat16 if device.type == "cuda" else torch.float32)
    with device:
        model = Qwen3ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    adapted = with_adapter(model, 16, 32.0, 0.1, ("q_proj", "k_proj", "v_proj", "o_proj"))
    return adapted.eval(), new_score_head(config.hidden_size).to(device).eval()


def made_cases(count: int, tokens: int, vocabulary: int) -> list[Case]:
    """Prompts of random ids, 80 to 100 % of `tokens` long, the longest first."""
    draw = np.random.default_rng(0)
    lengths = sorted(draw.integers(int(0.8 * tokens), tokens + 1, count), reverse=True)
    ids = [tuple(int(token) for token in draw.integers(20, vocabulary, length)) for length in lengths]
    return [Case(f"c{number:04d}", "p", 0, prompt, (), None, None) for number, prompt in enumerate(ids)]


@torch.inference_mode()
def two_passes(model: Any, head: nn.Sequential, cases: Sequence[Case], new_tokens: int, batch: int) -> list[float]:
    """Generate, then read the prompt again for the score, as the quick start does; batches are padded on the left."""
    device, scores = next(model.parameters()).device, []
    for start in range(0, len(cases), batch):
        some = cases[start : start + batch]
        width = max(len(case.prompt) for case in some)
        ids = torch.tensor([[PAD] * (width - len(case.prompt)) + list(case.prompt) for case in some], device=device)
        mask = torch.tensor([[0] * (width - len(case.prompt)) + [1] * len(case.prompt) for case in some], device=device)
        how = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 0, "pad_token_id": PAD, "eos_token_id": None}
        model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=new_tokens, min_new_tokens=new_tokens, **how)
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        states = model(input_ids=ids, attention_mask=mask, position_ids=places, output_hidden_states=True).hidden_states[-1]
        scores += head(states[:, -1].float())[:, 0].tolist()
    return scores


def one_prefill(engine: Engine, cases: Sequence[Case], settings: Inference, context: int) -> list[float]:
    """What `oncoraft infer` does."""
    groups = in_groups([len(case.prompt) for case in cases], settings.cache_tokens, settings.max_new_tokens + 10)
    found: dict[str, float] = {}
    for group in groups:
        results = answer_group(engine, Words(), [cases[index] for index in group], settings, context)
        found.update({result.case_id: 1 / (1 + np.exp(-result.logit)) for result in results})
    return [found[case.case_id] for case in cases]


def timed(act: Callable[[], list[float]], device: torch.device) -> tuple[float, list[float]]:
    """Seconds of one call, and its scores."""
    if device.type == "cpu":
        begin = time.process_time()
        scores = act()
        return (time.process_time() - begin) / torch.get_num_threads(), scores
    torch.cuda.synchronize()
    begin = time.perf_counter()
    scores = act()
    torch.cuda.synchronize()
    return time.perf_counter() - begin, scores


def parse() -> argparse.Namespace:
    """The command line; lengths and counts follow the shape where they are left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--prompt-tokens", type=int)
    parser.add_argument("--new-tokens", type=int)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--batch", type=int, help="of the batched two-pass way")
    parser.add_argument("--cache-tokens", type=int, help="of ours")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only-ours", action="store_true", help="leave the two-pass ways out")
    given = parser.parse_args()
    usual = {"small": (384, 64, 24, 8, 131_072), "qwen3-8b": (3072, 512, 128, 16, 262_144)}[given.shape]
    for name, value in zip(("prompt_tokens", "new_tokens", "cases", "batch", "cache_tokens"), usual, strict=True):
        if getattr(given, name) is None:
            setattr(given, name, value)
    return given


def main() -> int:
    """Measure and print."""
    given = parse()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    device, context = torch.device(given.device), given.prompt_tokens + given.new_tokens + 16
    model, head = built(given.shape, device, context)
    cases = made_cases(given.cases, given.prompt_tokens, SHAPES[given.shape]["vocab_size"])
    settings = Inference(max_new_tokens=given.new_tokens, cache_tokens=given.cache_tokens)
    sdpa = causal_of(model).config._attn_implementation
    engine = Engine(model, head, PAD, (-1,), settings.batch_tokens)
    ours = causal_of(model).config._attn_implementation
    few = cases[: max(2, given.cases // 6)]  # one at a time is slow: fewer cases, of every length
    ways: dict[str, tuple[str, int, Callable[[], list[float]]]] = {
        "ours": (ours, len(cases), lambda: one_prefill(engine, cases, settings, context)),
        "batched": (sdpa, len(cases), lambda: two_passes(model, head, cases, given.new_tokens, given.batch)),
        "published": (sdpa, len(few), lambda: two_passes(model, head, few, given.new_tokens, 1)),
    }
    if given.only_ours:
        ways = {"ours": ways["ours"]}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        for name, (attention, count, act) in ways.items():
            causal_of(model).set_attn_implementation(attention)
            seconds, scores[name] = timed(act, device)
            speeds[name].append(count / seconds)
    record: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()}, {given.threads} threads",
        "torch": torch.__version__,
        **{name: value for name, value in vars(given).items() if name not in {"only_ours", "device"}},
        "cases_per_second": {name: round(statistics.median(values), 3) for name, values in speeds.items()},
    }
    for name in ways.keys() - {"ours"}:
        ratios = [one / other for one, other in zip(speeds["ours"], speeds[name], strict=True)]
        record[f"ours_over_{name}"] = round(statistics.median(ratios), 2)
        record[f"largest_score_difference_{name}"] = max(abs(one - other) for one, other in zip(scores["ours"], scores[name]))
    if device.type == "cuda":
        record["peak_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
    print(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
