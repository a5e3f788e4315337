"""What the prompts of a run begin with alike is read once: fewer tokens are read, and states, scores, caches and texts stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoModelForCausalLM

from oncoraft.inference import cache as caching
from oncoraft.inference.answer import answer_group, score_group
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import LEAST_SHARED, Engine, common_beginning
from oncoraft.models.base import load_base
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.model_folder import read_score_head
from oncoraft.planning.config import Inference
from tests.models.tiny_folds import CONTEXT, WINDOW

BEGUN = tuple(range(20, 44))


@pytest.fixture(scope="module")
def cases(fold: Path, tokenizer: Any) -> list[Case]:
    """Longest first, all with one beginning, which is longer than Gemma's window."""
    found = [replace(case, prompt=(*BEGUN, *case.prompt)) for case in encode(read_rows(fold / "rows.jsonl"), tokenizer, CONTEXT)]
    assert len(BEGUN) > max(LEAST_SHARED, WINDOW)
    return sorted(found, key=lambda case: -len(case.prompt))


def engine_of(fold: Path, tokenizer: Any, head: nn.Sequential | None = None) -> Engine:
    """Several forward passes a group."""
    return Engine(load_base(fold / "base", torch.device("cpu")).eval(), head, tokenizer.pad_token_id, (0,), 500)


@pytest.mark.parametrize("block", [7, 256])
def test_what_prompts_begin_with_is_read_once_and_changes_nothing(
    fold: Path, tokenizer: Any, cases: list[Case], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "BLOCK", block)
    engine = engine_of(fold, tokenizer, read_score_head(fold / "fold" / "score_head.pt", 32))
    settings = Inference(temperature=1.0, max_new_tokens=12)
    whole = answer_group(engine, tokenizer, cases, settings, CONTEXT)
    read: list[int] = []
    forward = engine._forward
    monkeypatch.setattr(engine, "_forward", lambda ids, *others: read.append(ids.numel()) or forward(ids, *others))
    score_group(engine, cases)
    before, read[:] = sum(read), []
    engine.share([case.prompt for case in cases])
    assert engine.shared is not None
    assert engine.shared[0][: len(BEGUN)] == BEGUN
    scored = score_group(engine, cases)
    assert sum(read) == before - (len(cases) - 1) * len(engine.shared[0])
    assert [one.logit for one in scored] == pytest.approx([one.logit for one in whole], abs=1e-5)
    again = answer_group(engine, tokenizer, cases, settings, CONTEXT)
    assert [one.logit for one in again] == pytest.approx([one.logit for one in whole], abs=1e-5)
    assert [one.text for one in again] == [one.text for one in whole]
    caches = [Cache(len(cases), len(cases[0].prompt)) for _ in range(2)]
    engine.prefill([case.prompt for case in cases], caches[0])
    engine.shared = None
    engine.prefill([case.prompt for case in cases], caches[1])
    for layer, parts in caches[0].layers.items():
        for one, other in zip(parts, caches[1].layers[layer], strict=True):
            for row, case in enumerate(cases):
                torch.testing.assert_close(one[row, :, : len(case.prompt)], other[row, :, : len(case.prompt)], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_prompt_that_begins_otherwise_is_read_whole(fold: Path, tokenizer: Any, cases: list[Case]) -> None:
    plain = AutoModelForCausalLM.from_pretrained(fold / "base", dtype=torch.float32).eval()
    engine = engine_of(fold, tokenizer)
    engine.share([case.prompt for case in cases])
    assert engine.shared is not None
    strange = [cases[0].prompt, (7, 8, 9, *cases[1].prompt[3:]), engine.shared[0], cases[2].prompt[:3]]
    found = engine.prefill(strange, Cache(4, len(strange[0])))
    expected = [plain(input_ids=torch.tensor([prompt]), output_hidden_states=True).hidden_states[-1][0, -1] for prompt in strange]
    assert torch.allclose(found, torch.stack(expected), atol=1e-4)


def test_one_prompt_or_a_short_beginning_is_not_shared(fold: Path, tokenizer: Any, cases: list[Case]) -> None:
    engine = engine_of(fold, tokenizer)
    engine.share([case.prompt for case in cases])
    for prompts in ([cases[0].prompt], [cases[0].prompt, (*cases[0].prompt[: LEAST_SHARED - 1], 3, 4)], []):
        engine.share(prompts)
        assert engine.shared is None


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=5))
def test_the_common_beginning_is_the_longest_that_leaves_a_token_of_each(prompts: list[list[int]]) -> None:
    found = common_beginning(prompts)
    assert all(tuple(prompt[: len(found)]) == found and len(prompt) > len(found) for prompt in prompts)
    assert common_beginning([np.array(prompt) for prompt in prompts]) == found  # as stored tokens come
    longer = {tuple(prompt[: len(found) + 1]) for prompt in prompts}
    assert len(longer) > 1 or min(map(len, prompts)) == len(found) + 1


@pytest.mark.parametrize("is_grouped", [True, False])
def test_the_one_call_of_a_gpu_attends_as_the_blocks_do(is_grouped: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(2, heads, tokens, 8, generator=generator)
        for heads, tokens in ((4, 30), (2 if is_grouped else 4, 45), (2 if is_grouped else 4, 45))
    )
    expected = caching.Reading(None)._prefill(query, key, value, 0.3, None)
    torch.testing.assert_close(caching.after_prefix(query, key, value, 0.3, is_grouped), expected, atol=1e-5, rtol=1e-5)
