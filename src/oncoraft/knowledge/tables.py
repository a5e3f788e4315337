"""The tables of a study in MSK-CHORD's layout, each specified once.

The reader, the twin, the evidence allow-list and `docs/tables.md` all read this. A column's `known` says
when its value becomes known: "at_row_day" (the row's own start day), "always" (fixed for life), or
"never" (undated or looking ahead: it may not enter a prompt).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "number", "day", "boolean"]
Known = Literal["at_row_day", "always", "never"]


@dataclass(frozen=True)
class Column:
    """One column: its header in the source (matched without regard to case) and its name in Parquet.

    `day` is an integer count of days from the patient's first sequencing, possibly negative. `vocabulary`
    lists the accepted words (matched without regard to case, stored as spelt here); empty means any.
    `true` and `false` are the source's spellings of a boolean.
    """

    source: str
    name: str
    kind: Kind
    required: bool = True
    nullable: bool = True
    vocabulary: tuple[str, ...] = ()
    known: Known = "at_row_day"
    unit: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """One data file: `name` is its stem in Parquet, `file` its name in the study folder."""

    name: str
    file: str
    columns: tuple[Column, ...]
    required: bool = False
    header_rows: int = 0
    note: str = ""


TABLES: tuple[Table, ...] = ()


def table(name: str) -> Table:
    """The specification of one table by its name."""
    return next(table for table in TABLES if table.name == name)
