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
from oncoraft.inference.engine import Engine
from oncoraft.inference.layout import SCORE_TEXTS, opening, score_in, with_score
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
    opened = max(len(ids) for ids in text_token_ids(tokenizer, [opening(score) for score in (1.0, 0.7, 0.3, 0.0)]))
    weighed = 0 if engine.head is not None else sum(map(len, score_tokens(tokenizer)))
    return max(opened + settings.max_new_tokens if is_written else STATED_SCORE_TOKENS, weighed)


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


def answer_group(
    engine: Engine,
    tokenizer: Any,
    cases: Sequence[Case],
    settings: Inference,
    longest: int,
    is_written: bool = True,
    is_stopped: Callable[[], None] = lambda: None,
) -> list[Result]:
    """Score and text of every case.

    Args:
        cases: longest prompt first.
        longest: the model's context in tokens; an answer is cut where it ends.
        is_written: whether a whole answer is wanted; False (strategies without a head): its score alone is sampled.
        is_stopped: called before every token; may raise.

    Raises:
        InputError: see `finite`.
    """
    lengths = [len(case.prompt) for case in cases]
    cache = Cache(len(cases), lengths[0] + answer_room(engine, tokenizer, settings, is_written))
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
    if settings.score_only:
        return [Result(case.case_id, logit, None, None, "not_sampled") for case, logit in zip(cases, logits, strict=True)]
    room = settings.max_new_tokens if is_written else STATED_SCORE_TOKENS
    filled = [length + len(ids) for length, ids in zip(lengths, forced, strict=True)]
    rooms = [max(1, min(room, longest - length)) for length in filled]  # each row's own: a neighbour's length must not cut its answer
    draws = uniforms(settings.seed, [case.case_id for case in cases], max(rooms))
    written = engine.write(cache, filled, hidden, draws, settings.temperature, settings.top_p, is_stopped)
    written = [tokens[:own] for tokens, own in zip(written, rooms, strict=True)]
    stops = set(engine.stops.tolist())
    return [
        result(case, logit, [*begun, *tokens], tokens[-1] in stops, tokenizer, engine.head is not None, bool(begun), is_written)
        for case, logit, begun, tokens in zip(cases, logits, forced, written, strict=True)
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
