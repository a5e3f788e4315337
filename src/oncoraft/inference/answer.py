"""Scores and texts of a group of cases, from one prefill each: the order of acts that every engine call goes through.

With a score head: prefill, the head's score, the score forced into the answer (`Score: 0.7`, `Reasoning:`), the sampled rationale.
Without one: prefill, the probability of the four score texts, the answer sampled freely, the score that it states read from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from oncoraft.answers import text_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine, rows_within
from oncoraft.inference.layout import SCORE_TEXTS, opening, score_in, with_score
from oncoraft.inference.running import Joining
from oncoraft.inference.sampling import uniforms
from oncoraft.models.cases import Case
from oncoraft.planning.config import Inference

STATED_SCORE_TOKENS = 16  # enough for `Score: 0.7` in any tokenizer, where the score is read from text but no rationale is wanted
RESPONDING = (0, 1)  # places in SCORE_TEXTS of complete and partial response


@dataclass(frozen=True)
class Result:
    """What inference says of one case.

    Attributes:
        logit: of the probability of response.
        text: the answer; None if none was asked for.
        score_from_text: the score that a freely sampled answer states; None if it states none or the score was forced.
        reason: `stop`, `length` or `not_sampled`.
    """

    case_id: str
    logit: float
    text: str | None
    score_from_text: float | None
    reason: str


def score_tokens(tokenizer: Any) -> list[list[int]]:
    """Token ids of the beginning of an answer with each of `SCORE_TEXTS`, up to the end of its line."""
    lines = [opening(float(text)).split("\n")[0] + "\n" for text in SCORE_TEXTS]
    return text_token_ids(tokenizer, lines)


def response_logit(log_probabilities: torch.Tensor) -> torch.Tensor:
    """Log-odds of response from the log-probabilities of the four score texts, (rows, 4): CR and PR against SD and PD, normalised.

    A text's probability is that of its whole token sequence; the shared beginning cancels.
    """
    responding = torch.tensor([index in RESPONDING for index in range(len(SCORE_TEXTS))], device=log_probabilities.device)
    # In logarithms: the probability of a whole token sequence can be too small for a float.
    known = log_probabilities.double()
    return known[:, responding].logsumexp(dim=1) - known[:, ~responding].logsumexp(dim=1)


def answer_room(engine: Engine, tokenizer: Any, settings: Inference, is_written: bool) -> int:
    """Tokens that may follow a prompt in the cache: the answer and its opening, or the score texts."""
    weighed = 0 if engine.head is not None else begun_room(engine, tokenizer)
    return max(_opened(tokenizer) + settings.max_new_tokens if is_written else STATED_SCORE_TOKENS, weighed)


def begun_room(engine: Engine, tokenizer: Any) -> int:
    """Tokens that are read after a prompt before its answer is sampled: the answer's opening, or the score texts."""
    return _opened(tokenizer) if engine.head is not None else sum(map(len, score_tokens(tokenizer)))


def _opened(tokenizer: Any) -> int:
    return max(len(ids) for ids in text_token_ids(tokenizer, [opening(score) for score in (1.0, 0.7, 0.3, 0.0)]))


def finite(cases: Sequence[Case], logits: Sequence[float]) -> list[float]:
    """The scores, if all are numbers.

    Raises:
        InputError: one is not, as damaged weights give; it must neither be written nor steer a text.
    """
    for case, logit in zip(cases, logits, strict=True):
        if not math.isfinite(logit):
            raise InputError(f"case {case.case_id}: expected a finite score of the model", found=str(logit))
    return list(logits)


def score_group(engine: Engine, cases: Sequence[Case]) -> list[Result]:
    """The head's scores alone; nothing is cached."""
    logits = finite(cases, engine.scores(engine.prefill([case.prompt for case in cases], None)).tolist())
    return [Result(case.case_id, logit, None, None, "not_sampled") for case, logit in zip(cases, logits, strict=True)]


@dataclass(frozen=True)
class Begun:
    """A case that has been read: what the model says of it, and how its answer begins."""

    case: Case
    logit: float
    forced: list[int]


