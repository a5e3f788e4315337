"""Names of drugs, drug classes and genes as text writes them, in dictionaries that one scan over the words can ask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from oncoraft.knowledge.drug_names import listed_names
from oncoraft.knowledge.drugs import Drug, drugs
from oncoraft.knowledge.genes import SPOKEN, genes
from oncoraft.verifiers.text import WORD

# Of the table of names those that prose uses; a combination shorter than this is as often another abbreviation (AC, TC, ICE).
PROSE_WAYS = ("brand", "code", "spelling", "combination")
LEAST_COMBINATION = 4
# Families of drugs, by the source's subtype.
FAMILIES = {
    "chemotherapy": "Chemo",
    "cytotoxic": "Chemo",
    "immunotherapy": "Immuno",
    "checkpoint inhibitor": "Immuno",
    "immune checkpoint inhibitor": "Immuno",
    "checkpoint blockade": "Immuno",
    "immune checkpoint blockade": "Immuno",
    "endocrine therapy": "Hormone",
    "hormone therapy": "Hormone",
    "hormonal therapy": "Hormone",
}
HYPHEN = re.compile(r"[-/]")
VAGUE_CLASSES = ("unrelated indication", "investigational agent", "other targeted agent", "tracer")
STEM = re.compile(
    r"\b[a-z]{3,}(?:mab|nib|ciclib|parib|platin|taxel|rubicin|citabine|trexed|limus|lisib|sertib|relin|relix|lutamide|trozole|tecan|poside"
    r"|mustine|rasib|degib|estrant)\b",
    re.IGNORECASE,
)
ACTION = r"[- ](?:inhibitors?|inhibition|blockade|blockers?|antibod(?:y|ies)|antagonists?|degraders?|TKIs?|(?:antibody-drug )?conjugates?)"


Word = tuple[str, int, int]  # as a text writes it, its start and end


class Name(NamedTuple):
    """What a phrase names: agents, or a class of agents (`drug_class`, `family`), and where it stands."""

    kind: str
    values: tuple[str, ...]
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words of a text in order."""
    return [(word.group(), *word.span()) for word in WORD.finditer(text)]


@lru_cache(maxsize=1)
def phrases() -> dict[str, list[tuple[tuple[str, ...], str, tuple[str, ...]]]]:
    """First word -> phrases that begin with it, longest first: (words, kind, values)."""
    names: dict[str, tuple[str, tuple[str, ...]]] = {}
    for family, subtype in FAMILIES.items():
        names[family] = ("family", (subtype,))
    for drug in drugs().values():
        # Supportive and unrelated agents have classes that are everyday words ("oestrogen", "vitamin"): no claim about a treatment.
        if not drug.supportive and drug.drug_class not in VAGUE_CLASSES:
            names[drug.drug_class.lower()] = ("drug_class", (drug.drug_class.lower(),))
    for agent, drug in drugs().items():
        for name in (agent, *drug.synonyms):
            names[name.lower()] = ("drug", (agent,))
    for name, meant in listed_names().items():
        if meant.way in PROSE_WAYS and len(name) >= (LEAST_COMBINATION if meant.way == "combination" else 3):
            # A named combination stands for the drugs that it is named for; folate rescue goes without saying.
            agents = tuple(agent for agent in meant.agents if not drugs()[agent].supportive) or meant.agents
            # An agent's own name, which is in the table already, goes before a brand or combination of that name.
            names.setdefault(name.lower(), ("drug", agents))
    found: dict[str, list[tuple[tuple[str, ...], str, tuple[str, ...]]]] = {}
    for name, (kind, values) in names.items():
        words = tuple(word.group().lower() for word in WORD.finditer(name))
        found.setdefault(words[0], []).append((words, kind, values))
    for entries in found.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return found


@lru_cache(maxsize=8192)
def singular(word: str) -> str:
    """A plural or compound without its ending: inhibitors -> inhibitor, platinum-based -> platinum."""
    if word.endswith(("-based", "-treated", "-containing")):
        return word.rsplit("-", 1)[0]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def named_drugs(text: str, words: Sequence[Word] | None = None) -> list[Name]:
    """Drugs and drug classes named in a text, in order; the longest name wins, so that no part of a name is another drug.

    A word built like a drug's name that the table does not know counts as a drug of that name.

    Args:
        text: any.
        words: its words, if they are at hand.
    """
    words = [(word.lower(), start, end) for word, start, end in (words_of(text) if words is None else words)]
    found: list[Name] = []
    place = 0
    while place < len(words):
        word, start, _ = words[place]
        length = 1
        entries, stems = _begun_by(word)
        for phrase, kind, values in entries:
            window = words[place : place + len(phrase)]
            if len(window) == len(phrase) and all(part in (word, singular(word)) for part, (word, _, _) in zip(phrase, window)):
                found.append(Name(kind, values, start, window[-1][2]))
                length = len(phrase)
                break
        else:
            found += [Name("drug", agents, start + begin, start + end) for agents, begin, end in stems]
        place += length
    return found


