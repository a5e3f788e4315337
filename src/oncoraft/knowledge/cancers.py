"""Which cancer type a registered diagnosis is, which cancers a drug class is for, and which sites are distant from the organ.

`cancer_sites.csv`: the first row whose patterns fit the ICD-O-3 topography and morphology decides. `indications.csv`: drug classes
that are given for the named cancers alone; other classes fit every cancer. `usual_cancers.csv`: of several known cancers, which one an agent
is usually given for. `distant_sites.csv`: sites of the imaging tables that are
distant metastases (AJCC 8), unlike the organ itself, its lymph nodes and sites that tell nothing ("Other").
"""

from __future__ import annotations

import re
from functools import lru_cache

from oncoraft.knowledge.drugs import drugs
from oncoraft.knowledge.rule_rows import FOLDER, agents_of, rule_rows

DATA_FILES = ("cancer_sites.csv", "indications.csv", "usual_cancers.csv", "distant_sites.csv")
CODES = re.compile(r"\(\s*M?(?P<morphology>\d{4})(?:/\d)?\s*\|\s*(?P<topography>C\d{2}\.?\d?)\s*\)", re.IGNORECASE)

# Words of a cancer type by which it counts as a kind of cancer that some agents treat alone.
KINDS_OF_CANCER = {
    "blood": re.compile(
        r"leuk|lymphom|\bmyelo|hodgkin|waldenstr|plasma cell|plasmacyt|mastocyt|histiocyt|polycyth|thrombocyth|amyloid"
        r"|mycosis|s[eé]zary|\bblood\b|ha?emato|\bblastic|\b[bt][- ](?:cell|lineage|lymph)",
        re.IGNORECASE,
    ),
    "thyroid": re.compile(r"thyroid", re.IGNORECASE),
    "neuroendocrine": re.compile(r"neuroendocrine|carcinoid|islet|gastrinoma|insulinoma|pheochromo|paragangl|neuroblast", re.IGNORECASE),
}


@lru_cache(maxsize=1)
def _sites() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    columns = ("cancer_type", "topography", "morphology", "source")
    rows = rule_rows(FOLDER / "cancer_sites.csv", columns, ("cancer_type",))
    return tuple((row["cancer_type"], re.compile(row["topography"]), re.compile(row["morphology"])) for _, row in rows)


def named_cancers() -> tuple[str, ...]:
    """The cancer types that the table of sites can tell."""
    return tuple(name for name, _, _ in _sites())


def cancer_of(description: str) -> str | None:
    """The cancer type of `HISTOLOGY | SITE (M8140/3 | C341)`; None where there are no codes or no row fits."""
    found = CODES.search(description)
    if not found:
        return None
    topography, morphology = found["topography"].upper().replace(".", ""), found["morphology"]
    return next((name for name, site, kind in _sites() if site.match(topography) and kind.match(morphology)), None)


@lru_cache(maxsize=1)
def indications() -> dict[str, frozenset[str]]:
    """The cancer types that each agent of a listed drug class is for; an agent that is not there is for every cancer."""
    columns = ("drug_class", "cancer_type", "source")
    by_class: dict[str, set[str]] = {}
    for _, row in rule_rows(FOLDER / "indications.csv", columns, columns[:-1]):
        by_class.setdefault(row["drug_class"], set()).add(row["cancer_type"])
    return {name: frozenset(by_class[drug.drug_class]) for name, drug in drugs().items() if drug.drug_class in by_class}


@lru_cache(maxsize=8192)
def is_for(agent: str, cancer_type: str) -> bool:
    """Whether an agent may be treatment of a cancer: its class is not for others alone, nor is it for a kind of cancer that this is not.

    Args:
        agent: upper-case name; one that the drug table lacks may treat anything.
        cancer_type: in the source's words.
    """
    drug, named = drugs().get(agent), indications().get(agent)
    if named is not None and cancer_type not in named:
        return False
    return drug is None or not drug.only_for or KINDS_OF_CANCER[drug.only_for].search(cancer_type) is not None


@lru_cache(maxsize=1)
def usual_cancers() -> dict[str, frozenset[str]]:
    """The cancer types of the table that each listed agent is usually given for."""
    path, columns = FOLDER / "usual_cancers.csv", ("agents", "cancer_type", "source")
    found: dict[str, set[str]] = {}
    for line, row in rule_rows(path, columns, columns[:-1]):
        for agent in agents_of(row["agents"], path, line, "agents"):
            found.setdefault(agent, set()).add(row["cancer_type"])
    return {agent: frozenset(types) for agent, types in found.items()}


def is_unusual_for(agent: str, cancer_type: str) -> bool:
    """Whether the table says of the agent that it is given for others of its cancer types; it says nothing of a type that it lacks."""
    usual = usual_cancers()
    return agent in usual and cancer_type not in usual[agent] and any(cancer_type in types for types in usual.values())


@lru_cache(maxsize=1)
def distant_sites() -> frozenset[tuple[str, str]]:
    """Pairs of cancer type and tumour site that are distant metastases."""
    columns = ("cancer_type", "tumor_site", "source")
    return frozenset((row["cancer_type"], row["tumor_site"]) for _, row in rule_rows(FOLDER / "distant_sites.csv", columns, columns[:-1]))
