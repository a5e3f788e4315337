"""Windows of each case, and the days in them on which imaging gave a verdict.

Cases are numbered by position, so that joins run on integers. Days count from the case's index date.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import Labels

FAR = 1e9  # days: later than anything
SPAN = 2**34  # days: more than any two lie apart, so that a case and a day are one number


def class_window(drug_class: str, settings: Labels) -> int:
    """The window of a regimen in days: its own entry, else the longest among its classes, else the general one."""
    special = {" + ".join(sorted(key.split(" + "))): days for key, days in settings.window_days_by_drug_class.items()}
    if drug_class in special:
        return special[drug_class]
    return max((special[part] for part in drug_class.split(" + ") if part in special), default=settings.window_days)


def case_frame(cases: pd.DataFrame, patients: pd.DataFrame, settings: Labels) -> pd.DataFrame:
    """Cases by position, with the configured window and the days to the end of follow-up and to the next regimen.

    Args:
        cases: columns of `cases.parquet`.
        patients: patient_id, os_days, is_deceased.

    Returns:
        case_id, patient_id, index_day, drug_class, nominal_days, to_end (days; before index, or where follow-up is unknown, it is negative),
        to_next (last day before the next regimen that is no part of the same protocol, or `FAR`), died, is_end_known (bool).
    """
    frame = cases[["case_id", "patient_id", "index_day", "next_treatment_day", "drug_class"]].reset_index(drop=True)
    frame = frame.merge(patients[["patient_id", "os_days", "is_deceased"]], on="patient_id", how="left", validate="many_to_one")
    windows = {name: class_window(name, settings) for name in frame["drug_class"].unique()}
    frame["nominal_days"] = frame["drug_class"].map(windows).astype(float)
    frame["is_end_known"] = frame["os_days"].notna()
    frame["to_end"] = (frame["os_days"] - frame["index_day"]).astype(float).fillna(-1.0)
    frame["to_next"] = (frame["next_treatment_day"].astype("Float64") - frame["index_day"] - 1).to_numpy(dtype=float, na_value=FAR)
    frame["died"] = frame["is_deceased"].eq(True).fillna(False).astype(bool)
    return frame.drop(columns=["os_days", "is_deceased", "next_treatment_day"])


def numbered(patient_ids: pd.Series, tables: dict[str, pd.DataFrame]) -> tuple[pd.Index, dict[str, pd.DataFrame]]:
    """Some patients, sorted, and the rows that tables have of them, with a patient's place instead of the id: numbers join quicker than texts.

    Args:
        patient_ids: of these patients, in any order, as often as may be.
        tables: a table that names no patients stays as it is.
    """
    people = pd.Index(patient_ids.unique()).sort_values()
    found = dict(tables)
    for name, rows in tables.items():
        if "patient_id" in rows:
            place = people.get_indexer(pd.Index(rows["patient_id"]))
            found[name] = rows.assign(patient_id=place)[place >= 0].reset_index(drop=True)
    return people, found


class Near(NamedTuple):
    """Records of each case's patient: case and record (positions) and day from index; by case, those of one in their order."""

    case: np.ndarray
    row: np.ndarray
    day: np.ndarray

    @property
    def key(self) -> np.ndarray:
        """Case and day as one number; sorted where records are sorted by day."""
        return self.case * SPAN + self.day

    def where(self, mask: np.ndarray) -> Near:
        """Some of them."""
        return Near(self.case[mask], self.row[mask], self.day[mask])


def near(frame: pd.DataFrame, rows: pd.DataFrame) -> Near:
    """Records near each case.

    Args:
        frame: cases by position: patient_id as `numbered`, index_day.
        rows: records: patient_id as `numbered`, start_day.
    """
    owner, mine = rows["patient_id"].to_numpy(), frame["patient_id"].to_numpy()
    order = np.argsort(owner, kind="stable")
    count = np.bincount(owner, minlength=mine.max(initial=-1) + 1)
    first, own = (np.cumsum(count) - count)[mine], count[mine]
    case = np.repeat(np.arange(len(frame)), own)
    row = order[np.repeat(first - np.cumsum(own) + own, own) + np.arange(len(case))]
    day = rows["start_day"].to_numpy(dtype=np.int64)[row] - frame["index_day"].to_numpy(dtype=np.int64)[case]
    return Near(case, row, day)


def firsts(*ordered: np.ndarray) -> np.ndarray:
    """Where sorted rows, of which the columns are given, are others than the row before."""
    begins = np.ones(len(ordered[0]), dtype=bool)
    begins[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in ordered])
    return np.flatnonzero(begins)


def places(wanted: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where each number stands among sorted ones, each of which is there once; -1: nowhere."""
    found = np.searchsorted(among, wanted)
    return np.where(np.append(among, 0)[found] == wanted, np.where(found < len(among), found, -1), -1)


def by_day(rows: pd.DataFrame, flags: dict[str, np.ndarray]) -> pd.DataFrame:
    """Days with a record of each patient, once, sorted: patient_id, start_day, and whether any record of the day has each flag."""
    key = rows["patient_id"].to_numpy() * SPAN + rows["start_day"].to_numpy(dtype=np.int64)
    order = np.argsort(key, kind="stable")
    begin = firsts(key[order])
    keys = {name: rows[name].to_numpy()[order[begin]] for name in ("patient_id", "start_day")}
    return pd.DataFrame({**keys, **{name: np.logical_or.reduceat(flag[order], begin) for name, flag in flags.items()}})


def draw_indeterminate(progression: pd.DataFrame, seed: int) -> pd.Series:
    """Whether an Indeterminate read is drawn to be progression, with the probability that the language processing gave it.

    The draw depends on the seed, the patient and the read's place among the patient's Indeterminate reads: not on row order, on
    later reads, on other patients, or on where day 0 lies. Without a probability it is one half.
    """
    reads = progression[progression["progression"] == "Indeterminate"]
    ordered = reads.sort_values(["patient_id", "start_day", "nlp_progression_probability"], kind="stable")
    place = ordered.groupby("patient_id").cumcount()
    uniform = [stable_fraction(seed, "indeterminate", patient, number) for patient, number in zip(ordered["patient_id"], place)]
    drawn = pd.Series(uniform, index=ordered.index, dtype=float) < ordered["nlp_progression_probability"].fillna(0.5)
    return drawn.reindex(progression.index, fill_value=False)


def assessment_days(frame: pd.DataFrame, progression: pd.DataFrame, settings: Labels, longest: int) -> pd.DataFrame:
    """Each case's days with a verdict in its longest possible window.

    Returns:
        case, day, and whether any read of that day was yes, no, maybe (Indeterminate) and, where it was drawn
        (`draw_indeterminate`), drawn (Indeterminate drawn as yes); sorted.
    """
    said = progression["progression"]
    flags = {name: (said == word).to_numpy(dtype=bool) for name, word in (("yes", "Y"), ("no", "N"), ("maybe", "Indeterminate"))}
    told = np.logical_or.reduce(list(flags.values()))
    if "drawn" in progression:
        flags["drawn"] = progression["drawn"].to_numpy(dtype=bool)
    days = by_day(pd.DataFrame(progression[told]), {name: flag[told] for name, flag in flags.items()})
    found = near(frame, days)
    limit = frame[["to_end", "to_next"]].min(axis=1).clip(upper=longest).to_numpy()
    # The last day of the lag is outside, the last day of the window inside.
    found = found.where((found.day > settings.lag_days) & (found.day <= limit[found.case]))
    return pd.DataFrame({"case": found.case, "day": found.day, **{name: days[name].to_numpy()[found.row] for name in flags}})
