"""Cases per second: score and rationale from one prefill, against generate-then-forward-again, in one run on one machine.

    python benchmarks/inference.py                                        a Qwen3 of 7 million parameters, 384 in, 64 out
    python benchmarks/inference.py --shape qwen3-8b --device cuda         one GPU, random weights, 3072 in, 512 out, LoRA as published
    python benchmarks/inference.py --shape qwen3-8b --device cuda --tiny  the same code to its end at a tiny size, on a CPU too

Ways that answer the same prompts, all to the full length, sampled at temperature 0.6 and top-p 0.9, their rounds taking turns:
`published` (the quick start: one case at a time, generate, then a second pass over the prompt for the score), `batched` (the same two
passes over left-padded batches, which is what one would write next) and `ours`. With `--compiled`, which a GPU measures by itself,
`ours` has compiled layers and replays what it does for every token as a CUDA graph; beside it stand ours
`recorded`, which replays uncompiled layers, and ours `eager`. All go through one model, whose layers ask in every call whether to run
compiled: some microseconds of the others. The first run of ours, which compiles, is told apart. On a CPU seconds are those that the process had, so that
a busy machine does not disturb the ratio. A share of each prompt (`--shared`) is the same in all, as the instruction is: 0.25 of it on the
twin. With `--ending MEAN` answers end by themselves after so many tokens on average, each at its own length, as a trained model's do, and a
further way is ours `in groups`, whose next cases wait until the last of a group has ended. Random weights give nearly flat logits, whose nucleus is most of the vocabulary; they are scaled to a spread (`--spread`) of which a
nucleus is a few tokens, as of a trained model. Prints one JSON object; `--record` writes command, versions, machine and figures to a dated
file in `benchmarks/records/`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn
from transformers import Qwen3Config, Qwen3ForCausalLM

from oncoraft.foundation.provenance import write_json
from oncoraft.inference.answer import answer_group
from oncoraft.inference.engine import Engine, in_groups, kept_at_once
from oncoraft.inference.infer import TIMES
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
TINY = {"hidden_size": 64, "num_hidden_layers": 2, "head_dim": 16, "intermediate_size": 128, "vocab_size": 512}
# Tokens in and out, cases, and cases a batch of the two passes; where the shape is tiny the last row.
USUAL = {"small": (384, 64, 24, 8), "qwen3-8b": (3072, 512, 128, 16), "tiny": (48, 6, 6, 3)}
INITIAL_SPREAD = 0.02  # standard deviation of the weights as the library draws them
PAD = 0


class Words:
    """Stands in for a tokenizer: the forced opening as ten tokens, any ids as text."""

    def __call__(self, texts: Sequence[str], **_: Any) -> dict[str, list[list[int]]]:
        """Ids of every text."""
        return {"input_ids": [list(range(10, 20)) for _ in texts]}

    def decode(self, tokens: Sequence[int], **_: Any) -> str:
        """Text of the ids."""
        return " ".join(map(str, tokens))


def built(sizes: dict[str, int], device: torch.device, dtype: torch.dtype, context: int, spread: float) -> tuple[Any, nn.Sequential]:
    """A model of these sizes with random weights and the published adapter, and a score head.

    Args:
        spread: standard deviation of the logits.
    """
    config = Qwen3Config(**sizes, max_position_embeddings=context, eos_token_id=None, pad_token_id=PAD, tie_word_embeddings=False)
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(dtype)
    with device:
        model = Qwen3ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        model.lm_head.weight.mul_(spread / (INITIAL_SPREAD * config.hidden_size**0.5))
    adapted = with_adapter(model, 16, 32.0, 0.1, ("q_proj", "k_proj", "v_proj", "o_proj"))
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            weight.data = weight.data.to(dtype)  # as `opening` does
    return adapted.eval(), new_score_head(config.hidden_size).to(device).eval()


def made_cases(count: int, tokens: int, vocabulary: int, shared: float) -> list[Case]:
    """Prompts of random ids, 80 to 100 % of `tokens` long, the longest first; the first `shared` of `tokens` are the same in all."""
    draw = np.random.default_rng(0)
    lengths = sorted(draw.integers(int(0.8 * tokens), tokens + 1, count), reverse=True)
    begun = draw.integers(20, vocabulary, int(shared * tokens)).tolist()
    ids = [(*begun, *draw.integers(20, vocabulary, length - len(begun)).tolist()) for length in lengths]
    return [Case(f"c{number:04d}", "p", 0, prompt, (), None, None) for number, prompt in enumerate(ids)]


@torch.inference_mode()
def two_passes(
    model: Any, head: nn.Sequential, cases: Sequence[Case], new_tokens: int, batch: int, stops: Sequence[int] = ()
) -> list[float]:
    """Generate, then read the prompt again for the score, as the quick start does; batches are padded on the left."""
    device, scores = next(model.parameters()).device, []
    for start in range(0, len(cases), batch):
        some = cases[start : start + batch]
        width = max(len(case.prompt) for case in some)
        ids = torch.tensor([[PAD] * (width - len(case.prompt)) + list(case.prompt) for case in some], device=device)
        mask = torch.tensor([[0] * (width - len(case.prompt)) + [1] * len(case.prompt) for case in some], device=device)
        how = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 0, "pad_token_id": PAD, "eos_token_id": list(stops) or None}
        least = 1 if stops else new_tokens
        model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=new_tokens, min_new_tokens=least, **how)
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        states = model(input_ids=ids, attention_mask=mask, position_ids=places, output_hidden_states=True).hidden_states[-1]
        scores += head(states[:, -1].float())[:, 0].tolist()
    return scores


def one_prefill(engine: Engine, cases: Sequence[Case], settings: Inference, context: int, most: int, times: int = TIMES) -> list[float]:
    """What `oncoraft infer` does with so many tokens in its cache at most; with `times` 1 no case takes the place of another."""
    engine.share([case.prompt for case in cases])
    groups = in_groups([len(case.prompt) for case in cases], most, settings.max_new_tokens + 10, times)
    found: dict[str, float] = {}
    for group in groups:
        results = answer_group(engine, Words(), [cases[index] for index in group], settings, context, cache_tokens=most)
        found.update({result.case_id: 1 / (1 + np.exp(-result.logit)) for result in results})
    return [found[case.case_id] for case in cases]


def timed(act: Callable[[], list[float]], device: torch.device, is_compiled: bool) -> tuple[float, list[float]]:
    """Seconds of one call, and its scores; with the layers as they are unless they are to be compiled."""
    with torch.compiler.set_stance("default" if is_compiled else "force_eager"):
        return seconds_of(act, device)


def seconds_of(act: Callable[[], list[float]], device: torch.device) -> tuple[float, list[float]]:
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


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; lengths and counts follow the shape where they are left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="small")
    parser.add_argument("--tiny", action="store_true", help="all of it at a tiny size, on a CPU where there is no GPU")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--vocabulary", type=int, help="tokens, in place of the shape's")
    parser.add_argument("--prompt-tokens", type=int)
    parser.add_argument("--new-tokens", type=int)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--batch", type=int, help="of the batched two-pass way")
    parser.add_argument("--cache-tokens", type=int, help="of ours; what the device affords where it is left out")
    parser.add_argument("--shared", type=float, default=0.25, help="share of a prompt that is the same in all")
    parser.add_argument("--spread", type=float, default=4.0, help="standard deviation of the logits")
    parser.add_argument("--ending", type=float, help="tokens after which answers end on average; all are full length where it is left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compiled", action="store_true", help="measure what a GPU is measured with on a CPU too")
    parser.add_argument("--compiler", default="inductor", help="torch's backend")
    parser.add_argument("--only-ours", action="store_true", help="leave the two-pass ways out")
    parser.add_argument(
        "--record", type=Path, nargs="?", const=Path(__file__).parent / "records", metavar="DIR", help="folder for a dated JSON"
    )
    given = parser.parse_args(arguments)
    usual = USUAL["tiny" if given.tiny else given.shape]
    for name, value in zip(("prompt_tokens", "new_tokens", "cases", "batch"), usual, strict=True):
        if getattr(given, name) is None:
            setattr(given, name, value)
    return given


def measured(given: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Cases a second of every way, the ratios, and by how much the scores differ."""
    context = given.prompt_tokens + given.new_tokens + 16
    sizes = SHAPES[given.shape] | (TINY if given.tiny else {}) | ({"vocab_size": given.vocabulary} if given.vocabulary else {})
    # The tiny size stands in for a GPU's run, in its precision.
    dtype = torch.bfloat16 if device.type == "cuda" or given.tiny else torch.float32
    model, head = built(sizes, device, dtype, context, given.spread)
    cases = made_cases(given.cases, given.prompt_tokens, sizes["vocab_size"], given.shared)
    settings = Inference(max_new_tokens=given.new_tokens, cache_tokens=given.cache_tokens)
    sdpa = causal_of(model).config._attn_implementation
    # An even share of the tokens ends an answer: random weights draw one of them as often as any others.
    stops = range(20, sizes["vocab_size"], max(1, round(given.ending))) if given.ending else ()
    engines = {name: Engine(model, head, PAD, stops or (-1,), settings.batch_tokens) for name in ("ours", "recorded", "eager")}
    is_compiled = given.compiled or device.type == "cuda"
    if is_compiled:
        engines["ours"].compile(given.compiler)
        engines["recorded"].record()
    ours = causal_of(model).config._attn_implementation
    most = kept_at_once(causal_of(model), settings.cache_tokens)  # before anything is kept: the same for all
    few = cases[: max(2, given.cases // 6)]  # one at a time is slow: fewer cases, of every length
    ways: dict[str, tuple[str, int, Callable[[], list[float]]]] = {
        name: (ours, len(cases), partial(one_prefill, engine, cases, settings, context, most)) for name, engine in engines.items()
    }
    ways["batched"] = (sdpa, len(cases), lambda: two_passes(model, head, cases, given.new_tokens, given.batch, stops))
    ways["published"] = (sdpa, len(few), lambda: two_passes(model, head, few, given.new_tokens, 1, stops))
    if given.ending:
        ways["in groups"] = (ours, len(cases), partial(one_prefill, engines["ours"], cases, settings, context, most, 1))
    left_out = ({"batched", "published"} if given.only_ours else set()) | (set() if is_compiled else {"recorded", "eager"})
    ways = {name: way for name, way in ways.items() if name not in left_out}
    compiling: dict[str, Any] = {}
    if is_compiled:
        compiling["seconds_of_the_first_run"] = round(timed(ways["ours"][2], device, True)[0], 1)
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        for name, (attention, count, act) in ways.items():
            causal_of(model).set_attn_implementation(attention)
            seconds, scores[name] = timed(act, device, name in ("ours", "in groups"))
            speeds[name].append(count / seconds)
    if is_compiled:
        recorded = engines["recorded"].unrecorded
        assert recorded is not None
        compiling |= engines["ours"].told() | {"recorded_acts_run_unrecorded": len(recorded.reasons)}
    return compared(speeds, scores) | compiling


def compared(speeds: dict[str, list[float]], scores: dict[str, list[float]]) -> dict[str, Any]:
    """The median speeds, and ours against each other way by rounds: medians of the ratios, and by how much the scores differ."""
    found: dict[str, Any] = {"cases_per_second": {name: round(statistics.median(values), 3) for name, values in speeds.items()}}
    for name in speeds.keys() - {"ours"}:
        ratios = [one / other for one, other in zip(speeds["ours"], speeds[name], strict=True)]
        found[f"ours_over_{name}"] = round(statistics.median(ratios), 2)
        found[f"largest_score_difference_{name}"] = max(abs(one - other) for one, other in zip(scores["ours"], scores[name]))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    given = parse(words)
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    device = torch.device("cpu" if given.tiny and not torch.cuda.is_available() else given.device)
    record: dict[str, Any] = {
        "command": " ".join(["python benchmarks/inference.py", *(word for word in words if not word.startswith("/"))]),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()}, {given.threads} threads",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        **{name: value for name, value in vars(given).items() if name not in {"only_ours", "compiled", "device", "record"}},
        **measured(given, device),
    }
    if device.type == "cuda":
        record["peak_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
    print(json.dumps(record, indent=1))
    if given.record:
        given.record.mkdir(parents=True, exist_ok=True)
        name = f"inference-{given.shape}{'-tiny' if given.tiny else ''}-{given.prompt_tokens}-{given.new_tokens}"
        write_json(given.record / f"{datetime.now().astimezone():%Y-%m-%d}-{name}.json", record)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
