"""A tiny trained fold to align, and the steps of alignment called on it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oncoraft.alignment import dpo, grpo, pairs
from oncoraft.planning.config import Alignment, DirectPreference, GroupPolicy, Preferences, Strategy, Training
from oncoraft.training.launch import free_port
from tests.forked import context
from tests.training.fold import run_training, write_fold_inputs


def settings(method: str = "grpo", **more: Any) -> str:
    """Settings as a rule gives them: five steps on ten prompts, four short answers each; `more` are keys of any of the blocks."""
    chosen: dict[str, Any] = {"samples": 4, "max_new_tokens": 8, "prompts_per_step": 2, "learning_rate": 1e-2, "least_margin": 0.0} | more
    types = {"alignment": Alignment, method: {"dpo": DirectPreference, "grpo": GroupPolicy}.get(method, Preferences)}
    blocks = {
        name: kind(**{key: chosen[key] for key in kind.model_fields.keys() & chosen}).model_dump(mode="json")
        for name, kind in types.items()
    }
    strategy = Strategy(**{"method": "dpo" if method == "preferences" else method, "from": "raft"}).model_dump(mode="json")
    training = Training(checkpoint_every_steps=2).model_dump(mode="json")
    return json.dumps({"strategy": strategy, "training": training, **blocks})


def trained(folder: Path) -> Path:
    """`base/`, `train.jsonl` and a fold trained by raft in a folder."""
    write_fold_inputs(folder)
    return run_training(folder, "raft")


def preferences_command(folder: Path, given: str | None = None, *more: str) -> list[str]:
    places = [str(folder / "train.jsonl"), "--base", str(folder / "base"), "--fold-model", str(folder / "raft")]
    return [*places, "--out", str(folder / "pairs.jsonl"), "--threads", "1", "--settings", given or settings("preferences"), *more]


def make_pairs(folder: Path, given: str | None = None, *more: str) -> Path:
    assert pairs.main(preferences_command(folder, given, *more)) == 0
    return folder / "pairs.jsonl"


def align_command(folder: Path, name: str, given: str, *more: str) -> list[str]:
    places = [str(folder / "train.jsonl"), "--base", str(folder / "base"), "--fold-model", str(folder / "raft")]
    places += ["--out", str(folder / name), "--state", str(folder / f"state-{name}")]
    return [*places, "--threads", "1", "--settings", given, *more]


def entry_of(given: str) -> Callable[[list[str]], int]:
    """The step that runs a strategy's method."""
    return {"dpo": dpo.main, "grpo": grpo.main}[json.loads(given)["strategy"]["method"]]


def run_alignment(folder: Path, name: str, given: str, *more: str) -> Path:
    assert entry_of(given)(align_command(folder, name, given, *more)) == 0
    return folder / name


def take_part(rank: int, port: int, method: str, command: list[str]) -> None:
    """Be one of two processes that align a fold together."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    raise SystemExit({"dpo": dpo, "grpo": grpo}[method].main(command))


def run_in_two(method: str, command: list[str]) -> None:
    """Align in two processes; forked, so that it costs seconds and not a minute."""
    port = free_port()
    both = [context.Process(target=take_part, args=(rank, port, method, command)) for rank in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(timeout=240)
    assert [process.exitcode for process in both] == [0, 0]
