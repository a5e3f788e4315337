"""A study in cBioPortal's layout whose days count from something else than the first sequencing.

Each patient's days are shifted by the day of the first row of the sequencing timeline, whatever that day is counted from: the diagnosis,
the first regimen, birth. Follow-up (OS_MONTHS) is counted from the mapping's `follow_up`: `sequencing` (the default) or `clock`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from oncoraft.cohort.conversion import Converted, Origin
from oncoraft.cohort.headers import check_header
from oncoraft.cohort.older import MARKER_TABLES, marker_table
from oncoraft.cohort.reader import Header
from oncoraft.cohort.source_tables import LINE, days, read_source, text, written
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.study_files import case_list_files, find_file, markers_file
from oncoraft.knowledge.tables import TABLES, Table, table
from oncoraft.planning.yaml_file import read_yaml

DAYS_PER_MONTH = 365 / 12
FOLLOW_UP = ("sequencing", "clock")


def read_cbioportal(source: Path, mapping: Path | None = None) -> Converted:
    """The study with its days counted from the first sequencing.

    Args:
        source: study folder.
        mapping: YAML with `follow_up: sequencing | clock`; None: sequencing.

    Raises:
        InputError: no sequencing timeline, another word, a day that is none, a patient with events and no sequencing is not an error: told.
    """
    follow_up = _follow_up(mapping)
    made = Converted()
    path = find_file(source, table("timeline_specimen"))
    if path is None:
        raise InputError(
            "expected the sequencing timeline: days are counted from it", file=source / table("timeline_specimen").file, found="none"
        )
    rows = _rows(table("timeline_specimen"), path)
    zero = days(rows, "START_DATE", path).groupby(rows["PATIENT_ID"]).min().dropna()
    for one in TABLES:
        _read(one, source, zero, follow_up, made)
    for path in (source / "meta_study.txt", *case_list_files(source).values()):
        if path.is_file():
            made.files[path.relative_to(source).as_posix()] = path
            made.inputs.append(path)
    counted = "each patient's first sequencing" if follow_up == "sequencing" else "day 0 of the source, shifted like the events"
    made.clock = {
        "clock": "of the source, shifted by the first row of the sequencing timeline",
        "follow_up": counted,
        "patients": len(zero),
    }
    made.clock |= {"smallest_shift": int(zero.min()), "largest_shift": int(zero.max())}
    return made


def _follow_up(mapping: Path | None) -> str:
    given = {} if mapping is None else read_yaml(mapping) or {}
    if not isinstance(given, dict) or set(given) - {"follow_up"} or given.get("follow_up", FOLLOW_UP[0]) not in FOLLOW_UP:
        raise InputError(f"expected `follow_up: ` and one of {', '.join(FOLLOW_UP)}", file=mapping, found=str(given)[:80])
    return str(given.get("follow_up", FOLLOW_UP[0]))


def _rows(one: Table, path: Path) -> pd.DataFrame:
    """A table as text, its columns by the specification's headers in whatever case they stand."""
    rows = read_source(path, (), "\t")
    headers = [name for name in rows.columns if name != LINE]
    check_header(one, Header(tuple(headers), 1, 0), path)
    own = {column.source.casefold(): column.source for column in one.columns}
    return rows.rename(columns={name: own.get(name.casefold(), name) for name in headers})


def _read(one: Table, source: Path, zero: pd.Series, follow_up: str, made: Converted) -> None:
    """One table, its day columns shifted; of the genomic ones nothing changes."""
    path = find_file(source, one) or markers_file(source, one)
    if path is None:
        return
    made.inputs += [] if path in made.inputs else [path]
    if not any(column.kind == "day" for column in one.columns) and one.name != "clinical_patient":
        # Nothing of it is dated. The matrix of a large cohort is better not taken apart.
        made.files[one.file] = path
        made.origins |= {f"{one.name}.{column.source}": Origin("mapped", path.name) for column in one.columns}
        return
    rows = _rows(one, path)
    if find_file(source, one) is None:
        rows = _of_test(one, rows, path, made)
    shifted, by = rows, rows["PATIENT_ID"].map(zero).astype(float)
    for column in one.columns:
        if column.source in rows:
            made.origins[f"{one.name}.{column.source}"] = Origin("mapped", f"{path.name}: {column.source}")
            if column.kind == "day":
                shifted = shifted.assign(**{column.source: written(days(rows, column.source, path) - by)})
    if one.name == "clinical_patient" and follow_up == "clock" and "OS_MONTHS" in rows:
        shifted = shifted.assign(OS_MONTHS=_follow_up_from(rows, by, path, made))
    lost = int(shifted["START_DATE"].eq("").sum()) if one.name.startswith("timeline_") and "START_DATE" in shifted else 0
    made.count(path, "events of patients without sequencing: no day can be told", lost)
    made.tables[one.name] = shifted.drop(columns=LINE)


def _follow_up_from(rows: pd.DataFrame, by: pd.Series, path: Path, made: Converted) -> list[str]:
    """Months of follow-up from the sequencing on; a cell that is no number stays, for ingestion to refuse."""
    cells = text(rows, "OS_MONTHS")
    months = pd.to_numeric(cells, errors="coerce")
    moved = months - by / DAYS_PER_MONTH
    made.count(path, "patients whose follow-up ends before their sequencing; it is read as 0 days", int((moved < -0.01).sum()))
    made.count(path, "follow-up of patients without sequencing; left empty", int((months.notna() & moved.isna()).sum()))
    told = zip(cells, months, moved, strict=True)
    return [cell if pd.isna(number) else "" if pd.isna(value) else f"{max(value, 0):.9f}" for cell, number, value in told]


def _of_test(one: Table, rows: pd.DataFrame, path: Path, made: Converted) -> pd.DataFrame:
    """The rows of one laboratory table in the file of all tumour markers that older releases have; those of no table are counted once."""
    owner = text(rows, "TEST").map(marker_table)
    if one == MARKER_TABLES[0]:
        made.count(path, "set aside: markers of a test that has no table", int(owner.isna().sum()))
    return rows[owner == one.name]
