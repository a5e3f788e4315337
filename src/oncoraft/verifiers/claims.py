"""What a text states as fact: drugs, alterations, genes, values, numbers, each with its place and whether it is denied.

The same reading serves the prompt (`record`) and the rationale, so that the two are compared in one language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from oncoraft.knowledge.protein_changes import protein_change
from oncoraft.verifiers.attributes import HINTS, PATTERNS, SITE_OF, SITE_PATTERNS, sites_in
from oncoraft.verifiers.stretches import ENUMERATION, stretches
from oncoraft.verifiers.text import POSSIBLY_DENIED, REMEMBERED, Span, denied, sentences
from oncoraft.verifiers.vocabulary import ACTION, Word, gene_tokens, mechanism_spans, named_drugs, symbols, words_of

RESIDUES = [
    "Ala",
    "Arg",
    "Asn",
    "Asp",
    "Cys",
    "Gln",
    "Glu",
    "Gly",
    "His",
    "Ile",
    "Leu",
    "Lys",
    "Met",
    "Phe",
    "Pro",
    "Ser",
    "Thr",
    "Trp",
    "Tyr",
    "Val",
    "Sec",
    "Ter",
]
ANY = "|".join(RESIDUES)
LONG_EVENT = rf"(?:delins(?:{ANY})+|del(?:{ANY})*|ins(?:{ANY})+|dup(?:{ANY})*)"
# With three-letter residues: Leu858Arg, Gly12fs, Glu746_Ala750del, Met1?; with one-letter ones: L858R, V600E/K, E746_A750del, K1006Rfs*4, M1?.
LONG = rf"(?:{ANY})\d{{1,5}}(?:_(?:{ANY})\d{{1,5}}{LONG_EVENT}|{LONG_EVENT}|(?:{ANY})?fs(?:(?:Ter|\*)\d*)?|(?:{ANY})?ext(?:Ter|\*)?-?\d*|(?:{ANY})|[*=?])"
SHORT_EVENT = r"(?:delins[A-Z*]+|del[A-Z]*|ins[A-Z*]+|dup[A-Z]*|_splice|[A-Z]?fs(?:\*\d*)?|[A-Z]?ext\*?-?\d+)"
SHORT = rf"[A-Z*]\d{{1,5}}(?:_[A-Z*]?\d{{1,5}}{SHORT_EVENT}|{SHORT_EVENT}|[A-Z*](?:/[A-Z])*(?![A-Za-z0-9])|=|(?<=M1)\?)"
CHANGE = rf"(?:p\.)?\(?(?P<change>{LONG}|{SHORT})\)?(?![A-Za-z0-9])"
KIND = (
    r"(?P<kind>mutations?|mutated|mutants?|alterations?|altered|variants?|amplifications?|amplified|copy[- ]number gain|deletions?|deleted"
    r"|loss|fusions?|rearrange\w+|translocations?|exon \d{1,2} (?:deletions?|insertions?|skipping)|wild[- ]?type)"
)
KINDS = {"muta": "mutation", "alt": "any", "var": "mutation", "ampl": "amplification", "copy": "amplification", "dele": "deletion"}
KINDS |= {"loss": "deletion", "fus": "fusion", "rear": "rearrangement", "tran": "rearrangement", "wild": "any"}
AFTER_GENE = re.compile(
    rf"(?:[- ](?:an? |activating |pathogenic |driver |somatic |the |gene |is |are |was |carries )*)(?:{CHANGE}|{KIND}\b)", re.IGNORECASE
)
CHANGE_ALONE = re.compile(rf"(?<![\w*]){CHANGE}")
BEFORE_GENE = re.compile(rf"\b{KIND}(?: in| of)?(?: the)?[ ]$", re.IGNORECASE)
FUSION_PAIR = re.compile(
    r"(?<![\w-])(?P<one>[A-Z][A-Z0-9]{1,9})(?P<mark>-|::|/)(?P<two>[A-Z][A-Z0-9]{1,9})"
    r"(?P<word>[ -](?:fusions?|rearrange\w+|translocations?))?(?![\w-])"
)
CLASS_AFTER = re.compile(rf"(?:[- ]G12C)?{ACTION}\b", re.IGNORECASE)
# A number that no word, sign or number runs into; looked at from its first digit, so that the search runs from digit to digit.
NUMBER = re.compile(r"\d(?<![\w.*-]\d)\d*(?:\.\d+)?(?![\w*]|\.\d)")
SITE_HINTS = tuple(sorted(SITE_OF, key=len))
# Hint -> the values that it speaks of, so that each is looked for once.
SUBJECTS_OF = {hint: frozenset(name for name, hints in HINTS.items() if hint in hints) for hint in chain.from_iterable(HINTS.values())}
SITE_HINT = re.compile("|".join(map(re.escape, SITE_HINTS)))


class Claim(NamedTuple):
    """One fact as a text states it.

    Args:
        kind: `drug`, `drug_class`, `family`, `target_class`, `alteration`, `change`, `gene`, `value`, `number`.
        subject: agent, class, gene, or the value's name (`ecog`, `marker:cea`, `site`).
        value: protein change (V600E/V600K: either) or kind of alteration; the value's normal form; the number. Empty where the subject
            says all.
        denied: the text says that it is not so.
        span: where it stands.
        options: other subjects any of which may be meant ("RAS"), the first being `subject`.
    """

    kind: str
    subject: str
    value: str
    denied: bool
    span: Span
    options: tuple[str, ...] = ()


class Reading:
    """A text being read; every stretch is taken once, by the first reader that knows it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.taken = bytearray(len(text))
        self.claims: list[Claim] = []

    def free(self, start: int, end: int) -> bool:
        """Whether nothing has taken any of these characters."""
        return self.taken.find(1, start, end) < 0

    def take(self, start: int, end: int) -> None:
        """Mark characters as understood."""
        self.taken[start:end] = b"\x01" * (end - start)

    def add(self, kind: str, subject: str, value: str, start: int, end: int, no: bool = False, options: tuple[str, ...] = ()) -> None:
        """Note a claim and take its characters."""
        self.claims.append(Claim(kind, subject, value, no, Span(start, end), options or (subject,)))
        self.take(start, end)


