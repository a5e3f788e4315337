"""Damage that a writer leaves who has lost the thread: words run together, stems that stutter, a clause said twice.

Seen in samples of small models, whose texts are fluent between such places; the grammar of neighbours (`form`) reads past them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from oncoraft.verifiers.finding import Finding
from oncoraft.verifiers.text import REMEMBERED, Span, sentences

# "escPalbociclib", "treatmentPSA", "rising5"; "mRNA", "ctDNA" and "McCune" have fewer small letters before.
RUN_TOGETHER = re.compile(r"\b[A-Za-z]*(?:[a-z]{2}[A-Z][a-z]{2,}|[a-z]{4}[A-Z]{2,}|[a-z]{6}\d|\ufffd)\w*")
NO_SPACE = re.compile(r"[a-z\d],[a-z]{2,}|[a-z]{3,}\.[A-Z][a-z]+")  # "sign,ductings"; "1,000" and "e.g." stand
STUTTER = re.compile(r"\b\w*?([A-Za-z]{4,}?)\1\w*", re.IGNORECASE)  # "taxanetaxane"
UNSPACED = re.compile(r"\S+")
CLAUSE_ENDS = re.compile(r"[.,;:!?\n]|\band\b")
LEAST_CLAUSE = 4  # words; shorter ones recur in sound texts
RELATIVE = {"which", "that", "who"}
EACH = 0.5  # of the mark that one such place costs


def damage(text: str) -> list[Finding]:
    """Every damaged place, in order."""
    found = [
        Finding(Span(sentence.start + start, sentence.start + end), "contradicted", reason)
        for sentence in sentences(text)
        for start, end, reason in _damaged_words(text[sentence.start : sentence.end])
    ]
    return sorted([*found, *_said_twice(text)])


@lru_cache(maxsize=REMEMBERED)
def _damaged_words(sentence: str) -> tuple[tuple[int, int, str], ...]:
    """Begin, end and what is wrong; no such place holds a space, so none reaches beyond what stands between two."""
    return tuple(
        (word.start() + start, word.start() + end, reason)
        for word in UNSPACED.finditer(sentence)
        for start, end, reason in _damage_of(word[0])
    )


@lru_cache(maxsize=REMEMBERED)
def _damage_of(word: str) -> tuple[tuple[int, int, str], ...]:
    patterns = ((RUN_TOGETHER, "words run together"), (NO_SPACE, "words run together"), (STUTTER, "a word that stutters"))
    return tuple((*match.span(), reason) for pattern, reason in patterns for match in pattern.finditer(word))


def _said_twice(text: str) -> Iterator[Finding]:
    """Clauses of four words or more that have stood before, word for word, or that say themselves twice in a row."""
    # A stop or line break ends a clause too; with line breaks sentences would not begin right behind one.
    parts = [Span(0, len(text))] if "\n" in text else sentences(text)
    seen: set[str] = set()
    for place, part in enumerate(parts):
        for start, end, clause, is_double in _clauses_said(text[part.start : part.end]):
            if is_double or clause in seen:
                # The first clause of a sentence reaches back to the stop before it.
                begin = part.start + start if start else parts[place - 1].end - 1 if place else 0
                yield Finding(Span(begin, part.start + end), "contradicted", "said twice")
            seen.add(clause)


@lru_cache(maxsize=REMEMBERED)
def _clauses_said(sentence: str) -> tuple[tuple[int, int, str, bool], ...]:
    """Begin, end and words of clauses of four words or more, and whether one says itself twice in a row."""
    found = []
    start = 0
    for end in [*(match.start() for match in CLAUSE_ENDS.finditer(sentence)), len(sentence)]:
        words = sentence[start:end].lower().strip(".,;:!?\n").split()
        words = words[1:] if words[:1] == ["and"] else words
        half = len(words) // 2
        # "which weighs against a benefit" may well end two sentences.
        if len(words) >= LEAST_CLAUSE and words[0] not in RELATIVE:
            found.append((start, end, " ".join(words), half >= LEAST_CLAUSE and words[-half:] == words[-2 * half : -half]))
        start = end
    return tuple(found)
