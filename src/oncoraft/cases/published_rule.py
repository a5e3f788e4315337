"""The response rule of the published code, its gaps included, for comparison: definition `oncoraft`.

56 days from the start (84 for hormone, immuno and investigational agents), both ends included, whatever happens after. Baseline
is every site ever recorded before the start. In order: no site or no progression record at any time, not evaluable; progression
where a Y is surer than 0.95, or two Y surer than 0.7 of which one is surer than 0.8 or that lie 28 days apart, or a site is new;
sites before and none in the window: SD if any Y, PR if no informative read, CR otherwise; at most 70 % as many sites and no Y
surer than 0.7: PR; otherwise SD. So no scan at all is a response, a first scan is progression, and death does not count.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.cases.assessments import Baseline, Sites
from oncoraft.cases.definitions import KINDS, PUBLISHED_DAYS, PUBLISHED_LONG_CLASSES, PUBLISHED_LONG_DAYS
from oncoraft.cases.judging import Judged, Local, local_between
from oncoraft.cases.scans import FAR, SPAN, near


def published_windows(frame: pd.DataFrame) -> np.ndarray:
    """Last day of each case's window, (cases,) in days from index."""
    is_long = {name: any(part in PUBLISHED_LONG_CLASSES for part in name.split(" + ")) for name in frame["drug_class"].unique()}
    return np.where(frame["drug_class"].map(is_long), PUBLISHED_LONG_DAYS, PUBLISHED_DAYS)


def counts_of(
    frame: pd.DataFrame, tables: dict[str, pd.DataFrame], sites: Sites, end: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What the rule counts, (cases,), and the days with an informative read in the window, case and day as one number, sorted."""
    size, progression = len(frame), tables["timeline_progression"]
    said = progression["progression"]
    yes, no = ((said == word).to_numpy(dtype=bool) for word in ("Y", "N"))
    reads = near(frame, progression)
    reads = reads.where((reads.day >= 0) & (reads.day <= end[reads.case]) & (yes | no)[reads.row])
    chance, yes, no = progression["nlp_progression_probability"].to_numpy(dtype=float)[reads.row], yes[reads.row], no[reads.row]
    likely = yes & (chance > 0.7)
    of_case, case, day = sites.of_case(), sites.near.case, sites.near.day
    before = np.unique(of_case[day < 0])
    during = np.unique(of_case[(day >= 0) & (day <= end[case])])
    kept = during[np.isin(during, before, assume_unique=True)]
    found: dict[str, np.ndarray] = {}
    for name, pairs in (("before", before), ("during", during), ("kept", kept)):
        found[name] = np.bincount(pairs // len(sites.names), minlength=size)
    for name, mask in (("yes", yes), ("no", no), ("sure", yes & (chance > 0.95)), ("likely", likely)):
        found[name] = np.bincount(reads.case[mask], minlength=size)
    found |= {"top": np.zeros(size), "first": np.full(size, FAR), "last": np.zeros(size)}
    np.maximum.at(found["top"], reads.case[likely], chance[likely])
    np.minimum.at(found["first"], reads.case[likely], reads.day[likely])
    np.maximum.at(found["last"], reads.case[likely], reads.day[likely])
    people = frame["patient_id"].to_numpy()
    told = (np.bincount(tables[f"timeline_{name}"]["patient_id"], minlength=size)[people] > 0 for name in ("progression", "tumor_sites"))
    found["recorded"] = np.logical_and(*told)
    return found, np.unique(reads.key)


def published(frame: pd.DataFrame, tables: dict[str, pd.DataFrame], sites: Sites, state: Baseline, local: Local) -> Judged:
    """Labels by the published rule.

    Args:
        frame: from `scans.case_frame`.
        tables: numbered.
        sites: from `assessments.sites_near`.
        state: from `assessments.assess`: when imaging of the baseline began.
        local: local treatment near each case.
    """
    end = published_windows(frame)
    count, scans = counts_of(frame, tables, sites, end)
    repeated = (count["likely"] >= 2) & ((count["top"] > 0.8) | (count["last"] - count["first"] >= 28))
    new_site = count["during"] > count["kept"]
    vanished = (count["before"] > 0) & (count["during"] == 0)
    shrunk = (count["before"] > 0) & (count["during"] > 0) & (count["during"] <= 0.7 * count["before"]) & (count["likely"] == 0)
    conditions = [
        (~count["recorded"], "NE", "no site or no progression record at any time"),
        ((count["sure"] > 0) | repeated | new_site, "PD", "progression read or a new site"),
        (vanished & (count["yes"] > 0), "SD", "sites gone but a progression read"),
        (vanished & (count["no"] == 0), "PR", "sites gone, no informative read"),
        (vanished, "CR", "sites gone, all reads without progression"),
        (shrunk, "PR", "at most 70 % of the sites"),
        (np.ones(len(frame), dtype=bool), "SD", "otherwise"),
    ]
    number = np.select([mask for mask, _, _ in conditions], np.arange(len(conditions)).tolist())
    category = np.array([KINDS.index(kind) for _, kind, _ in conditions])[number]
    between = local_between(np.minimum(state.since + 1, 0), end, local)
    nothing = np.zeros(len(frame), dtype=bool)  # no single day decides, so none contradicts itself
    reasons = [reason for _, _, reason in conditions]
    return Judged(category, number, reasons, end, count["before"] == 0, between, nothing, scans // SPAN, scans % SPAN)
