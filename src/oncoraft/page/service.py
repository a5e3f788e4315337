"""A model's process as the page sees it: started again when it ends, every question answered or told in one line why not."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.page.folder import record_of, unfit
from oncoraft.planning.config import Inference

log = logging.getLogger("oncoraft")
MOST_WAITING = 256  # questions at once for one model; more are told to come back
STARTS = 3  # in a row without an answer, then the model is given up
LAST = frozenset({"answer", "counted", "compared", "failed"})
MEMORY = "; the machine may have run out of memory"
Event = dict[str, Any]


class Unavailable(Exception):
    """A model that cannot answer now, and why."""


class Worker:
    """One model folder and the process that holds it.

    Args:
        name: how the page calls the model.
        folder: model folder written by `oncoraft export`.
        settings: of inference.
        threads, gpus: for the process.

    Attributes:
        state: `making` while the folder is not there yet, `loading`, `ready`, or `refused`; `reason` says how far it is, or why.
        longest: the model's context in tokens, once it is ready.
    """

    def __init__(self, name: str, folder: Path, settings: Inference, threads: int, gpus: int) -> None:
        self.name, self.folder, self.settings = name, folder, settings
        self.state, self.reason, self.longest = "loading", "", 0
        self.starts, self.number = 0, 0
        self.told: dict[int, Callable[[Event], None]] = {}
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None
        self.outbox: SimpleQueue[str | None] = SimpleQueue()
        self.is_closed, self.opened = False, ""
        words = ["--inference", settings.model_dump_json(), "--threads", str(threads), "--gpus", str(gpus)]
        self.command = [sys.executable, "-m", "oncoraft.page.starting", str(folder), *words]

    def start(self) -> None:
        """Start the process and the two threads that speak with it."""
        self.state, self.starts = "loading", self.starts + 1
        if (why := unfit(self.folder)) is not None:
            self.refuse(why)
            return
        self.opened = record_of(self.folder)
        # A session of its own: Ctrl-C in the terminal is for the page, which then ends this process by closing its input.
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True
        )
        threading.Thread(target=self._send, args=(self.process, self.outbox), daemon=True).start()
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def reopen(self) -> None:
        """Read the folder anew where it was written again; what was asked before is answered as it was."""
        with self.lock:
            # A folder that has gone is answered by the copy in memory, and the page says so.
            is_there = self.state in {"loading", "ready"} and unfit(self.folder) is None
            if is_there and (found := record_of(self.folder)) != self.opened:
                self.opened = found
                self.outbox.put(json.dumps({"what": "reopen", "key": 0}) + "\n")

    def refuse(self, reason: str) -> None:
        """Give the model up, and say so to those who wait."""
        with self.lock:
            waiting, self.told = self.told, {}
            self.state, self.reason = "refused", reason
        for tell in waiting.values():
            tell({"event": "failed", "message": reason})

    def close(self) -> None:
        """End the process."""
        self.is_closed = True
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @staticmethod
    def _send(process: subprocess.Popen[str], outbox: SimpleQueue[str | None]) -> None:
        assert process.stdin is not None
        while (line := outbox.get()) is not None:
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except (BrokenPipeError, ValueError):  # it has ended; the listener tells those who wait
                return

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self.state, self.longest = "ready", event["longest"]
            elif event["event"] == "refused":
                self.state, self.reason = "refused", event["message"]
            else:
                self.starts = 0
                self._tell(event["key"], event)
        self._ended(process.wait())

    def _tell(self, key: int, event: Event) -> None:
        with self.lock:
            tell = self.told.pop(key, None) if event["event"] in LAST else self.told.get(key)
        if tell is not None:
            tell(event)

    def _ended(self, status: int) -> None:
        """Tell those who wait, and start again unless it is of no use."""
        if self.is_closed:
            return
        how = f"was ended by {signal.Signals(-status).name}{MEMORY if -status == signal.SIGKILL else ''}" if status < 0 else "ended"
        if self.state != "refused":
            self.reason = f"model {self.name}: its process {how}"
            if self.starts >= STARTS:
                self.state = "refused"
                self.reason += f", {STARTS} times in a row; it is not started again"
        again = "" if self.state == "refused" else "; it is being started again: ask once more in a moment"
        with self.lock:  # questions that come now are for the next process
            waiting, self.told = self.told, {}
            self.outbox.put(None)
            self.outbox = SimpleQueue()
        if self.state != "refused":
            log.warning("page: %s; it is started again", self.reason)
            self.start()
        if self.state == "refused":
            log.error("page: %s", self.reason)
        for tell in waiting.values():
            tell({"event": "failed", "message": self.reason + again})

    def _ask(self, tell: Callable[[Event], None], question: dict[str, Any]) -> int:
        """Send a question; its number."""
        if self.state == "refused":
            raise Unavailable(self.reason)
        with self.lock:
            if len(self.told) >= MOST_WAITING:
                raise Unavailable(f"model {self.name}: {MOST_WAITING} questions wait already; ask again in a moment")
            self.number += 1
            key = self.number
            self.told[key] = tell
            self.outbox.put(json.dumps({**question, "key": key}) + "\n")
        return key

    def drop(self, key: int) -> None:
        """Nobody waits for this answer any more."""
        with self.lock:
            was_waiting = self.told.pop(key, None) is not None
        if was_waiting:
            self.outbox.put(json.dumps({"what": "drop", "key": key}) + "\n")

    async def events(self, what: str, prompts: Sequence[str], **more: Any) -> AsyncIterator[Event]:
        """What the model says of a question, as it says it, the last event an answer or `failed`; left early, the question is dropped.

        Raises:
            Unavailable: the model could not be loaded, or too many ask.
        """
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[Event]()

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, event)

        key = self._ask(tell, {"what": what, "prompts": list(prompts), **more})
        try:
            while True:
                event = await queue.get()
                yield event
                if event["event"] in LAST:
                    return
        finally:
            self.drop(key)

    async def answer(self, what: str, prompts: Sequence[str], **more: Any) -> Event:
        """The last event of a question.

        Raises:
            Unavailable: see `events`; or it failed.
            InputError: a prompt that the model cannot read.
        """
        async for event in self.events(what, prompts, **more):
            if event["event"] == "failed":
                raise InputError(event["message"]) if event.get("is_input") else Unavailable(event["message"])
            if event["event"] in LAST:
                return event
        raise Unavailable(f"model {self.name}: no answer")

    def count(self, prompts: list[str]) -> list[int]:
        """Tokens of some prompts, for callers outside the event loop.

        Raises:
            Unavailable: see `answer`.
        """
        found: Future[Event] = Future()
        self._ask(found.set_result, {"what": "count", "prompts": prompts})
        event = found.result()
        if event["event"] == "failed":
            raise Unavailable(event["message"])
        counts: list[int] = event["counts"]
        return counts
