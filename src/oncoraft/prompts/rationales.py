"""Rationales by the offline teacher: composed from the drug table and the case's own evidence, then verified.

The teacher lists what speaks for and against a response, each with the statement it rests on, and closes with a judgement. If
it sees the label (as published) the side that agrees with the label comes last and decides the judgement. No score, no outcome
and nothing that is not in the evidence may be written: a rationale that fails the verifier falls back to a plainer one, counted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.render import write_jsonl
from oncoraft.provenance import manifest, publishing, write_json
from oncoraft.stable import stable_seed

log = logging.getLogger("oncoraft")
EVALUABLE = ("CR", "PR", "SD", "PD")
OUTCOME_WORDS = re.compile(
    r"\b(responded|responder|relapsed|died|death|survived|complete response|partial response|stable disease)\b", re.I
)


@dataclass(frozen=True)
class Reason:
    """One clinical argument: a field whose value matches, with drugs whose class matches, speaks for or against."""

    field: str
    value: str
    drug: str
    favours: bool
    text: str


# General oncology, in our own words; which biomarker goes with which drug is that of the drugs' labels.
REASONS = (
    Reason("mutation", r"^EGFR ", r"EGFR inhibitor", True, "{value} is the target of the drug"),
    Reason("mutation", r"^(KRAS|NRAS) ", r"anti-EGFR antibody", False, "{value} signals past EGFR"),
    Reason("mutation", r"^(STK11|KEAP1) ", r"PD-1|PD-L1", False, "{value} goes with poor benefit from immunotherapy"),
    Reason("mutation", r"^BRCA[12] ", r"PARP|platinum", True, "{value} weakens DNA repair"),
    Reason("mutation", r"^PIK3CA ", r"PI3K", True, "{value} is the target of the drug"),
    Reason("mutation", r"^TP53 ", r".", False, "{value} marks aggressive disease"),
    Reason("structural_variant", r"ALK", r"ALK", True, "{value} is the target of the drug"),
    Reason("msi", r"^instable$", r"PD-1|PD-L1|CTLA", True, "microsatellite instability favours immunotherapy"),
    Reason("tmb", r"^high$", r"PD-1|PD-L1|CTLA", True, "a high mutational burden favours immunotherapy"),
    Reason("pdl1", r"^positive$", r"PD-1|PD-L1", True, "PD-L1 is positive"),
    Reason("pdl1", r"^negative$", r"PD-1|PD-L1", False, "PD-L1 is negative"),
    Reason("her2", r"^positive$", r"HER2", True, "HER2 is the target of the drug"),
    Reason("hormone_receptor", r"^positive$", r"aromatase|oestrogen|CDK4", True, "hormone receptors are the target"),
    Reason("hormone_receptor", r"^negative$", r"aromatase|oestrogen|CDK4", False, "the hormone receptors are absent"),
    Reason("ecog", r"^0$", r".", True, "ECOG 0 promises tolerance"),
    Reason("ecog", r"^1$", r".", True, "ECOG 1 allows full treatment"),
    Reason("ecog", r"^[234]$", r".", False, "ECOG {value} limits treatment"),
    Reason("tumor_sites", r"^liver", r".", False, "liver disease is a poor sign"),
    Reason("tumor_sites", r"^cns", r".", False, "brain disease is a poor sign"),
    Reason("progression", r"^yes$", r".", False, "the disease progressed on the last imaging"),
    Reason("progression", r"^no$", r".", True, "no progression on the last imaging"),
    Reason("line", r"^1$", r".", True, "this is the first line"),
    Reason("line", r"^([3-9]|\d\d+)$", r".", False, "line {value} meets a pretreated tumour"),
    Reason("stage", r"4$", r".", False, "stage 4 at diagnosis"),
    Reason("tumor_marker", r"rising$", r".", False, "{value}"),
    Reason("tumor_marker", r"falling$", r".", True, "{value}"),
)
OPENINGS = ("For", "In favour", "Speaking for it")
COUNTERS = ("Against", "On the other side", "Speaking against it")
CLOSINGS = {
    True: ("Overall a benefit is likely.", "On balance this treatment is likely to help."),
    False: ("Overall a benefit is unlikely.", "On balance this treatment is unlikely to help."),
}


def reasons_of(statements: list[tuple[str, str]], limit: int = 3) -> tuple[list[str], list[str]]:
    """What speaks for and against, at most `limit` each, strongest kinds first.

    Args:
        statements: (field, value) of a case's evidence.
        limit: arguments on each side.
    """
    drug = "; ".join(value for field, value in statements if field == "drug")
    sides: dict[bool, list[str]] = {True: [], False: []}
    for reason in REASONS:
        if not re.search(reason.drug, drug or "-"):
            continue
        for field, value in statements:
            if field == reason.field and re.search(reason.value, value):
                sides[reason.favours].append(reason.text.format(value=value))
                break
    return sides[True][:limit], sides[False][:limit]


def compose(statements: list[tuple[str, str]], favours: bool | None, seed: int) -> str:
    """A rationale of two to three sentences.

    Args:
        statements: (field, value) of a case's evidence; of repeated kinds the closest first.
        favours: the side that the label takes, or None if the teacher does not see it.
        seed: picks the wording.
    """
    gains, doubts = reasons_of(statements)
    if favours is None:
        favours = len(gains) > len(doubts)
    for_it = f"{OPENINGS[seed % 3]}: {', '.join(gains)}." if gains else ""
    against = f"{COUNTERS[seed // 3 % 3]}: {', '.join(doubts)}." if doubts else ""
    ordered = [against, for_it] if favours else [for_it, against]
    return " ".join([*filter(None, ordered), CLOSINGS[favours][seed // 9 % 2]])


def grounded(rationale: str, statements: list[tuple[str, str]]) -> float:
    """Share of the gene alterations, ECOG values and lines named that stand in the evidence; 1 if none is named."""
    values = {value for _, value in statements}
    named = re.findall(r"\b[A-Z][A-Z0-9]{2,} [A-Z*]\d+\S*?(?=[\s,.]|$)", rationale)
    checks = [any(value.startswith(name) for value in values) for name in named]
    for field, pattern in (("ecog", r"ECOG (\d)"), ("line", r"line (\d+)")):
        own = {value for name, value in statements if name == field}
        checks += [value in own for value in re.findall(pattern, rationale)]
    return sum(checks) / len(checks) if checks else 1.0


def clean(rationale: str) -> bool:
    """Whether a rationale states neither an outcome nor a score."""
    return not OUTCOME_WORDS.search(rationale) and not re.search(r"\b0?\.\d", rationale)


def write(evidence: pd.DataFrame, labels: pd.DataFrame, sees_label: bool, seed: int) -> list[dict[str, Any]]:
    """A verified rationale of every evaluable case, sorted by case.

    Args:
        evidence: columns of `evidence.parquet`.
        labels: rows of one definition.
        sees_label: whether the teacher argues towards the label.
        seed: varies the wording.
    """
    evaluable = labels[labels["category"].isin(EVALUABLE)].set_index("case_id")["responder"]
    shown = evidence[evidence["case_id"].isin(evaluable.index)]
    by_case: dict[str, list[tuple[str, str]]] = {}
    for case_id, field, value in zip(shown["case_id"], shown["field"], shown["value"]):
        by_case.setdefault(case_id, []).append((field, value))
    written = []
    for case_id in sorted(by_case):
        statements = by_case[case_id]
        side = bool(evaluable[case_id]) if sees_label else None
        rationale = compose(statements, side, stable_seed(seed, case_id))
        accepted = grounded(rationale, statements) == 1.0 and clean(rationale)
        if not accepted:
            rationale = CLOSINGS[bool(side)][0]
        scores = {"factual": grounded(rationale, statements), "no_outcome": float(clean(rationale))}
        status = "accepted" if accepted else "fallback"
        written.append({"case_id": case_id, "rationale": rationale, "teacher": "template", "verifiers": scores, "status": status})
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Read evidence and labels, write rationales."""
    parser = step_parser("rationales", "example:\n  oncoraft rationales prompts/evidence.parquet cases --out prompts/rationales.jsonl")
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds labels.parquet")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="rationales.jsonl to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("rationales", given)
    labels = pd.read_parquet(given.cases / "labels.parquet")
    labels = labels[labels["definition"] == blocks["labels"].definition]
    block = blocks["rationales"]
    written = write(pd.read_parquet(given.evidence), labels, block.sees_label, block.seed)
    counts = {
        "teacher": block.teacher,
        "teacher_sees_label": block.sees_label,
        "rationales": len(written),
        "fallback": sum(row["status"] == "fallback" for row in written),
    }
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record) as (out, note):
        write_jsonl(out, written)
        inputs = [given.evidence, given.cases / "labels.parquet"]
        settings = settings_record(given, blocks)
        write_json(note, manifest("rationales", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("rationales: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
