"""Embeddings of a frozen base: the states that another reading gives, whatever the batches, at each point."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from oncoraft.inference.embed import main as embed
from oncoraft.models.base import final_hidden, load_base, load_tokenizer
from oncoraft.models.cases import encode, prompt_text, read_rows
from oncoraft.models.linear_probe import read_embeddings


def vectors(fold: Path, out: Path, read_at: str, batch_tokens: int = 4096) -> np.ndarray:
    settings = json.dumps({"inference": {"batch_tokens": batch_tokens, "cache_tokens": batch_tokens, "max_new_tokens": 6}})
    words = [str(fold / "rows.jsonl"), "--base", str(fold / "base"), "--read-at", read_at, "--out", str(out), "--threads", "1"]
    assert embed([*words, "--settings", settings]) == 0
    return read_embeddings(out, [row["case_id"] for row in read_rows(fold / "rows.jsonl")])


def states(fold: Path) -> list[np.ndarray]:
    """Final-norm states of every prompt alone, (tokens, hidden), by the library itself."""
    tokenizer, model = load_tokenizer(fold / "base"), load_base(fold / "base", torch.device("cpu")).eval()
    found = []
    with torch.inference_mode():
        for case in encode(read_rows(fold / "rows.jsonl"), tokenizer, 512):
            ids = torch.tensor([list(case.prompt)])
            found.append(final_hidden(model, ids, torch.ones_like(ids))[0].float().numpy())
    return found


def test_the_end_and_the_mean_of_a_prompt_are_those_of_the_library(fold: Path, tmp_path: Path) -> None:
    alone = states(fold)
    assert vectors(fold, tmp_path / "end.parquet", "end_of_prompt") == pytest.approx(np.stack([one[-1] for one in alone]), abs=2e-4)
    assert vectors(fold, tmp_path / "mean.parquet", "mean_of_prompt") == pytest.approx(
        np.stack([one.mean(axis=0) for one in alone]), abs=2e-4
    )


@pytest.mark.parametrize("read_at", ["end_of_prompt", "mean_of_prompt", "end_of_rationale"])
def test_batches_change_nothing(qwen3: Path, tmp_path: Path, read_at: str) -> None:
    one, other = (vectors(qwen3, tmp_path / f"{tokens}.parquet", read_at, tokens) for tokens in (256, 8192))
    assert one == pytest.approx(other, abs=2e-4)


def test_after_its_own_rationale_a_model_is_elsewhere_than_after_the_prompt(qwen3: Path, tmp_path: Path) -> None:
    before, after = (vectors(qwen3, tmp_path / f"{point}.parquet", point) for point in ("end_of_prompt", "end_of_rationale"))
    assert np.abs(before - after).max(axis=1).min() > 0.01


def test_no_answer_of_the_file_is_read(qwen3: Path, tmp_path: Path) -> None:
    """Answers know the label: what they say may change no vector."""
    before = vectors(qwen3, tmp_path / "a.parquet", "end_of_rationale")
    rows = [json.loads(line) | {"output": "Score: 1.0"} for line in (qwen3 / "rows.jsonl").read_text().splitlines()]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "base").symlink_to(qwen3 / "base")
    assert np.array_equal(before, vectors(tmp_path, tmp_path / "b.parquet", "end_of_rationale"))
    assert prompt_text(rows[0]) == prompt_text(json.loads((qwen3 / "rows.jsonl").read_text().splitlines()[0]))
