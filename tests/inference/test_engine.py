"""One prefill: its states, scores, score texts and greedy continuation are those of the plain model, alone or in a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoModelForCausalLM

from oncoraft.inference.answer import answer_group, response_logit, score_group, score_tokens
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import CPU_CACHE_TOKENS, Engine, affordable_tokens, in_groups, kept_at_once
from oncoraft.models.base import load_base
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.model_folder import read_score_head
from oncoraft.planning.config import Inference
from tests.models.tiny_folds import CONTEXT, WINDOW

CPU = torch.device("cpu")
GREEDY = Inference(temperature=0, max_new_tokens=12, score_in_text="sampled")


@pytest.fixture(scope="module")
def plain(fold: Path) -> Any:
    """The model as transformers runs it."""
    return AutoModelForCausalLM.from_pretrained(fold / "base", dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def head(fold: Path) -> nn.Sequential:
    return read_score_head(fold / "fold" / "score_head.pt", 32)


@pytest.fixture(scope="module")
def cases(fold: Path, tokenizer: Any) -> list[Case]:
    """Longest first; Gemma's window is shorter than every prompt."""
    found = encode(read_rows(fold / "rows.jsonl"), tokenizer, CONTEXT)
    assert min(len(case.prompt) for case in found) > 2 * WINDOW
    assert len({len(case.prompt) for case in found}) > 5
    return sorted(found, key=lambda case: -len(case.prompt))


def engine_of(fold: Path, tokenizer: Any, head: nn.Sequential | None, batch_tokens: int = 10_000, stops: tuple[int, ...] = (0,)) -> Engine:
    return Engine(load_base(fold / "base", CPU).eval(), head, tokenizer.pad_token_id, stops, batch_tokens)


@torch.no_grad()
def states_alone(plain: Any, cases: list[Case]) -> torch.Tensor:
    found = [plain(input_ids=torch.tensor([case.prompt]), output_hidden_states=True).hidden_states[-1][0, -1] for case in cases]
    return torch.stack(found)


@pytest.mark.parametrize("batch_tokens", [1, 300, 10_000])
def test_a_prefill_in_batches_gives_the_states_of_each_prompt_alone(
    fold: Path, plain: Any, tokenizer: Any, cases: list[Case], batch_tokens: int
) -> None:
    engine = engine_of(fold, tokenizer, None, batch_tokens)
    prompts = [case.prompt for case in cases]
    cached = engine.prefill(prompts, Cache(len(prompts), len(prompts[0])))
    assert torch.allclose(cached, states_alone(plain, cases), atol=1e-4)
    assert torch.equal(cached, engine.prefill(prompts, None))


def test_the_score_does_not_depend_on_the_batch(fold: Path, tokenizer: Any, head: nn.Sequential, cases: list[Case]) -> None:
    engine = engine_of(fold, tokenizer, head)
    together = {result.case_id: result.logit for result in score_group(engine, cases)}
    alone = {case.case_id: score_group(engine, [case])[0].logit for case in cases}
    written = {result.case_id: result.logit for result in answer_group(engine, tokenizer, cases, GREEDY, CONTEXT)}
    assert len({round(logit, 3) for logit in alone.values()}) > 10  # the prompts do differ
    assert together == pytest.approx(alone, abs=1e-5)
    assert written == pytest.approx(alone, abs=1e-5)


@torch.no_grad()
def test_greedy_text_is_that_of_plain_generate(fold: Path, plain: Any, tokenizer: Any, cases: list[Case]) -> None:
    engine, cases = engine_of(fold, tokenizer, None), cases[::2]
    lengths = [len(case.prompt) for case in cases]
    cache = Cache(len(cases), lengths[0] + 12)
    hidden = engine.prefill([case.prompt for case in cases], cache)
    found = engine.write(cache, lengths, hidden, torch.zeros(len(cases), 12, dtype=torch.float64), 0, 1.0)
    for case, tokens in zip(cases, found, strict=True):
        ids = torch.tensor([case.prompt])
        ask = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 12, "do_sample": False, "eos_token_id": 0, "pad_token_id": 2}
        assert tokens == plain.generate(ids, **ask)[0, len(case.prompt) :].tolist(), case.case_id
    assert len({tuple(tokens) for tokens in found}) > 3


