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

from oncoraft.cases.definitions import PUBLISHED_DAYS, PUBLISHED_LONG_CLASSES, PUBLISHED_LONG_DAYS
from oncoraft.cases.scans import near


def published_windows(frame: pd.DataFrame) -> np.ndarray:
    """Last day of each case's window, (cases,) in days from index."""
    is_long = {name: any(part in PUBLISHED_LONG_CLASSES for part in name.split(" + ")) for name in frame["drug_class"].unique()}
    return np.where(frame["drug_class"].map(is_long), PUBLISHED_LONG_DAYS, PUBLISHED_DAYS)


def counts_of(frame: pd.DataFrame, tables: dict[str, pd.DataFrame], end: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the rule counts, per case by position, and the days with an informative read in the window (case, day)."""
    size = len(frame)
    progression = tables["timeline_progression"]
    reads = near(frame, progression, ["progression", "nlp_progression_probability"])
    sites = tables["timeline_tumor_sites"][["patient_id", "start_day", "tumor_site"]].drop_duplicates()
    sites = near(frame, sites.assign(site=pd.factorize(sites["tumor_site"])[0]), ["site"])
    patients = frame["patient_id"]
    state = pd.DataFrame(
        {"recorded": patients.isin(progression["patient_id"]) & patients.isin(tables["timeline_tumor_sites"]["patient_id"])}
    )
    reads = reads[(reads["day"] >= 0) & (reads["day"] <= end[reads["case"]])]
    before = sites[sites["day"] < 0].drop_duplicates(["case", "site"])[["case", "site"]]
    during = sites[(sites["day"] >= 0) & (sites["day"] <= end[sites["case"]])].drop_duplicates(["case", "site"])[["case", "site"]]
    yes, no = reads[reads["progression"] == "Y"], reads[reads["progression"] == "N"]
    likely = yes[yes["nlp_progression_probability"] > 0.7]
    rows = {
        "before": before,
        "during": during,
        "kept": during.merge(before, on=["case", "site"]),
        "yes": yes,
        "no": no,
        "sure": yes[yes["nlp_progression_probability"] > 0.95],
        "likely": likely,
    }
    for name, found in rows.items():
        state[name] = np.bincount(found["case"], minlength=size)
    by_case = likely.groupby("case").agg(top=("nlp_progression_probability", "max"), first=("day", "min"), last=("day", "max"))
    return state.join(by_case), pd.concat([yes, no])[["case", "day"]].drop_duplicates().sort_values(["case", "day"])


def published(frame: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Categories by the published rule.

    Returns:
        per case by position: category, reason, window_start_days, window_end_days, is_baseline_unknown; and the scans, case and day.
    """
    end = published_windows(frame)
    state, scans = counts_of(frame, tables, end)
    repeated = (state["likely"] >= 2) & ((state["top"] > 0.8) | (state["last"] - state["first"] >= 28))
    new_site = state["during"] > state["kept"]
    vanished = (state["before"] > 0) & (state["during"] == 0)
    shrunk = (state["before"] > 0) & (state["during"] > 0) & (state["during"] <= 0.7 * state["before"]) & (state["likely"] == 0)
    conditions = [
        (~state["recorded"], "NE", "no site or no progression record at any time"),
        ((state["sure"] > 0) | repeated | new_site, "PD", "progression read or a new site"),
        (vanished & (state["yes"] > 0), "SD", "sites gone but a progression read"),
        (vanished & (state["no"] == 0), "PR", "sites gone, no informative read"),
        (vanished, "CR", "sites gone, all reads without progression"),
        (shrunk, "PR", "at most 70 % of the sites"),
    ]
    masks = [mask.to_numpy() for mask, _, _ in conditions]
    result = pd.DataFrame(
        {
            "category": np.select(masks, [category for _, category, _ in conditions], "SD"),
            "reason": np.select(masks, [reason for _, _, reason in conditions], "otherwise"),
            "window_start_days": 0,
            "window_end_days": end,
            "is_baseline_unknown": (state["before"] == 0).to_numpy(),
        }
    )
    return result, scans
