"""Text of data as it may be drawn: what a reader cannot see, or what reorders its neighbours, is shown as a replacement character."""

from __future__ import annotations

import unicodedata
from typing import Any

from markupsafe import Markup

REPLACEMENT = "\ufffd"
KEPT = "\n\t"
# Marks that reorder the text around them (Unicode Standard Annex 9): in a sentence they would rearrange the page's own words.
REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
LABEL_LENGTH = 72


def _is_unseen(letter: str) -> bool:
    return letter in REORDERING or (unicodedata.category(letter) in {"Cc", "Cs"} and letter not in KEPT)


def visible(value: Any) -> Any:
    """Text without control characters, halves of surrogates and marks of direction; anything else as it is."""
    if isinstance(value, Markup) or not isinstance(value, str) or (value.isascii() and value.isprintable()):
        return value
    return "".join(REPLACEMENT if _is_unseen(letter) else letter for letter in value)


def label(text: str, length: int = LABEL_LENGTH) -> str:
    """A name short enough for a figure: one line, cut with an ellipsis."""
    line = " ".join(visible(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
