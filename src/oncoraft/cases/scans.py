"""Windows of each case, and the days in them on which imaging gave a verdict.

Cases are numbered by position, so that joins run on integers. Days count from the case's index date.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import Labels

FAR = 1e9  # days: later than anything


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


def near(frame: pd.DataFrame, rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Records of each case's patient: case (position), day (from index) and `columns`; by case, those of one in their order."""
    people = pd.Index(frame["patient_id"].unique())
    owner, mine = (people.get_indexer(pd.Index(table["patient_id"])) for table in (rows, frame))
    order = np.argsort(owner, kind="stable")
    order = order[np.searchsorted(owner, 0, sorter=order) :]
    count = np.bincount(owner[order], minlength=len(people))
    first, own = (np.cumsum(count) - count)[mine], count[mine]
    case = np.repeat(np.arange(len(frame)), own)
    row = order[np.repeat(first - np.cumsum(own) + own, own) + np.arange(len(case))]
    day = rows["start_day"].to_numpy()[row] - frame["index_day"].to_numpy()[case]
    return pd.DataFrame({"case": case, "day": day, **{name: rows[name].to_numpy()[row] for name in columns}})


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
    verdicts = progression[["patient_id", "start_day"]].copy()
    for name, word in (("yes", "Y"), ("no", "N"), ("maybe", "Indeterminate")):
        verdicts[name] = progression["progression"] == word
    if "drawn" in progression:
        verdicts["drawn"] = progression["drawn"]
    flags = [str(name) for name in verdicts if name not in ("patient_id", "start_day")]
    by_day = verdicts.groupby(["patient_id", "start_day"], sort=False)[flags].any().reset_index()
    found = near(frame, by_day[by_day[["yes", "no", "maybe"]].any(axis=1)], flags)
    limit = frame[["to_end", "to_next"]].min(axis=1).clip(upper=longest).to_numpy()
    # The last day of the lag is outside, the last day of the window inside.
    inside = (found["day"] > settings.lag_days) & (found["day"] <= limit[found["case"]])
    return found[inside].sort_values(["case", "day"], ignore_index=True)
