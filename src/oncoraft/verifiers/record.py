"""What stands in a case's prompt, in the language of claims: the ground that a rationale is held against."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from oncoraft.verifiers.alike import ANY_CHANGE, changed_gene, read_alike, without_days
from oncoraft.verifiers.attributes import OPPOSITES, SITE_LIST, sites_in
from oncoraft.verifiers.claims import Claim, named_changes, read_claims
from oncoraft.verifiers.vocabulary import drug_of, related_genes, targets

PRIOR_WORDS = re.compile(r"\b(?:earlier|prior|previous(?:ly)?|before|past|pretreat\w+|after)\b", re.IGNORECASE)
DRUG_SECTION = re.compile(r"drug|mechanism|about to start")
PRIOR_SECTION = re.compile(r"prior|earlier|previous|so far")
# Looked at from its first digit, so that the search runs from digit to digit.
NUMBER = re.compile(r"\d(?<![\w.*]\d)\d*(?:\.\d+)?")
EARLIER_LINE = re.compile(r"^\W*(?P<setting>neoadjuvant |adjuvant |metastatic )?line \d+\s*[,:(]", re.IGNORECASE)
NOTHING_FOUND = re.compile(
    r"\bno (?:\w+ ){0,3}?(?P<what>copy[- ]number (?:alterations?|calls?|changes?)|structural (?:variants?|alterations?)|mutations?|alterations?|variants?)"
    r" (?:were |was )?(?:detected|found|reported)\b",
    re.IGNORECASE,
)
SITES_ALONE = re.compile(rf"^\W*(?:{SITE_LIST})\W*$", re.IGNORECASE)
HEADING = re.compile(r"^(?P<title>[A-Z][A-Za-z /()-]{2,50}):?$")
INLINE = re.compile(r"^(?P<title>[A-Z][A-Za-z -]{2,30}): (?P<rest>.+)$")
MUTATIONS, COPY_NUMBER, STRUCTURAL = "mutations", "copy number", "structural variants"
KINDS_OF_ALTERATION = frozenset((MUTATIONS, COPY_NUMBER, STRUCTURAL))
KINDS_OF_STATE = {"any": KINDS_OF_ALTERATION, "deletion": frozenset((COPY_NUMBER,)), "amplification": frozenset((COPY_NUMBER,))}
KINDS_OF_STATE |= {"fusion": frozenset((STRUCTURAL,)), "rearrangement": frozenset((STRUCTURAL,))}
KINDS_OF_CHANGE = frozenset((MUTATIONS,))
HIGH_BURDEN = 10.0  # mutations per megabase; FDA approval of pembrolizumab for TMB-high tumours, 2020
REMEMBERED = 65_536  # statements, about 60 MB; whatever the cohort, those that recur are among the last so many
Column = tuple[frozenset[str], ...]
Pairs = tuple[tuple[tuple[str, str], ...], ...]


@dataclass
class Record:
    """A case as its prompt shows it.

    Args:
        text: the prompt's statements, one a line.
        given: agents about to start; `prior`: agents received before.
        alterations: gene -> protein changes and kinds (`amplification`, `deletion`, `fusion`).
        genes: symbols that the text names, or that one may name of the drugs.
        values: name -> values in the order of the prompt, the closest first; `-value` where the prompt denies it.
        numbers: every number of the text, in shortest form.
        profiled: kinds of alteration that were looked for; only of these is absence known.
    """

    text: str
    given: set[str] = field(default_factory=set)
    prior: set[str] = field(default_factory=set)
    alterations: dict[str, set[str]] = field(default_factory=dict)
    genes: set[str] = field(default_factory=set)
    values: dict[str, list[str]] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    profiled: set[str] = field(default_factory=set)

    @property
    def classes(self) -> set[str]:
        """Drug classes of the drugs given now or before, lower case."""
        return {drug.drug_class.lower() for drug in map(drug_of, self.given | self.prior) if drug}

    @property
    def families(self) -> set[str]:
        """Source subtypes of the drugs given now or before."""
        return {drug.subtype for drug in map(drug_of, self.given | self.prior) if drug}

    @property
    def targets(self) -> set[str]:
        """Genes that the drugs given now or before act on."""
        return {gene for agent in self.given | self.prior for gene in targets(agent)}

    def first(self, name: str) -> str:
        """The first (closest) value of a name; empty if the prompt has none."""
        return self.values.get(name, [""])[0]

    @property
    def line(self) -> int | None:
        """The line that the treatment about to start is, within its setting where that is told; None where no line is claimed."""
        return next((int(value) for value in self.values.get("line", []) if value.isdigit()), None)

    @property
    def treatments_before(self) -> int | None:
        """How many regimens came before in all; None where that is not told, as after treatment elsewhere."""
        if "yes" in self.values.get("elsewhere", []) or self.line is None:
            return None
        overall = [int(value) for value in self.values.get("line_overall", []) if value.isdigit()]
        return max([self.line, *overall]) - 1

    @property
    def was_treated(self) -> bool | None:
        """Whether any treatment came before; None where the prompt does not tell."""
        told = self.prior or "yes" in self.values.get("elsewhere", []) or "earlier_line" in self.values or self.treatments_before
        return True if told else None if self.treatments_before is None else False

    @classmethod
    def from_statements(cls, statements: Iterable[tuple[str, str]]) -> Record:
        """From (section, text) of a case's evidence, in prompt order."""
        listed = list(statements)
        record = cls("\n".join([text for _, text in listed]))
        if listed:
            columns = zip(*[_told(section, text) for section, text in listed])
            record._take(*columns)
        return record._complete()

    @classmethod
    def from_prompt(cls, text: str) -> Record:
        """From the `input` of a prompt, whatever the template: headings are recognised by their form."""
        return cls.from_statements(_sections(text))

    def _take(
        self, numbers: Column, given: Column, prior: Column, alterations: Pairs, genes: Column, values: Pairs, profiled: Column
    ) -> None:
        """Take over what the statements tell, a column a field of `Told`."""
        self.numbers.update(*numbers)
        self.given.update(*given)
        self.prior.update(*prior)
        self.genes.update(*genes)
        self.profiled.update(*profiled)
        for gene, state in chain.from_iterable(alterations):
            self.alterations.setdefault(gene, set()).add(state)
        for name, value in chain.from_iterable(values):
            self.values.setdefault(name, []).append(value)

    def _complete(self) -> Record:
        self.genes |= {gene for agent in self.given | self.prior for gene in related_genes(agent)}
        for state in (state for shown in self.alterations.values() for state in shown - {"any"}):
            self.profiled |= kinds_of(state)
        burden = [float(value) for value in self.values.get("tmb", []) if NUMBER.fullmatch(value)]
        if burden:
            self.values["tmb"] += ["high"] if max(burden) >= HIGH_BURDEN else ["low", "intermediate", "very low"]
        for age in [value for value in self.values.get("age", []) if not value.endswith("s")]:
            self.values["age"].append(f"{int(float(age)) // 10 * 10}s")
        return self


