"""Statements of a prompt that are read alike: they differ only in numbers that no reader but that of numbers tells apart.

Most statements that no other case has are such ones: "diagnosed 176 days before treatment", "CEA 14.8 ng/ml, rising, earlier 12". Only
whole phrases whose every word is known are taken: nothing in them denies, counts a line or names a value that is a number.
"""

from __future__ import annotations

import re
from functools import lru_cache

from oncoraft.verifiers.vocabulary import phrases, singular

DAYS = re.compile(r"\s*\([^()]*\bdays? before\b[^()]*\)", re.IGNORECASE)
ALONE = " days before treatment"
ENCLOSED = f"{ALONE})"
# Behind these words a number is no grade, stage, line, age or score (`attributes.LINK`), and nothing follows the days.
BEFORE_DAYS = ("progression on imaging", "diagnosed", ", sequenced")
NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
AMOUNT = rf"(?:{NUMBER}|below detection)"
MARKER = re.compile(
    rf"(?P<who>CEA|CA 15-3|CA 19-9|PSA) (?:{NUMBER} (?:ng|units)/ml|below detection), (?:measured once|rising|falling|steady)"
    rf"(?:, earlier {AMOUNT}(?:, {AMOUNT})*)?",
    re.ASCII,
)
AMOUNT_TOLD = re.compile(rf"(?<= ){NUMBER}(?=[ ,]|$)", re.ASCII)
ANY_NUMBER = "2"
# Protein changes that are one word which begins with a letter and a digit: no reader knows such a word but that of changes.
CHANGED_GENE = re.compile(r"([A-Z][A-Za-z0-9-]{1,15}) ([A-Z]\d{1,5}(?:[A-Z*]|[A-Z]?fs\*\d{1,4}|_splice|del))", re.ASCII)
ANY_CHANGE = "V600E"


def without_days(text: str) -> str:
    """A statement without the days in brackets that tell when it was so.

    Args:
        text: of a statement.
    """
    if text.endswith(ENCLOSED):
        bare, _, days = text[: -len(ENCLOSED)].rpartition(" (")
        if days.isdecimal() and "(" not in bare and bare[-1:].strip():
            return bare
    return DAYS.sub("", text) if "day" in text else text


def changed_gene(bare: str) -> tuple[str, str] | None:
    """Gene and protein change of a statement that is these alone ("TP53 R248Q"), else None.

    What it tells is what the gene tells with `ANY_CHANGE`, and this change in its place.

    Args:
        bare: a statement without its days in brackets.
    """
    found = CHANGED_GENE.fullmatch(bare)
    # "G12C" is a word of the name of a class.
    if found is None or not _words_of_names().isdisjoint((found[2].lower(), singular(found[2].lower()))):
        return None
    return found[1], found[2]


@lru_cache(maxsize=1)
def _words_of_names() -> frozenset[str]:
    """Every word of a drug's or class's name."""
    return frozenset(word for entries in phrases().values() for words, _, _ in entries for word in words)


def read_alike(bare: str) -> str:
    """A statement that every reader but that of numbers reads as this one; it stands for all that differ in such numbers only.

    Args:
        bare: a statement without its days in brackets.
    """
    if bare.endswith(ALONE):
        head, _, days = bare.removesuffix(ALONE).rpartition(" ")
        return f"{head} {ANY_NUMBER}{ALONE}" if days.isascii() and days.isdecimal() and head.endswith(BEFORE_DAYS) else bare
    if bare.startswith(("CEA ", "CA ", "PSA ")) and (found := MARKER.fullmatch(bare)):
        return found["who"] + AMOUNT_TOLD.sub(ANY_NUMBER, bare[found.end("who") :])
    return bare