@lru_cache(maxsize=8192)
def _begun_by(word: str) -> tuple[Sequence[tuple[tuple[str, ...], str, tuple[str, ...]]], list[tuple[tuple[str, ...], int, int]]]:
    """Phrases that a word begins, and what in it is built like a drug's name: (agents, start, end)."""
    table, stems = phrases(), []
    for part in STEM.finditer(word) if len(word) > 5 else ():
        # Of the phrases that begin with this word only the word itself: trastuzumab-dkst is no trastuzumab with hyaluronidase.
        agents = next((values for phrase, _, values in table.get(part.group(), ()) if len(phrase) == 1), (part.group().upper(),))
        stems.append((agents, part.start(), part.end()))
    return table.get(word) or table.get(singular(word)) or (), stems


@lru_cache(maxsize=1)
def gene_token() -> re.Pattern[str]:
    """Pattern of a gene symbol or of a spoken name, followed by nothing that continues the word."""
    spoken = "|".join(sorted((re.escape(name) for name in SPOKEN), key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:(?P<spoken>(?i:{spoken}))|(?P<symbol>[A-Z][A-Z0-9]{{1,9}}(?:-[A-Z0-9]{{1,2}}(?![\w]))?))(?![a-z0-9])")


def gene_tokens(text: str, words: Iterable[Word]) -> list[tuple[str, int, int]]:
    """What may be a gene, in order: (symbol or spoken name, start, end). Symbols in small letters count where they are no English word."""
    found = [(match.group(), *match.span()) for match in gene_token().finditer(text)]
    for word, start, _ in words:
        if bare := _lower_symbol(word):
            found.append((bare.upper(), start, start + len(bare)))
    return sorted(found, key=lambda one: one[1])


@lru_cache(maxsize=8192)
def _lower_symbol(word: str) -> str:
    bare = HYPHEN.split(word, maxsplit=1)[0]
    return bare if not bare.isupper() and is_lower_symbol(bare) else ""


def is_lower_symbol(word: str) -> bool:
    """Whether a word in small or mixed letters is a gene symbol: "kras", "Egfr", "brca2", not "met" or "rest"."""
    return word.upper() in genes() and (any(letter.isdigit() for letter in word) or (len(word) > 3 and word.lower() != "rest"))


@lru_cache(maxsize=8192)
def symbols(token: str) -> tuple[str, ...]:
    """Symbols that a token may mean; empty if it is no gene."""
    if token in genes():
        return (token,)
    return SPOKEN.get(token.lower(), ())


@lru_cache(maxsize=1)
def _mechanism_texts() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for sentence in sorted({drug.mechanism.lower().rstrip(".") for drug in drugs().values() if drug.mechanism}, key=len, reverse=True):
        first = WORD.match(sentence)
        if first:
            found.setdefault(first.group(), []).append(sentence)
    return found


def mechanism_spans(text: str, words: Iterable[Word]) -> list[tuple[int, int]]:
    """Where a text with these words quotes a mechanism sentence of the drug table: knowledge about drugs, not findings of a patient."""
    table, lower = _mechanism_texts(), text.lower()
    if len(lower) != len(text):  # one letter may become two
        words = words_of(lower)
    return [
        (start, start + len(sentence))
        for word, start, _ in words
        for sentence in table.get(word.lower(), ())
        if lower.startswith(sentence, start)
    ]


def drug_of(agent: str) -> Drug | None:
    """The drug table's row, if there is one."""
    return drugs().get(agent)


@lru_cache(maxsize=1024)
def targets(agent: str) -> frozenset[str]:
    """Genes that an agent acts on: its targets in the table and the genes in the name of its class."""
    drug = drugs().get(agent)
    return frozenset() if drug is None else frozenset(drug.targets) | _symbols_in(drug.drug_class)


@lru_cache(maxsize=1024)
def related_genes(agent: str) -> frozenset[str]:
    """Genes that one may name when speaking of an agent: its targets, and those that its mechanism sentence mentions."""
    drug = drugs().get(agent)
    return frozenset() if drug is None else targets(agent) | _symbols_in(drug.mechanism)


def _symbols_in(text: str) -> frozenset[str]:
    return frozenset(symbol for match in gene_token().finditer(text) for symbol in symbols(match.group()))
