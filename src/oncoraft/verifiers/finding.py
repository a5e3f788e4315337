"""What a verifier says: a score, and the stretches of text behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from oncoraft.verifiers.text import Span

Outcome = Literal["supported", "contradicted", "unsupported", "noted"]


class Finding(NamedTuple):
    """One stretch of a rationale and what was found of it."""

    span: Span
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Verdict:
    """One verifier's score in [0, 1], or None where it does not apply, with its findings in order of place."""

    score: float | None
    findings: tuple[Finding, ...] = ()
