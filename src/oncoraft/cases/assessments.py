"""The disease before each case and at each of its assessments, and the category that an assessment has if it is not progression.

Everything is computed once for the longest window; a label definition then picks from it. Cases are numbered by position; days
count from the index date.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from oncoraft.cases.definitions import KINDS
from oncoraft.cases.regions import REGIONS, comparable, coverage
from oncoraft.cases.scans import FAR, SPAN, Near, assessment_days, firsts, near, places
from oncoraft.planning.config import Labels


class Sites(NamedTuple):
    """Tumour sites named near each case, once a day: of which case and day, the site's number (0: without a name), and the names by number."""

    near: Near
    site: np.ndarray
    names: np.ndarray

    def of_case(self) -> np.ndarray:
        """Case and site as one number."""
        return self.near.case * len(self.names) + self.site

    def where(self, mask: np.ndarray) -> Sites:
        """Some of them."""
        return Sites(self.near.where(mask), self.site[mask], self.names)


class Baseline(NamedTuple):
    """The disease in the days before each index date and on it, (cases,): sites (count), diseased, unknown (no informative imaging),
    first_seen (first day after index on which disease was seen, or `FAR`), since (first day of the baseline imaging, at most 0; 0 where
    there is none); and the baseline sites as `Sites.of_case` numbers them, once each, sorted."""

    sites: np.ndarray
    diseased: np.ndarray
    unknown: np.ndarray
    first_seen: np.ndarray
    since: np.ndarray
    before: np.ndarray


class Assessments(NamedTuple):
    """Every assessment, sorted by case and day, with the category (number of `KINDS`) that it has where it is not progression.

    in_view: whether any baseline site could be seen, or, where none was named, the trunk. contradicted: progression and none, cancer
    and none, or none and a site or a progression on that day.
    """

    case: np.ndarray
    day: np.ndarray
    yes: np.ndarray
    no: np.ndarray
    maybe: np.ndarray
    drawn: np.ndarray
    kind: np.ndarray
    kind_as_reported: np.ndarray
    in_view: np.ndarray
    contradicted: np.ndarray


def sites_near(frame: pd.DataFrame, named: pd.DataFrame) -> Sites:
    """Sites of timeline_tumor_sites near each case."""
    codes, names = pd.factorize(named["tumor_site"])
    key = named["patient_id"].to_numpy() * SPAN + named["start_day"].to_numpy(dtype=np.int64)
    order = np.lexsort((codes, key))
    order = order[firsts(key[order], codes[order])]
    found = near(frame, named.iloc[order])
    return Sites(found, codes[order][found.row] + 1, np.asarray(["", *names], dtype=object))


