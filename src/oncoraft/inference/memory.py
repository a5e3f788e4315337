"""What to say when memory runs out: which setting to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from oncoraft.foundation.errors import InputError


@contextmanager
def explained(*settings: str) -> Iterator[None]:
    """Turn an out-of-memory error, of a GPU or of the machine, into one line that names the settings to lower.

    Raises:
        InputError: memory ran out inside the block.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        where, reason = "GPU memory", error
    except RuntimeError as error:
        # torch has no exception of its own for a CPU that runs out.
        if "can't allocate memory" not in str(error):
            raise
        where, reason = "memory", error  # type: ignore[assignment]
    else:
        return
    text = str(reason).splitlines()[0][:120]
    raise InputError(f"expected enough {where}; it ran out ({text}): lower {' or '.join(settings)}")
