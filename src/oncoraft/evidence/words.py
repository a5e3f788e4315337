"""Words of the source as a reader expects them: the one place where codes, abbreviations and empty words are settled."""

from __future__ import annotations

import re

import pandas as pd

from oncoraft.knowledge.missing import is_missing_word

# Words that fill a cell and say nothing, beside those for missing: their statement is left out. "Other" alone names no thing.
EMPTY = frozenset(
    (
        "other",
        "unk",
        "not disclosed",
        "unclassified",
        "unstaged",
        "unknown/unstaged",
        "unstaged unknown",
        "pt refused to answer",
        "no value entered",
        "unknown whether spanish or not",
    )
)
# The registry's summary stages (SEER Summary Stage Manual 2018: 2 is direct extension, 3 is lymph nodes) and terms of demography.
WHOLE = {
    "distant": "distant metastases",
    "distant metastases/systemic disease": "distant metastases or systemic disease",
    "regional both 2 and 3": "regional by direct extension and to lymph nodes",
    "regional, extension and nodes": "regional by direct extension and to lymph nodes",
    "regional, lymph nodes only": "regional to lymph nodes",
    "regional, direct extension": "regional by direct extension",
    "asian-far east/indian subcont": "asian",
    "native american-am ind/alaska": "native american or alaskan",
    "native hawaiian or pacific isl": "native hawaiian or pacific islander",
    "spanish; hispanic, latino": "spanish, hispanic or latino",
    "other spanish/hispanic(incl european; excl dom rep": "other spanish or hispanic",
}
# ICD-O topography as registries shorten it.
PARTS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"^\d+\s*:\s*", ""),  # a code before its word, as in `0:LIVING`
        (r"(\d) ?and ?(\d)", r"\1 and \2"),
        (r"^regional, both", "regional both"),
        (r",?\s*\bn\.?o\.?s\b\.?", ""),
        (r"\buoq\b", "upper-outer quadrant"),
        (r"\buiq\b", "upper-inner quadrant"),
        (r"\bloq\b", "lower-outer quadrant"),
        (r"\bliq\b", "lower-inner quadrant"),
        (r"\bax tail\b", "axillary tail"),
        (r"\boverlap(?:ping)?\.? les(?:ion)?\.? of\b", "overlapping lesion of"),
        (r"\badenoca\b", "adenocarcinoma"),
        (r"\bca\b", "carcinoma"),
        (r"\binfil\b\.?", "infiltrating"),
        (r"\blt\b\.?", "left"),
        (r"\brt\b\.?", "right"),
        (r"\brul\b", "right upper lobe"),
        (r"\brml\b", "right middle lobe"),
        (r"\brll\b", "right lower lobe"),
        (r"\blul\b", "left upper lobe"),
        (r"\blll\b", "left lower lobe"),
        (r"\bw/o\b", "without"),
        (r"\bw/(?=\s|\w)\s*", "with "),
        (r"\bunk\b", "unknown"),
    )
)


def clean(words: pd.Series) -> pd.Series:
    """Words in lower case without codes, abbreviations and padding; missing where they say nothing."""
    known = {word: _clean(word) for word in words.dropna().unique()}
    return words.map(known).astype(object)


def _clean(word: str) -> str | None:
    text = " ".join(str(word).lower().split())
    # The parts first: whole phrases are listed as they read after that.
    for pattern, replacement in PARTS:
        text = pattern.sub(replacement, text)
    text = " ".join(text.split()).strip(" ,;")
    text = WHOLE.get(text, text)
    return None if text in EMPTY or is_missing_word(text) else text
