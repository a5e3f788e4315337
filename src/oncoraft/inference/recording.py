"""Acts that are the same from token to token, recorded once and replayed: a GPU then starts all their kernels by one call, a CUDA graph.

Reading a token starts some thousand kernels one after another, which for an eager model takes longer than what many of them compute. An
act that is recorded reads and writes tensors where they lie and asks no device for a number; whatever it takes from Python is frozen, and
stands in its key. What cannot be recorded runs as it is, and that is told. A CPU has no graphs: there the act is called again, so that
everything but the graph itself runs the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

log = logging.getLogger("oncoraft")
Act = Callable[[], None]
Key = tuple[Any, ...]  # the act's name, then what it takes from Python


class Unrecorded:
    """Acts that could not be recorded, and why; told once each."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def add(self, name: str, error: BaseException) -> None:
        """Keep and tell a reason."""
        cause = error.__context__ or error  # ending a recording that has failed is an error of its own
        self.reasons[name] = next(iter(str(cause).splitlines()), "") or type(cause).__name__
        log.warning("infer: '%s' runs without a CUDA graph, which is slower and changes no result (%s)", name, self.reasons[name][:200])


class Recorder:
    """Runs an act as it is the first time, records it the second, and replays it from then on.

    Args:
        device: that the acts compute on.
        unrecorded: what failed before, which is not tried again.
    """

    def __init__(self, device: torch.device, unrecorded: Unrecorded) -> None:
        self.device, self.unrecorded = device, unrecorded
        self.forget()

    def forget(self) -> None:
        """Drop what is recorded: the tensors that it reads are gone."""
        self.known: dict[Key, Act | None] = {}
        # A new pool: the memory of one whose graphs are all gone must not be used again.
        self.pool = torch.cuda.graph_pool_handle() if self.device.type == "cuda" else None

    def run(self, key: Key, act: Act) -> None:
        """Do an act.

        Args:
            act: is called now or stands recorded under its key; what it does follows from the key and from what lies in its tensors.
        """
        if key not in self.known:
            act()  # compiles, and lets libraries set themselves up, which no recording may
            self.known[key] = None
            return
        if self.known[key] is None and key[0] not in self.unrecorded.reasons:
            self._record(key, act)
        # An act that failed is not kept: it would keep the rows that it belongs to, and their cache.
        (self.known[key] or act)()

    def _record(self, key: Key, act: Act) -> None:
        """Make the act a graph, which computes nothing yet."""
        try:
            self.known[key] = recorded(act, self.pool)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.unrecorded.add(key[0], error)


def recorded(act: Act, pool: Any) -> Act:
    """What replays the kernels that an act starts, on the memory that they were recorded with.

    Args:
        pool: of memory for what lies between the kernels; graphs that share it must not run at once, and leave nothing in it. None: there
            are no graphs, and the act itself is what is called again.

    Raises:
        RuntimeError: the act asks the device for a number, or does something else that a graph cannot hold.
    """
    if pool is None:
        return act
    graph = torch.cuda.CUDAGraph()
    # Other threads may go on as they like: what they do is no part of the graph.
    with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
        act()
    return graph.replay
