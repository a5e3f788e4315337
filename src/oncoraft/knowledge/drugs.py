"""The drug table: one row an agent, in the vocabulary of the treatment timeline.

Columns of `drugs.csv`: agent (upper-case generic name), synonyms (`;`-separated), subtype (the source's
SUBTYPE), drug_class (finer, in words: "PD-1 inhibitor"), targets (`;`-separated gene or receptor names),
mechanism (one sentence in our own words), supportive (set aside when a regimen is named), oral, only_for (the
kind of cancer that alone it treats: blood, thyroid, neuroendocrine; empty: any). Set aside too are agents of
`drug_class` "unrelated indication", which treat another condition (a skin cream of fluorouracil, BCG in the
bladder), not the cancer that was sequenced, and of "diagnostic agent", which treat none. Other names of an
agent are in `drug_names`.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

DATA_FILES = ("drugs.csv",)
TABLE = Path(__file__).parent / DATA_FILES[0]
UNRELATED = "unrelated indication"
DIAGNOSTIC = "diagnostic agent"
MASKED = "INVESTIGATIONAL"  # how the source names every agent of a trial
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


@dataclass(frozen=True)
class Drug:
    """One anticancer or supportive agent."""

    agent: str
    synonyms: tuple[str, ...]
    subtype: str
    drug_class: str
    targets: tuple[str, ...]
    mechanism: str
    supportive: bool
    oral: bool
    only_for: str

    @property
    def is_aside(self) -> bool:
        """Whether it names no treatment of a cancer: supportive, unrelated, diagnostic, or masked."""
        return self.supportive or self.agent == MASKED

    @property
    def is_diagnostic(self) -> bool:
        """Whether it is given for imaging."""
        return self.drug_class == DIAGNOSTIC

    @property
    def is_unrelated(self) -> bool:
        """Whether it treats another condition than the cancers of the cohort."""
        return self.drug_class == UNRELATED


@lru_cache(maxsize=1)
def drugs() -> dict[str, Drug]:
    """Every agent of the table by its upper-case name."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {
        row["agent"]: Drug(
            agent=row["agent"],
            synonyms=tuple(filter(None, row["synonyms"].split(";"))),
            subtype=row["subtype"],
            drug_class=row["drug_class"],
            targets=tuple(filter(None, row["targets"].split(";"))),
            mechanism=row["mechanism"],
            supportive=row["supportive"] == "yes",
            oral=row["oral"] == "yes",
            only_for=row["only_for"],
        )
        for row in rows
    }


@lru_cache(maxsize=1)
def agent_names() -> dict[str, str]:
    """Agent by its own name and its synonyms, all upper-case."""
    return {name: drug.agent for drug in drugs().values() for name in (drug.agent, *drug.synonyms)}


@lru_cache(maxsize=4096)
def treats(agent: str, cancer_types: frozenset[str]) -> bool:
    """Whether an agent may be treatment of a patient's cancers: not where it treats one kind of cancer alone and none of these is of it.

    Args:
        agent: upper-case name; one that the table lacks may treat anything.
        cancer_types: of the patient, in the source's words.
    """
    drug = drugs().get(agent)
    if drug is None or not drug.only_for:
        return True
    return any(KINDS_OF_CANCER[drug.only_for].search(name) for name in cancer_types)
