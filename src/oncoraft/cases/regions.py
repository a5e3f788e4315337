"""Which baseline sites an assessment could have shown: a scan of the head says nothing of the liver.

A report states the body regions that it covers. Reports without a stated region, days without such a report, and PET (which the
source does not flag for chest and abdomen) are taken to cover everything. Sites without a home (bone, lymph nodes, other) count as
covered by any scan of the trunk.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.cases.scans import near

REGIONS = ("chest", "abdomen", "pelvis", "head", "other")
TRUNK = ("chest", "abdomen", "pelvis")
HOME = {
    "Lung": ("chest",),
    "Pleura": ("chest",),
    "Liver": ("abdomen",),
    "Adrenal Glands": ("abdomen",),
    "Intra-Abdominal": ("abdomen",),
    "Reproductive Organs": ("pelvis",),
    "CNS/Brain": ("head",),
}


def coverage(presence: pd.DataFrame) -> pd.DataFrame:
    """Regions that the reports of each patient's day cover together: patient_id, start_day, one column a region."""
    flags = presence.reindex(columns=[*REGIONS]).eq(True)
    everything = ~flags.any(axis=1)
    if "procedure_type" in presence:
        everything |= presence["procedure_type"] == "PET"
    flags = flags.mask(everything, True)
    keys = presence[["patient_id", "start_day"]]
    return pd.concat([keys, flags], axis=1).groupby(["patient_id", "start_day"], sort=False)[list(REGIONS)].any().reset_index()


def comparable(frame: pd.DataFrame, days: pd.DataFrame, before: pd.DataFrame, sites: pd.DataFrame, presence: pd.DataFrame) -> pd.DataFrame:
    """Baseline sites of each assessment that its reports could have shown, and how many of them are still named.

    Args:
        frame: cases by position.
        days: assessments: case, day.
        before: baseline sites: case, site (code), tumor_site.
        sites: sites named: case, day, site.
        presence: cancer_presence with its region flags.

    Returns:
        aligned with `days`: comparable (count), comparable_left (count), covers_trunk (bool).
    """
    keys = ["case", "day"]
    covered = days[keys].merge(near(frame, coverage(presence), list(REGIONS)), on=keys, how="left")
    # A day without a report that states its regions is taken to cover everything.
    covered[list(REGIONS)] = covered[list(REGIONS)].astype("boolean").fillna(True).astype(bool)
    trunk = covered[list(TRUNK)].any(axis=1).to_numpy()
    pairs = covered.merge(before, on="case")
    shown = np.zeros(len(pairs), dtype=bool)
    for name, rows in pairs.groupby("tumor_site").indices.items():
        shown[rows] = pairs[list(HOME.get(str(name), TRUNK))].to_numpy()[rows].any(axis=1)
    pairs = pairs[shown].merge(sites.assign(named=True), on=[*keys, "site"], how="left")
    pairs["named"] = pairs["named"].eq(True)
    found = pairs.groupby(keys)["named"].agg(["size", "sum"]).reset_index()
    joined = days[keys].merge(found, on=keys, how="left").fillna({"size": 0, "sum": 0})
    counts = {"comparable": joined["size"].to_numpy(int), "comparable_left": joined["sum"].to_numpy(int)}
    return pd.DataFrame({**counts, "covers_trunk": trunk}, index=days.index)
