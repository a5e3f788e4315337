"""Protocol sequences: planned courses whose parts follow one another and are one line of therapy.

`protocol_parts.csv` says what a part is made of (`requires`: `A|B + C|@drug class`; `allows`: what may be given beside; `radiation`:
yes where it is one only with radiation). `protocols.csv` says which part follows which, in which cancer type, at most how many days
after the last recorded day of the part before (`max_gap_days`) or, where told, after its first (`within_days`), in which setting (any
where empty), and the trial or guideline it is taken from.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.rule_rows import FOLDER, Part, part_of, rule_rows

DATA_FILES = ("protocol_parts.csv", "protocols.csv")
PART_COLUMNS = ("part", "requires", "allows", "radiation")
COLUMNS = ("protocol", "cancer_type", "part", "next_part", "max_gap_days", "within_days", "setting", "source")
SETTINGS = ("neoadjuvant", "adjuvant", "metastatic", "unknown")


class Sequence(NamedTuple):
    """One part may follow another; days as in the table, `within_days` None: no such limit."""

    protocol: str
    cancer_type: str
    part: str
    next_part: str
    max_gap_days: int
    within_days: int | None
    setting: str


class Protocols(NamedTuple):
    """Parts by name, the names of those that need radiation, and the sequences by cancer type."""

    parts: dict[str, Part]
    with_radiation: frozenset[str]
    sequences: dict[str, tuple[Sequence, ...]]


def _days(text: str, path: Path, line: int, column: str) -> int:
    if not text.isdigit():
        raise InputError("expected a whole number of days", file=path, line=line, column=column, found=text)
    return int(text)


def _refuse_circle(sequences: list[tuple[int, Sequence]], path: Path) -> None:
    """A protocol has an order: from no part does a path lead back to it."""
    follows: dict[tuple[str, str, str], list[str]] = {}
    for _, one in sequences:
        follows.setdefault((one.protocol, one.cancer_type, one.part), []).append(one.next_part)
    for line, one in sequences:
        reached, open_parts = set[str](), [one.next_part]
        while open_parts:
            part = open_parts.pop()
            if part == one.part:
                raise InputError(
                    "expected parts that follow one another in one order, they go round in a circle",
                    file=path,
                    line=line,
                    found=f"{one.protocol}: {one.part}",
                )
            if part not in reached:
                reached.add(part)
                open_parts += follows.get((one.protocol, one.cancer_type, part), [])


def read_protocols(folder: Path) -> Protocols:
    """The protocols of a folder with the two tables.

    Raises:
        InputError: a part or an agent that no table has, no number of days, an unknown setting, two verdicts on one succession of
            parts, or parts that go round in a circle.
    """
    part_path, path = (folder / name for name in DATA_FILES)
    rows = rule_rows(part_path, PART_COLUMNS, ("part",))
    parts = {row["part"]: part_of(row, part_path, line) for line, row in rows}
    found: list[tuple[int, Sequence]] = []
    for line, row in rule_rows(path, COLUMNS, ("cancer_type", "part", "next_part", "setting")):
        for column in ("part", "next_part"):
            if row[column] not in parts:
                raise InputError(f"expected a part of {part_path.name}", file=path, line=line, column=column, found=row[column])
        if row["setting"] and row["setting"] not in SETTINGS:
            raise InputError(f"expected one of {', '.join(SETTINGS)}", file=path, line=line, column="setting", found=row["setting"])
        gap = _days(row["max_gap_days"], path, line, "max_gap_days")
        within = _days(row["within_days"], path, line, "within_days") if row["within_days"] else None
        names = (row["protocol"], row["cancer_type"], row["part"], row["next_part"])
        found.append((line, Sequence(*names, gap, within, row["setting"])))
    _refuse_circle(found, path)
    by_type: dict[str, tuple[Sequence, ...]] = {}
    for _, one in found:
        by_type[one.cancer_type] = (*by_type.get(one.cancer_type, ()), one)
    return Protocols(parts, frozenset(row["part"] for _, row in rows if row["radiation"] == "yes"), by_type)


@lru_cache(maxsize=1)
def protocols() -> Protocols:
    """The protocols of the package."""
    return read_protocols(FOLDER)