def read_claims(text: str) -> list[Claim]:
    """Every fact that a text names, in order of place, with denials resolved sentence by sentence."""
    parts = stretches(text)
    if len(parts) == 1:
        return read_whole(text)
    return [
        Claim(kind, subject, value, no, Span(start + begin, start + end), options)
        for start, part in parts
        for kind, subject, value, no, (begin, end), options in _of_stretch(part)
    ]


@lru_cache(maxsize=REMEMBERED)
def _of_stretch(part: str) -> tuple[Claim, ...]:
    # "2. EGFR" counts points at the beginning of a text; such a text is one stretch.
    return tuple(read_whole(part, may_count=False))


def read_whole(text: str, may_count: bool = True) -> list[Claim]:
    """As `read_claims`, remembering nothing.

    Args:
        text: any.
        may_count: whether a number at its beginning may count its points.
    """
    reading = Reading(text)
    words = words_of(text)
    for start, end in mechanism_spans(text, words):
        reading.take(start, end)
    # From the surest to the vaguest reading: a number is only what nothing else has taken.
    _read_drugs(reading, words)
    _read_values(reading)
    _read_genes(reading, words)
    _read_numbers(reading, may_count)
    return _resolved(text, sorted(reading.claims, key=lambda claim: (claim.span, claim.subject)))


def _resolved(text: str, claims: list[Claim]) -> list[Claim]:
    if not claims or not POSSIBLY_DENIED.search(text):
        return claims
    found: list[Claim] = []
    for sentence in sentences(text):
        mine = [claim for claim in claims if sentence.start <= claim.span.start < sentence.end]
        flipped = denied(text, sentence, [claim.span for claim in mine])
        found += [claim._replace(denied=claim.denied != (index in flipped)) for index, claim in enumerate(mine)]
    return found


def _read_drugs(reading: Reading, words: list[Word]) -> None:
    for name in named_drugs(reading.text, words):
        if reading.free(name.start, name.end):
            for value in name.values:
                reading.claims.append(Claim(name.kind, value, "", False, Span(name.start, name.end), (value,)))
            reading.take(name.start, name.end)


