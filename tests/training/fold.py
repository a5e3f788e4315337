"""A tiny fold on disk: a random base-model folder, a training file, and `oncoraft train` called on them."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from oncoraft.planning.config import Adapter, Strategy, Training
from oncoraft.training import train
from tests.models.tiny_models import random_model

ROOT = Path(__file__).parents[2]
WORDS = ["<end>", "<pad>", "<other>", "\n", " ", *"0123456789.:;", "Answer", "Score", "Reasoning", "ECOG", "line", "liver", "matters"]


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "instruction": "How likely?",
            "input": f"ECOG {n % 3}; line {n % 5}" + "; liver" * (n % 4),
            "output": f"Score: {0.7 if n % 3 else 0.0}\nReasoning:\nECOG {n % 3}" + " matters" * (n % 7),
            "case_id": f"c{n:02d}",
            "patient_id": f"p{n // 2:02d}",
            "fold": 0,
            "category": "PR" if n % 3 else "PD",
            "score": 0.7 if n % 3 else 0.0,
            "responder": bool(n % 3),
        }
        for n in range(count)
    ]


def write_fold_inputs(folder: Path, architecture: str = "qwen3", count: int = 10) -> None:
    """`base/` and `train.jsonl` in a folder."""
    random_model(architecture).save_pretrained(folder / "base")
    words = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<other>"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex(r"\d|[A-Za-z]+|."), behavior="isolated")
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<pad>").save_pretrained(folder / "base")
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(count)))


def settings(strategy: dict[str, Any] | None = None, **training: Any) -> str:
    """Settings as a rule gives them: two epochs of three steps, dropout on."""
    chosen = {"epochs": 2, "global_batch_size": 4, "learning_rate": 1e-2, "score_head_learning_rate": 1e-2, "checkpoint_every_steps": 2}
    blocks = {
        "training": Training(**(chosen | training)).model_dump(),
        "strategy": Strategy(**(strategy or {})).model_dump(),
        "adapter": Adapter(rank=2, alpha=4, dropout=0.2).model_dump(),
    }
    return json.dumps(blocks)


def command(folder: Path, name: str, given: str | None = None, *more: str) -> list[str]:
    places = [
        str(folder / "train.jsonl"),
        "--base",
        str(folder / "base"),
        "--out",
        str(folder / name),
        "--state",
        str(folder / f"state-{name}"),
    ]
    return [*places, "--threads", "1", "--settings", given or settings(), *more]


def run_training(folder: Path, name: str, given: str | None = None, *more: str) -> Path:
    assert train.main(command(folder, name, given, *more)) == 0
    return folder / name


def learned(folder: Path) -> dict[str, torch.Tensor]:
    """Every weight that a fold's folder holds."""
    found: dict[str, torch.Tensor] = {}
    if (folder / "adapter_model.safetensors").is_file():
        found |= load_file(folder / "adapter_model.safetensors")
    if (folder / "score_head.pt").is_file():
        found |= torch.load(folder / "score_head.pt", weights_only=True)
    return found


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]


def environment() -> dict[str, str]:
    """For runs in processes of their own."""
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT / "src"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