@torch.no_grad()
def test_rows_that_end_early_leave_the_cache_and_the_others_go_on(fold: Path, plain: Any, tokenizer: Any, cases: list[Case]) -> None:
    def continuation(case: Case, stops: list[int]) -> list[int]:
        ids = torch.tensor([case.prompt])
        ask = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 10, "do_sample": False, "pad_token_id": 2}
        return plain.generate(ids, eos_token_id=stops, **ask)[0, len(case.prompt) :].tolist()

    cases = cases[::2]
    whole = [continuation(case, [0]) for case in cases]
    stops: tuple[int, ...] = ()
    for token in sorted({token for tokens in whole for token in tokens[:6]}):  # tokens that do come, until half of the rows have ended
        if sum(bool({*stops, token} & set(tokens[:6])) for tokens in whole) < len(whole):
            stops = (*stops, token)
    assert 2 * sum(bool(set(stops) & set(tokens[:6])) for tokens in whole) >= len(whole)
    engine = engine_of(fold, tokenizer, None, stops=stops)
    lengths = [len(case.prompt) for case in cases]
    cache = Cache(len(cases), lengths[0] + 10)
    hidden = engine.prefill([case.prompt for case in cases], cache)
    found = engine.write(cache, lengths, hidden, torch.zeros(len(cases), 10, dtype=torch.float64), 0, 1.0)
    assert found == [continuation(case, list(stops)) for case in cases]
    assert cache.rows < len(cases)
    assert len({len(tokens) for tokens in found}) > 1


@torch.no_grad()
def test_score_texts_weigh_what_the_plain_model_gives_them(fold: Path, plain: Any, tokenizer: Any, cases: list[Case]) -> None:
    engine = engine_of(fold, tokenizer, None)
    texts = score_tokens(tokenizer)
    lengths = [len(case.prompt) for case in cases]
    cache = Cache(len(cases), lengths[0] + sum(map(len, texts)))
    hidden = engine.prefill([case.prompt for case in cases], cache)
    found = engine.weigh(cache, torch.tensor(lengths), hidden, texts, lengths[-1], lengths[0])
    for row, case in enumerate(cases):
        for column, text in enumerate(texts):
            ids = torch.tensor([[*case.prompt, *text]])
            known = torch.log_softmax(plain(input_ids=ids).logits[0, len(case.prompt) - 1 : -1].float(), dim=-1)
            expected = known.gather(1, torch.tensor(text)[:, None]).sum()
            assert float(found[row, column]) == pytest.approx(float(expected), abs=2e-3)


