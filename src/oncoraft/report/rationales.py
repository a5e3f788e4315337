"""Rationales as the model wrote them, what they claim marked by whether the evidence bears it out, the evidence that they cite beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report.collect import Run
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Data, Rows
from oncoraft.verifiers.claims import Claim, read_claims
from oncoraft.verifiers.factual import factual
from oncoraft.verifiers.finding import Finding
from oncoraft.verifiers.record import Record

EXAMPLES = 4  # of each run
REASONING = "Reasoning:\n"
Statement = tuple[str, str]


def evidence_of(results: Path, case_ids: Sequence[str]) -> dict[str, list[Statement]]:
    """Statements of some cases, section and text, in their order; none where there is no evidence at hand."""
    path = results / "prompts" / "evidence.parquet"
    if not path.is_file() or not case_ids:
        return {}
    frame = pd.read_parquet(path, columns=["case_id", "order", "section", "text"], filters=[("case_id", "in", list(case_ids))])
    rows = frame.sort_values(["case_id", "order"], kind="stable")
    return {
        str(case): list(zip(one["section"].astype(str), one["text"].astype(str))) for case, one in rows.groupby("case_id", observed=True)
    }


def findings(text: str, claims: Sequence[Claim], statements: Sequence[Statement]) -> list[Finding]:
    """What a text claims, each claim with whether the statements bear it out."""
    return list(factual(text, claims, Record.from_statements(statements)).findings)


def cited(text: str, claims: Sequence[Claim], statements: Sequence[Statement], found: Sequence[Finding]) -> list[bool]:
    """Which statements bear a claim out, each by itself."""
    supported = {one.span for one in found if one.outcome == "supported"}
    return [
        any(one.outcome == "supported" and one.span in supported for one in findings(text, claims, [statement])) for statement in statements
    ]


def stretches(text: str, found: Sequence[Finding]) -> list[dict[str, str]]:
    """The text cut where claims begin and end; of overlapping claims the first stands."""
    cut, at = [], 0
    for one in sorted(found, key=lambda finding: (finding.span.start, finding.span.end)):
        if one.span.start >= at:
            cut.append({"text": text[at : one.span.start], "outcome": "", "reason": ""})
            cut.append({"text": text[one.span.start : one.span.end], "outcome": one.outcome, "reason": one.reason})
            at = one.span.end
    return [piece for piece in [*cut, {"text": text[at:], "outcome": "", "reason": ""}] if piece["text"]]


def example(row: dict[str, Any], statements: list[Statement]) -> dict[str, Any]:
    """One rationale, marked where there is evidence to hold it against."""
    text = row["rationale"]
    if not statements:
        return {"pieces": [{"text": text, "outcome": "", "reason": ""}], "evidence": [], "counts": None}
    # The line of the score is the head's, no claim of the text.
    begins = text.find(REASONING) + len(REASONING) if REASONING in text else 0
    claims = [claim for claim in read_claims(text) if claim.span.start >= begins]
    found = findings(text, claims, statements)
    marks = cited(text, claims, statements, found)
    evidence = [{"section": section, "text": told, "is_cited": mark} for (section, told), mark in zip(statements, marks)]
    counts = {name: sum(one.outcome == name for one in found) for name in ("supported", "contradicted", "unsupported")}
    return {"pieces": stretches(text, found), "evidence": evidence, "counts": counts | {"cited": sum(marks), "statements": len(marks)}}


def of_run(results: Path, run: Run) -> list[dict[str, Any]]:
    """The first rationales of an experiment."""
    rows = run.examples[:EXAMPLES]
    known = evidence_of(results, [row["case_id"] for row in rows if row.get("case_id")])
    return [example(row, known.get(row.get("case_id", ""), [])) for row in rows]


def section(sources: Sources) -> dict[str, Any]:
    """Rationales; those of a real cohort stay with its data unless they are asked for."""
    is_shown = sources.is_twin or sources.shows_rationales
    runs: list[dict[str, Any]] = [
        {"name": run.name, "number": place, "examples": of_run(sources.results, run) if is_shown else []}
        for place, run in enumerate(sources.runs, 1)
    ]
    counts: Rows = [
        {"run": run["name"], "example": place} | one["counts"]
        for run in runs
        for place, one in enumerate(run["examples"], 1)
        if one["counts"]
    ]
    sampled: Rows = [{"run": run.name, "rationales": sources.guard.count(len(run.examples))} for run in sources.runs]
    total = sum(len(run.examples) for run in sources.runs)
    return {
        "brief": f"{total:,} sampled" if total and sources.guard.smallest <= total else None,
        "is_twin": sources.is_twin,
        "runs": runs,
        "counts": Data("rationale-claims", counts),
        "sampled": Data("rationales-sampled", sampled),
    }
