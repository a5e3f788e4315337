"""Which finding speaks for or against which drug: the statements that a rationale may argue with.

Columns of `biomarkers.csv`: marker (gene symbol, or `msi`, `mmr`, `tmb`, `pdl1`, `her2`, `hormone_receptor`), state (pattern over the
protein change, over `mutation`/`amplification`/`deletion`/`fusion`, or over the marker's value), treatment (pattern over the
lower-case drug name or drug class), direction (`favours` or `against`), statement (how an argument reads, our own words), basis (what
kind of source establishes it: drug label, guideline, trial). General oncology, not advice: a group that knows better edits the table.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from oncoraft.knowledge.drugs import drugs

DATA_FILES = ("biomarkers.csv",)
TABLE = Path(__file__).parent / DATA_FILES[0]


@dataclass(frozen=True)
class Biomarker:
    """One statement of the table; patterns compiled."""

    marker: str
    state: re.Pattern[str]
    treatment: re.Pattern[str]
    favours: bool
    statement: str
    basis: str


@lru_cache(maxsize=1)
def biomarkers() -> tuple[Biomarker, ...]:
    """Every row of the table, in its order."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return tuple(
            Biomarker(
                row["marker"],
                re.compile(row["state"]),
                re.compile(row["treatment"]),
                {"favours": True, "against": False}[row["direction"]],
                row["statement"],
                row["basis"],
            )
            for row in csv.DictReader(stream)
        )


@lru_cache(maxsize=1)
def rows_of_markers() -> dict[str, tuple[Biomarker, ...]]:
    """Marker -> its rows, in the order of the table. Of most altered genes there are none."""
    found: dict[str, tuple[Biomarker, ...]] = {}
    for row in biomarkers():
        found[row.marker] = (*found.get(row.marker, ()), row)
    return found


def statements(marker: str, state: str, agent: str) -> tuple[Biomarker, ...]:
    """Rows of the table that join a finding with an agent.

    Args:
        marker: gene symbol or marker name.
        state: protein change, kind of alteration, or value.
        agent: upper-case name in the drug table; an agent that is not there is matched by its name alone.
    """
    return _joined(marker, state, agent) if marker in rows_of_markers() else ()


@lru_cache(maxsize=8192)
def _joined(marker: str, state: str, agent: str) -> tuple[Biomarker, ...]:
    names = treatment_names(agent)
    return tuple(row for row in rows_of_markers()[marker] if row.state.search(state) and any(row.treatment.search(name) for name in names))


@lru_cache(maxsize=1024)
def treatment_names(agent: str) -> tuple[str, ...]:
    """Lower-case names under which the table may speak of an agent: its own and its class."""
    drug = drugs().get(agent)
    return (agent.lower(), drug.drug_class.lower()) if drug else (agent.lower(),)


def directions(marker: str, states: Iterable[str], agents: Iterable[str]) -> frozenset[bool]:
    """Directions that the table knows for a finding (any of its states) and any of some agents; empty if it is silent."""
    return frozenset(row.favours for state in states for agent in agents for row in statements(marker, state, agent))
