"""Rows that one model writes together: they join, follow one another and leave between any two tokens.

A row whose answer has ended gives its place to a case that waits, whose prompt is read meanwhile, so that as many rows are written at
once as the cache has room for; where nobody waits any more, ended rows are dropped. Each row draws from a stream of its own, so that what
it says does not depend on who is written beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import torch

from oncoraft.inference.cache import Cache, joined
from oncoraft.inference.sampling import draw, draw_first

if TYPE_CHECKING:
    from oncoraft.inference.engine import Engine

SLOTS_TOGETHER = 256  # what is recorded reads whole blocks of so many, so that one recording serves for many tokens
STEPS_BETWEEN_LOOKS = 16  # on a GPU, asking whether rows have ended stalls it, so it is asked this seldom
COPY_COST = 2  # tokens of a row that are read in the time that its keys and values are copied


class Joining(NamedTuple):
    """Rows that are ready to be written.

    Attributes:
        cache: their prompts, and whatever was forced after them.
        lengths: tokens of each row in it.
        hidden: (rows, hidden) states of their last tokens.
        draws: (rows, longest answer) uniforms, see `sampling.uniforms`; as wide for all rows that are written together.
        limits: tokens that each may write, at least 1 and at most the longest answer.
    """

    cache: Cache
    lengths: Sequence[int]
    hidden: torch.Tensor
    draws: torch.Tensor
    limits: Sequence[int]


More = Callable[[int], Joining | None]


@dataclass
class Rows:
    """What is known of each row, on the device; a token changes it in place, so that what is recorded finds it where it lay.

    Attributes:
        hidden: (rows, hidden) states of the last tokens that were read.
        token: (rows,) the last that was drawn.
        starts: (rows,) tokens in the cache.
        draws: (rows, longest answer) uniforms.
        limits: (rows,) tokens that may be drawn.
        answers: (rows, longest answer + 1) those that were; the last column takes what is drawn after an end.
        counts: (rows,) how many they are.
        ended: (rows,) whether a stop token or the limit has come.
        is_wide: (rows,) whether the last token has to be drawn again among the whole vocabulary.
    """

    hidden: torch.Tensor
    token: torch.Tensor
    starts: torch.Tensor
    draws: torch.Tensor
    limits: torch.Tensor
    answers: torch.Tensor
    counts: torch.Tensor
    ended: torch.Tensor
    is_wide: torch.Tensor

    @classmethod
    def of(cls, joining: Joining) -> Rows:
        """Rows of which nothing is written yet."""
        device, rows, longest = joining.hidden.device, len(joining.hidden), joining.draws.shape[1]
        starts, limits = (torch.tensor(list(part), device=device) for part in (joining.lengths, joining.limits))
        none = starts.new_zeros(rows)
        draws = joining.draws.to(device)
        # Of its own: what is written in place must not reach the caller's.
        return cls(
            joining.hidden.clone(), none, starts, draws, limits, starts.new_zeros(rows, longest + 1), none.clone(), none > 0, none > 0
        )

    def _parts(self) -> list[torch.Tensor]:
        return [getattr(self, one.name) for one in fields(self)]

    def at(self, places: torch.Tensor) -> Rows:
        """Some of the rows."""
        return Rows(*(part[places] for part in self._parts()))

    def beside(self, others: Rows) -> Rows:
        """These rows, then the others."""
        return Rows(*(torch.cat(pair) for pair in zip(self._parts(), others._parts(), strict=True)))

    def put(self, places: torch.Tensor, others: Rows) -> None:
        """The others in place of some of the rows."""
        for part, its in zip(self._parts(), others._parts(), strict=True):
            part[places] = its


class Running:
    """The rows that an engine is writing.

    Args:
        engine: reads.
        temperature, top_p: see `sampling.draw`.
    """

    def __init__(self, engine: Engine, temperature: float, top_p: float) -> None:
        self.engine, self.temperature, self.top_p = engine, temperature, top_p
        self.cache: Cache | None = None
        self.rows: Rows | None = None
        self.recorder = engine.recorder()
        self.first = self.last = 0  # bounds of the rows' starts, so that no device is asked for them

    def _state(self) -> tuple[Cache, Rows]:
        assert self.cache is not None
        assert self.rows is not None
        return self.cache, self.rows

    def _widen(self, lengths: Sequence[int]) -> None:
        self.first, self.last = min(self.first, *lengths), max(self.last, *lengths)

    @torch.inference_mode()
    def join(self, joining: Joining) -> None:
        """More rows, behind those that are there; nothing is changed where memory runs out."""
        cache, rows = joining.cache, Rows.of(joining)
        if self.rows is None:
            self.first = self.last = joining.lengths[0]
        else:
            mine, known = self._state()
            cache, rows = joined(mine, cache), known.beside(rows)
        self.cache, self.rows = cache, rows
        self._moved()
        self._widen(joining.lengths)

    @torch.inference_mode()
    def replace(self, places: Sequence[int], joining: Joining) -> None:
        """Rows in the place of others."""
        cache, rows = self._state()
        where = torch.tensor(places, device=self.engine.device)
        cache.put(where, joining.cache)
        rows.put(where, Rows.of(joining))
        self._widen(joining.lengths)

    @torch.inference_mode()
    def keep(self, places: Sequence[int]) -> None:
        """Drop all rows but these, at least one."""
        cache, rows = self._state()
        where = torch.tensor(places, device=self.engine.device)
        cache.keep(where)
        self.rows = rows.at(where)
        self._moved()

    def _moved(self) -> None:
        """Cache and rows lie elsewhere now."""
        if self.recorder is not None:
            self.recorder.forget()

    @torch.inference_mode()
    def draw(self) -> torch.Tensor:
        """A token of every row, (rows,); of those that have ended it says nothing."""
        _, rows = self._state()
        if self.recorder is None:
            rows.token.copy_(draw(self.engine.logits(rows.hidden), self._chances(rows), self.temperature, self.top_p))
            self._note(rows)
            return rows.token
        self.recorder.run(("draw",), lambda: self._draw_first(rows))
        if self.temperature > 0 and self.top_p < 1 and bool(rows.is_wide.any()):  # the one number that the device is asked for
            wide = rows.is_wide.nonzero()[:, 0]
            rows.token[wide] = draw(self.engine.logits(rows.hidden[wide]), self._chances(rows)[wide], self.temperature, self.top_p)
        self.recorder.run(("note",), lambda: self._note(rows))
        return rows.token

    def _chances(self, rows: Rows) -> torch.Tensor:
        """The uniform draw of each row's next token."""
        place = rows.counts.clamp(max=rows.draws.shape[1] - 1)
        return rows.draws.gather(1, place[:, None])[:, 0]

    def _draw_first(self, rows: Rows) -> None:
        token, is_wide = draw_first(self.engine.logits(rows.hidden), self._chances(rows), self.temperature, self.top_p)
        rows.token.copy_(token)
        torch.logical_and(is_wide, ~rows.ended, out=rows.is_wide)

    def _note(self, rows: Rows) -> None:
        """Keep the tokens that were drawn, and which rows have ended with them."""
        place = torch.where(rows.ended, rows.draws.shape[1], rows.counts)
        rows.answers.scatter_(1, place[:, None], rows.token[:, None])
        rows.counts += ~rows.ended
        rows.ended |= (rows.token[:, None] == self.engine.stops).any(dim=1) | (rows.counts >= rows.limits)

    @torch.inference_mode()
    def read(self) -> None:
        """Read the tokens that were drawn; a row that has ended reads its own at the same place again and again."""
        cache, rows = self._state()
        if self.recorder is None:
            self._read(cache, rows, self.first, self.last)
        else:  # wider bounds than these rows have: what they hide is computed, and the same serves for many tokens
            first, last = (
                self.first // SLOTS_TOGETHER * SLOTS_TOGETHER,
                min((self.last // SLOTS_TOGETHER + 1) * SLOTS_TOGETHER, cache.slots) - 1,
            )
            self.recorder.run(("read", first, last), lambda: self._read(cache, rows, first, last))
        self.last = min(self.last + 1, cache.slots - 1)

    def _read(self, cache: Cache, rows: Rows, first: int, last: int) -> None:
        rows.hidden.copy_(self.engine.extend(cache, rows.starts, rows.token[:, None], first, last)[:, 0])
        rows.starts += ~rows.ended

    @torch.inference_mode()
    def look(self) -> list[int]:
        """Which rows have ended."""
        _, rows = self._state()
        ended, starts = torch.stack([rows.ended.long(), rows.starts]).tolist()
        self.first, self.last = min(starts), max(starts)
        return [place for place, is_ended in enumerate(ended) if is_ended]

    @torch.inference_mode()
    def answers(self, places: Sequence[int]) -> list[list[int]]:
        """What some rows have written, the stop token included where one was drawn."""
        _, rows = self._state()
        where = torch.tensor(places, dtype=torch.long, device=self.engine.device)
        written, counts = rows.answers[where].tolist(), rows.counts[where].tolist()
        return [tokens[:count] for tokens, count in zip(written, counts, strict=True)]

    def run(self, is_stopped: Callable[[], None], more: More = lambda _: None) -> list[list[int]]:
        """Write until nobody waits and all rows have ended: the answers, in the order in which the rows have come.

        Args:
            is_stopped: called before every token; may raise.
            more: at most so many rows of those that wait; None where none does.
        """
        _, rows = self._state()
        order: list[int] = list(range(len(rows.token)))
        found: dict[int, list[int]] = {}
        pause = 1 if self.engine.device.type == "cpu" else STEPS_BETWEEN_LOOKS
        step, idle, come, is_waited = 0, 0, len(order), True  # idle: tokens that were read of ended rows since rows were dropped last
        horizon = rows.draws.shape[1]  # by this step all rows have ended that are there
        while True:
            is_stopped()
            self.draw()
            step += 1
            gone = self.look() if step % pause == 0 or step == horizon else []
            new = [place for place in gone if order[place] not in found]
            found.update((order[place], tokens) for place, tokens in zip(new, self.answers(new), strict=True))
            if len(gone) < len(order):
                # Dropping rows copies the cache of those that go on, which costs about two tokens of each.
                if gone and not is_waited and (idle := idle + pause * len(gone)) >= COPY_COST * (len(order) - len(gone)):
                    stay = sorted(set(range(len(order))) - set(gone))
                    self.keep(stay)
                    order, gone, idle = [order[place] for place in stay], [], 0
                self.read()
            while gone and is_waited:
                joining = more(len(gone))
                if joining is None:
                    is_waited = False
                    break
                places, gone = gone[: len(joining.lengths)], gone[len(joining.lengths) :]
                self.replace(places, joining)
                for place in places:
                    order[place], come = come, come + 1
                horizon = step + joining.draws.shape[1]
            if len(gone) == len(order):
                return [found[number] for number in range(come)]
