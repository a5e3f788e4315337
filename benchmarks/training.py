"""Training speed beside the transformers Trainer on a CPU, and beside the default recipe on a GPU.

    python benchmarks/training.py                       a small Qwen3 on a CPU, this engine and the Trainer in turn
    python benchmarks/training.py --other SRC           the same with another checkout's engine as a third side
    python benchmarks/training.py --loop                against a padded loop with logits at every position, steps alternating
    python benchmarks/training.py --gpu --record        Qwen3-8B's shape with random weights on one GPU
    python benchmarks/training.py --gpu --tiny          the same code to its end at a tiny size, on a CPU too

On a CPU each side is a process of its own (`training_peers.py`), which takes the same batches in the same order from the same weights:
the first losses are equal. What counts is processor seconds, since the machine may be busy, and the share of the fp32 roof that matrix
products reach in the same process. On a GPU both sides train the same LoRA (rank 16, alpha 32, dropout 0.1 on q, k, v, o) and the same
score head with the same two losses; the first side is the default recipe (activation checkpointing, padding to the longest of the batch,
bf16 autocast), beside it the same without checkpointing, and this engine as it is, compiled, and with the base products in FP8. Tokens are those of prompts and answers,
padding not counted. `--record` writes command, versions, machine and figures to a dated file in `benchmarks/records/`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from training_models import QWEN3_8B, SMALL, TINY, PaddedLoop, new_model

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import versions, write_json
from oncoraft.models.cases import Case
from oncoraft.planning.config import Adapter, Strategy, Training
from oncoraft.training.loop import take_step
from oncoraft.training.roofline import measured_roof, work_of
from oncoraft.training.train import equip

HERE = Path(__file__).resolve().parent


def cases_of(steps: int, vocabulary: int, lengths: str, seed: int = 11) -> list[list[Case]]:
    """Global batches of eight cases with lengths that vary as those of real prompts do.

    short: prompts of 100-700 tokens, answers of 40-200. published: prompts around 1,484 tokens (up to 3,072), rationales around 618 (up
    to 1,024), as measured for the published layout; tiny: a fiftieth of these.
    """
    draw = np.random.default_rng(seed)
    count = 8 * steps
    if lengths == "short":
        prompts, answers = draw.integers(100, 701, count), draw.integers(40, 201, count)
    else:
        prompts = np.clip(draw.lognormal(np.log(1400), 0.35, count), 300, 3072).astype(int)
        answers = np.clip(draw.lognormal(np.log(590), 0.3, count), 100, 1024).astype(int)
        if lengths == "tiny":
            prompts, answers = prompts // 50, answers // 50
    cases = []
    for number, (prompt, answer) in enumerate(zip(prompts, answers)):
        ids = draw.integers(2, vocabulary, prompt + answer).tolist()
        responder = bool(draw.random() < 0.3)
        cases.append(Case(f"c{number:05d}", f"p{number:05d}", 0, ids[:prompt], ids[prompt:], responder, 0.7 if responder else 0.0))
    return [cases[start : start + 8] for start in range(0, count, 8)]


def engine(
    shape: dict[str, int], device: torch.device, steps: int, tokens: int, compiled: bool, fp8_base: bool = False
) -> Callable[[list[Case]], float]:
    """A step of this engine."""
    rates = {"learning_rate": 1e-4, "score_head_learning_rate": 1e-4}
    settings = Training(tokens_per_micro_batch=tokens, compile=compiled, fp8_base=fp8_base, **rates)
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


def beside_trainer(steps: int, rounds: int, other: Path | None) -> dict[str, Any]:
    """Each side in a process of its own, in turn; processor seconds, share of the roof and peak memory of every round."""
    sides: dict[str, tuple[str, Path | None]] = {"engine": ("engine", None), "trainer": ("trainer", None)}
    if other is not None:
        sides["other engine"] = ("engine", other)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, (side, source) in sides.items():
            environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(source or HERE.parent / "src")}
            command = [sys.executable, str(HERE / "training_peers.py"), side, str(steps)]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            ran = json.loads(done.stdout.splitlines()[-1])
            seconds = sum(ran["cpu_seconds"])
            found[name].append(
                {
                    "first_loss": round(ran["losses"][0], 4),
                    "tokens_per_cpu_second": round(sum(ran["tokens"]) / seconds),
                    "share_of_roof": round(sum(ran["operations"]) / seconds / ran["roof"], 3),
                    "roof_gflops": round(ran["roof"] / 1e9),
                    "peak_mb": ran["peak_mb"],
                }
            )
            print(name, json.dumps(found[name][-1]), flush=True)
    firsts = {one["first_loss"] for ran in found.values() for one in ran}
    if max(firsts) - min(firsts) > 1e-3:
        raise SystemExit(f"the sides do not learn the same: first losses {sorted(firsts)}")
    speed = {name: statistics.median(one["tokens_per_cpu_second"] for one in ran) for name, ran in found.items()}
    return {
        "rounds": found,
        "times_the_others_speed": {name: round(speed["engine"] / speed[name], 2) for name in speed if name != "engine"},
    }


def beside_loop(steps: int, threads: int) -> dict[str, Any]:
    """Both sides alternating on the same batches; the ratio is the median over the steps."""
    torch.set_num_threads(threads)
    device = torch.device("cpu")
    batches = cases_of(steps + 1, SMALL["vocab_size"], "short")
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


def unmeasured(error: torch.OutOfMemoryError | InputError) -> str:
    """Why this GPU gives no figures of a side; what is no matter of the GPU is raised again."""
    # The engine turns it into a line that names the setting.
    if isinstance(error, torch.OutOfMemoryError) or "memory ran out" in str(error):
        return "out of memory"
    if "compute capability" in str(error):
        return "no FP8 on this GPU"
    raise error


def on_gpu(steps: int, tokens: int, tiny: bool) -> dict[str, Any]:
    """One side after the other on one GPU, each with its own copy of the model; a tiny model on a CPU where there is no GPU."""
    device = torch.device("cuda" if torch.cuda.is_available() or not tiny else "cpu")
    shape = TINY if tiny else QWEN3_8B
    batches = cases_of(steps + 2, shape["vocab_size"], "tiny" if tiny else "published")
    roof = measured_roof(device)
    sides: dict[str, Callable[[], Any]] = {
        "default loop: padded, all logits, checkpointing": lambda: PaddedLoop(new_model(shape, device), Adapter(), device, True).step,
        "packed, eager": lambda: engine(shape, device, steps, tokens, compiled=False),
        "packed, compiled": lambda: engine(shape, device, steps, tokens, compiled=True),  # on a CPU nothing is
        "packed, compiled, base in FP8": lambda: engine(shape, device, steps, tokens, compiled=True, fp8_base=True),
        "padded, all logits, no checkpointing": lambda: PaddedLoop(new_model(shape, device), Adapter(), device, False).step,
    }
    work: Any = None
    rows: list[dict[str, Any]] = []
    for name, build in sides.items():
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            step = build()
            if work is None:
                work = work_of(step.__self__.model, True)
            measured = [timed(step, batch, device) for batch in batches]
            rows.append(row(name, [seconds for seconds, _ in measured[2:]], batches[2:], work, roof, device))
            rows[-1] |= {"first_loss": round(measured[0][1], 4), "last_loss": round(measured[-1][1], 4)}
        except (torch.OutOfMemoryError, InputError) as error:
            rows.append({"loop": name, "samples_per_second": None, "note": unmeasured(error)})
        step = None
        gc.collect()
        print(json.dumps(rows[-1]), flush=True)
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    return {"rows": rows, "roof_tflops": roof / 1e12, "tokens_per_micro_batch": tokens, "device": name, "tiny": tiny}


def main() -> None:
    """Measure and print; `--out` writes JSON, `--record` a dated one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true", help="Qwen3-8B's shape on one GPU")
    parser.add_argument("--tiny", action="store_true", help="with --gpu: a tiny shape, on a CPU where there is no GPU")
    parser.add_argument("--loop", action="store_true", help="on a CPU: beside a padded loop in the same process")
    parser.add_argument("--other", type=Path, metavar="SRC", help="source folder of another checkout, whose engine is measured too")
    parser.add_argument("--steps", type=int, default=8, help="measured steps of eight cases")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side on a CPU")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads, with --loop")
    parser.add_argument("--tokens", type=int, default=16_384, help="tokens per micro-batch on a GPU")
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--record", type=Path, nargs="?", const=HERE / "records", metavar="DIR", help="folder for a dated JSON")
    given = parser.parse_args()
    if given.gpu:
        found = on_gpu(given.steps, given.tokens, given.tiny)
    else:
        found = beside_loop(given.steps, given.threads) if given.loop else beside_trainer(given.steps, given.rounds, given.other)
    day = datetime.now(UTC).date().isoformat()
    command = " ".join(["python benchmarks/training.py", *(word for word in sys.argv[1:] if not word.startswith("/"))])
    found = {"command": command, "day": day, "versions": versions(), "machine": platform.machine(), "steps": given.steps} | found
    print(json.dumps(found, indent=1))
    if given.out:
        write_json(given.out, found)
    if given.record:
        given.record.mkdir(parents=True, exist_ok=True)
        write_json(given.record / f"{day}-training{'-gpu' if given.gpu else ''}{'-tiny' if given.tiny else ''}.json", found)


if __name__ == "__main__":
    main()
