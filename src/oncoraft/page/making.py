"""A command that makes what is served, while the page is open already and tells how far it is."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from oncoraft.foundation.errors import InputError

log = logging.getLogger("oncoraft")
STEPS = re.compile(r"(\d+) of (\d+) steps")  # as the workflow engine counts them
KEPT_LINES = 40  # of what the command says; told where it fails
SECONDS_TO_END = 10.0


@dataclass
class Making:
    """A shell command that makes models, or the results of their run.

    Args:
        command: for the shell, in the folder where the page was started.
        what: it makes, in words.
    """

    command: str
    what: str = "the model"
    is_closed: bool = False
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def run(self, tell: Callable[[str], None]) -> bool:
        """Run it to its end, each count of steps told; whether it has ended by itself.

        Raises:
            InputError: it failed.
        """
        if self.is_closed:  # while the one before it ran
            return False
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        # A session of its own: Ctrl-C in the terminal is for the page, which then ends all that the command has started.
        self._process = subprocess.Popen(
            ["sh", "-c", self.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            lines.append(line)
            if found := STEPS.search(line):
                tell(f"{found[1]} of {found[2]} steps")
                log.info("page: %s of %s steps", found[1], found[2])
        status = self._process.wait()
        if self.is_closed:
            return False
        if status:
            log.error("page: what --made-by said last:\n%s", "".join(lines).rstrip())
            raise InputError(
                f"{self.what} could not be made: the command of --made-by failed; what it said stands in the terminal", found=status
            )
        return True

    def close(self) -> None:
        """End the command and what it has started."""
        self.is_closed = True
        if self._process is None or self._process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
