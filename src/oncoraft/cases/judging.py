"""The strict rule and its variants, case by case: which scan decides, what is said where none does, and local treatment before it.

What is judged here are the assessments of `assessments.assess`; scores and flags are put to the categories by `labels.labelled`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from oncoraft.cases.assessments import Assessments, Baseline
from oncoraft.cases.definitions import KINDS, Definition
from oncoraft.cases.scans import FAR, Near

OUT = "local treatment between baseline and the deciding scan"
OF_SCAN = {
    "PD": "progression on the deciding scan",
    "CR": "no cancer on imaging, disease seen before",
    "PR": "sites seen before index are gone",
    "SD": "no progression, sites remain",
    "NED": "no disease before or at the assessment",
    "NE": "never imaged before index and no disease at the assessment",
}
LOCAL_WORDS = ("", "surgery", "radiation", "surgery, radiation")


class Local(NamedTuple):
    """Days with local treatment near each case, sorted by case and day, and on which there was surgery and radiation."""

    near: Near
    surgery: np.ndarray
    radiation: np.ndarray


class Judged(NamedTuple):
    """Labels by one definition, (cases,): category (number of `KINDS`), reason (number of `reasons`), end of the window (day),
    is_baseline_unknown, local treatment (number of `LOCAL_WORDS`), is_contradicted; and the scans that they rest on, case and day."""

    category: np.ndarray
    reason: np.ndarray
    reasons: list[str]
    end: np.ndarray
    unknown: np.ndarray
    local: np.ndarray
    contradicted: np.ndarray
    case: np.ndarray
    day: np.ndarray


def deciding(found: Assessments, end: np.ndarray, rule: Definition) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The assessment that decides each case, and those that this rests on.

    Args:
        found: from `assessments.assess`.
        end: last day of each case's window, (cases,).
        rule: which reads count, and which of them decide.

    Returns:
        position of the assessment, (cases,), -1 where there is none; category of each assessment, (assessments,), number of `KINDS`;
        positions of the scans used, sorted.
    """
    more = {"progression": found.maybe, "drawn": found.drawn}.get(rule.indeterminate, np.zeros(len(found.case), dtype=bool))
    counts = found.yes | found.no
    if rule.indeterminate != "exclude":
        counts = counts | found.maybe
    if not rule.as_reported:
        counts = counts & (found.yes | more | found.in_view)
    category = np.where(found.yes | more, KINDS.index("PD"), found.kind_as_reported if rule.as_reported else found.kind)
    used = np.flatnonzero(counts & (found.day <= end[found.case]))
    best = np.full(len(end), -1)
    # Of several assignments to a case the last stays. Assessments are sorted: the earliest decides, of scans of one category if any may.
    order = used if rule.scans == "first" else used[np.argsort(category[used], kind="stable")]
    best[found.case[order[::-1]]] = order[::-1]
    return best, category, np.sort(best[best >= 0]) if rule.scans == "first" else used


def local_between(first: np.ndarray, last: np.ndarray, local: Local) -> np.ndarray:
    """Which local treatment each case had in [first, last] (days from index, nan: none asked for): numbers of `LOCAL_WORDS`, (cases,)."""
    case, day = local.near.case, local.near.day
    inside = (day >= first[case]) & (day <= last[case])
    had = [np.bincount(case[inside & kind], minlength=len(first)) > 0 for kind in (local.surgery, local.radiation)]
    return had[0] + 2 * had[1]


def local_since(local: Local, cases: int) -> np.ndarray:
    """First day with local treatment from index on, or `FAR`, (cases,)."""
    begins = np.full(cases, FAR)
    since = local.near.where(local.near.day >= 0)
    np.minimum.at(begins, since.case, since.day)
    return begins