def baseline(frame: pd.DataFrame, sites: Sites, said: Near, there: np.ndarray, gone: np.ndarray, days: int) -> Baseline:
    """The disease in the `days` before index and on it.

    Args:
        frame: cases by position.
        sites: named sites.
        said: days on which imaging said whether there is cancer.
        there, gone: whether it said so, or that there is none.
        days: of the baseline.
    """
    size = len(frame)
    # Both bounds included: a scan of the index day is taken before the first dose (docs/labels.md).
    early, earlier = ((one.day <= 0) & (one.day >= -days) for one in (sites.near, said))
    before = np.unique(sites.of_case()[early])
    count = np.bincount(before // len(sites.names), minlength=size)
    diseased = (np.bincount(said.case[earlier & there], minlength=size) > 0) | (count > 0)
    unknown = ~(diseased | (np.bincount(said.case[earlier & gone], minlength=size) > 0))
    since, first_seen = np.zeros(size, dtype=np.int64), np.full(size, FAR)
    for one, imaged, seen in ((sites.near, early, sites.near.day > 0), (said, earlier, there & (said.day > 0))):
        np.minimum.at(since, one.case[imaged], one.day[imaged])
        np.minimum.at(first_seen, one.case[seen], one.day[seen])
    return Baseline(count, diseased, unknown, first_seen, since, before)


def kinds(days: pd.DataFrame, state: Baseline, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Category of each assessment where it is not progression: by what its reports could show, and as reported.

    Args:
        days: assessments with named (sites), left (baseline sites among them), there and gone (cancer said to be there, or not),
            comparable, comparable_left, covers_trunk.
        state: baseline of each case.
        fraction: share of sites gone from which it is PR.

    Returns:
        two arrays of numbers of `KINDS`, (assessments,). By what could be shown, "no cancer" is CR only where every baseline site
        was in view (the trunk, where none was named) and the day names no site. As reported, it is CR whatever else is said.
    """
    case, day, named = (days[name].to_numpy() for name in ("case", "day", "named"))
    there = days["there"].to_numpy()
    free, shown = days["gone"].to_numpy() & ~there, there | (named > 0)
    diseased, unknown, seen, before = state.diseased[case], state.unknown[case], state.first_seen[case] < day, state.sites[case]
    in_view = days["comparable"].to_numpy()
    every = (in_view == before) & ((before > 0) | days["covers_trunk"].to_numpy()) & (named == 0)
    found = []
    for total, left, whole in ((in_view, days["comparable_left"].to_numpy(), every), (before, days["left"].to_numpy(), True)):
        gone = 1 - left / np.maximum(total, 1)
        # In the order of docs/labels.md: the first that holds decides.
        conditions = [
            (free & (diseased | (unknown & seen)) & whole, "CR"),
            (~shown & ~diseased & ~unknown, "NED"),
            (~shown & unknown, "NE"),
            # A tolerance, since 1 - 9/10 is less than 0.1 in floating point.
            ((total > 0) & (gone >= fraction - 1e-9), "PR"),
        ]
        found.append(np.select([mask for mask, _ in conditions], [KINDS.index(kind) for _, kind in conditions], KINDS.index("SD")))
    return found[0], found[1]


def assess(
    frame: pd.DataFrame, tables: dict[str, pd.DataFrame], sites: Sites, settings: Labels, longest: int
) -> tuple[Assessments, Baseline]:
    """Every assessment with the category that it has where it is not progression, and the baseline of each case.

    Args:
        frame: from `scans.case_frame`.
        tables: numbered, with `drawn` beside each progression.
        sites: from `sites_near`.
        settings: windows in days.
        longest: window in days.
    """
    days = assessment_days(frame, tables["timeline_progression"], settings, longest)
    sites = sites.where(sites.site > 0)
    presence = coverage(tables["timeline_cancer_presence"])
    said = near(frame, presence)
    there, gone = (presence[name].to_numpy()[said.row] for name in ("there", "gone"))
    state = baseline(frame, sites, said, there, gone, settings.baseline_days)
    key = Near(days["case"].to_numpy(), days.index.to_numpy(), days["day"].to_numpy()).key
    on, told = places(sites.near.key, key), places(key, said.key)
    # Behind the last is what a day without a report is taken to say: nothing, of everything.
    days["there"], days["gone"] = np.append(there, False)[told], np.append(gone, False)[told]
    covers = np.append(presence[list(REGIONS)].to_numpy()[said.row], np.ones((1, len(REGIONS)), dtype=bool), axis=0)[told]
    was_there = places(sites.of_case(), state.before) >= 0
    days["named"], days["left"] = (np.bincount(on[mask], minlength=len(days)) for mask in (on >= 0, (on >= 0) & was_there))
    named = on[on >= 0] * len(sites.names) + sites.site[on >= 0]
    days = days.join(comparable(days["case"].to_numpy(), covers, state.before, named, sites.names))
    kind, kind_as_reported = kinds(days, state, settings.partial_response_fraction)
    in_view = (days["comparable"] > 0) | (days["covers_trunk"] & (state.sites[days["case"]] == 0))
    contradicted = (days["yes"] & days["no"]) | (days["gone"] & (days["there"] | (days["named"] > 0) | days["yes"]))
    case, day, yes, no, maybe, drawn = (days[name].to_numpy() for name in ("case", "day", "yes", "no", "maybe", "drawn"))
    told_of = Assessments(case, day, yes, no, maybe, drawn, kind, kind_as_reported, in_view.to_numpy(), contradicted.to_numpy())
    return told_of, state
