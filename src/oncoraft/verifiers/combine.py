"""All verifiers over one rationale: scores, their weighted mean, and whether it may be taught.

Accepted is a rationale whose weighted mean reaches the threshold and each of whose scores reaches its own minimum: a false fact is not
bought off by good grammar. A verifier that does not apply (no score to agree with) has no score and no weight.

Example:
    record = Record.from_prompt(prompt_input)
    verify("EGFR L858R is the target of osimertinib ...", record, score=0.7).accepted
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oncoraft.verifiers.agreement import consistency, uncertainty
from oncoraft.verifiers.claims import read_claims
from oncoraft.verifiers.direction import leans
from oncoraft.verifiers.factual import factual
from oncoraft.verifiers.finding import Verdict
from oncoraft.verifiers.form import form, no_outcome
from oncoraft.verifiers.mechanism import mechanism
from oncoraft.verifiers.record import Record

NAMES = ("factual", "mechanism", "consistency", "uncertainty", "form", "no_outcome")
# Defaults of the block `rationales`, for those who verify without a configuration.
WEIGHTS = {"factual": 3.0, "mechanism": 2.0, "consistency": 2.0, "uncertainty": 1.0, "form": 1.0, "no_outcome": 1.0}
MINIMUM = {"factual": 1.0, "mechanism": 0.5, "consistency": 0.5, "uncertainty": 0.3, "form": 0.5, "no_outcome": 1.0}
THRESHOLD = 0.8


@dataclass(frozen=True)
class Rule:
    """When a rationale is accepted: weights of the mean, its threshold, and the least score of each verifier (0 where unnamed)."""

    weights: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)
    minimum: Mapping[str, float] = field(default_factory=lambda: MINIMUM)
    threshold: float = THRESHOLD


@dataclass(frozen=True)
class Verification:
    """What all verifiers say of one rationale; `failed` names those below their minimum, `mean` last if it is too low."""

    verdicts: Mapping[str, Verdict]
    mean: float
    failed: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def scores(self) -> dict[str, float]:
        """Score of every verifier that applies, three decimals."""
        return {name: round(verdict.score, 3) for name, verdict in self.verdicts.items() if verdict.score is not None}

    def spans(self) -> dict[str, list[list[int | str]]]:
        """Verifier -> [start, end, outcome, reason] of every stretch behind its score; no entry where there is none."""
        return {
            name: [[found.span.start, found.span.end, found.outcome, found.reason] for found in verdict.findings]
            for name, verdict in self.verdicts.items()
            if verdict.findings
        }


def verify(text: str, record: Record, score: float | None, rule: Rule | None = None, instruction: str = "") -> Verification:
    """Run every verifier.

    Args:
        text: the rationale, without its score line.
        record: what stands in the case's prompt.
        score: the score that the rationale belongs to, in [0, 1]; None if it was written without one.
        rule: weights, minimum scores and threshold; None: the defaults.
        instruction: what else the writer was shown and may not hand back.
    """
    rule = rule or Rule()
    claims, parts = read_claims(text), leans(text)
    verdicts = {
        "factual": factual(text, claims, record),
        "mechanism": mechanism(text, claims, record),
        "consistency": consistency(text, score, parts),
        "uncertainty": uncertainty(text, score, parts),
        "form": form(text, claims, record.text, instruction),
        "no_outcome": no_outcome(text, record.numbers),
    }
    applying = {name: verdict.score for name, verdict in verdicts.items() if verdict.score is not None}
    total = sum(rule.weights.get(name, 0.0) for name in applying)
    mean = sum(rule.weights.get(name, 0.0) * value for name, value in applying.items()) / total if total else 1.0
    failed = [name for name, value in applying.items() if value < rule.minimum.get(name, 0.0)]
    if mean < rule.threshold:
        failed.append("mean")
    return Verification(verdicts, mean, tuple(failed))
