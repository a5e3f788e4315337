"""Answers sampled for training prompts: one prefill a prompt for all its samples, in the layout in which inference writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from oncoraft.alignment.groups import Group
from oncoraft.alignment.rewards import Answered, Judged, Rewards
from oncoraft.answers import text_token_ids
from oncoraft.inference.answer import finite, force, score_group
from oncoraft.inference.cache import Cache, use_cache_attention
from oncoraft.inference.engine import Engine, affordable_tokens, in_groups
from oncoraft.inference.layout import opening
from oncoraft.inference.opening import stop_tokens
from oncoraft.inference.sampling import uniforms
from oncoraft.models.cases import Case
from oncoraft.planning.config import Alignment


@dataclass(frozen=True)
class Sampled:
    """The answers to one prompt as they were sampled, the score that the head gave, and what they are worth."""

    group: Group
    texts: tuple[str, ...]
    score: float | None
    is_ended: tuple[bool, ...]
    judged: tuple[Judged, ...]


class Writer:
    """Samples answers and has them judged.

    Args:
        model: of the fold, in its adapter wrapper.
        head: score head, or None.
        tokenizer: of the base model.
        settings: number, length and temperature of the samples.
        rewards: what an answer is worth.
        texts: case -> (instruction, input) of its prompt.
        longest: the model's context in tokens.
        batch_tokens: prompt tokens per forward pass.
    """

    def __init__(
        self,
        model: Any,
        head: nn.Sequential | None,
        tokenizer: Any,
        settings: Alignment,
        rewards: Rewards,
        texts: dict[str, tuple[str, str]],
        longest: int,
        batch_tokens: int,
    ) -> None:
        self.engine = Engine(model, head, tokenizer.pad_token_id, stop_tokens(tokenizer, model), batch_tokens)
        self.tokenizer, self.settings, self.rewards, self.texts, self.longest = tokenizer, settings, rewards, texts, longest
        self.cache_tokens = affordable_tokens(self.engine.causal)

    def answers(self, cases: Sequence[Case], step: int, is_stopped: Callable[[], None] = lambda: None) -> list[Sampled]:
        """The samples of every case, in the order of the cases; they depend on the seed, the step and the case alone.

        Args:
            cases: whose prompts are answered.
            step: of the run, so that a prompt that comes again is answered anew.
            is_stopped: called before every token; may raise.
        """
        # Training reads by another attention between two rounds of sampling.
        use_cache_attention(self.engine.causal)
        room = self.settings.max_new_tokens + max(len(ids) for ids in self._openings([1.0, 0.7, 0.3, 0.0]))
        found: dict[str, Sampled] = {}
        # A prompt counts once a sample: that many rows stand in the cache while the answers are written.
        lengths = [len(case.prompt) for case in cases]
        for group in in_groups(lengths, self.cache_tokens // self.settings.samples, room):
            found.update((one.group.case.case_id, one) for one in self._write([cases[index] for index in group], step, room, is_stopped))
        return [found[case.case_id] for case in cases]

    def scores(self, cases: Sequence[Case]) -> dict[str, float]:
        """The head's probability of response of every case."""
        use_cache_attention(self.engine.causal)
        found: dict[str, float] = {}
        for group in in_groups([len(case.prompt) for case in cases], self.engine.batch_tokens):
            results = score_group(self.engine, [cases[index] for index in group])
            found.update((one.case_id, float(torch.tensor(one.logit, dtype=torch.float64).sigmoid())) for one in results)
        return found

    def _openings(self, scores: Sequence[float]) -> list[list[int]]:
        """Token ids of the answers' first lines with these scores; empty where no head gives one."""
        return (
            text_token_ids(self.tokenizer, [opening(score) for score in scores]) if self.engine.head is not None else [[] for _ in scores]
        )

    def _write(self, cases: Sequence[Case], step: int, room: int, is_stopped: Callable[[], None]) -> list[Sampled]:
        """The samples of some prompts, longest first, whose keys and values stand in one cache."""
        engine, settings, count = self.engine, self.settings, self.settings.samples
        lengths = [len(case.prompt) for case in cases]
        cache = Cache(len(cases), lengths[0] + room)
        hidden = engine.prefill([case.prompt for case in cases], cache)
        scores: list[float] = []
        forced: list[list[int]] = [[] for _ in cases]
        if engine.head is not None:
            scores = torch.tensor(finite(cases, engine.scores(hidden).tolist()), dtype=torch.float64).sigmoid().tolist()
            forced = self._openings(scores)
            hidden = force(engine, cache, lengths, forced)
        every = torch.arange(len(cases), device=engine.device).repeat_interleave(count)
        cache.keep(every)
        filled = [length + len(ids) for length, ids in zip(lengths, forced, strict=True)]
        rooms = [max(1, min(settings.max_new_tokens, self.longest - length)) for length in filled]
        names = [f"{case.case_id}\x1f{step}\x1f{number}" for case in cases for number in range(count)]
        rows = [length for length in filled for _ in range(count)]
        draws = uniforms(settings.seed, names, max(rooms))
        written = engine.write(cache, rows, hidden[every], draws, settings.temperature, settings.top_p, is_stopped)
        return [
            self._judged(
                case,
                forced[place],
                [tokens[: rooms[place]] for tokens in written[place * count : (place + 1) * count]],
                scores[place] if scores else None,
            )
            for place, case in enumerate(cases)
        ]

    def _judged(self, case: Case, forced: Sequence[int], answers: Sequence[Sequence[int]], score: float | None) -> Sampled:
        """One case's answers as text, judged."""
        stops = set(self.engine.stops.tolist())
        instruction, prompt = self.texts[case.case_id]
        texts = [self.tokenizer.decode(answer, skip_special_tokens=True) for answer in answers]
        is_ended = [answer[-1] in stops for answer in answers]
        judged = [
            self.rewards.judge(Answered(text, prompt, instruction, score, case.responder, ended))
            for text, ended in zip(texts, is_ended, strict=True)
        ]
        group = Group(case, tuple(forced), tuple(tuple(answer) for answer in answers))
        return Sampled(group, tuple(texts), score, tuple(is_ended), tuple(judged))
