"""The log of an attempt that failed outlives the next attempt.

The engine deletes a job's log before it tries again, and with it the trace of what went wrong. A second name of the same file (a hard
link) beside it survives that, and needs nothing from a process that is killed: it is made at the start and taken away only by success.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

Main = Callable[[Sequence[str] | None], int]


def log_file() -> Path | None:
    """The file that standard error goes to; None where it goes to a terminal, a pipe or nowhere."""
    try:
        if not stat.S_ISREG(os.fstat(sys.stderr.fileno()).st_mode):
            return None
        path = Path(os.readlink(f"/proc/self/fd/{sys.stderr.fileno()}"))
        return path if path.suffix == ".log" and path.is_file() else None
    except (OSError, ValueError):
        return None


def second_name(log: Path) -> Path | None:
    """Give a log a second name, `<name>.attempt-<n>` with the first free n; None where the file system has no hard links."""
    number = 1
    while True:
        name = log.with_name(f"{log.name}.attempt-{number}")
        try:
            os.link(log, name)
        except FileExistsError:
            number += 1
        except OSError:
            return None
        else:
            return name


def keeping_log(main: Main) -> Main:
    """Decorate a step's `main`: where it ends with another status than 0, in whatever way, its log keeps a second name."""

    @functools.wraps(main)
    def with_second_name(arguments: Sequence[str] | None = None) -> int:
        log = log_file()
        name = second_name(log) if log else None
        status = main(arguments)
        if name is not None and status == 0:
            name.unlink(missing_ok=True)
        return status

    return with_second_name
