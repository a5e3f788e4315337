"""Running text as sentences and clauses, and how far a negation reaches.

Offsets are characters of the text as given, so that every span can be shown in place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(*•-])|\s*\n+\s*")
# The same where there is no line break; it begins with what is rare in a text, so that the search runs from stop to stop.
STOP = re.compile(r"[.!?]\s+(?=[A-Z0-9\"'(*•-])")
CLAUSE_END = re.compile(
    r"\s*;\s*|,?\s+(?:but|while|whereas|although|though|however|yet|despite|even though|nevertheless)\b,?\s*", re.IGNORECASE
)
WORD = re.compile(r"[A-Za-z0-9*][\w*/+'’-]*")
NEGATOR = re.compile(
    r"\b(?:no(?! doubt)(?! longer)|not(?! only)(?! yet)|without|lack(?:s|ed|ing)?|absence of|free of|free from|neither|nor|never|cannot"
    r"|denie[sd]|rather than|instead of|excluded?|ruled out)\b|n['’]t\b",
    re.IGNORECASE,
)


REMEMBERED = 8_192  # sentences or clauses with what one reader finds in them, 5 to 25 MB a reader: those that texts share are among them


def word_set(text: str) -> frozenset[str]:
    """The words of a text, each once."""
    return frozenset(text.split())


# Words that a negation passes through on its way to the fact that it denies ("does not appear to carry an EGFR mutation").
BRIDGE = word_set(
    "a an the any of in on at to for with by that this it its is are was were be been being there has have had having does do did true the"
    " case known evidence sign signs proof patient patient's tumour tumor disease carry carries carrying carried harbour harbours"
    " harbor harbors bear bears show shows showing shown find found detect detected seen present given giving receive received receives"
    " receiving get getting take taking taken treated treatment planned include includes including included contain contains prior"
    " earlier previous previously recent new current activating pathogenic somatic germline actionable relevant appear appears seem"
    " seems exposure exposed started start use using used an ecog status performance of visible clinical imaging last latest"
    " concurrent documented recorded reported mutated mutant positive for high being such as exist exists named called about"
)
AND_ON = frozenset({"or", "nor", "and/or"})
# Without any of these nothing in a text can be denied; asking first spares most texts the reading sentence by sentence.
POSSIBLY_DENIED = re.compile(
    r"\b(?:no|without|lack|absen|free|nei|never|cannot|denie|rather|instead|exclu|ruled|missing|untrue|false|wild)|n['’]t\b", re.IGNORECASE
)
# Denial that follows the fact ("EGFR L858R was not found"). It must not touch what the fact does ("... does not predict").
DENIED_AFTER = re.compile(
    r"^\W{0,2}(?:\w+\W+){0,3}?(?:(?:is|was|are|were|has been|have been)(?: not|n['’]t)(?: been)? (?:present|found|seen|detected|there|true|the case"
    r"|known|given|planned|identified|observed|confirmed|reported|part)|(?:is|was|are|were) (?:absent|lacking|missing|ruled out|excluded|untrue"
    r"|false)|(?:is|was|would|will|can|could)(?: not|n['’]t)(?: be)? (?:an option|an alternative|chosen|indicated|appropriate|used|possible|planned)|(?:does|did|do) not (?:apply|occur|exist|hold)|wild[- ]?type|not detected|absent)\b",
    re.IGNORECASE,
)


class Span(NamedTuple):
    """A stretch of text, end excluded."""

    start: int
    end: int


def split(text: str, at: re.Pattern[str], within: Span) -> list[Span]:
    """Non-empty pieces of `within` between the matches of `at`."""
    pieces, start = [], within.start
    for found in at.finditer(text, within.start, within.end):
        pieces.append(Span(start, found.start()))
        start = found.end()
    pieces.append(Span(start, within.end))
    return [piece for piece in pieces if text[piece.start : piece.end].strip()]


@lru_cache(maxsize=1024)
def sentences(text: str) -> tuple[Span, ...]:
    """Sentences; a line break ends one."""
    if "\n" in text:
        return tuple(split(text, SENTENCE_END, Span(0, len(text))))
    bounds = [0, *(place for stop in STOP.finditer(text) for place in (stop.start() + 1, stop.end())), len(text)]
    return tuple(Span(start, end) for start, end in zip(bounds[::2], bounds[1::2]) if text[start:end].strip())


def clauses(text: str, sentence: Span) -> list[Span]:
    """Clauses of a sentence: what one direction of argument may govern."""
    start = sentence.start
    return [Span(start + begin, start + end) for begin, end in _clauses_of(text[start : sentence.end])]


@lru_cache(maxsize=REMEMBERED)
def _clauses_of(sentence: str) -> tuple[Span, ...]:
    return tuple(split(sentence, CLAUSE_END, Span(0, len(sentence))))


def denied(text: str, sentence: Span, facts: Sequence[Span]) -> set[int]:
    """Which of the facts named in a sentence are denied there.

    A negation reaches forward over bridging words to the first fact, and over "or", "nor" and commas in a list
    that holds one of them to the next. It stops at any other word, so that "does not stop osimertinib" denies nothing.

    Args:
        text: the whole text.
        sentence: the sentence.
        facts: spans named in it, in order.

    Returns:
        indices into `facts`.
    """
    found = set()
    for negator in NEGATOR.finditer(text, sentence.start, sentence.end):
        if any(fact.start <= negator.start() < fact.end for fact in facts):
            continue  # the fact's own wording already counts it ("ECOG is not 0")
        found |= reached(text, negator.end(), sentence.end, facts)
    for index, fact in enumerate(facts):
        if DENIED_AFTER.search(text[fact.end : min(fact.end + 90, sentence.end)]) and not any(
            fact.end <= other.start < fact.end + 25 for other in facts
        ):
            found.add(index)
    return found


def reached(text: str, start: int, end: int, facts: Sequence[Span]) -> set[int]:
    """Facts that a negation ending at `start` reaches before `end`."""
    found: set[int] = set()
    at, listed = start, False
    while True:
        inside = next((index for index, fact in enumerate(facts) if fact.start <= at < fact.end and index not in found), None)
        if inside is None:
            word = WORD.search(text, at, end)
            if word is None:
                return found
            inside = next((index for index, fact in enumerate(facts) if fact.start <= word.start() < fact.end), None)
            gap = text[at : word.start()]
            if ";" in gap or ":" in gap or (found and "," in gap and not _goes_on(text, word.start(), end)):
                return found
            if inside is None:
                bare = word.group().lower()
                if bare in AND_ON or (listed and "," in gap):
                    at, listed = word.end(), True
                    continue
                if found or bare not in BRIDGE:
                    return found
                at = word.end()
                continue
            if found and not (listed or "," in gap):
                return found
        found.add(inside)
        at, listed = facts[inside].end, False


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether a comma list goes on to an "or" or "nor" within a few words."""
    return re.match(r"(?:[\w*/ -]+,\s*){0,3}[\w*/ -]*\b(?:or|nor)\b", text[start:end]) is not None
