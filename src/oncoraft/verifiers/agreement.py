"""Consistency and uncertainty: does a rationale argue for the score it belongs to, and as surely as that score stands from 0.5?"""

from __future__ import annotations

from oncoraft.verifiers.direction import Lean, confidence, leans
from oncoraft.verifiers.finding import Finding, Verdict
from oncoraft.verifiers.text import Span

UNDECIDED = 0.1  # a score this close to 0.5 may be argued either way
TOLERANCE = 0.25  # between the confidence of the words and that of the score
SLOPE = 0.5  # excess over the tolerance at which the score reaches 0
WITHOUT_REASON = 0.5
AGAINST_ITS_REASONS = 0.25


def consistency(text: str, score: float | None, parts: list[Lean] | None = None) -> Verdict:
    """Whether the conclusion takes the score's side, and some other clause gives a reason on that side.

    1: it does, with a reason; 0.5: it does without one, or the reasons lean that way and nothing is concluded; 0.25: every reason given
    stands against its conclusion; 0: it contradicts the score, contradicts itself, or argues nothing. A score within 0.1 of 0.5 may be argued either way, but must be argued.

    Args:
        text: the rationale.
        score: in [0, 1]; None where there is none to agree with, and the verifier does not apply.
        parts: from `leans`, if they are at hand.
    """
    if score is None:
        return Verdict(None)
    found = leans(text) if parts is None else parts
    signs = {part.sign for part in found if part.is_conclusion and part.sign}
    reasons = [part.sign for part in found if not part.is_conclusion and part.sign]
    wanted = 1 if score >= 0.5 else -1
    undecided = abs(score - 0.5) < UNDECIDED
    findings = tuple(
        Finding(
            part.span,
            "noted" if not part.is_conclusion else "supported" if undecided or part.sign == wanted else "contradicted",
            _side(part),
        )
        for part in found
        if part.sign
    )
    if undecided:
        return Verdict(1.0 if reasons else WITHOUT_REASON if signs else 0.0, findings)
    if signs == {wanted}:
        return Verdict(1.0 if wanted in reasons else AGAINST_ITS_REASONS if reasons else WITHOUT_REASON, findings)
    leaning = sum(reasons) * wanted > 0
    return Verdict(WITHOUT_REASON if not signs and leaning else 0.0, findings)


def uncertainty(text: str, score: float | None, parts: list[Lean] | None = None) -> Verdict:
    """Whether the words are as sure as the score: 1 within the tolerance, falling to 0 in a straight line beyond it.

    The words of the conclusion count; where nothing is concluded, all of them. The score's own confidence is 2 |score - 0.5|.
    """
    if score is None:
        return Verdict(None)
    found = leans(text) if parts is None else parts
    spans = [part.span for part in found if part.is_conclusion and text[part.span.start : part.span.end].strip()]
    said, words = confidence(text, spans or [Span(0, len(text))])
    gap = abs(said - 2 * abs(score - 0.5))
    value = max(0.0, min(1.0, 1.0 - max(0.0, gap - TOLERANCE) / SLOPE))
    outcome = "supported" if value >= 0.5 else "contradicted"
    return Verdict(value, tuple(Finding(span, outcome, f"{kind} wording") for span, kind in sorted(words)))  # type: ignore[arg-type]


def _side(part: Lean) -> str:
    return ("concludes" if part.is_conclusion else "argues") + (" for a benefit" if part.sign > 0 else " against a benefit")
