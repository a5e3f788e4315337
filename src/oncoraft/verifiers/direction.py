"""Which way a stretch of text argues: for a benefit, against it, or neither; and how sure it sounds."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from oncoraft.verifiers.text import REMEMBERED, Span, clauses, sentences

# Longer readings come first: "unlikely to progress" favours, though it holds "unlikely" and "progress".
CUES = re.compile(
    r"""\b(?:
    (?P<plus_progress>(?:un|not\s)likely\s+to\s+(?:progress|fail)|progression\s+is\s+(?:\w+\s)?(?:un|not\s)likely)
  | (?P<minus_progress>(?:likely|expected)\s+to\s+(?:progress|fail)|progression\s+is\s+(?:\w+\s)?(?:likely|expected)|(?:early|rapid)\s+progression)
  | (?P<minus>against\s+(?:a|the|any|it|this|benefit|response)|(?:speaks?|argues?|counts?|weighs?|tells?|points?|stands?)\s+against|against\s*:
      |on\s+the\s+other\s+side|unlikely(?:\s+to\s+\w+)?|improbable|resist\w+|refractory|insensitive|ineffective|inactive|futile|unfavou?rabl\w+|adverse\w*
      |poor(?:ly|er)?|limit(?:s|ed|ing)|hinders?|hampers?|undermin\w+|dampens?|blunts?|doubt(?:s|ful)?|diminish\w*|reduc(?:es|ed)\s+(?:the\s+)?(?:chance|likelihood|odds|benefit|response|sensitivity)
      |lowers?\s+(?:the\s+)?(?:chance|likelihood|odds|expectation\w*|hope\w*)|aggressive|bad\s+sign|worse\w*|seldom|rarely|little\s+(?:gain|benefit|hope|chance|to\s+release)|few\s+targets
      |escapes?|bypass\w*|signals\s+past|hides|without\s+its\s+target|fail(?:s|ed|ure)?|compromis\w+|unresponsive|disappoint\w*|(?<!not )progressed|(?:disease|tumou?r)\s+burden|drawbacks?|concern\w*)
  | (?P<plus>in\s+favou?r(?:\s+of)?|favou?r(?:s|ed|ing|abl[ey])?|for\s+it|for\s*:|(?:speaks?|argues?|counts?|weighs?|points?)\s+for|supports?|supporting|supportive|promis\w+|encourag\w+
      |likely(?:\s+to\s+\w+)?|probable|expected\s+to\s+(?:help|work|benefit|respond|shrink|control)|sensiti\w+|responsive|predicts?\s+(?:benefit|response|sensitivity)
      |susceptib\w+|vulnerab\w+|good\s+sign|helps?|is\s+the\s+target\s+of|the\s+target\s+of|(?:can|should|will|may)\s+(?:\w+\s)?(?:work|help|respond|benefit)|effective|benefits?(?=\s+from|\b)
      |advantage\w*|well\s+suited|no\s+(?:\w+\s)?progression|(?:remains|stays)\s+active|slow(?:ly|er)?|indolent|matches|overwhelms|lies\s+on\s+the\s+pathway|raises?\s+(?:the\s+)?(?:chance|likelihood|odds|hope\w*|expectation\w*)|allows?\s+(?:full|intensive)|opens?\s+the\s+(?:way|door))
  )(?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)
