"""Which fields a prompt template shows: a rationale may name nothing that its prompt does not."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from oncoraft.evidence.fields import BY_NAME

DATA_FILES = ("templates",)
FOLDER = Path(__file__).parent / DATA_FILES[0]


@cache
def shown_fields(template: str) -> frozenset[str]:
    """Names of the allow-list that a template may print.

    A template that goes through the sections prints every field (the compact one those with a brief form); any other prints the
    fields that its text names.
    """
    source = (FOLDER / f"{template}.jinja").read_text(encoding="utf-8")
    if "sections" not in source:
        # The drugs are handed to it as a list of their own.
        return frozenset(re.findall(r"(?<=known\.)\w+|(?<=\")\w+(?=\")", source)) & BY_NAME.keys() | {"drug", "drug_mechanism"}
    if "briefs" in source:
        return frozenset(name for name, field in BY_NAME.items() if field.brief)
    return frozenset(name for name, field in BY_NAME.items() if not field.layout_only)
