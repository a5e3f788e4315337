"""Worlds that differ only after the index date: what the audit holds prompts against.

Each audited case gets a copy of its patient's records under an id of its own, with its index date as the border, so that the
borders of one patient's cases do not mix. Beyond the border records are deleted, shuffled, replaced by sentinels, or joined by
invented ones. A specimen's rows lie beyond the border where the specimen was not known by it. Columns without a date that are
never known (highest stage, sites ever seen, survival …) are changed too. Age and length of follow-up are moved together, as if
the patient had been followed for longer: the age at the index date stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.evidence.allow_list import SPECIMEN_TABLES, UNDATED
from oncoraft.evidence.fields import BY_NAME
from oncoraft.evidence.known import Tables
from oncoraft.foundation.stable import stable_seed
from oncoraft.knowledge.tables import table

# By what is audited, not by what the allow-list says: these records count on the index day itself, all others do not.
ALWAYS_SAME_DAY = frozenset(
    {"clinical_sample", "mutations", "cna", "sv", "profiled", "timeline_specimen", "timeline_specimen_surgery", "timeline_diagnosis"}
)
# Taken before the first dose, by the setting `evidence.index_day`.
SAME_DAY = ALWAYS_SAME_DAY | {"timeline_performance_status", "timeline_cancer_presence", "timeline_tumor_sites"}
SAME_DAY |= {f"timeline_{marker}_labs" for marker in ("psa", "cea", "ca_19_9", "ca_15_3")}
GENOMIC = {"mutations": "tumor_sample_barcode", "cna": "sample_id", "sv": "sample_id", "profiled": "sample_id"}
IDENTITY = ("patient_id", "sample_id", "tumor_sample_barcode", "border_day", "start_day", "source_line")
SENTINEL_WORD, SENTINEL_NUMBER = "Sentinel", 9_876  # fits the narrowest integers of the tables
INJECTED = "|injected"
LONGER_YEARS, AGE_CAP = 4, 89  # four years are 1461 days exactly, so that the derived age does not move


def own_space(tables: Tables, cases: pd.DataFrame, genomics_known: str, index_day: str = "before_treatment") -> tuple[Tables, pd.DataFrame]:
    """Each audited case with a copy of its patient's records, each record with the first day that is too late for it.

    Args:
        tables: whole tables, the case list as `regimens` among them.
        cases: to audit.
        genomics_known: "sequenced" or "acquired": which event makes a specimen known.
        index_day: "before_treatment" or "excluded": whether what is taken before the first dose counts on the index day.

    Returns:
        copies with `border_day`, whose patient and specimen ids carry the case id, and the cases as patients of their own. Rows of specimens have
        the specimen's day as `start_day`.
    """
    names = cases[["case_id", "patient_id", "index_day"]].rename(columns={"index_day": "border_day"})
    copies = {}
    for name, rows in tables.items():
        if "patient_id" in rows:
            joined = names.merge(rows, on="patient_id")
            joined["patient_id"] = joined["case_id"]
            if "sample_id" in joined:
                joined["sample_id"] = joined["case_id"] + "|" + joined["sample_id"]
            copies[name] = joined.drop(columns="case_id")
    dated = copies[SPECIMEN_TABLES[genomics_known]].groupby("sample_id")["start_day"].min()
    copies["clinical_sample"]["start_day"] = copies["clinical_sample"]["sample_id"].map(dated)
    owners = names.merge(tables["clinical_sample"][["patient_id", "sample_id"]], on="patient_id")[["case_id", "border_day", "sample_id"]]
    for name, key in GENOMIC.items():
        joined = owners.rename(columns={"sample_id": key}).merge(tables[name], on=key)
        joined[key] = joined["case_id"] + "|" + joined[key]
        copies[name] = joined.drop(columns="case_id").assign(start_day=joined[key].map(dated))
    for name in (SAME_DAY if index_day == "before_treatment" else ALWAYS_SAME_DAY) & set(copies):
        # What is taken before the first dose counts on the index day itself: the next day is the first that is too late.
        copies[name]["border_day"] += 1
    return copies, cases.assign(patient_id=cases["case_id"])


def is_late(rows: pd.DataFrame) -> pd.Series:
    """Which records lie beyond the border of their case; those of a specimen without a date do."""
    return ~(rows["start_day"] < rows["border_day"]).fillna(False)


def _values(rows: pd.DataFrame) -> list[str]:
    return [column for column in rows.columns if column not in IDENTITY]


def sentinel(values: pd.Series) -> Any:
    """A value that no real record holds, of the same kind; booleans are turned round."""
    kinds = {type(value) for value in values.dropna().head(50)}
    if pd.api.types.is_bool_dtype(values.dtype) or (kinds <= {bool, np.bool_} and kinds):
        return [None if value is None or value is pd.NA else not value for value in values]
    if pd.api.types.is_numeric_dtype(values.dtype):
        return SENTINEL_NUMBER
    if kinds and kinds <= {list, np.ndarray}:
        return pd.Series([[SENTINEL_WORD]] * len(values), index=values.index)
    return SENTINEL_WORD


def deleted(rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """Without anything beyond the border."""
    return rows[~is_late(rows)]


def shuffled(rows: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    """Values beyond the border exchanged among the records there."""
    late = is_late(rows).to_numpy()
    changed = rows.copy()
    for column in _values(rows):
        values = changed[column].to_numpy(copy=True)
        values[late] = draw.permutation(values[late])
        changed[column] = values
    return changed


def replaced(rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """Values beyond the border replaced by what no real record holds."""
    late = is_late(rows)
    if not late.any():
        return rows
    changed = rows.copy()
    for column in _values(rows):
        part = changed.loc[late, column]
        if not pd.api.types.is_numeric_dtype(part.dtype):
            changed[column] = changed[column].astype(object)
        changed.loc[late, column] = sentinel(part)
    return changed


def injected(rows: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    """Every record once more beyond the border, with values of other records; specimens under new ids."""
    copies = rows.copy()
    for column in _values(rows):
        copies[column] = draw.permutation(copies[column].to_numpy())
    # From 0 on: the border day itself is too late.
    copies["start_day"] = copies["border_day"] + draw.integers(0, 400, len(copies))
    for column in {"sample_id", "tumor_sample_barcode"} & set(copies):
        copies[column] = copies[column] + INJECTED
    return pd.concat([rows, copies], ignore_index=True)


Perturbation = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
PERTURBATIONS: dict[str, Perturbation] = {"deleted": deleted, "shuffled": shuffled, "replaced": replaced, "injected": injected}


def undated_columns(name: str) -> list[str]:
    """Columns of a table that are never known at an index date, those that a field may use all the same left out."""
    used = {source for field in UNDATED for source in BY_NAME[field].sources} | {"clinical_patient.os_months"}
    specification = table(name)
    columns = (*specification.columns, *specification.derived)
    return [column.name for column in columns if column.known == "never" and f"{name}.{column.name}" not in used]


def _undated(how: str, name: str, rows: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    """The never-known columns changed whatever their row's date."""
    changed = rows.copy()
    for column in (column for column in undated_columns(name) if column in rows):
        if how == "shuffled":
            changed[column] = draw.permutation(changed[column].to_numpy())
        else:
            changed[column] = None if how == "deleted" else sentinel(changed[column])
    return changed


def followed_for_longer(patients: pd.DataFrame) -> pd.DataFrame:
    """The same people four years later, where the cap on ages allows it."""
    moves = patients["current_age_deid"].astype(float) + LONGER_YEARS < AGE_CAP
    changed = patients.copy()
    for column, step in (("current_age_deid", LONGER_YEARS), ("os_days", LONGER_YEARS * 1461 // 4), ("os_months", LONGER_YEARS * 12.0)):
        if column in changed:
            changed[column] = changed[column].where(~moves, changed[column] + step)
    return changed


def perturb(tables: Tables, how: str, seed: int) -> Tables:
    """Everything beyond each case's border changed in one way.

    Args:
        tables: from `own_space`.
        how: a key of `PERTURBATIONS`.
        seed: of the draws.
    """
    draw = np.random.default_rng(stable_seed(seed, how))
    changed = {name: PERTURBATIONS[how](rows, draw) if "start_day" in rows else rows for name, rows in tables.items()}
    if how != "injected":
        for name in ("clinical_patient", "clinical_sample"):
            changed[name] = _undated(how, name, changed[name], draw)
    changed["clinical_patient"] = followed_for_longer(changed["clinical_patient"])
    return changed
