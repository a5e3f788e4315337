"""The disease before each case and at each of its assessments, and the category that an assessment has if it is not progression.

Everything is computed once for the longest window; a label definition then picks from it. Cases are numbered by position; days
count from the index date.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.cases.regions import comparable
from oncoraft.cases.scans import FAR, assessment_days, near
from oncoraft.planning.config import Labels


def sites_and_presence(frame: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Per case and day: tumour sites named (coded), and whether imaging said that cancer is there, or is not; and the sites' names by code."""
    sites = tables["timeline_tumor_sites"][["patient_id", "start_day", "tumor_site"]].dropna().drop_duplicates()
    codes, names = pd.factorize(sites["tumor_site"])
    sites = sites.assign(site=codes)
    presence = tables["timeline_cancer_presence"][["patient_id", "start_day", "has_cancer"]]
    presence = presence.assign(there=presence["has_cancer"] == "Y", gone=presence["has_cancer"] == "N")
    presence = presence.groupby(["patient_id", "start_day"], sort=False)[["there", "gone"]].any().reset_index()
    return near(frame, sites, ["site"]), near(frame, presence, ["there", "gone"]), np.asarray(names, dtype=object)


def baseline(frame: pd.DataFrame, sites: pd.DataFrame, presence: pd.DataFrame, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The disease in the `days` before index and on it.

    Returns:
        per case (by position): sites (count), diseased, unknown (no informative imaging), first_seen (first day after index on
        which disease was seen, or `FAR`), since (first day of the baseline imaging, at most 0; 0 where there is none); and the
        baseline sites, case and site, once each.
    """
    # Both bounds included: a scan of the index day is taken before the first dose (docs/labels.md).
    before = sites[(sites["day"] <= 0) & (sites["day"] >= -days)].drop_duplicates(["case", "site"])[["case", "site"]]
    earlier = presence[(presence["day"] <= 0) & (presence["day"] >= -days)]
    state = pd.DataFrame({"sites": np.bincount(before["case"], minlength=len(frame))})
    said = earlier.groupby("case")[["there", "gone"]].any().reindex(state.index, fill_value=False)
    state["diseased"] = said["there"] | (state["sites"] > 0)
    state["unknown"] = ~(state["diseased"] | said["gone"])
    imaged = pd.concat([sites.loc[(sites["day"] <= 0) & (sites["day"] >= -days), ["case", "day"]], earlier[["case", "day"]]])
    state["since"] = imaged.groupby("case")["day"].min().reindex(state.index).fillna(0).astype(int)
    seen = pd.concat(
        [sites.loc[sites["day"] > 0, ["case", "day"]], presence.loc[presence["there"] & (presence["day"] > 0), ["case", "day"]]]
    )
    state["first_seen"] = seen.groupby("case")["day"].min().reindex(state.index).fillna(FAR)
    return state, before


def kinds(days: pd.DataFrame, state: pd.DataFrame, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Category of each assessment where it is not progression: by what its reports could show, and as reported.

    Args:
        days: assessments with size (sites named), sum (baseline sites among them), there and gone (cancer said to be there, or not),
            comparable, comparable_left, covers_trunk.
        state: baseline of each case.
        fraction: share of sites gone from which it is PR.

    Returns:
        two arrays of CR, PR, SD, NED or NE, (assessments,). By what could be shown, "no cancer" is CR only where every baseline site
        was in view (the trunk, where none was named) and the day names no site. As reported, it is CR whatever else is said.
    """
    own = state.loc[days["case"]].reset_index(drop=True)
    there = days["there"].eq(True).to_numpy()
    free, shown = days["gone"].eq(True).to_numpy() & ~there, there | (days["size"].to_numpy() > 0)
    diseased, unknown, seen = own["diseased"].to_numpy(), own["unknown"].to_numpy(), (own["first_seen"] < days["day"]).to_numpy()
    before, in_view = own["sites"].to_numpy(), days["comparable"].to_numpy()
    every = (in_view == before) & ((before > 0) | days["covers_trunk"].to_numpy()) & (days["size"].to_numpy() == 0)
    found = []
    for total, left, whole in ((in_view, days["comparable_left"].to_numpy(), every), (before, days["sum"].to_numpy(), True)):
        gone = 1 - left / np.maximum(total, 1)
        # In the order of docs/labels.md: the first that holds decides.
        conditions = [
            (free & (diseased | (unknown & seen)) & whole, "CR"),
            (~shown & ~diseased & ~unknown, "NED"),
            (~shown & unknown, "NE"),
            # A tolerance, since 1 - 9/10 is less than 0.1 in floating point.
            ((total > 0) & (gone >= fraction - 1e-9), "PR"),
        ]
        found.append(np.select([mask for mask, _ in conditions], [kind for _, kind in conditions], "SD"))
    return found[0], found[1]


def assess(frame: pd.DataFrame, tables: dict[str, pd.DataFrame], settings: Labels, longest: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every assessment with the category that it has where it is not progression.

    Returns:
        assessments (case, day, yes, no, maybe, drawn, kind, kind_as_reported: CR/PR/SD/NED/NE, in_view: whether any baseline site
        could be seen, or, where none was named, the trunk; contradicted: progression and none, cancer and none, or none and a site
        or a progression on that day), sorted; and the baseline per case.
    """
    days = assessment_days(frame, tables["timeline_progression"], settings, longest)
    sites, presence, names = sites_and_presence(frame, tables)
    state, before = baseline(frame, sites, presence, settings.baseline_days)
    keys = ["case", "day"]
    now = days[keys].merge(sites, on=keys).merge(before.assign(was_there=True), on=["case", "site"], how="left")
    count = now.assign(was_there=now["was_there"].eq(True)).groupby(keys)["was_there"].agg(["size", "sum"]).reset_index()
    days = days.merge(count, on=keys, how="left").merge(presence, on=keys, how="left").fillna({"size": 0, "sum": 0})
    before = before.assign(tumor_site=names[before["site"]])
    days = days.join(comparable(frame, days, before, sites, tables["timeline_cancer_presence"]))
    days["kind"], days["kind_as_reported"] = kinds(days, state, settings.partial_response_fraction)
    days["in_view"] = (days["comparable"] > 0) | (days["covers_trunk"] & (state["sites"].to_numpy()[days["case"]] == 0))
    there, gone = days["there"].eq(True), days["gone"].eq(True)
    days["contradicted"] = (days["yes"] & days["no"]) | (gone & (there | (days["size"] > 0) | days["yes"]))
    return days[["case", "day", "yes", "no", "maybe", "drawn", "kind", "kind_as_reported", "in_view", "contradicted"]], state
