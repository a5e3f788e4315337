"""One side of `benchmarks/training.py` on a CPU, in a process of its own: processor seconds a step, peak memory, share of the roof.

    python benchmarks/training_peers.py engine 4       this engine (or the one that PYTHONPATH names), four measured steps
    python benchmarks/training_peers.py trainer 4      transformers' Trainer with the same LoRA on the same padded batches

Both sides learn the language-modelling loss alone, since the Trainer knows no score head. The roof is that of fp32 matrix products in
the same process, taken between the steps, in processor seconds as the steps are: whatever shares the core slows both.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from training_models import SMALL, new_model
from transformers import Trainer, TrainerCallback, TrainingArguments

from oncoraft.models.cases import Case, padded
from oncoraft.models.fold_model import with_adapter
from oncoraft.training.loop import take_step
from oncoraft.training.roofline import work_of
from oncoraft.training.train import equip

try:
    from oncoraft.planning.config import Adapter, Strategy, Training
except ModuleNotFoundError:  # checkouts as old as commit 1073922 keep their settings elsewhere
    from oncoraft.config import Adapter, Strategy, Training  # type: ignore[no-redef]

CPU = torch.device("cpu")
RATE = 1e-4


def batches_of(steps: int, seed: int = 11) -> list[list[Case]]:
    """Steps of eight cases: prompts of 200-1,500 tokens, answers of 100-300."""
    draw = np.random.default_rng(seed)
    prompts, answers = draw.integers(200, 1501, 8 * steps), draw.integers(100, 301, 8 * steps)
    cases = []
    for number, (prompt, answer) in enumerate(zip(prompts, answers)):
        ids = draw.integers(2, SMALL["vocab_size"], prompt + answer).tolist()
        cases.append(Case(f"c{number:05d}", f"p{number:05d}", 0, ids[:prompt], ids[prompt:], True, 0.7))
    return [cases[start : start + 8] for start in range(0, len(cases), 8)]


def roof(products: int = 20) -> float:
    """fp32 operations a processor second, the mean of some products: the best of them would be that of a core left alone."""
    left, right = torch.ones(768, 768), torch.ones(768, 768)
    started = time.process_time()
    for _ in range(products):
        torch.mm(left, right)
    return products * 2.0 * 768**3 / (time.process_time() - started)


def adapted(model: Any) -> Any:
    """A model with the published adapters."""
    adapter = Adapter()
    return with_adapter(model, adapter.rank, adapter.alpha, adapter.dropout, adapter.target_modules)


class Clock:
    """Processor seconds of each step, and the roof before it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.roofs: list[float] = []

    def start(self) -> None:
        """Begin a step."""
        self.roofs.append(roof())
        self.started = time.process_time()

    def stop(self) -> None:
        """End it."""
        self.seconds.append(time.process_time() - self.started)


def run_engine(batches: list[list[Case]], clock: Clock) -> list[float]:
    """The engine's own steps; their losses."""
    blocks = {"strategy": Strategy(score_weight=0), "training": Training(learning_rate=RATE, warmup_fraction=0), "adapter": Adapter()}
    trainer = equip(new_model(SMALL, CPU), blocks, len(batches))
    trainer.model.train()
    for batch in batches:
        clock.start()
        take_step(trainer, batch)
        clock.stop()
    return [float(entry["loss"] or 0.0) for entry in trainer.log]


def run_trainer(batches: list[list[Case]], clock: Clock) -> list[float]:
    """transformers' Trainer as it comes: dynamic padding, the model's own loss; its losses."""
    torch.manual_seed(0)
    model = adapted(new_model(SMALL, CPU))

    def collate(rows: list[Case]) -> dict[str, torch.Tensor]:
        ids, mask = padded(rows, 0, CPU)
        labels = torch.full_like(ids, -100)
        for row, case in enumerate(rows):
            labels[row, len(case.prompt) : case.length] = ids[row, len(case.prompt) : case.length]
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    class Watch(TrainerCallback):
        """Times from one step's end to the next one's, the collation included."""

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.stop()
            clock.start()

    class InOrder(Trainer):
        """Takes the cases in the given order."""

        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=8,
            num_train_epochs=1,
            learning_rate=RATE,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            remove_unused_columns=False,
            disable_tqdm=True,
        )
        cases = [case for batch in batches for case in batch]
        trainer = InOrder(model=model, args=arguments, train_dataset=cases, data_collator=collate, callbacks=[Watch()])
        trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def main() -> None:
    """Run one side and print a line of JSON."""
    side, steps = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    sides: dict[str, Callable[[list[list[Case]], Clock], list[float]]] = {"engine": run_engine, "trainer": run_trainer}
    batches, clock = batches_of(steps + 1), Clock()
    losses = sides[side](batches, clock)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # before anything else is built; Linux counts KiB
    work = work_of(adapted(new_model(SMALL, CPU)), True)
    print(
        json.dumps(
            {
                "losses": losses,
                # The first step warms up.
                "cpu_seconds": clock.seconds[1 : steps + 1],
                "tokens": [sum(case.length for case in batch) for batch in batches[1:]],
                "operations": [work.operations(batch, True) for batch in batches[1:]],
                "roof": float(np.mean(clock.roofs[1:])),
                "peak_mb": round(peak * 1024 / 1e6),
            }
        )
    )


if __name__ == "__main__":
    main()
