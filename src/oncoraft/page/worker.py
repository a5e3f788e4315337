"""The process that holds one model: questions come in on standard input, what is found goes out on standard output, a JSON object a line.

A process of its own, so that a model that runs out of memory or is killed takes no page with it, and that the page is there before the model.
It looks for new questions between any two tokens. What people wait for goes before what is counted in the background.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from oncoraft.answers import prompt_token_ids
from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.inference.answer import Result, score_group
from oncoraft.inference.engine import Engine, in_groups
from oncoraft.inference.memory import explained
from oncoraft.inference.opening import stop_tokens
from oncoraft.inference.predict import encoded, recalibration_of, shown
from oncoraft.models.base import context_length, device_for, load_tokenizer
from oncoraft.models.cases import Case
from oncoraft.models.model_folder import open_model_folder
from oncoraft.page.folder import unfit
from oncoraft.page.writing import Writing
from oncoraft.planning.config import Inference

Tell = Callable[..., None]
READ_BYTES = 1 << 16


class Refused(Exception):
    """A folder that cannot be served, and why."""


class Served:
    """One model with what waits for it.

    Args:
        tell: sends an event to the page.
    """

    def __init__(self, folder: Path, settings: Inference, gpus: int, tell: Tell) -> None:
        self.folder, self.settings, self.gpus, self.tell = folder, settings, gpus, tell
        self.waiting: deque[dict[str, Any]] = deque()
        self.later: deque[dict[str, Any]] = deque()
        self.open()

    def open(self) -> None:
        """Read the folder.

        Raises:
            Refused: it cannot be served; it may have gone since the page looked.
        """
        self.__dict__.pop("writing", None)  # or two models stand in memory at once
        try:
            with explained("the number of models served"):
                model, head = open_model_folder(self.folder, device_for(self.gpus))
                self.recalibration, self.tokenizer = recalibration_of(self.folder), load_tokenizer(self.folder)
        except (InputError, RetryLater) as error:
            raise Refused(unfit(self.folder) or str(error)) from None
        self.longest = context_length(model)
        engine = Engine(model, head, self.tokenizer.pad_token_id, stop_tokens(self.tokenizer, model), self.settings.batch_tokens)
        self.writing = Writing(engine, self.tokenizer, self.settings, self.longest)

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.waiting or self.later or self.writing.rows)

    def take(self, asked: dict[str, Any]) -> None:
        """A question, or word that nobody waits for an answer any more."""
        if asked["what"] == "drop":
            gone = asked["key"]
            self.waiting, self.later = (deque(one for one in queue if one["key"] != gone) for queue in (self.waiting, self.later))
            self.writing.keep([row.key for row in self.writing.rows if row.key != gone])
        else:
            (self.later if asked.get("is_later") else self.waiting).append(asked)

    def work(self) -> None:
        """Answer what can be answered now, then write one token of every text."""
        while self.waiting and self._answer(self.waiting):
            pass
        if self.later:
            self._answer(self.later)
        if self.writing.rows:
            rows = [row.key for row in self.writing.rows]
            try:
                with explained("inference.cache_tokens"):
                    told, ended = self.writing.step()
            except InputError as error:
                self.writing.clear()
                self._fail(rows, error)
                return
            for key, text in told:
                self.tell("text", key, text=text)
            for key, result in ended:
                self.tell("answer", key, record=self._record(result))

    def _answer(self, queue: deque[dict[str, Any]]) -> bool:
        """Answer the first of a queue; False where a text has to wait for room."""
        asked = queue[0]
        try:
            with explained("inference.batch_tokens", "inference.cache_tokens"):
                if not self._answered(asked):
                    return False
        except InputError as error:
            self._fail([asked["key"]], error)
        queue.popleft()
        return True

    def _answered(self, asked: dict[str, Any]) -> bool:
        """Answer one question by its kind."""
        if asked["what"] == "reopen":
            if self.writing.rows:  # of the model that is open
                return False
            self.open()
            self.tell("ready", asked["key"], longest=self.longest)
            return True
        key, prompts = asked["key"], [(asked.get("case_id", "case"), text) for text in asked["prompts"]]
        if asked["what"] == "count":
            tokens = prompt_token_ids(self.tokenizer, asked["prompts"])
            self.tell("counted", key, counts=[len(ids) for ids in tokens])
            return True
        try:
            cases = encoded(prompts, self.tokenizer, self.longest, None)
        except InputError as error:
            self.tell("failed", key, message=str(error), is_input=True)
            return True
        if asked["what"] == "compare":
            self.tell("compared", key, scores=self._compared(cases))
            return True
        (case,) = cases
        if not asked["is_written"]:
            self.tell("answer", key, record=self._record(score_group(self.writing.engine, [case])[0]))
            return True
        if not self.writing.has_room(case):
            return False
        logit = self.writing.begin(key, case)
        self.tell("score", key, record=self._record(Result(case.case_id, logit, None, None, "not_sampled")))
        return True

    def _compared(self, cases: Sequence[Case]) -> list[float]:
        """Scores of prompts that are held against one another, in groups of similar length."""
        found: dict[int, float] = {}
        for group in in_groups([len(case.prompt) for case in cases], self.settings.batch_tokens):
            logits = self.writing.scores([cases[index] for index in group])
            found |= dict(zip(group, torch.tensor(logits, dtype=torch.float64).sigmoid().tolist()))
        return [found[index] for index in range(len(cases))]

    def _record(self, result: Result) -> dict[str, Any]:
        """The line of `oncoraft predict --json`."""
        found: dict[str, Any] = json.loads(shown(result, True, False, self.recalibration))
        return found

    def _fail(self, keys: Sequence[int], error: Exception) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        for key in keys:
            self.tell("failed", key, message=str(error))


def lines_of(source: int, is_busy: Callable[[], bool]) -> Any:
    """Lines from a descriptor; None where there is work and nothing to read; ends with the page."""
    rest = b""
    while True:
        while select.select([source], [], [], 0 if is_busy() else None)[0]:
            if not (read := os.read(source, READ_BYTES)):
                return
            *whole, rest = (rest + read).split(b"\n")
            yield from (line.decode("utf-8") for line in whole)
        yield None


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, say so, answer until the page is gone."""
    parser = argparse.ArgumentParser(prog="oncoraft.page.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inference", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--gpus", type=int, required=True)
    given = parser.parse_args(arguments)
    # What a library prints must not be taken for an answer.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(event: str, key: int = 0, **more: Any) -> None:
        out.write(json.dumps({"event": event, "key": key, **more}) + "\n")
        out.flush()

    torch.set_num_threads(given.threads)
    with suppress(BrokenPipeError):  # the page has ended, and so does this
        try:
            served = Served(given.folder, Inference.model_validate_json(given.inference), given.gpus, tell)
            tell("ready", longest=served.longest)
            for line in lines_of(sys.stdin.fileno(), lambda: served.is_busy):
                if line is not None:
                    served.take(json.loads(line))
                else:
                    served.work()
        except Refused as refusal:
            tell("refused", message=str(refusal))
            return 2
    return 0
