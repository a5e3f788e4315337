"""A study in cBioPortal's layout whose days count from something else than the first sequencing.

Each patient's days are shifted by the day of the first row of the sequencing timeline, whatever that day is counted from: the diagnosis,
the first regimen, birth. Follow-up (OS_MONTHS) is counted from the mapping's `follow_up`: `sequencing` (the default) or `clock`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from oncoraft.cohort.conversion import Converted, Origin
from oncoraft.cohort.headers import check_header
from oncoraft.cohort.reader import Header
from oncoraft.cohort.source_tables import LINE, days, read_source, text, written
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.study_files import case_list_files, find_file
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
    rows = read_source(path, ("PATIENT_ID", "START_DATE"), "\t")
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


def _read(one: Table, source: Path, zero: pd.Series, follow_up: str, made: Converted) -> None:
    """One table, its day columns shifted; of the genomic ones nothing changes."""
    path = find_file(source, one)
    if path is None:
        return
    made.inputs.append(path)
    if not any(column.kind == "day" for column in one.columns) and one.name != "clinical_patient":
        # Nothing of it is dated. The matrix of a large cohort is better not taken apart.
        made.files[one.file] = path
        made.origins |= {f"{one.name}.{column.source}": Origin("mapped", path.name) for column in one.columns}
        return
    rows = read_source(path, (), "\t")
    headers = [name for name in rows.columns if name != LINE]
    check_header(one, Header(tuple(headers), 1, 0), path)
    by_fold = {name.casefold(): name for name in headers}
    shifted = rows
    for column in one.columns:
        name = by_fold.get(column.source.casefold())
        if column.kind == "day" and name is not None:
            shifted = shifted.assign(**{name: written(days(rows, name, path) - _zero_of(rows, by_fold, zero))})
        if name is not None:
            made.origins[f"{one.name}.{column.source}"] = Origin("mapped", f"{path.name}: {name}")
    if one.name == "clinical_patient" and follow_up == "clock" and "os_months" in by_fold:
        months = pd.to_numeric(text(rows, by_fold["os_months"]), errors="coerce")
        moved = months - _zero_of(rows, by_fold, zero) / DAYS_PER_MONTH
        shifted = shifted.assign(**{by_fold["os_months"]: moved.map(lambda value: "" if pd.isna(value) else f"{max(value, 0):.9f}")})
        made.count(path, "patients whose follow-up ends before their sequencing; it is read as 0 days", int((moved < -0.01).sum()))
    lost = int(shifted["START_DATE"].eq("").sum()) if one.name.startswith("timeline_") and "START_DATE" in shifted else 0
    made.count(path, "events of patients without sequencing: no day can be told", lost)
    made.tables[one.name] = shifted.drop(columns=LINE)


def _zero_of(rows: pd.DataFrame, by_fold: dict[str, str], zero: pd.Series) -> pd.Series:
    return rows[by_fold["patient_id"]].map(zero).astype(float)
