"""The one interface of all readers: a source in another layout becomes a study in MSK-CHORD's, which ingestion reads like any other.

A reader gives tables of text, named and headed as in `oncoraft.knowledge.tables`, days already counted from the first sequencing. It
says of every column that it fills whether the value is the source's own or an approximation, and of every column that it cannot fill
why; and it counts each row that it sets aside.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from oncoraft.cohort.source_tables import LINE
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.tables import TABLES, Table

FIRST_WORDS = 3
Status = Literal["mapped", "approximated", "absent"]


class Origin(NamedTuple):
    """Where a column comes from: its status, and how in words."""

    status: Status
    how: str


class Counted(NamedTuple):
    """Rows of a source file that were taken for a table, or set aside for a reason."""

    file: str
    what: str
    rows: int


@dataclass
class Converted:
    """What a reader makes of a source.

    Attributes:
        tables: table name -> rows as text, columns by their headers in the specification; an absent table is not there.
        files: name in the study folder -> a file of the source that stands there as it is.
        origins: `table.HEADER` -> where the column comes from; what is not there is told to be absent.
        counts: rows taken and set aside, file by file.
        inputs: files that were read.
        clock: how days were aligned, and what was checked.
        readings: what people said of each scan (`knowledge.curated`): patient_id, start_day, reading; None where nobody was asked.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    counts: list[Counted] = field(default_factory=list)
    inputs: list[Path] = field(default_factory=list)
    clock: dict[str, object] = field(default_factory=dict)
    readings: pd.DataFrame | None = None

    def put(self, table: str, rows: pd.DataFrame, origins: Mapping[str, Origin]) -> None:
        """Add a table, unless it has no row, and where its columns come from; columns without an origin are left out.

        Args:
            table: name in the specification.
            rows: text; more columns than `origins` names may stand in it.
            origins: header -> origin.
        """
        self.origins |= {f"{table}.{header}": origin for header, origin in origins.items()}
        kept = [
            header for header, origin in origins.items() if header in rows and (origin.status != "absent" or is_required(table, header))
        ]
        if len(rows):
            self.tables[table] = rows[kept].reset_index(drop=True)

    def count(self, file: Path, what: str, rows: int) -> None:
        """Remember how many rows of a file were taken, or set aside and why; zeros are not told."""
        if rows:
            self.counts.append(Counted(file.name, what, rows))

    def once(self, file: Path, rows: pd.DataFrame, key: str) -> pd.DataFrame:
        """The first row of each value of a column; further ones are counted, apart those that say something else than the first."""
        again = rows.duplicated(key)
        told = rows.drop(columns=[LINE, key], errors="ignore").fillna("")
        same = (told == told.groupby(rows[key]).transform("first")).all(axis=1)
        self.count(file, f"set aside: further rows of one {key}, equal to the first", int((again & same).sum()))
        self.count(file, f"set aside: further rows of one {key} that differ from the first", int((again & ~same).sum()))
        return rows[~again]

    def count_strange(self, file: Path, column: str, words: pd.Series, known: Collection[str]) -> None:
        """Remember how many cells of a column hold a word that the reader does not know, and the first such words; empty cells hold none."""
        strange = words[(words != "") & ~words.isin(list(known))]
        first = ", ".join(map(repr, sorted(set(strange))[:FIRST_WORDS]))
        self.count(file, f"cells of {column} with a word that is not known ({first}); left empty", len(strange))


# A reader: the source's folder, and the mapping file of one that needs it.
Reader = Callable[[Path, Path | None], Converted]

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}


def is_required(table: str, header: str) -> bool:
    """Whether a table cannot be read without this header.

    Raises:
        InputError: there is no such table, or no such column of it.
    """
    if table not in BY_NAME:
        raise InputError(f"expected a table among {', '.join(BY_NAME)}", found=table)
    column = next((one for one in BY_NAME[table].columns if one.source == header), None)
    if column is None:
        raise InputError(f"expected a column of {table}: {', '.join(one.source for one in BY_NAME[table].columns)}", found=header)
    return column.required
