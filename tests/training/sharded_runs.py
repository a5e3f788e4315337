"""Training runs over one process or two, cut or not: what `test_sharding` starts once and then looks at in many ways."""

import argparse
import gc
import json
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from oncoraft.models.base import causal_of
from oncoraft.models.streamed import Weights
from oncoraft.planning.config import Adapter, Strategy, Training
from oncoraft.training import ahead, loop, train
from oncoraft.training.processes import Processes, joined
from tests.training.fold import settings

LAYERS, STEPS = 3, 6
FROZEN = {"adapter": False, "language_model_weight": 0}


class Stop(Exception):
    """A run ends here, as if it had been killed."""


@contextmanager
def replaced(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """A function of a module or class with something done around it, within the block."""
    real = getattr(owner, name)
    setattr(owner, name, wrap(real))
    try:
        yield
    finally:
        setattr(owner, name, real)


def stopping(after: int, take: Any) -> Any:
    def step(trainer: Any, cases: Any) -> Any:
        if trainer.step == after:
            raise Stop
        return take(trainer, cases)

    return step


def run(folder: Path, name: str, processes: Processes, stop: int = STEPS, **given: Any) -> None:
    """Train a fold as `oncoraft train` does, or until a step.

    Args:
        folder: with `base/` and `train.jsonl`.
        name: of the fold's folder and of its state.
        processes: of this launch.
        stop: step after which it is killed; the last: not at all.
        given: settings of the training, and `strategy`.
    """
    chosen = {"learning_rate": 1e-3, "score_head_learning_rate": 1e-3, "epochs": 3, "global_batch_size": 5}
    text = settings(given.pop("strategy", {}), **chosen | given)
    read = json.loads(text)
    blocks = {
        # Fewer tokens than a configuration may ask for: so tiny cases are a micro-batch each, and some are over the budget.
        "training": Training(**read["training"]).model_copy(update={"tokens_per_micro_batch": 40}),
        "strategy": Strategy(**read["strategy"]),
        "adapter": Adapter(rank=3, alpha=6, dropout=0.2),  # three rows over two processes: unequal parts
    }
    arguments = {"train": folder / "train.jsonl", "base": folder / "base", "out": folder / name, "state": folder / f"state-{name}"}
    with replaced(loop, "take_step", partial(stopping, stop)), suppress(Stop):
        train.train_fold(argparse.Namespace(**arguments, tokens=None, settings=text), blocks, torch.device("cpu"), processes)


class Watch:
    """What is whole when, in a process that trains on a cut model."""

    def __init__(self) -> None:
        self.read: list[weakref.ref[Any]] = []  # weights of layers as they came from the files
        self.whole: list[int] = []  # of these, how many still exist, after each layer
        self.gathered: list[int] = []  # layers that are whole after a forward pass
        self.idle = 0
        self.trainer: Any = None

    def filling(self, fill: Any) -> Any:
        def filled(weights: Any, module: Any, name: str, device: Any) -> None:
            fill(weights, module, name, device)
            if "layers" in name:
                self.read += [weakref.ref(one) for path, one in module.named_parameters() if "lora_" not in path]
                gc.collect()
                self.whole.append(sum(reference() is not None for reference in self.read))

        return filled

    def losing(self, losses: Any) -> Any:
        def found(model: Any, *given: Any) -> Any:
            result = losses(model, *given)
            layers = causal_of(model).model.layers
            self.gathered.append(sum(any(not isinstance(one, DTensor) for one in layer.parameters()) for layer in layers))
            return result

        return found

    def turning(self, turns: Any) -> Any:
        def dealt(*given: Any) -> Any:
            found = turns(*given)
            self.idle += sum(weight == 0 for _, weight in found)
            return found

        return dealt

    def equipping(self, equip: Any) -> Any:
        def equipped(*given: Any) -> Any:
            self.trainer = equip(*given)
            return self.trainer

        return equipped

    def told(self) -> dict[str, Any]:
        parameters: list[Any] = [one for layer in causal_of(self.trainer.model).model.layers for one in layer.parameters()]
        return {
            "weights_of_a_layer": len(self.read) // LAYERS,
            "whole": self.whole,
            "gathered": self.gathered,
            "idle": self.idle,
            "kept": sum(one.to_local().numel() for one in parameters),
            "all": sum(one.numel() for one in parameters),
        }


def watched(folder: Path, processes: Processes) -> None:
    """The run `two`, and beside it what each process saw."""
    watch = Watch()
    with (
        replaced(Weights, "fill", watch.filling),
        replaced(loop, "losses", watch.losing),
        replaced(ahead, "turns", watch.turning),
        replaced(train, "equip", watch.equipping),
    ):
        run(folder, "two", processes, shard=True)
    (folder / f"seen-{processes.rank}.json").write_text(json.dumps(watch.told()))


def main(arguments: Sequence[str] | None) -> int:
    """In each of two processes: all runs, one after another."""
    assert arguments is not None
    torch.set_num_threads(1)
    qwen3, gemma3 = (Path(arguments[0]) / name for name in ("qwen3", "gemma3"))
    with joined(on_gpu=False) as processes:
        watched(qwen3, processes)
        watched(gemma3, processes)
        for stop in (4, STEPS):
            run(qwen3, "stopped", processes, stop, shard=True)
        run(qwen3, "one-then-two", processes, shard=True)
        run(qwen3, "two-then-one", processes, stop=4, shard=True)
        run(qwen3, "frozen-two", processes, shard=True, strategy=FROZEN)
    return 0
