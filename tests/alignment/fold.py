"""A tiny trained fold to align, and the steps of alignment called on it."""

import json
from pathlib import Path
from typing import Any

from oncoraft.alignment import align, preferences
from oncoraft.planning.config import Alignment, Strategy, Training
from tests.training.fold import run_training, write_fold_inputs


def settings(method: str = "grpo", strategy: dict[str, Any] | None = None, **alignment: Any) -> str:
    """Settings as a rule gives them: five steps on ten prompts, four short answers each."""
    chosen: dict[str, Any] = {"samples": 4, "max_new_tokens": 8, "prompts_per_step": 2, "learning_rate": 1e-2, "least_margin": 0.0}
    blocks = {
        "strategy": Strategy(**({"method": method, "from": "raft"} | (strategy or {}))).model_dump(mode="json"),
        "training": Training(checkpoint_every_steps=2).model_dump(mode="json"),
        "alignment": Alignment(**(chosen | alignment)).model_dump(mode="json"),
    }
    return json.dumps(blocks)


def trained(folder: Path) -> Path:
    """`base/`, `train.jsonl` and a fold trained by raft in a folder."""
    write_fold_inputs(folder)
    return run_training(folder, "raft")


def preferences_command(folder: Path, given: str | None = None, *more: str) -> list[str]:
    places = [str(folder / "train.jsonl"), "--base", str(folder / "base"), "--fold-model", str(folder / "raft")]
    return [*places, "--out", str(folder / "pairs.jsonl"), "--threads", "1", "--settings", given or settings("dpo"), *more]


def make_pairs(folder: Path, given: str | None = None, *more: str) -> Path:
    assert preferences.main(preferences_command(folder, given, *more)) == 0
    return folder / "pairs.jsonl"


def align_command(folder: Path, name: str, given: str, *more: str) -> list[str]:
    places = [str(folder / "train.jsonl"), "--base", str(folder / "base"), "--fold-model", str(folder / "raft")]
    places += ["--out", str(folder / name), "--state", str(folder / f"state-{name}")]
    return [*places, "--threads", "1", "--settings", given, *more]


def run_alignment(folder: Path, name: str, given: str, *more: str) -> Path:
    assert align.main(align_command(folder, name, given, *more)) == 0
    return folder / name
