"""The tables of a study in MSK-CHORD's layout, each specified once.

The reader, the twin, the evidence allow-list and `docs/tables.md` all read this. `TABLES` has one entry
for each data file; `DERIVED_TABLES` those that the reader makes from several of them.
"""

from __future__ import annotations

from oncoraft.knowledge.clinical_tables import CLINICAL_TABLES
from oncoraft.knowledge.genomic_tables import CNA_COVERAGE, GENOMIC_TABLES, PROFILED
from oncoraft.knowledge.table_specification import Column, Kind, Known, Table
from oncoraft.knowledge.timeline_tables import TIMELINE_TABLES

__all__ = ["DERIVED_TABLES", "TABLES", "Column", "Kind", "Known", "Table", "table"]

TABLES: tuple[Table, ...] = (*CLINICAL_TABLES, *GENOMIC_TABLES, *TIMELINE_TABLES)
DERIVED_TABLES: tuple[Table, ...] = (CNA_COVERAGE, PROFILED)


def table(name: str) -> Table:
    """The specification of one table by its name.

    Raises:
        KeyError: there is no such table.
    """
    for specification in (*TABLES, *DERIVED_TABLES):
        if specification.name == name:
            return specification
    raise KeyError(name)