def test_a_score_alone_samples_nothing(fold: Path, tokenizer: Any, cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(fold, tokenizer, None)
    whole = answer_group(engine, tokenizer, cases, GREEDY, CONTEXT, is_written=False)
    monkeypatch.setattr(engine, "write", None)
    silent = answer_group(engine, tokenizer, cases, GREEDY.model_copy(update={"score_only": True}), CONTEXT, is_written=False)
    assert [result.logit for result in silent] == [result.logit for result in whole]


def test_response_is_the_share_of_the_two_responding_texts() -> None:
    # Probabilities 0.1, 0.3, 0.4, 0.2 of the four texts, each scaled by the same unknown: (0.1 + 0.3) / (0.4 + 0.2) = 2/3.
    weighed = torch.log(torch.tensor([[0.1, 0.3, 0.4, 0.2]]) * 1e-3)
    assert float(response_logit(weighed).exp()) == pytest.approx(2 / 3, rel=1e-5)


def test_a_forced_opening_is_read_as_if_it_stood_in_the_prompt(fold: Path, tokenizer: Any, head: nn.Sequential, cases: list[Case]) -> None:
    engine = engine_of(fold, tokenizer, head)
    settings, cases = GREEDY.model_copy(update={"score_in_text": "forced"}), cases[::4]
    for case, found in zip(cases, answer_group(engine, tokenizer, cases, settings, CONTEXT), strict=True):
        assert found.text is not None
        shown, rest = found.text.split("\n", 1)
        probability = float(torch.tensor(found.logit).double().sigmoid())
        assert shown == f"Score: {probability:.4f}"
        assert rest.startswith("Reasoning:\n")
        assert found.score_from_text is None
        nearest = min((1.0, 0.7, 0.3, 0.0), key=lambda score: abs(score - probability))
        opened = tokenizer(f"Score: {nearest}\nReasoning:\n", add_special_tokens=False)["input_ids"]
        longer = Case(case.case_id, case.patient_id, 0, (*case.prompt, *opened), (), None, None)
        again = answer_group(engine, tokenizer, [longer], GREEDY, CONTEXT)[0]
        begun = tokenizer.decode(opened)
        whole = tokenizer.decode([*opened, *tokens_of(engine, longer)], skip_special_tokens=True)
        assert whole.startswith(begun)
        assert rest == whole.split("\n", 1)[1]
        assert again.reason == found.reason


def tokens_of(engine: Engine, case: Case) -> list[int]:
    cache = Cache(1, len(case.prompt) + 12)
    hidden = engine.prefill([case.prompt], cache)
    return engine.write(cache, [len(case.prompt)], hidden, torch.zeros(1, 12, dtype=torch.float64), 0, 1.0)[0]


def test_sampled_text_does_not_depend_on_the_batch(fold: Path, tokenizer: Any, head: nn.Sequential, cases: list[Case]) -> None:
    engine = engine_of(fold, tokenizer, head)
    settings, cases = Inference(temperature=1.0, top_p=0.9, max_new_tokens=12), cases[::2]
    together = {result.case_id: result.text for result in answer_group(engine, tokenizer, cases, settings, CONTEXT)}
    alone = {case.case_id: answer_group(engine, tokenizer, [case], settings, CONTEXT)[0].text for case in reversed(cases)}
    assert together == alone
    other = answer_group(engine, tokenizer, cases, settings.model_copy(update={"seed": 42}), CONTEXT)
    assert {result.case_id: result.text for result in other} != together


def test_an_answer_is_cut_at_the_context_of_its_own_prompt_alone(
    fold: Path, tokenizer: Any, head: nn.Sequential, cases: list[Case]
) -> None:
    engine = engine_of(fold, tokenizer, head)
    longest = len(cases[0].prompt) + 3  # room for three tokens after the longest prompt, for all twelve after the short ones
    together = answer_group(engine, tokenizer, cases, GREEDY, longest)
    alone = [answer_group(engine, tokenizer, [case], GREEDY, longest)[0] for case in cases]
    assert [(found.text, found.reason) for found in together] == [(found.text, found.reason) for found in alone]
    whole = answer_group(engine, tokenizer, cases, GREEDY, CONTEXT)
    assert together[0].text != whole[0].text
    assert together[-1].text == whole[-1].text


def test_the_cache_keeps_to_the_memory_of_a_small_job(plain: Any) -> None:
    # 3 layers, 2 key heads of 8 numbers, a key and a value, 4 bytes: 384 bytes a token of 2**30.
    assert affordable_tokens(plain) == 2**30 // 384


def test_without_a_limit_the_cache_holds_what_the_device_affords_and_a_limit_only_lowers_it(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept_at_once(plain, None) == CPU_CACHE_TOKENS < affordable_tokens(plain)
    assert kept_at_once(plain, 300) == 300
    assert kept_at_once(plain, 10**9) == affordable_tokens(plain)
    monkeypatch.setattr("oncoraft.inference.engine.CPU_CACHE_BYTES", 384 * 1000)
    assert kept_at_once(plain, None) == 1000


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200), st.integers(0, 30))
def test_groups_hold_every_index_once_and_keep_to_the_budget(lengths: list[int], tokens: int, extra: int) -> None:
    groups = in_groups(lengths, tokens, extra)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * (max(lengths[index] for index in group) + extra) <= tokens
        assert [lengths[index] for index in group] == sorted((lengths[index] for index in group), reverse=True)
