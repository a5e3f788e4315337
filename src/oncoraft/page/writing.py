"""Answers that are written together: a case joins as soon as its score is known and leaves when its answer ends or its reader has gone.

A prompt is read alone, as `oncoraft predict` reads a file of one case, so that a score does not depend on who else asks, to the last
digit. What costs time, the token-by-token writing, is shared: rows of the cache join and leave between any two tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from oncoraft.answers import text_token_ids
from oncoraft.inference.answer import Result, answer_room, finite, force, result, score_group
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine, kept_at_once
from oncoraft.inference.layout import opening
from oncoraft.inference.sampling import draw, uniforms
from oncoraft.models.cases import Case
from oncoraft.planning.config import Inference

UNFINISHED = "\ufffd"  # what half a character decodes to


@dataclass
class Row:
    """One answer in the making.

    Attributes:
        key: of the request.
        filled: tokens in the cache.
        limit: tokens that may be drawn.
        draws: (limit,) uniforms of the case.
        tokens: those of the answer so far; the first `begun` were forced.
        told: characters that were already handed out.
    """

    key: int
    case: Case
    logit: float
    filled: int
    limit: int
    draws: torch.Tensor
    tokens: list[int]
    begun: int
    told: int = 0


def joined(first: Cache, second: Cache) -> Cache:
    """The rows of two caches in one."""
    whole = Cache(first.rows + second.rows, max(first.slots, second.slots))
    for index in second.layers:
        parts = [[nn.functional.pad(part, (0, 0, 0, whole.slots - one.slots)) for part in one.layers[index]] for one in (first, second)]
        whole.layers[index] = (torch.cat([parts[0][0], parts[1][0]]), torch.cat([parts[0][1], parts[1][1]]))
    return whole


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
        self.cache: Cache | None = None
        self.hidden: torch.Tensor | None = None

    def has_room(self, case: Case) -> bool:
        """Whether a case's keys and values fit beside those of the others; one alone always goes."""
        slots = max([len(case.prompt) + self.room, *([self.cache.slots] if self.cache else [])])
        return not self.rows or (len(self.rows) + 1) * slots <= self.tokens

    @torch.inference_mode()
    def begin(self, key: int, case: Case) -> float:
        """Read a prompt, and join: the score's logit.

        Raises:
            InputError: the score is not finite.
        """
        engine, length = self.engine, len(case.prompt)
        cache = Cache(1, length + self.room)
        hidden = engine.prefill([case.prompt], cache)
        (logit,) = finite([case], engine.scores(hidden).tolist())
        begun: list[int] = []
        if self.settings.score_in_text == "forced":
            probability = float(torch.tensor(logit, dtype=torch.float64).sigmoid())
            (begun,) = text_token_ids(self.tokenizer, [opening(probability)])
            hidden = force(engine, cache, [length], [begun])
        limit = max(1, min(self.settings.max_new_tokens, self.longest - length - len(begun)))
        draws = uniforms(self.settings.seed, [case.case_id], limit)[0]
        cache = cache if self.cache is None else joined(self.cache, cache)
        hidden = hidden if self.hidden is None else torch.cat([self.hidden, hidden])
        # Last, and together: where memory ran out above, the others go on as if nobody had come.
        self.rows.append(Row(key, case, logit, length + len(begun), limit, draws, list(begun), len(begun)))
        self.cache, self.hidden = cache, hidden
        return logit

    @torch.inference_mode()
    def step(self) -> tuple[list[tuple[int, str]], list[tuple[int, Result]]]:
        """One token of every row: (key, new text) of those that go on, (key, result) of those that end here."""
        assert self.cache is not None
        assert self.hidden is not None
        places = [len(row.tokens) - row.begun for row in self.rows]
        chances = torch.stack([row.draws[place] for row, place in zip(self.rows, places)]).to(self.engine.device)
        drawn = draw(self.engine.logits(self.hidden), chances, self.settings.temperature, self.settings.top_p)
        ended, told = [], []
        for row, place, token in zip(self.rows, places, drawn.tolist()):
            row.tokens.append(token)
            if token in self.stops or place + 1 == row.limit:
                ended.append(row)
            elif text := self._new_text(row):
                told.append((row.key, text))
        results = [(row.key, self._result(row)) for row in ended]
        kept = self.keep(row.key for row in self.rows if row not in ended)
        if self.rows:
            starts = [row.filled for row in self.rows]
            token = drawn[kept][:, None]
            self.hidden = self.engine.extend(self.cache, torch.tensor(starts, device=self.engine.device), token, min(starts), max(starts))[
                :, 0
            ]
            for row in self.rows:
                row.filled += 1
        return told, results

    @torch.inference_mode()
    def keep(self, keys: Any) -> torch.Tensor:
        """Drop all rows but these; the places that stay."""
        wanted: Collection[int] = set(keys)
        places = [place for place, row in enumerate(self.rows) if row.key in wanted]
        kept = torch.tensor(places, dtype=torch.long, device=self.engine.device)
        if len(places) < len(self.rows):
            self.rows = [self.rows[place] for place in places]
            if not self.rows:
                self.clear()
            else:
                assert self.cache is not None
                assert self.hidden is not None
                self.cache.keep(kept)
                self.hidden = self.hidden[kept]
        return kept

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
