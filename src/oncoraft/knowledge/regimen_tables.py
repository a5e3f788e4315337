"""Tables of the regimen rules; the source stands in each row.

`substitutions.csv`: agents of one `group` replace each other without a new line of therapy. `maintenance.csv`: agents that go on
(`continuation`) or start (`switch`) after an induction whose agents include one of the drug class `after`, by cancer type.
`partners.csv`: the infusion that an oral agent belongs to although it was dispensed earlier. `exclusions.csv`: drug classes that
nobody gives together, so that an old record does not reach into the next regimen. `radiosensitisers.csv`: what is given with
radiation as one treatment.
"""

from __future__ import annotations

from functools import cache, lru_cache

from oncoraft.knowledge.rule_rows import ANY, FOLDER, Part, part_of, rule_rows

DATA_FILES = ("substitutions.csv", "maintenance.csv", "partners.csv", "exclusions.csv", "radiosensitisers.csv")


@lru_cache(maxsize=1)
def substitution_groups() -> dict[str, str]:
    """The substitution group of each agent that has one."""
    rows = rule_rows(FOLDER / "substitutions.csv", ("group", "agent", "why"), ("agent",))
    return {row["agent"]: row["group"] for _, row in rows}


@cache
def maintenance_agents(kind: str, cancer_type: str) -> dict[str, frozenset[str]]:
    """Maintenance agents in a cancer type by the drug class that the induction has to contain; `kind` is continuation or switch."""
    columns = ("kind", "cancer_type", "after", "agent", "source")
    found: dict[str, set[str]] = {}
    for _, row in rule_rows(FOLDER / "maintenance.csv", columns, columns[:-1]):
        if row["kind"] == kind and row["cancer_type"] in (cancer_type, ANY):
            found.setdefault(row["after"], set()).add(row["agent"])
    return {after: frozenset(agents) for after, agents in found.items()}


@cache
def partners(cancer_type: str) -> dict[str, frozenset[str]]:
    """The infusions that each oral agent belongs to in a cancer type."""
    columns = ("cancer_type", "oral", "partner", "source")
    found: dict[str, set[str]] = {}
    for _, row in rule_rows(FOLDER / "partners.csv", columns, columns[:-1]):
        if row["cancer_type"] in (cancer_type, ANY):
            found.setdefault(row["oral"], set()).add(row["partner"])
    return {oral: frozenset(infusions) for oral, infusions in found.items()}


@cache
def exclusions(cancer_type: str) -> frozenset[frozenset[str]]:
    """Pairs of drug classes that nobody gives together in a cancer type; one class alone where its agents replace each other."""
    columns = ("drug_class", "excludes", "cancer_type", "source")
    rows = rule_rows(FOLDER / "exclusions.csv", columns, columns[:-1])
    return frozenset(frozenset((row["drug_class"], row["excludes"])) for _, row in rows if row["cancer_type"] in (cancer_type, ANY))


@cache
def radiosensitisers(cancer_type: str) -> tuple[Part, ...]:
    """What is given with radiation in a cancer type, as parts."""
    path, columns = FOLDER / "radiosensitisers.csv", ("cancer_type", "requires", "allows", "source")
    rows = rule_rows(path, columns, columns[:-1])
    return tuple(part_of(row, path, line) for line, row in rows if row["cancer_type"] in (cancer_type, ANY))
