"""Finished cases of a shard, kept while it runs: a killed job goes on where it stopped.

The file lies beside the shard's output, one JSON object a line. Its first line is the key of the run (data, models, settings,
shard); a file of another key is another run's and is started anew. A group of cases is written whole and synced; a last line that
was torn by a kill is dropped. Groups are formed from all cases of the shard, finished or not, so that a resumed run computes what an
uninterrupted one would have, in the same batches.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import RetryLater
from oncoraft.foundation.jsonl import json_line, parse_json

log = logging.getLogger("oncoraft")


class Progress:
    """Predictions finished so far, on disk.

    Args:
        path: the file; its folder is made.
        key: of the run.

    Raises:
        RetryLater: another process holds the file.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.done = path, dict[str, dict[str, Any]]()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Appending: a process that comes second must not empty the file before it is refused by the lock.
        self.stream = path.open("a+b")
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.stream.close()
            raise RetryLater(f"{path}: another process works on this shard") from None
        self.stream.seek(0)
        whole = self._read(self.stream.read(), key)
        self.stream.truncate(whole)
        if not whole:
            self._append([{"key": key}])

    def _read(self, content: bytes, key: str) -> int:
        """Take over the finished predictions; the length in bytes of what stands, 0 if none of it is this run's."""
        whole = 0
        for number, line in enumerate(io.BytesIO(content)):
            try:
                row = parse_json(line.decode("utf-8")) if line.endswith(b"\n") else None
            except ValueError:  # half a line, or half a character
                row = None
            if not isinstance(row, dict):
                log.info("infer: a torn line of %s is dropped", self.path.name)
                break
            if number == 0 and row.get("key") != key:
                log.info("infer: %s belongs to another run and is started anew", self.path.name)
                break
            whole += len(line)
            if number:
                self.done[row["case_id"]] = row
        return whole

    def _append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write lines and wait until they are on the disk."""
        self.stream.write("".join(map(json_line, rows)).encode("utf-8"))
        self.stream.flush()
        os.fsync(self.stream.fileno())

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Keep the predictions of a finished group."""
        self._append(rows)
        self.done.update({row["case_id"]: row for row in rows})

    def close(self, is_spent: bool) -> None:
        """Release the file; removed when the shard's output stands, or nothing is in it."""
        if is_spent:
            # Before the lock is released, or another process could take up what is about to vanish.
            self.path.unlink(missing_ok=True)
        self.stream.close()


class Stop:
    """Whether the process was asked to end."""

    def __init__(self) -> None:
        self.is_asked = False

    def __call__(self) -> None:
        """End here if asked.

        Raises:
            RetryLater: status 75; the finished cases are kept.
        """
        if self.is_asked:
            raise RetryLater("stopped by a signal; the finished cases are kept and the next call goes on from them")


@contextmanager
def stopping() -> Iterator[Stop]:
    """Within the block SIGTERM asks for an orderly end instead of killing."""
    stop = Stop()

    def ask(*_: object) -> None:
        stop.is_asked = True

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
