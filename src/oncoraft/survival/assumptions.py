"""What a hazard ratio assumes, and what stands beside it where that fails.

Proportional hazards: where the ratio changes with time, the ratios by period are given. Entry that tells nothing of the hazard: the entry
time's own ratio, in words where it is not 1, the ratio adjusted for entry time, and that of the cases whose index date is not before the
first sequencing, who enter at once and need no such assumption.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oncoraft.survival.adjusted import ratio_of
from oncoraft.survival.cox import HazardRatio, cox, fit_cox
from oncoraft.survival.proportional import proportional_hazards
from oncoraft.survival.risk_sets import Array, Subjects

# 365.25 / 12, for what people read; the source's own months become days at ingest (`cohort.checks`).
DAYS_PER_MONTH = 30.4375
FAILS = 0.05  # p below which an assumption has a consequence
PERIODS_MONTHS = ((0, 6), (6, 12), (12, None))


def period_records(subjects: Subjects, low: Array, strata: Array) -> list[dict[str, Any]]:
    """Hazard ratios of low against high within periods of follow-up."""
    records = []
    for first, last in PERIODS_MONTHS:
        part, inside = subjects.between(first * DAYS_PER_MONTH, np.inf if last is None else last * DAYS_PER_MONTH)
        found = cox(part, low[inside], strata[inside]) if len(part) else None
        records.append({"from_months": first, "to_months": last, "events": int(part.event.sum()), **ratio_of("", found)})
    return records


ENTERING = {"index": "later sequencing", "diagnosis": "later treatment or sequencing", "sequencing": "later treatment"}  # by anchor


def entry_note(ratio: float, p: float, anchor: str = "index") -> str | None:
    """What dependence of the hazard on the time of entry means, in words; None where none is seen."""
    if p >= FAILS:
        return None
    direction = "higher" if ratio > 1 else "lower"
    return (
        f"{ENTERING[anchor]} goes with a {direction} hazard ({ratio:.2f} times a month, p {p:.2g}): entry is not independent of survival, "
        "so that curves and the ratio may be biased; see the ratio adjusted for entry and that of cases sequenced by their index date"
    )


def entry_records(subjects: Subjects, low: Array, strata: Array, late: Array | None = None, anchor: str = "index") -> dict[str, Any]:
    """Whether entry depends on the hazard, and the ratio of low against high with that taken into account.

    Args:
        subjects, low, strata: follow-up, who is of the low-score group, a label a case.
        late: whose index date lies before the first sequencing; None: who enters late, as where time is counted from the index date.
        anchor: what time is counted from.
    """
    late = subjects.entry > 0 if late is None else late
    months = subjects.entry / DAYS_PER_MONTH
    entry = cox(subjects, months, strata)
    joint = fit_cox(subjects, np.column_stack([late, months, low]), ["late", "months", "low"], strata)
    early = ~late
    restricted = cox(subjects.where(early), low[early], strata[early]) if early.any() else None
    return {
        "entry_time_hazard_ratio": entry.ratio if entry else None,
        "entry_time_p": entry.p if entry else None,
        "entry_time_note": entry_note(entry.ratio, entry.p, anchor) if entry else None,
        **ratio_of("entry_adjusted_", joint.hazard_ratio("low")),
        **ratio_of("restricted_", restricted),
        "restricted_cases": int(early.sum()),
        "restricted_events": int(subjects.event[early].sum()),
    }


def assumption_records(
    subjects: Subjects, low: Array, strata: Array, late: Array | None = None, anchor: str = "index", ratio: HazardRatio | None = None
) -> dict[str, Any]:
    """Both assumptions of the hazard ratio of low against high; arguments as for `entry_records`, and the ratio, if it is known."""
    ratio = ratio or cox(subjects, low, strata)
    tests = {name: proportional_hazards(subjects, low, strata, name, ratio) for name in ("km", "identity")}
    p = {name: found[1] if found else None for name, found in tests.items()}
    fails = p["km"] is not None and p["km"] < FAILS
    return {
        "proportional_hazards_p": p["km"],
        "proportional_hazards_identity_p": p["identity"],
        "is_proportional": None if p["km"] is None else not fails,
        "hazard_ratio_by_period": period_records(subjects, low, strata) if fails else [],
        **entry_records(subjects, low, strata, late, anchor),
    }
