"""What a disk refuses -- full, read-only, forbidden -- told in one line: a user mends it, and no traceback helps."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oncoraft.foundation.errors import InputError

REFUSALS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EIO,
}
# Libraries that write by themselves raise errors of their own: safetensors names the system's number, torch (as of 2.9) nothing.
NUMBERED = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]|\[errno (\d+)\]")
TORCH_WRITE = re.compile(r"PytorchStreamWriter failed|unexpected pos \d+")


def refusal(error: BaseException) -> str | None:
    """Why the disk refused, in the system's words; None where an error is of another kind."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and isinstance(error, Exception) and (found := NUMBERED.search(str(error))):
        number = int(next(filter(None, found.groups())))
    if number in REFUSALS:
        return os.strerror(number or 0)
    return "the file could not be written whole; is the disk full?" if TORCH_WRITE.search(str(error)) else None


@contextmanager
def written_in_one_line(path: Path) -> Iterator[None]:
    """Within the block, what the disk refuses becomes bad input that names the output.

    Raises:
        InputError: instead of the library's own error.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if (why := refusal(error)) is None:
            raise
        raise InputError(f"expected to be able to write it ({why}); nothing of it was kept", file=path) from error
