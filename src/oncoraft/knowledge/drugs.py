"""The drug table: one row an agent, in the vocabulary of the treatment timeline.

Columns of `drugs.csv`: agent (upper-case generic name), synonyms (`;`-separated), subtype (the source's
SUBTYPE), drug_class (finer, in words: "PD-1 inhibitor"), targets (`;`-separated gene or receptor names),
mechanism (one sentence in our own words), supportive (set aside when a regimen is named), oral, only_for (the
kind of cancer that alone it treats: blood, thyroid, neuroendocrine; empty: any). Set aside too are agents of
`drug_class` "unrelated indication", which treat another condition (a skin cream of fluorouracil, BCG in the
bladder), not the cancer that was sequenced, and of "tracer", which are given for imaging and treat none. Other names of an
agent are in `drug_names`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

DATA_FILES = ("drugs.csv",)
TABLE = Path(__file__).parent / DATA_FILES[0]
UNRELATED = "unrelated indication"
TRACER = "tracer"
MASKED = "INVESTIGATIONAL"  # how the source names every agent of a trial


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
        """Whether it names no treatment of a cancer: supportive, unrelated, a tracer, or masked."""
        return self.supportive or self.agent == MASKED

    @property
    def is_tracer(self) -> bool:
        """Whether it is given for imaging: an isotope, a contrast medium, a dye."""
        return self.drug_class == TRACER

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
