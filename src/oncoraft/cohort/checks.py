"""Whether the tables agree with one another: ids, time zero, end of follow-up, months and days.

What makes every later result wrong ends the run (time zero); the rest is counted and recorded in `checks.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from oncoraft.errors import InputError
from oncoraft.knowledge.tables import TABLES, Table

DAY_ZERO_SHARE = 0.99  # least share of patients whose first sequencing is day 0
FOLLOW_UP_GRACE_DAYS = 31  # slack for the dead, whose last month may be recorded by its end
FIRST_IDS = 5
# Days in a month by different conventions. The released OS_MONTHS is days x 12/365; the study's own pipeline divides by 30.417.
DAYS_PER_MONTH = {"365/12": 365 / 12, "30.417": 30.417, "365.25/12": 365.25 / 12, "30.44": 30.44, "30": 30.0}


def months_constant(months: np.ndarray) -> dict[str, Any]:
    """Which constant makes months x constant closest to whole days (mean distance; the earlier of equals).

    Args:
        months: OS_MONTHS of every patient, finite.
    """
    distance = {
        name: float(np.abs(months * constant - np.rint(months * constant)).mean()) if len(months) else 0.0
        for name, constant in DAYS_PER_MONTH.items()
    }
    chosen = min(distance, key=lambda name: distance[name])
    return {
        "chosen": chosen,
        "days_per_month": DAYS_PER_MONTH[chosen],
        "mean_distance_to_whole_days": {name: round(value, 6) for name, value in distance.items()},
    }


def add_follow_up(patients: pa.Table, days_per_month: float) -> pa.Table:
    """Add `os_days` (int32, days from first sequencing) and `is_deceased` before `source_line`."""
    months = patients["os_months"].to_numpy()
    days = pa.array(np.rint(months * days_per_month).astype(np.int32), pa.int32())
    dead = pa.array([status == "1:DECEASED" for status in patients["os_status"].to_pylist()], pa.bool_())
    at = patients.schema.get_field_index("source_line")
    return patients.add_column(at, "os_days", days).add_column(at + 1, "is_deceased", dead)


def day_zero(sequencing: pa.Table, patients: pa.Table, file: Path) -> dict[str, Any]:
    """The share of patients whose earliest sequencing is day 0.

    Raises:
        InputError: the share is below 99 %, or nobody was sequenced: survival would not count from day 0.
    """
    first = sequencing.select(["patient_id", "start_day"]).to_pandas().groupby("patient_id")["start_day"].min()
    share = float((first == 0).mean()) if len(first) else 0.0
    if share < DAY_ZERO_SHARE:
        raise InputError(
            f"the earliest sequencing must be day 0 for at least {DAY_ZERO_SHARE:.0%} of patients, since survival counts from it",
            file=file,
            column="START_DATE",
            found=f"{share:.1%} of {len(first)} patients",
        )
    others = first[first != 0].index
    unsequenced = len(set(patients["patient_id"].to_pylist()) - set(first.index))
    return {
        "patients": len(first),
        "share": round(share, 6),
        "exceptions": len(others),
        "first_ids": sorted(others)[:FIRST_IDS],
        "patients_without_sequencing": unsequenced,
    }


def orphans(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Rows that name a patient or a specimen which the clinical tables do not have, per table."""
    known = {
        "patient": pd.Index(tables["clinical_patient"]["patient_id"].to_pandas()),
        "sample": pd.Index(tables["clinical_sample"]["sample_id"].to_pandas()),
    }
    homes = {"patient": "clinical_patient", "sample": "clinical_sample"}
    found = []
    for table in TABLES:
        for column in table.columns:
            if not column.refers or table.name == homes[column.refers] or table.name not in tables:
                continue
            ids = tables[table.name][column.name].to_pandas()
            stray = ids[~ids.isin(known[column.refers])]
            found.append(
                {
                    "table": table.name,
                    "column": column.name,
                    "refers_to": column.refers,
                    "rows": len(stray),
                    "ids": int(stray.nunique()),
                    "first_ids": sorted(stray.unique())[:FIRST_IDS],
                }
            )
    return found


def after_follow_up(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Events dated after the patient's last day of follow-up, per timeline and day column.

    `rows_beyond_grace` counts those of the deceased that lie more than 31 days after death.
    """
    patients = tables["clinical_patient"].select(["patient_id", "os_days", "is_deceased"]).to_pandas().set_index("patient_id")
    found = []
    for table in TABLES:
        for name in _day_columns(table, tables):
            events = tables[table.name].select(["patient_id", name]).to_pandas().dropna()
            last = events["patient_id"].map(patients["os_days"])
            beyond = events[name] - last
            dead = events["patient_id"].map(patients["is_deceased"]).eq(True)
            late = beyond > 0
            found.append(
                {
                    "table": table.name,
                    "column": name,
                    "rows": int(late.sum()),
                    "patients": int(events["patient_id"][late].nunique()),
                    "rows_beyond_grace": int(((beyond > FOLLOW_UP_GRACE_DAYS) & dead).sum()),
                    "first_ids": sorted(events["patient_id"][late].unique())[:FIRST_IDS],
                }
            )
    return found


def _day_columns(table: Table, tables: Mapping[str, pa.Table]) -> list[str]:
    if table.name not in tables:
        return []
    present = tables[table.name].column_names
    return [column.name for column in table.columns if column.kind == "day" and column.name in present]


def check_all(tables: Mapping[str, pa.Table], constant: dict[str, Any], sequencing_file: Path) -> dict[str, Any]:
    """Everything in `checks.json`.

    Args:
        tables: name -> the columns that the checks need (ids and days) of every table that was read.
        constant: from `months_constant`.
        sequencing_file: named if the day-0 rule fails.
    """
    days = tables["clinical_patient"]["os_days"].to_numpy()
    return {
        "day_zero": day_zero(tables["timeline_specimen"], tables["clinical_patient"], sequencing_file),
        "months_to_days": constant,
        "follow_up_not_positive": int((days <= 0).sum()),
        "orphans": orphans(tables),
        "after_follow_up": after_follow_up(tables),
    }
