"""A rationale held against its case: what it claims, whether the evidence bears it out, and by which statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oncoraft.report.rationales import REASONING, findings, stretches
from oncoraft.verifiers.claims import read_claims
from oncoraft.verifiers.combine import verify
from oncoraft.verifiers.record import Record

LONGEST_CHECKED = 20_000  # characters
VERIFIERS = {
    "factual": "facts stand in the prompt",
    "mechanism": "mechanisms are those of the drugs",
    "consistency": "argues for its score",
    "uncertainty": "as sure as its score",
    "form": "reads as a rationale",
    "no_outcome": "tells no outcome",
}


def marked(text: str, statements: Sequence[tuple[str, str]], score: float) -> dict[str, Any]:
    """The text in pieces, each with its outcome and the place of the statement that bears it out; verifiers' scores; statements cited.

    Args:
        text: the answer, its score line first.
        statements: (section, text) of the prompt.
        score: as delivered.
    """
    text = text[:LONGEST_CHECKED]
    begins = text.find(REASONING) + len(REASONING) if REASONING in text else 0
    body = text[begins:]
    claims = list(read_claims(body))
    found = findings(body, claims, statements)
    bears: dict[Any, int] = {}
    for place, statement in enumerate(statements):
        for one in findings(body, claims, [statement]):
            if one.outcome == "supported":
                bears.setdefault(one.span, place)
    pieces: list[dict[str, Any]] = []
    spans = {(one.span.start, one.span.end): one.span for one in found}
    at = 0
    for piece in stretches(body, found):
        span = spans.get((at, at + len(piece["text"]))) if piece["outcome"] else None
        pieces.append({**piece, "statement": bears.get(span) if piece["outcome"] == "supported" else None})
        at += len(piece["text"])
    verdict = verify(body, Record.from_statements(statements), score)
    checks = [
        {"name": name, "meaning": VERIFIERS[name], "score": told.score, "is_failed": name in verdict.failed}
        for name, told in verdict.verdicts.items()
        if told.score is not None
    ]
    counts = {name: sum(one.outcome == name for one in found) for name in ("supported", "contradicted", "unsupported")}
    return {"pieces": pieces, "checks": checks, "counts": counts, "cited": sorted(set(bears.values())), "accepted": verdict.accepted}
