"""Which agents stand in for one another, and which are given as maintenance: tables for the regimen rules.

`substitutions.csv`: agents of one `group` replace each other without a new line of therapy. The pairs
cisplatin/carboplatin and paclitaxel/nab-paclitaxel are those of the Merck line-of-therapy algorithm; the others
are one substance in another form. `maintenance.csv`: agents that go on (`continuation`) or start (`switch`) after
an induction whose agents include one of the drug class `after`; the source stands in each row.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

DATA_FILES = ("substitutions.csv", "maintenance.csv")
FOLDER = Path(__file__).parent


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@lru_cache(maxsize=1)
def substitution_groups() -> dict[str, str]:
    """The substitution group of each agent that has one."""
    return {row["agent"]: row["group"] for row in _rows("substitutions.csv")}


@lru_cache(maxsize=2)
def maintenance_agents(kind: str) -> dict[str, frozenset[str]]:
    """Maintenance agents by the drug class that the induction has to contain; `kind` is continuation or switch."""
    found: dict[str, set[str]] = {}
    for row in _rows("maintenance.csv"):
        if row["kind"] == kind:
            found.setdefault(row["after"], set()).add(row["agent"])
    return {after: frozenset(agents) for after, agents in found.items()}
