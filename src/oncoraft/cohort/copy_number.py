"""Copy number in the three shapes that the portal has for it, into one table of calls and one of what was measured.

`DISCRETE`: genes by specimens, calls. `LOG2-VALUE`: the same matrix, log2 ratios. `DISCRETE_LONG`: a call a row, told by its header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from oncoraft.cohort.headers import check_header
from oncoraft.cohort.profiled import refused_samples
from oncoraft.cohort.reader import Header, raw_lines, read_header, read_rows
from oncoraft.cohort.rows import Known, TypedTable, type_table
from oncoraft.cohort.wide import ANNOTATIONS, read_matrix
from oncoraft.knowledge.genomic_tables import CNA_LONG
from oncoraft.knowledge.study_files import LOG2, data_type
from oncoraft.knowledge.tables import Table


class CopyNumber(NamedTuple):
    """What one file holds.

    Attributes:
        typed: calls that are neither 0 nor missing: sample_id, gene, call, source_line.
        coverage: gene, panel, is_covered.
        ignored: names of columns that were not used.
        measured: specimens with any gene measured.
        spoken_of: specimens of which the file says whether they were measured; None: of all.
        doubtful: specimens of which a refused row said something.
    """

    typed: TypedTable
    coverage: pa.Table
    ignored: list[str]
    measured: list[str]
    spoken_of: list[str] | None
    doubtful: list[str]


def read_copy_number(table: Table, path: Path, panels: Mapping[str, str], known: Known) -> CopyNumber:
    """Calls, coverage and measured specimens of a file in any of the three shapes.

    Args:
        table: the specification.
        path: the file, in any of the three shapes.
        panels: specimen -> gene panel, where it is known.
        known: ids of the clinical tables.

    Raises:
        InputError: a required column is missing, or one that is read stands twice.
    """
    header = read_header(path)
    if all(header.position(column.source) is not None for column in CNA_LONG.columns):
        return _long(path, header, panels, known)
    is_log2 = data_type(path.parent, path) == LOG2
    matrix = read_matrix(path, panels, set(known["sample"].ids.to_pylist()), is_log2=is_log2, header=header)
    ignored = [name for name in header.names if not name or name.casefold() in ANNOTATIONS - {"hugo_symbol"}]
    stray = {"sample_id": matrix.unknown_samples}
    typed = TypedTable(matrix.calls, matrix.refusals, matrix.rows_read, len(matrix.duplicates), matrix.duplicates, stray)
    if is_log2:
        note = {"table": table.name, "column": "call", "what": "log2_called", "rows": matrix.calls.num_rows, "first_words": ["2"]}
        typed = replace(typed, notes=[note])
    return CopyNumber(typed, matrix.coverage, [*ignored, *matrix.unknown_samples], matrix.measured_samples, None, matrix.doubtful_samples)


def _long(path: Path, header: Header, panels: Mapping[str, str], known: Known) -> CopyNumber:
    ignored, _ = check_header(CNA_LONG, header, path)
    raw = read_rows(path, header)
    typed = type_table(CNA_LONG, raw, known)
    rows = typed.rows.select(["sample_id", "gene", "call", "source_line"])
    frame = pd.DataFrame({name: rows[name].to_pandas().astype(object) for name in ("sample_id", "gene")})
    frame["panel"] = frame["sample_id"].map(dict(panels))
    frame["is_covered"] = rows["call"].to_pandas().notna()
    calls = rows["call"].to_numpy()
    called = ~np.isnan(calls) & (calls != 0)
    # A list of calls is silent on a specimen that has none: the panel matrix and the case lists speak of it.
    doubtful = refused_samples(CNA_LONG, raw, raw_lines(path, {refusal.line for refusal in typed.refusals}))
    measured, spoken_of = sorted(set(frame.loc[frame["is_covered"], "sample_id"])), sorted(set(frame["sample_id"]))
    return CopyNumber(replace(typed, rows=rows.filter(pa.array(called))), _coverage(frame), ignored, measured, spoken_of, sorted(doubtful))


def _coverage(frame: pd.DataFrame) -> pa.Table:
    """Which gene has any call on which panel, for every gene and panel that occur, sorted.

    Args:
        frame: gene, panel (null where unknown), is_covered; a row a measurement.
    """
    measured = frame.dropna(subset=["panel"])
    every = pd.MultiIndex.from_product([sorted(set(frame["gene"])), sorted(set(measured["panel"]))], names=["gene", "panel"])
    covered = measured.groupby(["gene", "panel"])["is_covered"].any().reindex(every, fill_value=False)
    genes, names = every.get_level_values("gene"), every.get_level_values("panel")
    return pa.table(
        {
            "gene": pa.array(list(genes), pa.string()),
            "panel": pa.array(list(names), pa.string()),
            "is_covered": pa.array(covered.to_numpy(dtype=bool), pa.bool_()),
        }
    )
