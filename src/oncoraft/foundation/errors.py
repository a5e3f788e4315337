"""Errors that a user can mend, and the exit status each ends with.

Anything else that is raised is a defect of the program and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path


class InputError(Exception):
    """Bad input: the command prints one line and ends with status 2; nothing is written.

    Args:
        expected: what should have been there, in words ("an integer number of days").
        file: the offending file or folder.
        line: 1-based line in that file, header rows counted.
        column: column name (tables) or dotted key (configuration).
        found: what stands there instead.
    """

    status = 2

    def __init__(
        self,
        expected: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        column: str | None = None,
        found: object | None = None,
    ) -> None:
        place = [str(file)] if file is not None else []
        if line is not None:
            place.append(f"line {line}")
        if column is not None:
            place.append(f"column {column}" if line is not None or file is not None else column)
        message = ", ".join(place) + (": " if place else "") + expected
        if found is not None:
            message += f", found {found!r}" if isinstance(found, str) else f", found {found}"
        super().__init__(" ".join(message.split()))


class RetryLater(Exception):
    """A condition worth a retry (no GPU visible, pre-empted after a checkpoint): status 75."""

    status = 75
