"""A trainer: model, head, optimiser and schedule of one run, and all that is needed to go on where it stopped."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from oncoraft.models.compiling import Fallbacks
from oncoraft.planning.config import Strategy, Training
from oncoraft.training.dropout import CaseDraws
from oncoraft.training.frozen import PromptStates
from oncoraft.training.processes import Processes
from oncoraft.training.roofline import Work
from oncoraft.training.sharding import cut_as, gathered, optimizer_state

Entry = dict[str, float | None]


@dataclass
class Trainer:
    """Model, head, optimiser and schedule of one run, and how far it has come."""

    model: Any
    head: nn.Sequential | None
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    strategy: Strategy
    settings: Training
    draws: CaseDraws | None = None
    processes: Processes = field(default_factory=Processes)
    frozen: PromptStates | None = None
    fallbacks: Fallbacks | None = None  # of compiled layers
    fp8_layers: int = 0  # frozen layers whose products are taken in FP8
    work: Work | None = None
    roof: float = math.inf
    step: int = 0
    log: list[Entry] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)  # of a head over choices, in the order of its outputs

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    @property
    def is_sharded(self) -> bool:
        """Whether the base model is cut over the processes: then all of them have to read equally often, for they gather its layers together."""
        return self.settings.shard and self.processes.count > 1

    def trainable(self) -> list[nn.Parameter]:
        """Parameters that learn: adapters, if any, and the head, if any."""
        modules = [self.model] if self.head is None else [self.model, self.head]
        return [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs to go on as if it had not stopped, whole; of a cut model all processes have to ask together."""
        return {
            "step": self.step,
            "log": self.log,
            "adapter": gathered({name: value for name, value in self.model.state_dict().items() if "lora_" in name}),
            "head": {} if self.head is None else self.head.state_dict(),
            "optimizer": gathered(self.optimizer.state_dict()),
            "schedule": self.schedule.state_dict(),
            "random": random_states(self.device),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a saved state, of however many processes."""
        self.step, self.log = state["step"], state["log"]
        own = dict(self.model.named_parameters())
        # Not strict: frozen base weights are in no state, they are read from their folder.
        self.model.load_state_dict({name: cut_as(value, own[name]) for name, value in state["adapter"].items()}, strict=False)
        if self.head is not None:
            self.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(optimizer_state(state["optimizer"], self.optimizer))
        self.schedule.load_state_dict(state["schedule"])
        set_random_states(state["random"], self.device)


def random_states(device: torch.device) -> dict[str, Any]:
    """States of the generators. Training draws by case and needs none of them; kept for whatever a library may draw."""
    found: dict[str, Any] = {"torch": torch.get_rng_state(), "python": random.getstate()}
    return found | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_states(states: dict[str, Any], device: torch.device) -> None:
    """Put the generators back."""
    torch.set_rng_state(states["torch"])
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def new_optimizer(
    model: Any, head: nn.Sequential | None, settings: Training, total_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with a rate for the adapters and one for the head, both warming up and falling as a cosine."""
    adapters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = []
    if head is not None:
        groups.append({"params": list(head.parameters()), "lr": settings.score_head_learning_rate})
    if adapters:
        groups.append({"params": adapters, "lr": settings.learning_rate})
    on_gpu = next(model.parameters()).is_cuda
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True if on_gpu else None)
    warmup = max(1, round(settings.warmup_fraction * total_steps))

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        # At least 1: a run of one step is all warm-up.
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total_steps - warmup)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
