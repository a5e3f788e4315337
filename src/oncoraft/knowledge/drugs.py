"""The drug table: one row an agent, in the vocabulary of the treatment timeline.

Columns of `drugs.csv`: agent (upper-case generic name), synonyms (`;`-separated), subtype (the source's
SUBTYPE), drug_class (finer, in words: "PD-1 inhibitor"), targets (`;`-separated gene or receptor names),
mechanism (one sentence in our own words), supportive (set aside when a regimen is named), oral.
Agents of `drug_class` "unrelated indication" are set aside too: they treat another condition (a skin cream
of fluorouracil, BCG in the bladder), not the cancer that was sequenced.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

DATA_FILES = ("drugs.csv",)
TABLE = Path(__file__).parent / DATA_FILES[0]
UNRELATED = "unrelated indication"


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
        )
        for row in rows
    }


@lru_cache(maxsize=1)
def agent_names() -> dict[str, str]:
    """Agent by every name it has: its own and its synonyms, all upper-case."""
    return {name: drug.agent for drug in drugs().values() for name in (drug.agent, *drug.synonyms)}
