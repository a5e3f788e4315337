"""A shard's work: which cases it holds, in which groups they go through the model, and the predictions that come out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from oncoraft.foundation.stable import stable_fraction
from oncoraft.inference.answer import Result
from oncoraft.inference.engine import in_groups
from oncoraft.inference.memory import explained
from oncoraft.inference.progress import Progress
from oncoraft.models.cases import Case
from oncoraft.planning.config import Inference

SECONDS_BETWEEN_SIGNS = 5


@dataclass(frozen=True)
class Work:
    """One group of cases that go through the model together, longest first."""

    cases: tuple[Case, ...]
    is_read_only: bool  # the head's score alone: nothing is cached, nothing written
    is_written: bool


Answer = Callable[[Work, Callable[[], None]], list[Result]]


def shard_of(case_id: str, shards: int) -> int:
    """The shard of a case."""
    return int(stable_fraction("shard", case_id) * shards)


def sampled(rows: Sequence[dict[str, Any]], settings: Inference) -> set[str]:
    """Cases that get a rationale: all, none, or a stable sample of the whole fold."""
    if settings.score_only:
        return set()
    if settings.rationales is None:
        return {row["case_id"] for row in rows}
    ordered = sorted((stable_fraction(settings.seed, row["case_id"]), row["case_id"]) for row in rows)
    return {case_id for _, case_id in ordered[: settings.rationales]}


def plan(
    cases: Sequence[Case],
    chosen: set[str],
    batch_tokens: int,
    cache_tokens: int,
    room: Callable[[bool], int],
    has_head: bool,
    times: int = 1,
) -> list[Work]:
    """The shard's groups: cases that are only scored, then those that are also written.

    Args:
        chosen: cases that get a rationale.
        batch_tokens, cache_tokens: bounds of a group's padded size, without and with a cache.
        room: tokens that a group's cache needs after each prompt, with a whole answer or with its score alone.
        times: how often a cache's cases follow one another in a group.
    """
    work = []
    for is_written in (False, True):
        members = [case for case in cases if (case.case_id in chosen) == is_written]
        is_read_only = has_head and not is_written
        bounds = (batch_tokens, 0) if is_read_only else (cache_tokens, room(is_written), times)
        for group in in_groups([len(case.prompt) for case in members], *bounds):
            work.append(Work(tuple(members[index] for index in group), is_read_only, is_written))
    return work


def prediction(case: Case, result: Result) -> dict[str, Any]:
    """One line of `predictions.jsonl`."""
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "fold": case.fold,
        "logit": result.logit,
        "score": float(torch.tensor(result.logit, dtype=torch.float64).sigmoid()),
        "rationale": result.text,
        "score_from_text": result.score_from_text,
        "finish_reason": result.reason,
    }


def go_through(work: Sequence[Work], answer: Answer, kept: Progress, is_stopped: Callable[[], None]) -> None:
    """Every group that is not finished; its predictions are kept as soon as it is.

    Args:
        answer: what the engine says of a group, in the order of its cases; it calls its second argument before every token.
        is_stopped: called before each group and each token; may raise.
    """
    bar = tqdm(total=sum(len(one.cases) for one in work), desc="inference", unit="case", mininterval=SECONDS_BETWEEN_SIGNS)
    for one in work:
        # Whole groups or none: a resumed run then has the batches of an undisturbed one.
        if not all(case.case_id in kept.done for case in one.cases):
            is_stopped()
            with explained("inference.batch_tokens", *(() if one.is_read_only else ("inference.cache_tokens",))):
                results = answer(one, ticking(bar, is_stopped))
            kept.add([prediction(case, result) for case, result in zip(one.cases, results, strict=True)])
        bar.update(len(one.cases))
    bar.close()


def ticking(bar: tqdm, is_stopped: Callable[[], None]) -> Callable[[], None]:
    """What an engine calls before every token of a group: it may be stopped there, and a long group shows that it moves."""
    tokens, shown = 0, time.monotonic()

    def tick() -> None:
        nonlocal tokens, shown
        is_stopped()
        tokens += 1
        if time.monotonic() - shown > SECONDS_BETWEEN_SIGNS:
            bar.set_postfix_str(f"token {tokens} of a group")
            shown = time.monotonic()

    return tick
