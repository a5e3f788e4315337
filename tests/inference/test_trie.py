"""Within a trie nothing is written but one of the answers, by the likeliest allowed token at every step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from oncoraft.answers import answer_token_ids
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine
from oncoraft.inference.opening import stop_tokens
from oncoraft.inference.trie import depth, trie_of, write_within
from oncoraft.models.base import load_base, load_tokenizer
from oncoraft.models.cases import encode
from tests.models.tiny_folds import rows

ANSWERS = ["C34", "C34.3", "C34.31", "photon"]  # each of the first three begins the next


def test_an_answer_that_begins_another_ends_by_a_token_of_its_own() -> None:
    root = trie_of([(5, 6, 0), (5, 6, 7, 0)])
    assert root == {5: {6: {0: {}, 7: {0: {}}}}}
    assert (depth(root), depth({})) == (4, 0)


def by_hand(model: object, prompt: tuple[int, ...], answers: list[list[int]]) -> tuple[list[int], float]:
    """The whole sequence read again for every token."""
    written: list[int] = []
    weight = 0.0
    while True:
        allowed = sorted({ids[len(written)] for ids in answers if ids[: len(written)] == written and len(ids) > len(written)})
        if not allowed:
            return written, weight
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *written]])).logits[0, -1].float()  # type: ignore[operator]
        among = logits[allowed].log_softmax(0)
        written.append(allowed[int(among.argmax())])
        weight += float(among.max())


@pytest.mark.parametrize("own", [False, True])
def test_each_row_is_written_as_alone_by_the_plain_model_within_its_own_answers(qwen3: Path, own: bool) -> None:
    tokenizer, model = load_tokenizer(qwen3 / "base"), load_base(qwen3 / "base", torch.device("cpu")).eval()
    cases = sorted(encode(rows(6), tokenizer, 400), key=lambda case: -len(case.prompt))
    tokens = answer_token_ids(tokenizer, ANSWERS)
    sets = [tokens[number % 2 :: 2] if own else tokens for number in range(len(cases))]
    expected = [by_hand(model, tuple(case.prompt), answers) for case, answers in zip(cases, sets)]
    engine = Engine(model, None, tokenizer.pad_token_id, stop_tokens(tokenizer, model), 4096)
    lengths = [len(case.prompt) for case in cases]
    cache = Cache(len(cases), lengths[0] + max(map(len, tokens)))
    hidden = engine.prefill([case.prompt for case in cases], cache)
    found = write_within(engine, cache, lengths, hidden, [trie_of(answers) for answers in sets])
    for row, (ids, weight), answers in zip(found, expected, sets, strict=True):
        assert list(row.tokens) == ids
        assert list(row.tokens) in answers
        assert row.probability == pytest.approx(float(torch.tensor(weight).exp()), rel=1e-4)
