"""What may be opened as an input: a regular file, or a link to one.

A pipe or a device has no end that a reader could wait for, and no digest that a manifest could keep.
"""

from __future__ import annotations

import stat
from pathlib import Path

from oncoraft.foundation.errors import InputError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def require_file(path: Path, expected: str = "a file") -> Path:
    """The path of an input, once it is known to be a regular file; asked before anything is opened, since opening a pipe waits.

    Args:
        path: of the input.
        expected: what it is, in words ("a JSONL file written by `oncoraft render`").

    Raises:
        InputError: nothing is there, it cannot be reached, or it is a folder, a pipe, a device or a socket.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError as error:
        raise InputError(f"expected {expected}", file=path, found=(error.strerror or "nothing").lower()) from None
    except ValueError:  # a NUL character in the path
        raise InputError(f"expected {expected}", found=repr(str(path))) from None
    if kind != stat.S_IFREG:
        raise InputError(f"expected {expected}", file=path, found=KINDS.get(kind, "no regular file"))
    return path