def kinds_of(state: str) -> frozenset[str]:
    """Kinds of alteration of which a state is one: any of these may show it, and all must have been looked for before it is denied."""
    return KINDS_OF_STATE.get(state, KINDS_OF_CHANGE)


def _looked_for(what: str) -> frozenset[str]:
    """What was looked for where nothing was found."""
    if what.startswith("copy"):
        return frozenset((COPY_NUMBER,))
    if what.startswith("structural"):
        return frozenset((STRUCTURAL,))
    return frozenset((MUTATIONS,)) if what.startswith(("mutation", "variant")) else KINDS_OF_ALTERATION


@lru_cache(maxsize=1024)
def _is_prior_section(section: str) -> bool:
    return PRIOR_SECTION.search(section) is not None


def _value_told(claim: Claim) -> str:
    """A value as the prompt tells it: what is denied becomes its opposite, or is marked with a minus where it has none."""
    return OPPOSITES.get(claim.value, "-" + claim.value) if claim.denied else claim.value


class Told(NamedTuple):
    """What one statement adds to a record, under the names that it has there; `values` in order."""

    numbers: frozenset[str]
    given: frozenset[str]
    prior: frozenset[str]
    alterations: tuple[tuple[str, str], ...]
    genes: frozenset[str]
    values: tuple[tuple[str, str], ...]
    profiled: frozenset[str]


