"""How the words of a sentence follow each other, remembered by the sentence: texts share theirs, and no word runs over its end."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from oncoraft.verifiers.text import REMEMBERED, Span, sentences, word_set

TOKEN = re.compile(r"[A-Za-z0-9][\w*/'’+-]*|[.,;:!?]")
MARKS = ".,;:!?"
DETERMINERS = "the a an this that these those its his her their no every each"
PREPOSITIONS = "of to in on at for with by from into against without than as about between past"
CONJUNCTIONS = "and or but so because while where when if although though that which who yet"
VERBS = (
    "is are was were be been has have had do does did can could may might will would should must cannot makes make gives give goes keeps"
    " leaves lets lies works shows speaks argues favours favors supports marks meets promises allows limits offers weakens blocks targets"
    " predicts suggests points remains lowers raises helps responds carries holds stands comes takes adds needs weighs means expects"
)
PRONOUNS = "it they he she we i one none nothing there what"
ADVERBS = "not only also very more most less here now overall likely unlikely still even together"
FUNCTION_WORDS = frozenset(" ".join((DETERMINERS, PREPOSITIONS, CONJUNCTIONS, VERBS, PRONOUNS, ADVERBS)).split())
OPENERS = word_set(f"{DETERMINERS} {PREPOSITIONS}") - {"that", "this", "these", "those", "her", "past", "no", "each"}
ARTICLES = word_set("the a an its his their")
NEVER_AFTER_ARTICLE = word_set(f"{VERBS} {CONJUNCTIONS} {PREPOSITIONS} the a an") - {
    "makes",
    "works",
    "so",
    "targets",
    "past",
    "needs",
    "limits",
}
FINITE = frozenset(word for word in VERBS.split() if word.endswith("s")) | {"are", "were"}
NOUNS_TOO = word_set("targets marks limits supports works needs means points holds takes")
SUBORDINATORS = word_set("because although though while whereas if")
NEVER_AFTER_PREPOSITION = word_set("and or but because is are was were has have")
BARE_PREPOSITIONS = word_set("of to at for with from by into between")
BE = word_set("is are was were")
NEVER_AFTER_BE = word_set("is are was were has have does do did can will would and or")
VERB_LIKE = re.compile(r"^(?:\w{3,}(?:s|ed|en|ing)|is|are|was|were|has|have|had|can|may|might|will|would|should|be)$", re.IGNORECASE)
LETTERS = re.compile(r"[A-Za-z]+")
STOPPED = re.compile(r"[.!?][\"')]*\s*$")


class Token(NamedTuple):
    """A word or a mark, and where it stands."""

    text: str
    start: int
    end: int


class Grammar(NamedTuple):
    """A sentence as `form` sees it; places count from its beginning.

    Args:
        tokens: words and marks, in order.
        words: the words alone, lower case; `places`: their begins and ends.
        function_words: how many of them hold the others together.
        breaches: begin and end of neighbours that English does not allow.
        breaths: words in a row before, between and behind its marks: one number where there is no mark.
        has_verb: whether a word is formed like a verb.
        is_stopped: whether it ends with a stop.
    """

    tokens: tuple[Token, ...]
    words: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    function_words: int
    breaches: tuple[tuple[int, int], ...]
    breaths: tuple[int, ...]
    has_verb: bool
    is_stopped: bool


def grammar(text: str) -> list[tuple[int, Grammar]]:
    """Where each sentence begins, and its grammar; between them stands white space only."""
    return [(span.start, _of_sentence(text[span.start : span.end])) for span in sentences(text)]


@lru_cache(maxsize=REMEMBERED)
def _of_sentence(sentence: str) -> Grammar:
    tokens = tuple(Token(match.group(), *match.span()) for match in TOKEN.finditer(sentence))
    words = tuple(token.text.lower() for token in tokens if token.text not in MARKS)
    breaths = [0]
    for token in tokens:
        if token.text in MARKS:
            breaths.append(0)
        else:
            breaths[-1] += 1
    return Grammar(
        tokens,
        words,
        tuple((token.start, token.end) for token in tokens if token.text not in MARKS),
        sum(word in FUNCTION_WORDS for word in words),
        tuple((one.start, two.end) for one, two in pairwise(tokens) if is_breach(one.text, two.text)),
        tuple(breaths),
        any(VERB_LIKE.match(word) and not word.isupper() for word in LETTERS.findall(sentence)),
        STOPPED.search(sentence) is not None,
    )


def place_of(parts: list[tuple[int, Grammar]], index: int) -> Span:
    """Where a word of a text stands, counted over all its sentences from 0."""
    for start, part in parts:
        if index < len(part.words):
            begin, end = part.places[index]
            return Span(start + begin, start + end)
        index -= len(part.words)
    raise IndexError(index)


def breaches(parts: list[tuple[int, Grammar]]) -> list[Span]:
    """Neighbours that English does not allow, within sentences and where one follows another."""
    found = [Span(start + begin, start + end) for start, part in parts for begin, end in part.breaches]
    spoken = [(start, part.tokens) for start, part in parts if part.tokens]
    for (one_start, (*_, one)), (two_start, (two, *_)) in pairwise(spoken):
        if is_breach(one.text, two.text):
            found.append(Span(one_start + one.start, two_start + two.end))
    return found


@lru_cache(maxsize=REMEMBERED)
def is_breach(one: str, two: str) -> bool:
    """Whether two neighbours may not follow each other: an article before a verb or a stop, a preposition before a stop, and the like."""
    first, second = one.lower(), two.lower()
    return (
        (first in OPENERS and second in MARKS)
        or (first in ARTICLES and second in NEVER_AFTER_ARTICLE)
        or (first in BE and second in NEVER_AFTER_BE)
        or (first in FINITE and second in FINITE and not (first in BE and second in NOUNS_TOO))
        or (first in SUBORDINATORS and second in FINITE)
        or (first in BARE_PREPOSITIONS and second in NEVER_AFTER_PREPOSITION)
        or (first == second and first.isalpha())
        or (one in ".!?" and two[0].islower())
        or (
            one not in ".!?:"
            and two[0].isupper()
            and two[1:].islower()
            and len(two) > 2
            and first in FUNCTION_WORDS
            and two.lower() in FUNCTION_WORDS
        )
    )


def longest_breath(parts: list[tuple[int, Grammar]]) -> int:
    """Most words in a row without a mark between them, over the ends of sentences that have none."""
    longest = run = 0
    for _, part in parts:
        longest = max(longest, run + part.breaths[0], *part.breaths)
        run = part.breaths[-1] + (run if len(part.breaths) == 1 else 0)
    return longest
