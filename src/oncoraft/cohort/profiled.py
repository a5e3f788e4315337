"""Which specimens were profiled for mutations, copy number and structural variants: only there may something be called absent.

A specimen was profiled for a kind of alteration where the study has a readable table of it and every source that speaks of the specimen
says so: the gene panel matrix (a panel, not NA), the portal's case lists (`_sequenced`, `_cna`, `_sv`), the columns of the copy-number
matrix. Where no source speaks of it, or a row or a cell of it was refused, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.reader import RawTable, unquoted
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.knowledge.tables import Table


class Kind(NamedTuple):
    """Where one kind of alteration stands: its table, its column of the gene panel matrix, its case list."""

    table: str
    panel_column: str
    case_list: str


KINDS = {
    "mutations": Kind("mutations", "mutations", "sequenced"),
    "copy_number": Kind("cna", "cna", "cna"),
    "structural_variants": Kind("sv", "structural_variants", "sv"),
}


@dataclass
class Profiling:
    """What a study's files say, gathered while they are read.

    Attributes:
        readable: tables of alterations that are there and of which a row was kept or none was to be read.
        said: column of the panel matrix, name of a case list, or table -> specimens that it names as profiled.
        silent_beyond: the same keys -> specimens that the source speaks of; None: it speaks of all. As arrays, which take a fraction of
            the memory of so many objects.
        refused: table -> specimens of refused rows.
    """

    readable: set[str] = field(default_factory=set)
    said: dict[str, pa.StringArray] = field(default_factory=dict)
    silent_beyond: dict[str, pa.StringArray | None] = field(default_factory=dict)
    refused: dict[str, frozenset[str]] = field(default_factory=dict)

    def see_panels(self, table: Table, rows: pa.Table, raw: RawTable) -> None:
        """The gene panel matrix: a column that the file lacks says nothing, an empty or NA cell says no."""
        samples = rows["sample_id"].cast(pa.string()).combine_chunks()
        for kind in KINDS.values():
            column = next(column for column in table.columns if column.name == kind.panel_column)
            if raw.header.position(column.source, *column.other_headers) is not None:
                panels = rows[kind.panel_column].cast(pa.string())
                none = pa.array([panel for panel in pc.unique(panels).to_pylist() if is_no_panel(panel)], pa.string())
                said = pc.invert(pc.is_in(panels, value_set=none)).combine_chunks()
                self.said["panel " + kind.panel_column] = samples.filter(said)
                self.silent_beyond["panel " + kind.panel_column] = samples

    def see_case_list(self, name: str, samples: Collection[str]) -> None:
        """One of the case lists, as far as the study has them."""
        self.said["list " + name], self.silent_beyond["list " + name] = pa.array(samples, pa.string()), None

    def see_table(self, table: Table, kept: int, read: int) -> None:
        """A table of alterations.

        Args:
            table: its specification.
            kept: rows kept.
            read: rows read; a table of which none could be kept is as good as absent.
        """
        if kept or not read:
            self.readable.add(table.name)

    def see_measured(self, table: Table, measured: Collection[str], spoken_of: Collection[str] | None) -> None:
        """A table that itself tells which specimens were measured.

        Args:
            table: its specification.
            measured: specimens with a measurement.
            spoken_of: specimens that it speaks of; None: of all.
        """
        self.said["table " + table.name] = pa.array(measured, pa.string())
        self.silent_beyond["table " + table.name] = None if spoken_of is None else pa.array(spoken_of, pa.string())

    def see_refused(self, table: Table, raw: RawTable, lines: Mapping[int, str]) -> None:
        """Specimens of refused rows (line -> text): what these said is not known."""
        self.refused[table.name] = refused_samples(table, raw, lines)

    def table(self, samples: pa.StringArray) -> pa.Table:
        """A row a specimen: whether it was profiled for each kind of alteration."""
        return pa.table({"sample_id": samples, **{name: pa.array(self._profiled(kind, samples)) for name, kind in KINDS.items()}})

    def _profiled(self, kind: Kind, samples: pa.StringArray) -> np.ndarray:
        told = np.zeros(len(samples), dtype=bool)
        if kind.table not in self.readable:
            return told
        denied = _among(samples, pa.array(sorted(self.refused.get(kind.table, frozenset())), pa.string()))
        keys = [key for key in (f"panel {kind.panel_column}", f"list {kind.case_list}", f"table {kind.table}") if key in self.said]
        for key in keys:
            # Of a specimen that a source does not speak of it says nothing, neither yes nor no.
            beyond = self.silent_beyond[key]
            spoken = np.ones(len(samples), dtype=bool) if beyond is None else _among(samples, beyond)
            told |= spoken
            denied |= spoken & ~_among(samples, self.said[key])
        return told & ~denied


def _among(samples: pa.StringArray, others: pa.StringArray) -> np.ndarray:
    return np.asarray(pc.is_in(samples, value_set=others).to_numpy(zero_copy_only=False), dtype=bool)


def refused_samples(table: Table, raw: RawTable, lines: Mapping[int, str]) -> frozenset[str]:
    """Specimens that the rows of some lines name.

    Args:
        table: the specification.
        raw: the table as read.
        lines: of refused rows, each with its text. A row of another length than the header names every specimen that any of its cells
            could be: which cell is missing or one too many is not known.
    """
    column = next((column for column in table.columns if column.refers == "sample"), None)
    position = raw.header.position(column.source, *column.other_headers) if column else None
    if not lines or position is None:
        return frozenset()
    number = pa.array(raw.source_line)
    rows = pc.is_in(number, value_set=pa.array(sorted(lines), number.type))
    named = raw.columns[position].filter(rows).to_pylist()
    malformed = {refusal.line for refusal in raw.malformed}
    cells = [cell for line, text in lines.items() if line in malformed for cell in text.split("\t")]
    return frozenset(unquoted(text.strip()) for text in (*named, *cells))


def is_no_panel(panel: str | None) -> bool:
    """Whether a cell of the panel matrix names no panel: empty, NA and the like."""
    return panel is None or is_missing_word(panel)
