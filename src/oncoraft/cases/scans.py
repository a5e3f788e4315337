"""What imaging says of each case: windows, assessments after the index date, and the disease before and at each of them.

Everything is computed once for the longest window; a label definition then picks from it. Cases are numbered by position, so
that joins run on integers. Days count from the case's index date.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.config import Labels
from oncoraft.stable import stable_fraction

FAR = 1e9  # days: later than anything


def class_window(drug_class: str, settings: Labels) -> int:
    """The window of a regimen in days: its own entry, else the longest among its classes, else the general one."""
    special = settings.window_days_by_drug_class
    if drug_class in special:
        return special[drug_class]
    return max((special[part] for part in drug_class.split(" + ") if part in special), default=settings.window_days)


def case_frame(cases: pd.DataFrame, patients: pd.DataFrame, settings: Labels) -> pd.DataFrame:
    """Cases by position, with the configured window and the days to the end of follow-up and to the next regimen.

    Args:
        cases: columns of `cases.parquet`.
        patients: patient_id, os_days, is_deceased.

    Returns:
        case_id, patient_id, index_day, drug_class, nominal_days, to_end (days; before index it is negative), to_next (last day
        before the next regimen, or `FAR`), died (bool).
    """
    frame = cases[["case_id", "patient_id", "index_day", "next_index_day", "drug_class"]].reset_index(drop=True)
    frame = frame.merge(patients[["patient_id", "os_days", "is_deceased"]], on="patient_id", how="left", validate="many_to_one")
    windows = {name: class_window(name, settings) for name in frame["drug_class"].unique()}
    frame["nominal_days"] = frame["drug_class"].map(windows).astype(float)
    frame["to_end"] = (frame["os_days"] - frame["index_day"]).astype(float).fillna(-1.0)
    frame["to_next"] = (frame["next_index_day"].astype("Float64") - frame["index_day"] - 1).to_numpy(dtype=float, na_value=FAR)
    frame["died"] = frame["is_deceased"].eq(True)
    return frame.drop(columns=["os_days", "is_deceased", "next_index_day"])


def near(frame: pd.DataFrame, rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Records of each case's patient: case (position), day (from index) and `columns`."""
    positions = pd.DataFrame({"patient_id": frame["patient_id"], "case": np.arange(len(frame)), "index_day": frame["index_day"]})
    joined = positions.merge(rows[["patient_id", "start_day", *columns]], on="patient_id")
    joined["day"] = joined["start_day"] - joined["index_day"]
    return joined[["case", "day", *columns]]


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
        case, day, and whether any read of that day was yes, no, maybe (Indeterminate), drawn (Indeterminate drawn as yes); sorted.
    """
    verdicts = progression[["patient_id", "start_day"]].copy()
    for name, word in (("yes", "Y"), ("no", "N"), ("maybe", "Indeterminate")):
        verdicts[name] = progression["progression"] == word
    verdicts["drawn"] = draw_indeterminate(progression, settings.seed)
    flags = ["yes", "no", "maybe", "drawn"]
    by_day = verdicts.groupby(["patient_id", "start_day"], sort=False)[flags].any().reset_index()
    found = near(frame, by_day[by_day[["yes", "no", "maybe"]].any(axis=1)], flags)
    limit = frame[["to_end", "to_next"]].min(axis=1).clip(upper=longest).to_numpy()
    inside = (found["day"] > settings.lag_days) & (found["day"] <= limit[found["case"]])
    return found[inside].sort_values(["case", "day"], ignore_index=True)


def sites_and_presence(frame: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Per case and day: tumour sites named (coded), and whether imaging said that cancer is there, or is not."""
    sites = tables["timeline_tumor_sites"][["patient_id", "start_day", "tumor_site"]].dropna().drop_duplicates()
    sites = sites.assign(site=pd.factorize(sites["tumor_site"])[0])
    presence = tables["timeline_cancer_presence"][["patient_id", "start_day", "has_cancer"]]
    presence = presence.assign(there=presence["has_cancer"] == "Y", gone=presence["has_cancer"] == "N")
    presence = presence.groupby(["patient_id", "start_day"], sort=False)[["there", "gone"]].any().reset_index()
    return near(frame, sites, ["site"]), near(frame, presence, ["there", "gone"])


def baseline(frame: pd.DataFrame, sites: pd.DataFrame, presence: pd.DataFrame, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The disease in the `days` before index and on it.

    Returns:
        per case (by position): sites (count), diseased, unknown (no informative imaging), first_seen (first day after index on
        which disease was seen, or `FAR`); and the baseline sites, case and site, once each.
    """
    before = sites[(sites["day"] <= 0) & (sites["day"] >= -days)].drop_duplicates(["case", "site"])[["case", "site"]]
    earlier = presence[(presence["day"] <= 0) & (presence["day"] >= -days)]
    state = pd.DataFrame({"sites": np.bincount(before["case"], minlength=len(frame))})
    said = earlier.groupby("case")[["there", "gone"]].any().reindex(state.index, fill_value=False)
    state["diseased"] = said["there"] | (state["sites"] > 0)
    state["unknown"] = ~(state["diseased"] | said["gone"])
    seen = pd.concat(
        [sites.loc[sites["day"] > 0, ["case", "day"]], presence.loc[presence["there"] & (presence["day"] > 0), ["case", "day"]]]
    )
    state["first_seen"] = seen.groupby("case")["day"].min().reindex(state.index).fillna(FAR)
    return state, before


def assess(frame: pd.DataFrame, tables: dict[str, pd.DataFrame], settings: Labels, longest: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every assessment with the category that it has where it is not progression.

    Returns:
        assessments (case, day, yes, no, maybe, drawn, kind: CR/PR/SD/NED/NE), sorted; and the baseline per case.
    """
    days = assessment_days(frame, tables["timeline_progression"], settings, longest)
    sites, presence = sites_and_presence(frame, tables)
    state, before = baseline(frame, sites, presence, settings.baseline_days)
    keys = ["case", "day"]
    now = days[keys].merge(sites, on=keys).merge(before.assign(was_there=True), on=["case", "site"], how="left")
    count = now.assign(was_there=now["was_there"].eq(True)).groupby(keys)["was_there"].agg(["size", "sum"]).reset_index()
    days = days.merge(count, on=keys, how="left").merge(presence, on=keys, how="left")
    named, left = days["size"].fillna(0).to_numpy(), days["sum"].fillna(0).to_numpy()
    there, free = days["there"].eq(True).to_numpy(), days["gone"].eq(True).to_numpy() & ~days["there"].eq(True).to_numpy()
    own = state.loc[days["case"]].reset_index(drop=True)
    gone = 1 - left / own["sites"].clip(lower=1).to_numpy()
    diseased, unknown, seen = own["diseased"].to_numpy(), own["unknown"].to_numpy(), (own["first_seen"] < days["day"]).to_numpy()
    shown = there | (named > 0)
    conditions = [
        (free & (diseased | (unknown & seen)), "CR"),
        (~shown & ~diseased & ~unknown, "NED"),
        (~shown & unknown, "NE"),
        ((own["sites"] > 0).to_numpy() & (gone >= settings.partial_response_fraction - 1e-9), "PR"),
    ]
    days["kind"] = np.select([mask for mask, _ in conditions], [kind for _, kind in conditions], "SD")
    return days[["case", "day", "yes", "no", "maybe", "drawn", "kind"]], state
