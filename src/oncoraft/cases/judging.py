"""The strict rule and its variants, case by case: which scan decides, what is said where none does, and local treatment before it.

What is judged here are the assessments of `assessments.assess`; scores and flags are put to the categories by `labels.finish`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.cases.definitions import Definition
from oncoraft.cases.scans import FAR

LOCAL = "local treatment between baseline and the deciding scan"
BEST_FIRST = ("CR", "PR", "SD", "NED", "NE")
OF_SCAN = {
    "PD": "progression on the deciding scan",
    "CR": "no cancer on imaging, disease seen before",
    "PR": "sites seen before index are gone",
    "SD": "no progression, sites remain",
    "NED": "no disease before or at the assessment",
    "NE": "never imaged before index and no disease at the assessment",
}


def deciding(assessments: pd.DataFrame, end: np.ndarray, rule: Definition) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The category of each case that has an assessment, and the scans that it rests on.

    Args:
        assessments: from `scans.assess`.
        end: last day of each case's window, (cases,).
        rule: which reads count, and which of them decide.

    Returns:
        indexed by case: category, day (of the scan that decides), contradicted; and case, day of the scans used, sorted.
    """
    yes, no, maybe = (assessments[name].to_numpy() for name in ("yes", "no", "maybe"))
    counts = yes | no if rule.indeterminate == "exclude" else yes | no | maybe
    more = {"progression": maybe, "drawn": assessments["drawn"].to_numpy()}.get(rule.indeterminate, False)
    if not rule.as_reported:
        counts &= yes | more | assessments["in_view"].to_numpy()
    category = np.where(yes | more, "PD", assessments["kind_as_reported" if rule.as_reported else "kind"])
    inside = counts & (assessments["day"].to_numpy() <= end[assessments["case"]])
    used = assessments.loc[inside, ["case", "day", "contradicted"]].assign(category=category[inside])
    if rule.scans == "first":
        # Assessments come sorted by case and day, so that the first one stays.
        used = used.drop_duplicates("case")
        return used.set_index("case"), used[["case", "day"]]
    rank = used["category"].map({name: number for number, name in enumerate(("PD", *BEST_FIRST))})
    # Stable: of scans of one category the earliest decides.
    best = used.assign(rank=rank).sort_values(["case", "rank"], kind="stable").drop_duplicates("case")
    return best.set_index("case")[["category", "day", "contradicted"]], used[["case", "day"]]


def local_between(first: np.ndarray, last: np.ndarray, local: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Which local treatment each case had in [first, last] (days from index, nan: none asked for), and its first day from index on.

    Args:
        first, last: (cases,).
        local: case, day, surgery, radiation; sorted by case and day.

    Returns:
        words ("", "surgery", "radiation", "surgery, radiation"), (cases,); days or `FAR`, (cases,).
    """
    case, day = local["case"].to_numpy(), local["day"].to_numpy()
    inside = (day >= first[case]) & (day <= last[case])
    had = [np.bincount(case[inside & local[kind].to_numpy()], minlength=len(first)) > 0 for kind in ("surgery", "radiation")]
    words = np.select([had[0] & had[1], had[0], had[1]], ["surgery, radiation", "surgery", "radiation"], "")
    since = local[day >= 0].drop_duplicates("case")
    begins = np.full(len(first), FAR)
    begins[since["case"]] = since["day"]
    return words, begins


def reasons_of_none(
    frame: pd.DataFrame,
    assessments: pd.DataFrame,
    none: np.ndarray,
    end: np.ndarray,
    nominal: np.ndarray,
    ends: np.ndarray,
    rule: Definition,
) -> list[tuple[np.ndarray, str, str]]:
    """Why no scan decided, in the order in which it is asked: mask, category, reason.

    Args:
        frame: from `scans.case_frame`.
        assessments: from `assessments.assess`.
        none: whether no scan decided, (cases,).
        end, nominal: last day of the window as it was cut, and as configured, (cases,).
        ends: last day before local treatment, where the rule stops there, or `FAR`, (cases,).
        rule: what death and a new regimen before any scan are.
    """
    to_end, to_next, died = (frame[name].to_numpy() for name in ("to_end", "to_next", "died"))
    # A death after the next regimen began, or after what ends the window, is not of this one.
    dies = none & died & (to_end >= 0) & (to_end <= nominal) & (to_end <= np.minimum(to_next, ends))
    switches = none & (to_next < np.minimum(np.minimum(nominal, to_end), ends))
    inside = assessments["day"].to_numpy() <= end[assessments["case"]]
    case, maybe = assessments["case"].to_numpy(), assessments["maybe"].to_numpy()
    informative = (assessments["yes"] | assessments["no"]).to_numpy()
    only_maybe, blind = (none & (np.bincount(case[inside & mask], minlength=len(frame)) > 0) for mask in (maybe, informative))
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


def judge(
    frame: pd.DataFrame, assessments: pd.DataFrame, state: pd.DataFrame, local: pd.DataFrame, rule: Definition, lag: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels by a variant of the strict rule.

    Returns:
        per case by position: category, reason, window_start_days, window_end_days, is_baseline_unknown, local_treatment_between,
        is_contradicted; and the scans, case and day.
    """
    nominal = frame["nominal_days"].to_numpy() if rule.window_days is None else np.full(len(frame), float(rule.window_days))
    # The day after the first baseline imaging, since what was treated by then is not in it; never imaged: the index day.
    first = np.minimum(state["since"].to_numpy() + 1, 0)
    ends = local_between(first, first, local)[1] - 1 if rule.local == "censor" else np.full(len(frame), FAR)
    end = np.clip(np.minimum.reduce([nominal, frame["to_end"].to_numpy(), frame["to_next"].to_numpy(), ends]), 0, None)
    found, scans = deciding(assessments, end, rule)
    found = found.reindex(range(len(frame)))
    category, none = found["category"], found["category"].isna().to_numpy()
    conditions = reasons_of_none(frame, assessments, none, end, nominal, ends, rule)
    masks = [mask for mask, _, _ in conditions]
    result = pd.DataFrame({"category": np.select(masks, [kind for _, kind, _ in conditions], "")})
    result["category"] = result["category"].where(none, category)
    result["reason"] = pd.Series(np.select(masks, [reason for _, _, reason in conditions], "")).where(
        none, pd.Series(category).map(OF_SCAN)
    )
    result["local_treatment_between"] = local_between(first, found["day"].to_numpy(dtype=float), local)[0]
    if rule.local == "exclude":
        out = ~none & (result["local_treatment_between"] != "")
        result["category"], result["reason"] = result["category"].mask(out, "NE"), result["reason"].mask(out, LOCAL)
    contradicted = found["contradicted"].eq(True).to_numpy()
    result = result.assign(window_start_days=lag + 1, window_end_days=end, is_baseline_unknown=state["unknown"].to_numpy())
    return result.assign(is_contradicted=contradicted), scans
