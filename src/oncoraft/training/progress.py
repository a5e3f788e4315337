"""What a person sees while a fold trains: a bar in a terminal, a line every quarter of a minute in a log file."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping

from tqdm import tqdm

log = logging.getLogger("oncoraft")
SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Steps done, the loss now, speed and the time that is left.

    Args:
        total: optimiser steps of the run.
        done: steps already taken before this start.
        shown: False in processes that do not write.
    """

    def __init__(self, total: int, done: int = 0, shown: bool = True) -> None:
        self.total, self.first = total, done
        self.started = self.said = time.monotonic()
        self.shown = shown
        self.bar = tqdm(total=total, initial=done, desc="training", unit="step", disable=not (shown and sys.stderr.isatty()))

    def show(self, entry: Mapping[str, float | None]) -> None:
        """After a step, whose log entry is given."""
        step, now = int(entry["step"] or 0), time.monotonic()
        self.bar.update(1)
        # Without refresh=False tqdm draws the bar anew at every step.
        self.bar.set_postfix_str(f"loss {entry['loss']:.3f}, {entry['tokens_per_second']:.0f} tokens/s", refresh=False)
        if not self.shown or not self.bar.disable or (now - self.said < SECONDS_BETWEEN_LINES and step < self.total):
            return
        self.said = now
        left = (now - self.started) / max(1, step - self.first) * (self.total - step)
        log.info(
            "train: step %d of %d, loss %.3f, %.0f tokens/s, %s left",
            step,
            self.total,
            entry["loss"],
            entry["tokens_per_second"],
            duration(left),
        )

    def close(self) -> None:
        """Leave the terminal tidy."""
        self.bar.close()


def duration(seconds: float) -> str:
    """A time span for people: 42 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
