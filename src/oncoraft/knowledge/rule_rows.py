"""Reading the small tables that clinical rules are kept in: checked where they are read, one line for a fault."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.drugs import drugs

FOLDER = Path(__file__).parent
ANY = "any"
Row = dict[str, str]


class Part(NamedTuple):
    """What a part of a treatment is made of: one agent out of each set of `requires`, and nothing beyond `allows`."""

    requires: tuple[frozenset[str], ...]
    allows: frozenset[str]

    def fits(self, agents: Iterable[str]) -> bool:
        """Whether the agents, taken together, are such a part."""
        given = frozenset(agents)
        return given <= self.allows and all(given & one for one in self.requires)


def rule_rows(path: Path, columns: Sequence[str], key: Sequence[str]) -> list[tuple[int, Row]]:
    """Rows of a table with their line numbers.

    Args:
        path: a CSV file.
        columns: it has to have, in this order.
        key: columns that decide: two rows of one key contradict each other, or one of them is of no use.

    Raises:
        InputError: other columns, a row of another length, or a key twice.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != list(columns):
            raise InputError(f"expected the columns {', '.join(columns)}", file=path, line=1, found=", ".join(reader.fieldnames or []))
        rows = [(reader.line_num, row) for row in reader]
    seen: dict[tuple[str, ...], int] = {}
    for line, row in rows:
        # csv.DictReader keeps surplus values under the key None, and None for values that are missing.
        if None in row or None in row.values():
            raise InputError(f"expected {len(columns)} values", file=path, line=line)
        trigger = tuple(row[name] for name in key)
        if trigger in seen:
            raise InputError(
                f"expected one verdict on this {' and '.join(key)}, there is another on line {seen[trigger]}",
                file=path,
                line=line,
                found=", ".join(trigger),
            )
        seen[trigger] = line
    return rows


def agents_of(text: str, file: Path, line: int, column: str) -> frozenset[str]:
    """Agents of `A|B|@class`: names of the drug table, and all agents of a drug class.

    Raises:
        InputError: the drug table has no such agent or class.
    """
    found: set[str] = set()
    for token in filter(None, (part.strip() for part in text.split("|"))):
        mine = {name for name, drug in drugs().items() if drug.drug_class == token[1:]} if token.startswith("@") else {token} & set(drugs())
        if not mine:
            raise InputError("expected an agent of the drug table, or @ and a drug class", file=file, line=line, column=column, found=token)
        found |= mine
    return frozenset(found)


def part_of(row: Row, file: Path, line: int) -> Part:
    """The part that `requires` (sets joined by +) and `allows` describe.

    Raises:
        InputError: nothing is required, or an agent that the drug table lacks.
    """
    requires = tuple(agents_of(text, file, line, "requires") for text in row["requires"].split("+"))
    if not all(requires):
        raise InputError("expected agents", file=file, line=line, column="requires", found=row["requires"])
    return Part(requires, agents_of(row["allows"], file, line, "allows").union(*requires))
