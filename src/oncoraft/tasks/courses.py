"""Courses of radiation: read from a group's CSV, or joined from the days on which radiation began."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.foundation.csv_file import iterate_csv
from oncoraft.foundation.errors import InputError
from oncoraft.tasks.regimen_text import MOST_DOSE, MOST_FRACTIONS, Phase, Regimen

NEEDED = ("patient_id", "start_day", "dose", "unit", "fractions", "modality")
OPTIONAL = ("course", "schedule")
# Epic exports and FHIR name these; the number of Gy that one is, and whether it is weighted by RBE.
UNITS = {"gy": (1.0, False), "cgy": (0.01, False), "gy (rbe)": (1.0, True), "cge": (1.0, True), "ge": (1.0, True), "gye": (1.0, True)}
MODALITIES = ("photon", "proton", "electron", "brachytherapy")
SCHEDULES = {"": False, "daily": False, "once daily": False, "bid": True, "twice daily": True}


def read_courses(path: Path) -> pd.DataFrame:
    """Courses of a CSV, a row a phase; phases of one course share patient and `course` (or, without it, the start day).

    Returns:
        patient_id, index_day (of the first phase), regimen (`Regimen`), modality; modality is None where phases differ.

    Raises:
        InputError: no such file, a column that is missing, or a value that cannot be, with its line.
    """
    courses: dict[tuple[str, str], list[tuple[int, Phase, str, bool, bool]]] = {}
    for line, row in iterate_csv(path, NEEDED, "a CSV of radiation courses"):
        patient, day, phase, modality, is_rbe, is_twice = _phase(row, {"file": path, "line": line})
        courses.setdefault((patient, (row.get("course") or "").strip() or str(day)), []).append((day, phase, modality, is_rbe, is_twice))
    if not courses:
        raise InputError("expected at least one course", file=path)
    rows = []
    for (patient, _), phases in sorted(courses.items()):
        # A row that stands twice is one; the same dose on another day is a phase of its own.
        phases = sorted(dict.fromkeys(phases), key=lambda one: (one[0], -one[1].dose))
        kinds = {kind for _, _, kind, _, _ in phases}
        modality_of_all = kinds.pop() if len(kinds) == 1 else None
        whole = Regimen(tuple(p for _, p, _, _, _ in phases), any(x[4] for x in phases), any(x[3] for x in phases))
        rows.append({"patient_id": patient, "index_day": phases[0][0], "regimen": whole, "modality": modality_of_all})
    return pd.DataFrame(rows)


def _phase(row: dict[str, str], place: dict[str, Any]) -> tuple[str, int, Phase, str, bool, bool]:
    """One row: patient, day, phase, modality, whether RBE-weighted, whether twice daily.

    Raises:
        InputError: a value that cannot be.
    """

    def wrong(expected: str, column: str) -> InputError:
        return InputError(expected, column=column, found=row[column], **place)

    if not row["patient_id"].strip():
        raise wrong("expected a patient", "patient_id")
    try:
        day = int(row["start_day"])
    except ValueError:
        raise wrong("expected a whole number of days from the patient's first sequencing", "start_day") from None
    unit = " ".join(row["unit"].lower().split())
    if unit not in UNITS:
        raise wrong(f"expected one of {', '.join(UNITS)}", "unit")
    size, is_rbe = UNITS[unit]
    try:
        dose = float(row["dose"]) * size
    except ValueError:
        dose = math.nan
    if not 0 < dose <= MOST_DOSE:
        raise wrong(f"expected a dose above 0, at most {MOST_DOSE:g} Gy", "dose")
    if not row["fractions"].strip().isdigit() or not 1 <= int(row["fractions"]) <= MOST_FRACTIONS:
        raise wrong(f"expected a whole number of fractions from 1 to {MOST_FRACTIONS}", "fractions")
    modality = row["modality"].strip().lower()
    if modality not in MODALITIES:
        raise wrong(f"expected one of {', '.join(MODALITIES)}", "modality")
    schedule = " ".join((row.get("schedule") or "").lower().split())
    if schedule not in SCHEDULES:
        raise wrong(f"expected one of {', '.join(filter(None, SCHEDULES))}, or nothing", "schedule")
    return row["patient_id"].strip(), day, Phase(round(dose, 4), int(row["fractions"])), modality, is_rbe, SCHEDULES[schedule]


def joined_starts(starts: pd.DataFrame, gap_days: int) -> pd.DataFrame:
    """Days on which radiation began, joined into courses: the source writes a row a start, every ninth twice, and no stop.

    Args:
        starts: patient_id, start_day, in any order.
        gap_days: a start within this many days of the one before belongs to the same course.

    Returns:
        patient_id, index_day (the first start of each course), starts (how many days it holds), sorted.
    """
    days = starts[["patient_id", "start_day"]].drop_duplicates().sort_values(["patient_id", "start_day"], ignore_index=True)
    same = (days["patient_id"] == days["patient_id"].shift()).to_numpy()
    gap = days["start_day"].diff().fillna(0).to_numpy()
    number = np.cumsum(~(same & (gap <= gap_days)))
    found = days.groupby(number).agg(patient_id=("patient_id", "first"), index_day=("start_day", "first"), starts=("start_day", "size"))
    return found.reset_index(drop=True)