def begin(
    engine: Engine, tokenizer: Any, cases: Sequence[Case], settings: Inference, longest: int, is_written: bool = True, is_first: bool = True
) -> tuple[list[Begun], Joining]:
    """Read some cases, longest prompt first, see `answer_group`; the rows that go on from there.

    Args:
        is_first: whether their cache is the one that is written in; otherwise it has no room for answers.
    """
    lengths = [len(case.prompt) for case in cases]
    room = answer_room(engine, tokenizer, settings, is_written) if is_first else begun_room(engine, tokenizer)
    cache = Cache(len(cases), lengths[0] + room)
    hidden = engine.prefill([case.prompt for case in cases], cache)
    forced: list[list[int]] = [[] for _ in cases]
    if engine.head is not None:
        logits = finite(cases, engine.scores(hidden).tolist())
        if settings.score_in_text == "forced":
            # float64, as the score is written: beside a border, text and score have to name the same category.
            texts = [opening(score) for score in torch.tensor(logits, dtype=torch.float64).sigmoid().tolist()]
            forced = text_token_ids(tokenizer, texts)
            hidden = force(engine, cache, lengths, forced)
    else:
        starts = torch.tensor(lengths, device=engine.device)
        weighed = engine.weigh(cache, starts, hidden, score_tokens(tokenizer), lengths[-1], lengths[0])
        logits = finite(cases, response_logit(weighed).tolist())
    most = settings.max_new_tokens if is_written else STATED_SCORE_TOKENS
    filled = [length + len(ids) for length, ids in zip(lengths, forced, strict=True)]
    limits = [max(1, min(most, longest - length)) for length in filled]  # each row's own: a neighbour's length must not cut its answer
    draws = uniforms(settings.seed, [case.case_id for case in cases], most)
    return list(map(Begun, cases, logits, forced)), Joining(cache, filled, hidden, draws, limits)


def answer_group(
    engine: Engine,
    tokenizer: Any,
    cases: Sequence[Case],
    settings: Inference,
    longest: int,
    is_written: bool = True,
    is_stopped: Callable[[], None] = lambda: None,
    cache_tokens: int | None = None,
) -> list[Result]:
    """Score and text of every case.

    Args:
        cases: longest prompt first.
        longest: the model's context in tokens; an answer is cut where it ends.
        is_written: whether a whole answer is wanted; False (strategies without a head): its score alone is sampled.
        is_stopped: called before every token; may raise.
        cache_tokens: tokens whose keys and values may be kept at once; as many cases as that are written together, the others take the
            places of those whose answers have ended. None: all together.

    Raises:
        InputError: see `finite`.
    """
    slots = len(cases[0].prompt) + answer_room(engine, tokenizer, settings, is_written)
    at_once = len(cases) if cache_tokens is None else rows_within(cache_tokens, slots)
    begun: list[Begun] = []

    def more(most: int) -> Joining | None:
        start = len(begun)
        if start == len(cases):
            return None
        if start:  # what is read beside a full cache is bounded as a forward pass is
            most = min(most, rows_within(engine.batch_tokens, len(cases[start].prompt)))
        read, rows = begin(engine, tokenizer, cases[start : start + most], settings, longest, is_written, not start)
        begun.extend(read)
        return rows

    if settings.score_only:
        while more(at_once) is not None:
            pass
        return [Result(one.case.case_id, one.logit, None, None, "not_sampled") for one in begun]
    first = more(at_once)
    assert first is not None
    written = engine.write(*first[:4], settings.temperature, settings.top_p, is_stopped, first.limits, more)
    stops, has_head = set(engine.stops.tolist()), engine.head is not None
    return [
        result(one.case, one.logit, [*one.forced, *tokens], tokens[-1] in stops, tokenizer, has_head, bool(one.forced), is_written)
        for one, tokens in zip(begun, written, strict=True)
    ]


def force(engine: Engine, cache: Cache, lengths: Sequence[int], forced: Sequence[Sequence[int]]) -> torch.Tensor:
    """Read the forced beginning of each answer into the cache; states of its last tokens, (rows, hidden)."""
    ids, counts = engine.padded(forced)
    starts = torch.tensor(lengths, device=engine.device)
    states = engine.extend(cache, starts, ids, min(lengths), max(lengths))
    return states[torch.arange(len(ids), device=engine.device), counts - 1]


def result(
    case: Case, logit: float, tokens: Sequence[int], is_ended: bool, tokenizer: Any, has_head: bool, is_forced: bool, is_written: bool
) -> Result:
    """One case's answer as text; a head's score replaces the one that the text states, as published."""
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    stated = None if is_forced else score_in(text)
    if not is_written:
        return Result(case.case_id, logit, None, stated, "not_sampled")
    probability = float(torch.tensor(logit, dtype=torch.float64).sigmoid())
    shown = with_score(text, probability) if has_head else text
    return Result(case.case_id, logit, shown, stated, "stop" if is_ended else "length")