TURN = re.compile(
    r"\b(?:no|not|n['’]t|never|without|cannot|lack\w*|hardly|scarcely|less|little|seldom|rarely|un(?=likely))\b(?:\s+\w+){0,2}\s*$",
    re.IGNORECASE,
)
NOTHING = re.compile(
    r"^\W*(?:nothing|none|little|few|no (?:\w+ )?(?:marker|finding|biomarker|argument|evidence|reason|feature|fact|sign)s?)\b",
    re.IGNORECASE,
)
NEUTRAL_BENEFIT = re.compile(r"benefits?$", re.IGNORECASE)
CONCLUSION = re.compile(
    r"^\W*(?:overall|on balance|in sum|in summary|taken together|altogether|all in all|all told|therefore|thus|hence|in conclusion|weighing"
    r"|weighed up|to conclude|on the whole|in short|accordingly|consequently|so)\b",
    re.IGNORECASE,
)
CERTAIN = re.compile(
    r"\b(?:clear(?:ly)?|certain(?:ly)?|definite(?:ly)?|strong(?:ly)?|very (?:un)?likely|highly (?:un)?likely|almost certain(?:ly)?|undoubtedly|no doubt"
    r"|decisive(?:ly)?|with confidence|confident(?:ly)?|convincing(?:ly)?|firm(?:ly)?|all but (?:certain|excluded)|without (?:a )?doubt|surely)\b",
    re.IGNORECASE,
)
HEDGED = re.compile(
    r"\b(?:may|might|could|possibl[ey]|perhaps|somewhat|rather|more likely than not|leans?|modest(?:ly)?|cautious(?:ly)?|probabl[ey]|moderate(?:ly)?"
    r"|tentative(?:ly)?|appears?|seems?|suggests?|slight(?:ly)?|with reservations?|not certain|limited confidence|some doubt|by a margin)\b",
    re.IGNORECASE,
)
OPEN = re.compile(
    r"\b(?:uncertain|unclear|evenly balanced|toss-?up|cannot (?:be )?(?:said|told|judged?)|hard to (?:say|tell|judge)|open question|undecided|equivocal"
    r"|could go either way|fifty-fifty|depends)\b",
    re.IGNORECASE,
)
CONFIDENCE = {"open": OPEN, "hedged": HEDGED, "certain": CERTAIN}
STRENGTH = {"certain": 0.95, "plain": 0.7, "hedged": 0.35, "open": 0.05}


class Lean(NamedTuple):
    """A clause and where it leans: 1 for a benefit, -1 against, 0 neither or both."""

    span: Span
    sign: int
    is_conclusion: bool


def lean(text: str, clause: Span) -> int:
    """Direction of a clause; cues of both kinds cancel to 0."""
    return _lean(text[clause.start : clause.end])


@lru_cache(maxsize=REMEMBERED)
def _lean(clause: str) -> int:
    signs: set[int] = set()
    weak: set[int] = set()
    denies = bool(NOTHING.match(clause))
    for cue in CUES.finditer(clause):
        sign = 1 if (cue.lastgroup or "").startswith("plus") else -1
        before = clause[max(0, cue.start() - 30) : cue.start()]
        if not (cue.lastgroup or "").endswith("progress") and (denies or TURN.search(before)):
            sign = -sign
        # "a benefit is unlikely": the noun alone says nothing where another cue governs it.
        (weak if NEUTRAL_BENEFIT.search(cue.group()) and sign > 0 else signs).add(sign)
    chosen = signs or weak
    return chosen.pop() if len(chosen) == 1 else 0


def leans(text: str) -> list[Lean]:
    """Direction of every clause, in order; the last sentence that leans is the conclusion unless one says that it is."""
    found: list[Lean] = []
    for sentence in sentences(text):
        start = sentence.start
        concludes, parts = _leans_of(text[start : sentence.end])
        found += [Lean(Span(start + begin, start + end), sign, concludes) for begin, end, sign in parts]
    if not any(part.is_conclusion for part in found):
        last = max((index for index, part in enumerate(found) if part.sign), default=None)
        if last is not None:
            found[last] = found[last]._replace(is_conclusion=True)
    return found


@lru_cache(maxsize=REMEMBERED)
def _leans_of(sentence: str) -> tuple[bool, tuple[tuple[int, int, int], ...]]:
    """Whether a sentence says that it concludes, and begin, end and direction of its clauses."""
    parts = clauses(sentence, Span(0, len(sentence)))
    return bool(CONCLUSION.match(sentence)), tuple((*clause, lean(sentence, clause)) for clause in parts)


def confidence(text: str, spans: list[Span]) -> tuple[float, list[tuple[Span, str]]]:
    """How sure some stretches sound, 0 (open) to 1 (certain), with the words that say so.

    Certain and hedging words together sound like a plain statement.
    """
    words = [
        (Span(span.start + begin, span.start + end), name)
        for name in CONFIDENCE
        for span in spans
        for begin, end in _words_of(name, text[span.start : span.end])
    ]
    kinds = {name for _, name in words}
    if "open" in kinds:
        return STRENGTH["open"], words
    if kinds == {"certain"} or kinds == {"hedged"}:
        return STRENGTH[kinds.pop()], words
    return STRENGTH["plain"], words


@lru_cache(maxsize=REMEMBERED)
def _words_of(name: str, clause: str) -> tuple[tuple[int, int], ...]:
    """Where a clause has words of one kind of confidence."""
    return tuple(match.span() for match in CONFIDENCE[name].finditer(clause))
