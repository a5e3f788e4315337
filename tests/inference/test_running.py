"""Cases that wait take the places of those whose answers have ended: every answer stays, and fewer tokens are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from oncoraft.inference.answer import answer_group, answer_room
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine, in_groups
from oncoraft.models.base import load_base
from oncoraft.models.cases import Case
from oncoraft.models.model_folder import read_score_head
from oncoraft.planning.config import Inference
from tests.models.tiny_folds import CONTEXT

AT_ONCE = 5
# A sixth of the vocabulary ends an answer, so that answers are of many lengths.
SAMPLED = Inference(temperature=1.0, max_new_tokens=24, batch_tokens=256)


def engine_of(fold: Path, tokenizer: Any, has_head: bool) -> Engine:
    model = load_base(fold / "base", torch.device("cpu")).eval()
    head = read_score_head(fold / "fold" / "score_head.pt", 32) if has_head else None
    return Engine(model, head, tokenizer.pad_token_id, range(0, model.config.vocab_size, 6), SAMPLED.batch_tokens)


def read_rows_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of every pass that reads one token a row, as they come."""
    found: list[int] = []
    extend = engine.extend

    def counted(cache: Cache, starts: torch.Tensor, ids: torch.Tensor, *others: Any, **more: Any) -> torch.Tensor:
        if ids.shape[1] == 1:
            found.append(len(ids))
        return extend(cache, starts, ids, *others, **more)

    monkeypatch.setattr(engine, "extend", counted)
    return found


@pytest.mark.parametrize("has_head", [True, False])
def test_cases_that_take_the_places_of_others_answer_as_they_do_alone(
    fold: Path, tokenizer: Any, cases: list[Case], has_head: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(fold, tokenizer, has_head)
    alone = [answer_group(engine, tokenizer, [case], SAMPLED, CONTEXT)[0] for case in cases]
    read = read_rows_at_once(engine, monkeypatch)
    tokens = AT_ONCE * (len(cases[0].prompt) + answer_room(engine, tokenizer, SAMPLED, True))
    following = answer_group(engine, tokenizer, cases, SAMPLED, CONTEXT, cache_tokens=tokens)
    assert [(one.case_id, one.text, one.reason) for one in following] == [(one.case_id, one.text, one.reason) for one in alone]
    assert [one.logit for one in following] == pytest.approx([one.logit for one in alone], abs=1e-5)
    assert {one.reason for one in alone} == {"stop", "length"} or len({one.text for one in alone}) > 10
    passes = len(read)
    assert max(read) == AT_ONCE
    read.clear()
    for start in range(0, len(cases), AT_ONCE):
        answer_group(engine, tokenizer, cases[start : start + AT_ONCE], SAMPLED, CONTEXT)
    assert passes < 0.85 * len(read)  # by groups, which wait for their longest answer


def test_what_a_place_held_before_does_not_reach_the_row_that_takes_it() -> None:
    cache, other = Cache(3, 6), Cache(1, 4)
    for one in cache.layer(0, torch.zeros(1, 2, 1, 5)):
        one.fill_(torch.nan)
    for one in other.layer(0, torch.zeros(1, 2, 1, 5)):
        one.fill_(2.0)
    cache.put(torch.tensor([1]), other)
    for one in cache.layers[0]:
        assert one[1, :, :4].eq(2).all()
        assert one[1, :, 4:].eq(0).all()
        assert one[[0, 2]].isnan().all()


def test_groups_whose_cases_follow_one_another_are_so_many_times_as_large() -> None:
    # Two rows of 3 + 2 slots stand in 10 tokens; three times as many follow one another.
    assert [len(group) for group in in_groups([3] * 13, 10, 2)] == [2] * 6 + [1]
    assert [len(group) for group in in_groups([3] * 13, 10, 2, times=3)] == [6, 6, 1]
    assert [len(group) for group in in_groups([30] * 5, 10, 2, times=2)] == [2, 2, 1]
