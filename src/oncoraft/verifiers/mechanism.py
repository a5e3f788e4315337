"""Mechanism: what a rationale says of drug, target and biomarker agrees with the drug table and the biomarker table.

Two kinds of statement are read. "Osimertinib blocks EGFR", "EGFR is the target of osimertinib": the gene must be among the drug's targets.
"KRAS G12D speaks against cetuximab": finding and drug in one clause that leans one way; the biomarker table must know the pair with
that direction. A denied finding argues the other way. Where a clause names no drug, the drugs given are meant, and the table may be
silent (a TP53 mutation marks aggressive disease whatever the drug); where it names one and the table is silent, half counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from oncoraft.knowledge.biomarkers import directions
from oncoraft.knowledge.drugs import drugs
from oncoraft.verifiers.attributes import OPPOSITES
from oncoraft.verifiers.claims import Claim, of_kind
from oncoraft.verifiers.direction import lean
from oncoraft.verifiers.finding import Finding, Outcome, Verdict
from oncoraft.verifiers.record import Record
from oncoraft.verifiers.text import Span, clauses, sentences
from oncoraft.verifiers.vocabulary import targets

ACTS_ON = re.compile(
    r"^ (?:[\w-]+ ){0,4}?(?<!few )(?<!no )(?:targets?|blocks?|inhibits?|binds?|hits?|acts on|is directed (?:at|against)|neutrali[sz]es|antagoni[sz]es) "
    r"(?:the |kinase |receptor |of |mutant |both |activity )*$",
    re.IGNORECASE,
)
TARGET_OF = re.compile(r"^\W*(?:\w+\W+){0,4}?(?:is|are|being) (?:\w+ ){0,2}?targets? of\b", re.IGNORECASE)
PART = re.compile(r",(?! which| that)\s*(?:and\s+)?|\s+and\s+")
PART_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|can|may|might|will|would|should|cannot|predict|favou?r|argue|speak)\b|\b[a-z]{3,}(?:[^s\W]s|ed)\b"
)
MARKERS = frozenset({"msi", "mmr", "tmb", "pdl1", "her2", "hormone_receptor"})
PLAIN = {"mutation", "rearrangement", "any"}
SILENT_CREDIT = 0.5  # a statement that the tables can neither confirm nor refute
CONTRADICTED_FACTOR = 0.5  # one false mechanism spoils a rationale, however many true ones stand beside it


def mechanism(text: str, claims: Iterable[Claim], record: Record) -> Verdict:
    """Hold every drug-target-biomarker statement against the tables; no such statement scores 1: none is wrong."""
    listed = list(claims)
    findings: list[Finding] = []
    for sentence in sentences(text):
        for clause in clauses(text, sentence):
            mine = [claim for claim in listed if clause.start <= claim.span.start < clause.end]
            if mine:
                findings += _target_statements(text, clause, mine, record)
                findings += _biomarker_statements(text, clause, mine, record)
    judged = [finding for finding in findings if finding.outcome != "noted"]
    if not judged:
        return Verdict(1.0, tuple(findings))
    credit = {"supported": 1.0, "unsupported": SILENT_CREDIT, "contradicted": 0.0}
    score = sum(credit[finding.outcome] for finding in judged) / len(judged)
    if any(finding.outcome == "contradicted" for finding in judged):
        score *= CONTRADICTED_FACTOR
    return Verdict(score, tuple(findings))


def _target_statements(text: str, clause: Span, claims: list[Claim], record: Record) -> list[Finding]:
    """Statements that a drug acts on a gene: the gene follows a verb of action, or is "the target of"."""
    genes = [claim for claim in of_kind(claims, "gene", "alteration", "value") if claim.kind != "value" or claim.subject == "her2"]
    named = {claim.subject for claim in of_kind(claims, "drug")} or _of_class(claims) or record.given
    findings = []
    for claim in genes:
        drug_before = [drug for drug in of_kind(claims, "drug", "drug_class", "target_class") if drug.span.end <= claim.span.start]
        verb = ACTS_ON.search(text[drug_before[-1].span.end : claim.span.start]) if drug_before else None
        is_target = TARGET_OF.search(text[claim.span.end : clause.end])
        if verb is None and is_target is None:
            continue
        agents = {drug_before[-1].subject} if verb and drug_before[-1].kind == "drug" else named
        options = {"ERBB2"} if claim.kind == "value" else set(claim.options)
        hit = any(options & targets(agent) for agent in agents)
        who = ", ".join(sorted(agent.lower() for agent in agents))
        if any(agent in drugs() for agent in agents):
            findings.append(Finding(claim.span, "supported" if hit else "contradicted", f"{who} and its target {sorted(options)[0]}"))
    return findings


def _of_class(claims: list[Claim]) -> set[str]:
    """Agents of the drug classes that are named."""
    classes = {claim.subject for claim in of_kind(claims, "drug_class")}
    genes = {gene for claim in of_kind(claims, "target_class") for gene in claim.options}
    families = {claim.subject for claim in of_kind(claims, "family")}
    if not (classes or genes or families):
        return set()
    return {
        agent
        for agent, drug in drugs().items()
        if drug.drug_class.lower() in classes or drug.subtype in families or (genes and genes & targets(agent))
    }


def _biomarker_statements(text: str, clause: Span, claims: list[Claim], record: Record) -> list[Finding]:
    sign = lean(text, clause)
    if sign == 0:
        return []
    findings = []
    for claim in claims:
        marker, states = _finding_of(claim, record)
        if marker is None:
            continue
        part = next(part for part in statements_of(text, clause) if part.start <= claim.span.start < part.end)
        near = [other for other in claims if part.start <= other.span.start < part.end]
        spoken = {other.subject for other in of_kind(near, "drug") if not other.denied} or _of_class(near)
        known = directions(marker, states, spoken or record.given)
        argued = sign > 0
        if claim.denied and claim.value not in OPPOSITES:
            known = frozenset(not direction for direction in known)
        outcome: Outcome
        if not known:
            outcome = "unsupported" if spoken and claim.kind == "alteration" else "noted"
        else:
            outcome = "supported" if argued in known else "contradicted"
        findings.append(
            Finding(claim.span, outcome, f"{marker} {claim.value} {'for' if argued else 'against'} {_names(spoken or record.given)}")
        )
    return findings


def statements_of(text: str, clause: Span) -> list[Span]:
    """A clause cut at commas and "and" into parts that each hold a verb; together they cover the clause."""
    found: list[Span] = []
    start = clause.start
    for cut in [*PART.finditer(text, clause.start, clause.end), None]:
        end = cut.end() if cut else clause.end
        if PART_VERB.search(text[start:end]) or not cut:
            found.append(Span(start, end))
            start = end
    return found


def _finding_of(claim: Claim, record: Record) -> tuple[str | None, tuple[str, ...]]:
    """Marker and the states under which the table may know a finding; (None, ()) if the claim is no biomarker."""
    if claim.kind == "value" and claim.subject in MARKERS:
        return claim.subject, (OPPOSITES[claim.value] if claim.denied and claim.value in OPPOSITES else claim.value,)
    if claim.kind == "alteration":
        gene = next((gene for gene in claim.options if gene in record.alterations), claim.subject)
        shown = tuple(sorted(record.alterations.get(gene, ()))) if claim.value in PLAIN and not claim.denied else ()
        return gene, ("mutation", *shown) if claim.value == "any" else (*claim.value.split("/"), *shown)
    return None, ()


def _names(agents: Iterable[str]) -> str:
    listed = sorted(agent.lower() for agent in agents)
    return ", ".join(listed[:3]) + (" and others" if len(listed) > 3 else "")
