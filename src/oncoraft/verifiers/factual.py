"""Factual: every gene, alteration, drug, value, number and prior line that a rationale names stands in the prompt.

The score is the share of named facts that the prompt bears out. A denied fact ("no KRAS mutation") is borne out where the prompt shows
the kind of record and not that fact; what the prompt is silent about may be neither stated nor denied. A rationale that names fewer than
two facts of its case argues from nothing and is scored down in proportion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from oncoraft.knowledge.genes import genes
from oncoraft.verifiers.attributes import LATEST, OPPOSITES
from oncoraft.verifiers.claims import Claim
from oncoraft.verifiers.finding import Finding, Outcome, Verdict
from oncoraft.verifiers.record import MUTATIONS, PRIOR_WORDS, Record, kinds_of
from oncoraft.verifiers.text import clauses, sentences

LEAST_FACTS = 2
LEAST_HEAVILY = 2  # regimens before from which a patient may be called heavily pretreated
KIND_WORDS = {"mutation", "amplification", "deletion", "fusion", "rearrangement", "any"}
GIVEN_EARLIER = re.compile(
    rf"{PRIOR_WORDS.pattern}|\b(?:already|(?:has|had|have) (?:been )?(?:received|treated|exposed|given)|was (?:treated|given)|exposure to|progressed on)\b",
    re.IGNORECASE,
)
THIS_LINE = re.compile(r"\b(?:this|current|now|planned)\b", re.IGNORECASE)
# First and last codon of the exon in the gene's canonical transcript.
EXON_RESIDUES = {("EGFR", "19"): (729, 761), ("EGFR", "20"): (762, 823), ("ERBB2", "20"): (770, 831), ("MET", "14"): (963, 1028)}
EXON = re.compile(r"exon (\d+) (deletion|insertion|skipping)")
Judgement = tuple[Outcome, str]


def factual(text: str, claims: Iterable[Claim], record: Record) -> Verdict:
    """Hold every claim of a rationale against its prompt.

    Args:
        text: the rationale.
        claims: from `read_claims(text)`.
        record: what stands in the prompt.
    """
    listed = list(claims)
    places = [(clause.start, clause.end) for sentence in sentences(text) for clause in clauses(text, sentence)]
    findings = []
    for claim in listed:
        around = next((text[start:end] for start, end in places if start <= claim.span.start < end), text)
        outcome, reason = CHECKS[claim.kind](claim, record, around)
        findings.append(Finding(claim.span, outcome, reason))
    distinct = {(claim.kind, claim.subject, claim.value) for claim in listed}
    if not distinct:
        return Verdict(0.0)
    share = sum(finding.outcome == "supported" for finding in findings) / len(findings)
    return Verdict(share * min(1.0, len(distinct) / LEAST_FACTS), tuple(findings))


def _answer(holds: bool | None, claim: Claim, name: str) -> Judgement:
    """Outcome of a fact that holds, does not, or is unknown (None) in the prompt, with the denial taken into account."""
    if holds is None:
        return "unsupported", f"the prompt does not tell {name}"
    if holds != claim.denied:
        return "supported", name
    return "contradicted", f"the prompt {'shows' if claim.denied else 'does not show'} {name}"


def _drug(claim: Claim, record: Record, around: str) -> Judgement:
    name = claim.subject.lower()
    earlier = GIVEN_EARLIER.search(around) is not None
    if claim.denied:
        return _answer(claim.subject in (record.prior if earlier else record.given), claim, name)
    known = record.given | record.prior if earlier else record.given
    if claim.subject in known:
        return "supported", name
    told = "was given earlier, not now" if claim.subject in record.prior else "is not among the drugs"
    return "contradicted", f"{name} {told}"


def _drug_class(claim: Claim, record: Record, around: str) -> Judgement:
    return _answer(claim.subject in record.classes, claim, claim.subject)


def _family(claim: Claim, record: Record, around: str) -> Judgement:
    return _answer(claim.subject in record.families, claim, f"a drug of kind {claim.subject}")


def _target_class(claim: Claim, record: Record, around: str) -> Judgement:
    return _answer(bool(set(claim.options) & record.targets), claim, f"a drug against {claim.subject}")


def _gene(claim: Claim, record: Record, around: str) -> Judgement:
    known = bool(set(claim.options) & record.genes)
    if claim.denied and not known:
        return _answer(_absence(claim.options, "any", record), claim, claim.subject)
    return ("supported", claim.subject) if known else ("contradicted", f"the prompt does not name {claim.subject}")


def _alteration(claim: Claim, record: Record, around: str) -> Judgement:
    name = f"{claim.subject} {claim.value}"
    # "Wild type" speaks of the gene's sequence: copy number and partners are another matter.
    state = "mutation" if claim.denied and claim.value == "any" and "wild" in around.lower() else claim.value
    if any(altered(gene, value, record.alterations.get(gene, set())) for gene in claim.options for value in state.split("/")):
        return _answer(True, claim, name)
    return _answer(_absence(claim.options, state, record), claim, name)


def _absence(options: Iterable[str], state: str, record: Record) -> bool | None:
    """False where an alteration is known to be absent; None where it was not looked for, or the gene is none that a panel holds."""
    looked_for = kinds_of(state.split("/")[0]) <= record.profiled and any(gene in genes() for gene in options)
    return False if looked_for else None


def altered(gene: str, value: str, shown: set[str]) -> bool:
    """Whether the alterations shown of a gene bear out one that is named, exactly or by its kind.

    Args:
        gene: symbol.
        value: protein change, kind, or `exon 19 deletion`.
        shown: changes and kinds in the prompt.
    """
    changes = {change for change in shown if change not in KIND_WORDS}
    if value in shown or value == "any":
        return bool(shown) if value == "any" else True
    if value == "mutation":
        return bool(changes)
    if value == "rearrangement":
        return "fusion" in shown
    if value == "deletion":
        return any("del" in change for change in changes)
    if value.startswith("exon"):
        return any(_in_exon(gene, value, change) for change in changes)
    return value in changes


def _in_exon(gene: str, value: str, change: str) -> bool:
    found, place = EXON.match(value), re.search(r"\d+", change)
    if found is None or place is None:
        return False
    low, high = EXON_RESIDUES.get((gene, found.group(1)), (0, -1))
    part = {"deletion": ("del",), "insertion": ("ins", "dup"), "skipping": ("splice",)}[found.group(2)]
    return low <= int(place.group()) <= high and any(word in change for word in part)


def _change(claim: Claim, record: Record, around: str) -> Judgement:
    if any(set(claim.options) & changes for changes in record.alterations.values()):
        return _answer(True, claim, claim.subject)
    # Without its gene a protein change is not a statement that a reader could check.
    return _answer(False if MUTATIONS in record.profiled else None, claim, claim.subject)


def _number(claim: Claim, record: Record, around: str) -> Judgement:
    return _answer(claim.subject in record.numbers, claim, f"the number {claim.subject}")


def _value(claim: Claim, record: Record, around: str) -> Judgement:
    name = f"{claim.subject} {claim.value}"
    special = SPECIAL.get(claim.subject)
    if special is not None:
        return _answer(special(claim, record, around), claim, name)
    if claim.subject == "tmb" and claim.value[0].isdigit():
        return _answer(f"{float(claim.value):g}" in record.numbers, claim, name)
    shown = record.values.get(claim.subject, [])
    if not shown:
        # Surgery and radiation are listed wherever there was any; of all else silence is not absence.
        return _answer(False if claim.subject in ("radiation", "surgery") else None, claim, name)
    if claim.subject in ("ecog", "progression") and LATEST.search(around):
        shown = shown[:1]
    holds = any(_same(claim, value) for value in shown)
    if claim.denied and claim.value in OPPOSITES:
        # "No progression" may speak of one of several scans: it holds where one says so.
        opposite = OPPOSITES[claim.value] in shown
        return ("supported", name) if opposite else ("contradicted", f"the prompt shows {name}")
    return _answer(holds, claim, name)


def _same(claim: Claim, value: str) -> bool:
    if value == claim.value:
        return True
    if value.startswith("-"):
        return OPPOSITES.get(value[1:]) == claim.value
    if claim.subject == "ecog" and "-" in claim.value:
        return claim.value[0] <= value <= claim.value[-1]
    if claim.subject == "stage" and value != "1-3":
        return value.rstrip("abc") == claim.value
    return claim.subject == "cancer" and claim.value == "lung" and value == "small cell lung"


def _of_history(record: Record, around: str) -> bool:
    """Whether a clause speaks of treatment before this one: in so many words, or by naming an agent given only then."""
    words = around.upper()
    return GIVEN_EARLIER.search(around) is not None or any(agent in words for agent in record.prior - record.given)


def _line(claim: Claim, record: Record, around: str) -> bool | None:
    """A line is claimed of the named setting, else of all treatment: "first line" is true only where nothing came before."""
    if claim.value in record.values.get("earlier_line", []) and not THIS_LINE.search(around) and _of_history(record, around):
        return True
    line, before, setting = record.line, record.treatments_before, record.first("setting")
    named = {word for pattern, word in SETTING_NAMES if pattern.search(around)}
    if line is None:
        return False if claim.value == "1" and record.was_treated else None
    if named:
        return int(claim.value) == line and named == {setting}
    if claim.value == "1":
        return line == 1 and record.was_treated is False
    return int(claim.value) in {line, *([] if before is None else [before + 1])}


def _prior_lines(claim: Claim, record: Record, around: str) -> bool | None:
    before = record.treatments_before
    return None if before is None or record.line is None else int(claim.value) in (before, record.line - 1)


def _treated(claim: Claim, record: Record, around: str) -> bool | None:
    was_treated = record.was_treated
    if claim.value == "heavily":
        before = record.treatments_before
        return None if before is None and not record.prior else (before or 0) >= LEAST_HEAVILY or len(record.prior) > LEAST_HEAVILY
    return None if was_treated is None else was_treated == (claim.value == "yes")


def _elsewhere(claim: Claim, record: Record, around: str) -> bool | None:
    told = record.values.get("elsewhere", [])
    return None if not told else "yes" in told


def _setting(claim: Claim, record: Record, around: str) -> bool | None:
    """A setting is that of this treatment, or of an earlier one where the clause speaks of it."""
    if claim.value in record.values.get("earlier_setting", []) and _of_history(record, around):
        return True
    told = record.first("setting")
    return told == claim.value if told else None


def _disease(claim: Claim, record: Record, around: str) -> bool | None:
    """Metastatic or local, by the setting, else by stage and extent at diagnosis."""
    stages = {value.rstrip("abc") for value in record.values.get("stage", [])}
    found = {"metastatic": "metastatic", "adjuvant": "local", "neoadjuvant": "local"}.get(record.first("setting"))
    told = {found} if found else set(record.values.get("disease", [])) | {"metastatic" if stage == "4" else "local" for stage in stages}
    return claim.value in told if told else None


SETTING_NAMES = tuple(
    (re.compile(pattern, re.IGNORECASE), word)
    for pattern, word in (
        (r"\bneo-?adjuvant\b", "neoadjuvant"),
        (r"\badjuvant\b", "adjuvant"),
        (r"\b(?:metastatic|palliative)\b", "metastatic"),
    )
)
SPECIAL: dict[str, Callable[[Claim, Record, str], bool | None]] = {
    "line": _line,
    "prior_lines": _prior_lines,
    "treated": _treated,
    "elsewhere": _elsewhere,
    "setting": _setting,
    "disease": _disease,
}
CHECKS: dict[str, Callable[[Claim, Record, str], Judgement]] = {
    "drug": _drug,
    "drug_class": _drug_class,
    "family": _family,
    "target_class": _target_class,
    "gene": _gene,
    "alteration": _alteration,
    "change": _change,
    "number": _number,
    "value": _value,
}