def reasons_of_none(
    frame: pd.DataFrame, found: Assessments, none: np.ndarray, end: np.ndarray, nominal: np.ndarray, ends: np.ndarray, rule: Definition
) -> list[tuple[np.ndarray, str, str]]:
    """Why no scan decided, in the order in which it is asked: mask, category, reason.

    Args:
        frame: from `scans.case_frame`.
        found: from `assessments.assess`.
        none: whether no scan decided, (cases,).
        end, nominal: last day of the window as it was cut, and as configured, (cases,).
        ends: last day before local treatment, where the rule stops there, or `FAR`, (cases,).
        rule: what death and a new regimen before any scan are.
    """
    to_end, to_next, died = (frame[name].to_numpy() for name in ("to_end", "to_next", "died"))
    # A death after the next regimen began, or after what ends the window, is not of this one.
    dies = none & died & (to_end >= 0) & (to_end <= nominal) & (to_end <= np.minimum(to_next, ends))
    switches = none & (to_next < np.minimum(np.minimum(nominal, to_end), ends))
    inside = found.day <= end[found.case]
    only_maybe, blind = (
        none & (np.bincount(found.case[inside & mask], minlength=len(frame)) > 0) for mask in (found.maybe, found.yes | found.no)
    )
    return [
        # Where nobody was ever read, deaths alone would be judged, and every label would be PD.
        (none & ~frame["has_verdicts"].to_numpy(), "NE", "the study has no progression timeline"),
        (none & ~frame["is_end_known"].to_numpy(), "NE", "the end of follow-up is not recorded"),
        (none & (to_end < 0), "NE", "the regimen starts after the end of follow-up"),
        (dies, "PD" if rule.death == "progression" else "NE", "died in the window before any assessment"),
        (switches & (rule.switch == "progression"), "PD", "next regimen before any assessment"),
        (blind, "NE", "no scan in the window could show the disease of before"),
        (only_maybe, "NE", "only indeterminate scans in the window"),
        (switches, "NE", "next regimen before any assessment"),
        (none & (ends < np.minimum(nominal, to_end)), "NE", "local treatment before any assessment"),
        (none & (to_end < nominal), "NE", "follow-up ends before any assessment"),
        (none, "NE", "no scan in the window"),
    ]


def judge(frame: pd.DataFrame, found: Assessments, state: Baseline, local: Local, rule: Definition) -> Judged:
    """Labels by a variant of the strict rule.

    Args:
        frame: from `scans.case_frame`, with has_verdicts.
        found, state: from `assessments.assess`.
        local: local treatment near each case.
        rule: the variant.
    """
    nominal = frame["nominal_days"].to_numpy() if rule.window_days is None else np.full(len(frame), float(rule.window_days))
    # The day after the first baseline imaging, since what was treated by then is not in it; never imaged: the index day.
    first = np.minimum(state.since + 1, 0)
    ends = local_since(local, len(frame)) - 1 if rule.local == "censor" else np.full(len(frame), FAR)
    end = np.clip(np.minimum.reduce([nominal, frame["to_end"].to_numpy(), frame["to_next"].to_numpy(), ends]), 0, None)
    best, of_scan, used = deciding(found, end, rule)
    none = best < 0
    conditions = reasons_of_none(frame, found, none, end, nominal, ends, rule)
    number = np.select([mask for mask, _, _ in conditions], np.arange(len(conditions)).tolist(), 0)
    reasons = [*(reason for _, _, reason in conditions), *(OF_SCAN[kind] for kind in KINDS), OUT]
    # What is appended stands at the position -1, of cases without a scan.
    kind = np.append(of_scan, 0)[best]
    category = np.where(none, np.array([KINDS.index(kind) for _, kind, _ in conditions])[number], kind)
    reason = np.where(none, number, len(conditions) + kind)
    between = local_between(first, np.append(found.day.astype(float), np.nan)[best], local)
    if rule.local == "exclude":
        out = ~none & (between > 0)
        category[out], reason[out] = KINDS.index("NE"), len(reasons) - 1
    contradicted = np.append(found.contradicted, False)[best]
    return Judged(category, reason, reasons, end, state.unknown, between, contradicted, found.case[used], found.day[used])