def _read_values(reading: Reading) -> None:
    lower = reading.text.lower()
    told = frozenset[str]().union(*[subjects for hint, subjects in SUBJECTS_OF.items() if hint in lower])
    for pattern in PATTERNS if told else ():
        if pattern.subject not in told:
            continue
        for match in pattern.regex.finditer(reading.text):
            if not reading.free(*match.span()):
                continue
            groups = match.groupdict()
            value = next((groups[name] for name in ("v", "w", "x") if groups.get(name)), "yes")
            subject = pattern.subject
            if groups.get("who"):
                subject += ":" + re.sub(r"^ca[ -]?(?=1)", "ca", groups["who"].lower())
            reading.add("value", subject, pattern.normal(value), *match.span(), no=bool(groups.get("no")))
    for regex in SITE_PATTERNS if SITE_HINT.search(lower) else ():
        for match in regex.finditer(reading.text):
            if reading.free(*match.span()):
                for site, start, end in sites_in(reading.text, *match.span("v")):
                    reading.add("value", "site", site, start, end)
                reading.take(*match.span())


def named_changes(change: str) -> tuple[str, ...]:
    """The protein changes that a text names in one word, each in normal form: V600E/K is V600E and V600K, either of which is meant."""
    first, *others = change.split("/")
    stem = first.rstrip("*=")[:-1] if others else first
    return tuple(found for one in (first, *(stem + other for other in others)) if (found := protein_change(one)))


def _kind(word: str) -> str:
    word = word.lower()
    if word.startswith("exon"):
        return word.rstrip("s")
    return next(kind for prefix, kind in KINDS.items() if word.startswith(prefix))


def _read_genes(reading: Reading, words: list[Word]) -> None:
    text = reading.text
    for match in FUSION_PAIR.finditer(text):
        one, two = match.group("one", "two")
        known = bool(symbols(one)) + bool(symbols(two))
        word = match.group("word")
        if ((known == 2 and match.group("mark") != "/") or (known and word)) and reading.free(*match.span()):
            # Without a word the pair is one of rearranged genes, whether they make a fusion or not.
            reading.add("alteration", one, _kind(word[1:]) if word else "rearrangement", *match.span(), options=(one, two))
    for token, start, end in gene_tokens(text, words):
        if not reading.free(start, end):
            continue
        named = symbols(token)
        after = AFTER_GENE.match(text, end)
        if not named and not (after and after.group("change")):
            continue
        named = named or (token,)
        if CLASS_AFTER.match(text, end):
            reading.add("target_class", named[0], "", start, CLASS_AFTER.match(text, end).end(), options=named)  # type: ignore[union-attr]
        elif after and reading.free(end, after.end()):
            word = after.group("kind")
            value = "/".join(named_changes(after.group("change"))) if after.group("change") else _kind(word)
            reading.add("alteration", named[0], value, start, after.end(), bool(word) and word.lower().startswith("wild"), named)
        elif before := BEFORE_GENE.search(text, max(0, start - 30), start):
            begin = before.start()
            if reading.free(begin, end):
                word = before.group("kind")
                reading.add("alteration", named[0], _kind(word), begin, end, word.lower().startswith("wild"), named)
        else:
            reading.add("gene", named[0], "", start, end, options=named)
    for match in CHANGE_ALONE.finditer(text):
        if reading.free(*match.span()):
            changes = named_changes(match.group("change"))
            reading.add("change", changes[0], "", *match.span(), options=changes)


def _read_numbers(reading: Reading, may_count: bool) -> None:
    free = [match for match in NUMBER.finditer(reading.text) if reading.free(*match.span())]
    listed = [match.end() for match in ENUMERATION.finditer(reading.text)] if free and may_count else []
    for match in free:
        if not any(match.end() < end <= match.end() + 3 for end in listed):
            reading.add("number", f"{float(match.group()):g}", "", *match.span())


def of_kind(claims: Iterable[Claim], *kinds: str) -> list[Claim]:
    """Claims of some kinds."""
    return [claim for claim in claims if claim.kind in kinds]
