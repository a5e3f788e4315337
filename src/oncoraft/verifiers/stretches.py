"""Stretches of a text that are read alone and remembered: what they state does not depend on what stands around them.

Rationales are made of a few thousand sentences that come back in other company. A stretch is a sentence, or several where a reader might
go on past the end of one: where its last words are the name of a value ("... ECOG. 1 ..."), a marker without its trend, or the beginning
of a drug's name. Whatever else could make a difference (line breaks, letters beyond ASCII, a numbered list) makes the text one stretch.
"""

from __future__ import annotations

import re
from functools import lru_cache

from oncoraft.verifiers.attributes import LINK_WORDS, MARKER, TREND
from oncoraft.verifiers.text import REMEMBERED, WORD, sentences
from oncoraft.verifiers.vocabulary import phrases, singular

ENUMERATION = re.compile(r"(?:^|\n)\s*\(?\d+[.)]\s")
# A pattern of `attributes` can pass a full stop only between a name and its value, behind one of these words.
LAST_WORD = re.compile(
    rf"(?:\b(?:ecog|{LINK_WORDS}|lines?|therapy|setting|diagnosis|gleason|aged?|stage|msi|repair|mmr|tmb|burden|pd-?l1|her-?2|hormone[- ]receptors?"
    rf"|hr|er|the|not|absent|positive|progression)|nonsynonymous\)|\bcancer (?:[a-z]+ ){{0,6}}imaging)\W*$",
    re.IGNORECASE,
)
ANY_MARKER = re.compile(MARKER, re.IGNORECASE)
FEW_WORDS = re.compile(r"(?:\W+[\w./]+){0,6}\W*$")
TREND_BEHIND = re.compile(rf"(?: [a-z0-9]+){{0,5}}? (?:not )?{TREND}\b", re.IGNORECASE)


def stretches(text: str) -> list[tuple[int, str]]:
    """Where each stretch begins, and what it says; together they hold every word of a text.

    Args:
        text: any.
    """
    if "." not in text and "!" not in text and "?" not in text:  # most statements
        return [(0, text)]
    if not text.isascii() or "\n" in text or ENUMERATION.match(text):
        return [(0, text)]
    every = sentences(text)
    if len(every) < 2:
        return [(0, text)]
    found: list[tuple[int, str]] = []
    start: int | None = None
    for sentence in every:
        start = sentence.start if start is None else start
        # Of the whole stretch, not of its last sentence: a name of four words may pass two stops.
        may_go_on, words = _ending(text[start : sentence.end])
        follows = WORD.search(text, sentence.end) if words else None
        if not may_go_on and not (follows and not words.isdisjoint((follows.group().lower(), singular(follows.group().lower())))):
            found.append((start, text[start : sentence.end]))
            start = None
    return found if start is None else [*found, (start, text[start:])]


@lru_cache(maxsize=REMEMBERED)
def _ending(stretch: str) -> tuple[bool, frozenset[str]]:
    """Whether a value might be told behind a stretch, and the words that would go on with a drug's name that it ends in."""
    words = [word.group().lower() for word in WORD.finditer(stretch)]
    going_on = frozenset(
        word for place in range(max(0, len(words) - _longest_phrase() + 1), len(words)) for word in _going_on(words[place:])
    )
    if LAST_WORD.search(stretch):
        return True, going_on
    markers = (marker.end() for marker in ANY_MARKER.finditer(stretch))
    return any(FEW_WORDS.match(stretch, end) and not TREND_BEHIND.match(stretch, end) for end in markers), going_on


def _going_on(words: list[str]) -> list[str]:
    """Next words of the drugs' and classes' names that begin with these."""
    entries = (*phrases().get(words[0], ()), *phrases().get(singular(words[0]), ()))
    return [
        phrase[len(words)]
        for phrase, _, _ in entries
        if len(phrase) > len(words) and all(part in (word, singular(word)) for part, word in zip(phrase, words))
    ]


@lru_cache(maxsize=1)
def _longest_phrase() -> int:
    return max(len(phrase) for entries in phrases().values() for phrase, _, _ in entries)
