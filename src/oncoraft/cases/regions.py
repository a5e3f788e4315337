"""Which baseline sites an assessment could have shown: a scan of the head says nothing of the liver.

A report states the body regions that it covers. Reports without a stated region, days without such a report, and PET (which the
source does not flag for chest and abdomen) are taken to cover everything. Sites without a home (bone, lymph nodes, other) count as
covered by any scan of the trunk.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.cases.scans import by_day, places

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
    """What the reports of each patient's day say together, once a day and sorted: patient_id, start_day, whether there is cancer (there,
    gone), and the regions that they cover, one column each."""
    said = presence["has_cancer"]
    flags = presence.reindex(columns=[*REGIONS]).eq(True).to_numpy(dtype=bool)
    everything = ~flags.any(axis=1)
    if "procedure_type" in presence:
        everything |= (presence["procedure_type"] == "PET").to_numpy(dtype=bool)
    covered = {name: flags[:, number] | everything for number, name in enumerate(REGIONS)}
    return by_day(presence, {"there": (said == "Y").to_numpy(dtype=bool), "gone": (said == "N").to_numpy(dtype=bool), **covered})


def comparable(case: np.ndarray, covers: np.ndarray, before: np.ndarray, named: np.ndarray, names: np.ndarray) -> pd.DataFrame:
    """Baseline sites of each assessment that its reports could have shown, and how many of them are still named.

    Args:
        case: of each assessment, (assessments,).
        covers: regions that its reports cover, (assessments, regions).
        before: baseline sites, sorted: case times number of sites, and the site.
        named: sites that are named on the day of an assessment, sorted: assessment times number of sites, and the site.
        names: of sites by number.

    Returns:
        a row an assessment: comparable (count), comparable_left (count), covers_trunk (bool).
    """
    size = len(names)
    home = np.array([[region in HOME.get(str(name), TRUNK) for region in REGIONS] for name in names])
    first = np.searchsorted(before, case * size)
    own = np.searchsorted(before, (case + 1) * size) - first
    # Every assessment with each baseline site of its case.
    row = np.repeat(np.arange(len(case)), own)
    site = before[np.repeat(first - np.cumsum(own) + own, own) + np.arange(len(row))] % size
    shown = (covers[row] & home[site]).any(axis=1)
    row, site = row[shown], site[shown]
    left = row[places(row * size + site, named) >= 0]
    counts = {name: np.bincount(rows, minlength=len(case)) for name, rows in (("comparable", row), ("comparable_left", left))}
    return pd.DataFrame({**counts, "covers_trunk": covers[:, [REGIONS.index(name) for name in TRUNK]].any(axis=1)})
