"""Whether the tables agree with one another: ids, time zero, end of follow-up, months and days.

What makes every later result wrong ends the run (time zero); the rest is counted and recorded in `checks.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.identifiers import Identifiers
from oncoraft.cohort.references import (
    FIRST_IDS,
    Misplaced,
    kind_of,
    orphans,
    positions,
    specimens_of_others,
    specimens_repeated,
    without_clinical_row,
)
from oncoraft.cohort.rows import Known
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.tables import TABLES, Table

DAY_ZERO_SHARE = 0.99  # least share of patients whose first sequencing is day 0
SUMS = {"rows", "patients", "rows_beyond_grace"}  # of a record, what adds up over parts
FOLLOW_UP_GRACE_DAYS = 31  # slack for the dead, whose last month may be recorded by its end
WHOLE_DAYS = 0.2  # mean distance to whole days from which no constant is borne out (0.25 is chance)
# Days in a month by different conventions. The released OS_MONTHS is days x 12/365; the study's own pipeline divides by 30.417.
DAYS_PER_MONTH = {"365/12": 365 / 12, "30.417": 30.417, "365.25/12": 365.25 / 12, "30.44": 30.44, "30": 30.0}


def months_constant(months: np.ndarray) -> dict[str, Any]:
    """Which constant makes months x constant closest to whole days (mean distance; the earlier of equals).

    Months rounded to one decimal or less bear out none; then it is that of the released files, `is_calibrated` false.

    Args:
        months: OS_MONTHS of every patient, finite.
    """
    distance = {
        name: float(np.abs(months * constant - np.rint(months * constant)).mean()) if len(months) else 0.0
        for name, constant in DAYS_PER_MONTH.items()
    }
    chosen = min(distance, key=lambda name: distance[name])
    # Tenths of a month are whole days of 30 to a month whatever made them, so they bear out nothing.
    is_rounded = bool(np.allclose(months * 10, np.rint(months * 10), rtol=0, atol=1e-6))
    is_calibrated = not is_rounded and distance[chosen] < WHOLE_DAYS
    if not is_calibrated:
        chosen = next(iter(DAYS_PER_MONTH))
    return {
        "chosen": chosen,
        "days_per_month": DAYS_PER_MONTH[chosen],
        "is_calibrated": is_calibrated,
        "mean_distance_to_whole_days": {name: round(value, 6) for name, value in distance.items()},
    }


def add_follow_up(patients: pa.Table, days_per_month: float) -> pa.Table:
    """Add `os_days` (int32, days from first sequencing) and `is_deceased` before `source_line`; null where the source is."""
    months = patients["os_months"].to_numpy()
    unknown = np.isnan(months)
    # To the nearest: the released months were made from whole days (`months_constant`).
    days = pa.array(np.rint(np.where(unknown, 0, months) * days_per_month).astype(np.int32), mask=unknown)
    dead = pc.equal(patients["os_status"].cast(pa.string()), "1:DECEASED")
    at = patients.schema.get_field_index("source_line")
    return patients.add_column(at, "os_days", days).add_column(at + 1, "is_deceased", dead)


def day_zero(sequencing: pa.Table, patients: pa.Table, file: Path) -> dict[str, Any]:
    """The share of all patients whose earliest sequencing is day 0; one who was never sequenced does not count as such.

    Raises:
        InputError: the share is below 99 %: survival would not count from day 0.
    """
    rows = pd.DataFrame({"patient": sequencing["patient_id"].cast(pa.string()).to_pandas(), "day": sequencing["start_day"].to_numpy()})
    first = rows.groupby("patient")["day"].min()
    everyone = pd.Index(patients["patient_id"].cast(pa.string()).to_pandas())
    first = first.reindex(everyone)
    unsequenced = int(first.isna().sum())
    share = float((first == 0).mean()) if len(first) else 0.0
    others = first[first.notna() & (first != 0)].index
    if share < DAY_ZERO_SHARE:
        example = f", e.g. {min(others)} on day {first[min(others)]:.0f}" if len(others) else ""
        missing = f"; {unsequenced} of them have no sequencing" if unsequenced else ""
        raise InputError(
            f"the earliest sequencing must be day 0 for at least {DAY_ZERO_SHARE:.0%} of patients, since survival counts from it",
            file=file,
            column="START_DATE",
            found=f"{share:.1%} of {len(first)} patients{missing}{example}",
        )
    return {
        "patients": len(first),
        "share": round(share, 6),
        "exceptions": len(others),
        "first_ids": sorted(others)[:FIRST_IDS],
        "patients_without_sequencing": unsequenced,
    }


class TableChecks:
    """What is checked of one table beside the clinical ones, whose rows come part after part, those of a patient in one."""

    def __init__(self, table: Table, clinical: Mapping[str, pa.Table], known: Known) -> None:
        """`clinical`: the two clinical tables; `known`: their `clinical_ids`."""
        self.table, self.clinical, self.known = table, clinical, known
        self.bare: dict[str, dict[str, Any]] = {}
        self.late: dict[str, dict[str, Any]] = {}
        self.others: list[dict[str, Any]] = []
        self.again: list[dict[str, Any]] = []

    def add(self, rows: pa.Table) -> pa.Table:
        """Take in some kept rows, and hand them on."""
        names = [column.name for column in self.table.columns if column.refers]
        # Looked up once for all that is asked of them.
        where = {name: positions(rows[name], self.known[kind_of(self.table, name)]) for name in names}
        bare = without_clinical_row(self.table, rows, where)
        late = after_follow_up(self.table, rows, where, self.clinical["clinical_patient"], self.known["patient"])
        for found, total in ((bare, self.bare), (late, self.late)):
            for record in found:
                known = total.setdefault(record["column"], record | {"first_ids": []} | dict.fromkeys(SUMS & record.keys(), 0))
                known.update({name: known[name] + record[name] for name in SUMS & record.keys()})
                known["first_ids"] = sorted({*known["first_ids"], *record["first_ids"]})[:FIRST_IDS]
        return rows

    def see_misplaced(self, rows: pa.Table, found: Misplaced) -> None:
        """Take in which rows of the whole table give a specimen to a stranger or date it again."""
        self.others, self.again = specimens_of_others(self.table, rows, found), specimens_repeated(self.table, rows, found)


def with_plain_ids(rows: pa.Table) -> pa.Table:
    """A clinical table whose ids are plain texts in one piece, as they are asked for with each part of a large file."""
    fields = [field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in rows.schema]
    return rows.cast(pa.schema(fields)).combine_chunks()


def after_follow_up(
    table: Table, rows: pa.Table, where: Mapping[str, np.ndarray], patients: pa.Table, ids: Identifiers
) -> list[dict[str, Any]]:
    """Events of a table that are dated after the patient's last day of follow-up, per day column.

    `rows_beyond_grace` counts those of the deceased that lie more than 31 days after death.

    Args:
        table, rows, where: as in `without_clinical_row`.
        patients, ids: the clinical table and its ids, in one order.
    """
    names = [column.name for column in table.columns if column.kind == "day" and column.name in rows.column_names]
    last = patients["os_days"].to_numpy().astype(np.float64)  # NaN where follow-up is unknown: nothing is after it
    dead = pc.fill_null(patients["is_deceased"], False).to_numpy()
    found = []
    for name in names:
        who = where["patient_id"]
        day = rows[name].to_numpy()  # NaN where there is none
        beyond = np.where(who >= 0, day - last[who], 0)
        late = beyond > 0
        first = pc.unique(ids.ids.take(pa.array(who[late])))
        found.append(
            {
                "table": table.name,
                "column": name,
                "rows": int(late.sum()),
                "patients": len(first),
                "rows_beyond_grace": int(((beyond > FOLLOW_UP_GRACE_DAYS) & (who >= 0) & dead[who]).sum()),
                "first_ids": sorted(first.to_pylist())[:FIRST_IDS],
            }
        )
    return found


def check_all(
    clinical: Mapping[str, pa.Table],
    parts: Sequence[TableChecks],
    stray: Mapping[str, Mapping[str, list[str]]],
    constant: dict[str, Any],
    sequencing: tuple[pa.Table, Path] | None,
) -> dict[str, Any]:
    """The referential part of `checks.json`.

    Args:
        clinical: the two clinical tables: the columns that the checks need.
        parts: of every table that was read, the clinical ones too.
        stray: table -> column -> ids unknown to the clinical tables.
        constant: from `months_constant`.
        sequencing: patients and days of specimens, and the file that is named if the day-0 rule fails; None where the study does not date
            its specimens, and nothing can be checked.
    """
    order = {table.name: place for place, table in enumerate(TABLES)}
    ordered = sorted(parts, key=lambda part: order[part.table.name])
    days = clinical["clinical_patient"]["os_days"].to_numpy().astype(np.float64)
    return {
        "day_zero": day_zero(sequencing[0], clinical["clinical_patient"], sequencing[1]) if sequencing else None,
        "months_to_days": constant,
        "follow_up_not_positive": int((days <= 0).sum()),
        "follow_up_unknown": int(np.isnan(days).sum()),
        "orphans": orphans(stray),
        "without_clinical_row": [record for part in ordered for record in part.bare.values()],
        "specimens_of_others": [record for part in ordered for record in part.others],
        "specimens_repeated": [record for part in ordered for record in part.again],
        "after_follow_up": [record for part in ordered for record in part.late.values()],
    }


def sentences(checks: Mapping[str, Any]) -> list[str]:
    """What of the checks a person should hear at once."""
    constant = checks["months_to_days"]
    how = "borne out by whole days" if constant["is_calibrated"] else "assumed: the months are too rounded to tell"
    said = [f"a month of OS_MONTHS is {constant['days_per_month']:.4f} days ({constant['chosen']}, {how})"]
    stray = sum(record["rows"] for record in checks["orphans"])
    late = sum(record["rows"] for record in checks["after_follow_up"])
    others = sum(record["rows"] for record in checks["specimens_of_others"])
    if stray:
        said.append(f"{stray} rows name a patient or specimen that the clinical files do not have; they are set aside")
    if bare := sum(record["rows"] for record in checks["without_clinical_row"]):
        said.append(f"{bare} rows belong to patients or specimens whose clinical row is set aside")
    if others:
        said.append(f"{others} rows give a specimen to another patient than the sample table does; they are set aside")
    if again := sum(record["rows"] for record in checks["specimens_repeated"]):
        said.append(f"{again} rows date a specimen again; the first day counts and they are set aside")
    if late:
        said.append(f"{late} events are dated after the end of follow-up; they are kept (checks.json says where)")
    if checks["follow_up_unknown"]:
        said.append(f"{checks['follow_up_unknown']} patients have no OS_MONTHS: they have no survival")
    if checks["follow_up_not_positive"]:
        said.append(f"{checks['follow_up_not_positive']} patients have no follow-up after day 0")
    return said
