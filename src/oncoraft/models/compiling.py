"""Decoder layers compiled one by one for a GPU; a layer that cannot be compiled runs as it is, and that is told.

torch goes on without the compiled code where compiling fails or a layer has been compiled too often, and says so in a warning of its own,
which a log of many lines hides. What it says is kept here, for the step's log and for its manifest.
"""

from __future__ import annotations

import logging
from typing import Any

import torch

from oncoraft.models.base import causal_of

log = logging.getLogger("oncoraft")
SAYS_FALLBACKS = "torch._dynamo.convert_frame"  # torch's logger of failed compilations and of reached limits (torch 2.11 to 2.13)
MOST_COMPILATIONS = 16  # of a layer: one row or many, one token or many, with a window or without, and more


class Fallbacks(logging.Handler):
    """What torch gave as reasons to run a layer as it is; told once, counted always.

    Args:
        step: whose log it is told in.
    """

    def __init__(self, step: str) -> None:
        super().__init__(logging.WARNING)
        self.step = step
        self.reasons: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning's first line that says something."""
        lines = [line.strip() for line in record.getMessage().splitlines()]
        self.reasons.append(next((line for line in lines if line), record.name))
        if len(self.reasons) == 1:
            log.warning("%s: a decoder layer runs uncompiled, which is slower and changes no result (%s)", self.step, self.reasons[0][:200])


def compile_layers(model: Any, step: str, backend: str = "inductor") -> Fallbacks:
    """Compile each decoder layer, the number of tokens left open; what is returned knows of each time that it did not work."""
    torch._dynamo.config.suppress_errors = True
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MOST_COMPILATIONS)
    fallbacks, logger = Fallbacks(step), logging.getLogger(SAYS_FALLBACKS)
    for earlier in [handler for handler in logger.handlers if isinstance(handler, Fallbacks)]:
        logger.removeHandler(earlier)
    logger.addHandler(fallbacks)
    for layer in causal_of(model).model.layers:
        layer.compile(dynamic=True, backend=backend)
    return fallbacks
