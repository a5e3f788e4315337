"""Answers that are written together: a case joins as soon as its score is known and leaves when its answer ends or its reader has gone.

A prompt is read alone, as `oncoraft predict` reads a file of one case, so that a score does not depend on who else asks, to the last
digit. What costs time, the token-by-token writing, is shared: rows of the cache join and leave between any two tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from oncoraft.inference.answer import Result, answer_room, begin, result, score_group
from oncoraft.inference.engine import Engine, kept_at_once
from oncoraft.inference.running import Running
from oncoraft.models.cases import Case
from oncoraft.planning.config import Inference

UNFINISHED = "\ufffd"  # what half a character decodes to


@dataclass
class Row:
    """One answer in the making.

    Attributes:
        key: of the request.
        tokens: those of the answer so far; the first `begun` were forced.
        told: characters that were already handed out.
    """

    key: int
    case: Case
    logit: float
    tokens: list[int]
    begun: int
    told: int = 0


class Writing:
    """The answers that one model is writing.

    Args:
        engine: of a model folder, with its score head.
        longest: the model's context in tokens.
    """

    def __init__(self, engine: Engine, tokenizer: Any, settings: Inference, longest: int) -> None:
        self.engine, self.tokenizer, self.settings, self.longest = engine, tokenizer, settings, longest
        self.room = answer_room(engine, tokenizer, settings, True)
        self.tokens = kept_at_once(engine.causal, settings.cache_tokens)
        self.stops = set(engine.stops.tolist())
        self.clear()

    def clear(self) -> None:
        """Forget every row and what was kept of it."""
        self.rows: list[Row] = []
        self.running = Running(self.engine, self.settings.temperature, self.settings.top_p)

    def has_room(self, case: Case) -> bool:
        """Whether a case's keys and values fit beside those of the others; one alone always goes."""
        cache = self.running.cache
        slots = max([len(case.prompt) + self.room, *([cache.slots] if cache else [])])
        return not self.rows or (len(self.rows) + 1) * slots <= self.tokens

    def begin(self, key: int, case: Case) -> float:
        """Read a prompt, and join: the score's logit.

        Raises:
            InputError: the score is not finite.
        """
        (read,), joining = begin(self.engine, self.tokenizer, [case], self.settings, self.longest)
        self.running.join(joining)
        # Last: where memory ran out above, the others go on as if nobody had come.
        self.rows.append(Row(key, case, read.logit, list(read.forced), len(read.forced)))
        return read.logit

    def step(self) -> tuple[list[tuple[int, str]], list[tuple[int, Result]]]:
        """One token of every row: (key, new text) of those that go on, (key, result) of those that end here."""
        for row, token in zip(self.rows, self.running.draw().tolist(), strict=True):
            row.tokens.append(token)
        ended = [self.rows[place] for place in self.running.look()]
        told = [(row.key, text) for row in self.rows if row not in ended and (text := self._new_text(row))]
        results = [(row.key, self._result(row)) for row in ended]
        gone = {row.key for row in ended}
        self.keep([row.key for row in self.rows if row.key not in gone])
        if self.rows:
            self.running.read()
        return told, results

    def keep(self, keys: Collection[int]) -> None:
        """Drop all rows but these."""
        places = [place for place, row in enumerate(self.rows) if row.key in keys]
        if len(places) < len(self.rows):
            self.rows = [self.rows[place] for place in places]
            if self.rows:
                self.running.keep(places)
            else:
                self.clear()

    def _new_text(self, row: Row) -> str:
        """What the row's text has grown by since it was last told; nothing while a character is half there."""
        text = self.tokenizer.decode(row.tokens[row.begun :], skip_special_tokens=True)
        if text.endswith(UNFINISHED):
            return ""
        new, row.told = text[row.told :], len(text)
        return new

    def _result(self, row: Row) -> Result:
        """The answer as `oncoraft predict` gives it."""
        is_ended = row.tokens[-1] in self.stops
        return result(row.case, row.logit, row.tokens, is_ended, self.tokenizer, True, row.begun > 0, True)

    @torch.inference_mode()
    def scores(self, cases: Sequence[Case]) -> list[float]:
        """Logits of cases that are compared with one another, read together."""
        return [one.logit for one in score_group(self.engine, cases)]