@lru_cache(maxsize=REMEMBERED)
def _told(section: str, text: str) -> Told:
    """What a statement tells; most recur in many cases, and of those that do not most differ in numbers alone."""
    section, bare = section.lower().replace("_", " "), without_days(text)
    changed = changed_gene(bare)
    told = _of_change(section, *changed) if changed else _read(section, read_alike(bare))
    return Told(_numbers(text), told.given, told.prior, told.alterations, told.genes, told.values, told.profiled)


def _of_change(section: str, gene: str, change: str) -> Told:
    """What a gene with a protein change tells: every other of the same gene tells the same, but for the change."""
    told, value = _read(section, f"{gene} {ANY_CHANGE}"), "/".join(named_changes(change))
    return told._replace(alterations=tuple((name, value if state == ANY_CHANGE else state) for name, state in told.alterations))


@lru_cache(maxsize=REMEMBERED)
def _read(section: str, bare: str) -> Told:
    """What a statement without its days tells, beside numbers."""
    # A mechanism may hold such a word ("before DNA synthesis"); it is told of the drugs about to start.
    is_of_drugs = DRUG_SECTION.search(section) is not None
    is_prior = not is_of_drugs and (_is_prior_section(section) or PRIOR_WORDS.search(bare) is not None)
    claims, earlier = read_claims(bare), EARLIER_LINE.search(bare)
    drugs = frozenset(claim.subject for claim in claims if claim.kind == "drug" and not claim.denied)
    altered = () if is_of_drugs else tuple(claim for claim in claims if claim.kind == "alteration" and not claim.denied)
    values = []
    for claim in claims:
        if claim.kind == "value" and not (claim.subject == "progression" and is_prior):
            # What an earlier line brought is history, not the state of the disease now.
            is_earlier = earlier and claim.subject in ("line", "setting")
            values.append((f"earlier_{claim.subject}" if is_earlier else claim.subject, _value_told(claim)))
    if earlier and earlier["setting"]:
        values.append(("earlier_setting", earlier["setting"].strip().lower()))
    if "disease" in section and SITES_ALONE.match(bare):
        values += [("site", site) for site, _, _ in sites_in(bare)]
    return Told(
        frozenset(),
        frozenset() if is_prior else drugs,
        drugs if is_prior else frozenset(),
        tuple((gene, claim.value) for claim in altered for gene in claim.options),
        frozenset(gene for claim in claims if claim.kind in ("gene", "alteration", "target_class") for gene in claim.options),
        tuple(values),
        frozenset(kind for found in NOTHING_FOUND.finditer(bare) for kind in _looked_for(found["what"].lower())),
    )


def _numbers(statement: str) -> frozenset[str]:
    return frozenset([f"{float(number):g}" for number in NUMBER.findall(statement)])


def _sections(text: str) -> list[tuple[str, str]]:
    """(heading, statement) of a rendered prompt: headings on their own line, or before a colon with the statements behind."""
    heading, found = "", []
    for raw in text.split("\n"):
        line = raw.strip().lstrip("-*• ").strip()
        if not line:
            continue
        inline = INLINE.match(line)
        if line == raw.strip() and HEADING.match(line) and not read_claims(line):
            heading = line.rstrip(":")
        elif inline and ";" in line and line == raw.strip():
            found += [(inline.group("title"), part.strip()) for part in inline.group("rest").split(";")]
        elif inline:
            found.append((f"{heading} {inline.group('title')}", line))
        else:
            found.append((heading, line))
    return found
