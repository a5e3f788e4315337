"""The record of one regimen: size, the increment over the clinical covariates, raw estimates, curves, assumptions.

Hazard ratios are of the low-score against the high-score group: above 1, low scores die sooner. The published way of 2025 (median of the
evaluated set, no delayed entry, Wald test, high against low) stands beside for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.survival.adjusted import log_odds, ratio_of, subjects_of
from oncoraft.survival.assumptions import DAYS_PER_MONTH, assumption_records
from oncoraft.survival.concordance import concordance
from oncoraft.survival.cox import cox
from oncoraft.survival.curves import Curve, kaplan_meier, median_follow_up
from oncoraft.survival.inputs import finite
from oncoraft.survival.restricted_mean import restricted_mean_difference
from oncoraft.survival.risk_sets import Array, Subjects, at_risk, log_rank, observed_window
from oncoraft.survival.tails import quantile_of

# With fewer at risk, one death moves a curve by more than a tenth.
SMALLEST_RISK_SET = 10
PUBLISHED_CASES = 200  # the published analysis takes regimens of this many cases
GROUPS = ("high", "low")
LONGEST_TABLE = 21  # half-yearly columns of the numbers at risk: ten years


def months(days: float | None) -> float | None:
    """Days in months, null where there are none."""
    return None if days is None else finite(days / DAYS_PER_MONTH)


NUMBERS_OF_CURVES = ("months", "survival", "lower", "upper", "adjusted_survival", "at_risk", "event_count", "from_months", "to_months")
NAMES_OF_CURVES = ("regimen", "cancer_type", "regimen_name")
NO_CURVES = pd.DataFrame(
    {"score_group": pd.Series(dtype=object)}
    | {name: pd.Series(dtype=float) for name in NUMBERS_OF_CURVES}
    | {name: pd.Series(dtype=object) for name in NAMES_OF_CURVES}
)


def half_years(last: float) -> list[int]:
    """Months at which numbers at risk are told, up to a day of follow-up."""
    return [6 * step for step in range(int(min(last / DAYS_PER_MONTH // 6 + 1, LONGEST_TABLE)))]


def group_curves(groups: dict[str, Subjects]) -> dict[str, Curve]:
    """The curves of both groups from the time on at which both are under observation, each to where its own risk set is too small.

    None where the groups are never under observation at the same time.
    """
    together = observed_window(list(groups.values()), SMALLEST_RISK_SET)
    if together is None:
        return {}
    start = together[0]
    found = {}
    for name, subjects in groups.items():
        later = subjects.between(start, np.inf)[0]
        # Within a group the span that begins at the common start.
        grid = np.unique(np.concatenate([[start], later.entry, later.exit]))
        just_after = np.searchsorted(np.sort(later.entry), grid, "right") - np.searchsorted(np.sort(later.exit), grid, "right")
        end = float(grid[np.flatnonzero((just_after < SMALLEST_RISK_SET) & (grid > start))[0]])
        found[name] = kaplan_meier(subjects, (start, end))
    return found


def horizon_records(subjects: Subjects, low: Array, curves: dict[str, Curve], horizons: Sequence[int]) -> list[dict[str, Any]]:
    """Survival of both groups with interval, its difference and that of restricted means (high less low, months), at each horizon.

    What fewer than `SMALLEST_RISK_SET` of a group are at risk for is null.
    """
    records = []
    for horizon in horizons:
        days = horizon * DAYS_PER_MONTH
        record: dict[str, Any] = {"months": horizon}
        estimates = {}
        for name, mask in (("high", ~low), ("low", low)):
            count = int(at_risk(subjects.where(mask), np.array([days]))[0])
            shown = name in curves and count >= SMALLEST_RISK_SET
            estimates[name] = curves[name].estimate(days) if shown else (float("nan"),) * 4
            names = (name, f"{name}_lower", f"{name}_upper")
            record |= {key: finite(value) for key, value in zip(names, estimates[name])} | {f"{name}_at_risk": count}
        (high, *_, high_error), (other, *_, low_error) = estimates["high"], estimates["low"]
        width = quantile_of(0.95) * float(np.hypot(high_error, low_error))
        values = (high - other, high - other - width, high - other + width)
        record |= {key: finite(value) for key, value in zip(("difference", "difference_lower", "difference_upper"), values)}
        records.append(record | restricted_mean_record(subjects, low, days))
    return records


def restricted_mean_record(subjects: Subjects, low: Array, days: float) -> dict[str, Any]:
    """The difference of restricted means, high less low, in months, and the month from which both are counted."""
    found = restricted_mean_difference(subjects, ~low, days, SMALLEST_RISK_SET)
    lower, upper = found.interval if found else (None, None)
    return {
        "restricted_mean_difference": months(found.estimate if found else None),
        "restricted_mean_lower": months(lower),
        "restricted_mean_upper": months(upper),
        "restricted_mean_p": found.p if found else None,
        "restricted_mean_from_months": months(found.start) if found else None,
    }


def curve_records(groups: dict[str, Subjects], curves: dict[str, Curve]) -> dict[str, Any]:
    """Where the curves begin and end, medians with interval, follow-up, and numbers at risk."""
    last = max(float(subjects.exit.max()) for subjects in groups.values())
    at = half_years(last)
    record: dict[str, Any] = {"curve_from_months": months(next(iter(curves.values())).start) if curves else None}
    for name, subjects in groups.items():
        curve = curves.get(name)
        lower, upper = curve.median_interval() if curve else (None, None)
        record |= {
            f"n_{name}": len(subjects),
            f"events_{name}": int(subjects.event.sum()),
            f"median_months_{name}": months(curve.median() if curve else None),
            f"median_months_{name}_lower": months(lower),
            f"median_months_{name}_upper": months(upper),
            f"curve_to_months_{name}": months(curve.end if curve else None),
        }
    days = np.array(at) * DAYS_PER_MONTH
    record["at_risk"] = {"months": at, **{name: at_risk(subjects, days).tolist() for name, subjects in groups.items()}}
    return record


def published_record(subjects: Subjects, scores: Array) -> dict[str, float | None]:
    """The published way, high against low (below 1, high scores live longer): for comparison, not to be believed."""
    high = scores >= np.median(scores)
    found = cox(subjects.without_delayed_entry(), high) if len(scores) >= PUBLISHED_CASES else None
    return ratio_of("published_", found)


def no_ratio_reason(groups: dict[str, Subjects], low: Array, strata: Array) -> str:
    """Why there is no hazard ratio of the groups within strata, which are folds or parts of them."""
    for name, subjects in groups.items():
        if not subjects.event.any():
            return f"no event in the {name} group"
    if not np.intersect1d(strata[low], strata[~low]).size:
        return "each fold is wholly of one group: the models of the folds score on scales of their own"
    return "the groups are not at risk together, or one dies wholly before the other"


def group_record(
    group: pd.DataFrame, low: Array, strata: Array, horizons: Sequence[int], anchor: str = "index"
) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Estimates of one regimen and the curves of its two groups.

    Args:
        group: cases of the regimen with score and follow-up.
        low: which are of the low-score group.
        strata: of the raw tests, a label a case.
        horizons: in months.
        anchor: what time is counted from.
    """
    subjects = subjects_of(group)
    scores = group["score"].to_numpy(float)
    groups = {"high": subjects.where(~low), "low": subjects.where(low)}
    ratio = cox(subjects, low, strata)
    chi2, p = log_rank(subjects, low, strata)
    odds = log_odds(scores)
    ranked = concordance(subjects, -scores, strata)
    curves = group_curves(groups)
    observed = observed_window([subjects], SMALLEST_RISK_SET)
    record: dict[str, Any] = {
        "delayed_entry_cases": int(np.sum(subjects.entry > 0)),
        "censored_share": float(1 - subjects.event.mean()),
        "median_follow_up_months": months(median_follow_up(subjects, observed[0]) if observed else None),
        **ratio_of("", ratio),
        "no_ratio": None if ratio else no_ratio_reason(groups, low, strata),
        **ratio_of("per_sd_", cox(subjects, -odds / odds.std(), strata) if odds.std() > 0 else None),
        "log_rank_chi2": finite(chi2),
        "log_rank_p": finite(p),
        "log_rank_q": None,
        **ratio_of("naive_", cox(subjects.without_delayed_entry(), low, strata)),
        "concordance": ranked.estimate if ranked else None,
        "concordance_lower": ranked.interval()[0] if ranked else None,
        "concordance_upper": ranked.interval()[1] if ranked else None,
        **published_record(subjects, scores),
        **assumption_records(subjects, low, strata, (group["index_day"] < 0).to_numpy(), anchor, ratio),
        **curve_records(groups, curves),
        "survival_at": horizon_records(subjects, low, curves, horizons),
    }
    return record, curves


def curve_rows(curves: dict[str, Curve], adjusted: dict[str, Array] | None = None, **names: Any) -> pd.DataFrame:
    """Curves as rows, in months: the event times, and before them the start, at which survival is 1. Without a curve, no row.

    Args:
        curves: of each group.
        adjusted: adjusted survival at the times of each (`adjusted_curves`); None: there is none.
        names: what the group is called.
    """
    if not curves:
        return NO_CURVES
    one = list(curves.values())
    sizes = [len(curve.times) for curve in one]
    columns: dict[str, Any] = {"score_group": np.repeat(np.array(list(curves), dtype=object), sizes)}
    columns["months"] = np.concatenate([curve.times for curve in one]) / DAYS_PER_MONTH
    for name in ("survival", "lower", "upper"):
        columns[name] = np.concatenate([getattr(curve, name) for curve in one])
    columns["adjusted_survival"] = np.concatenate([adjusted[name] for name in curves]) if adjusted else np.nan
    for name, of in (("at_risk", "at_risk"), ("event_count", "events")):
        columns[name] = np.concatenate([getattr(curve, of) for curve in one])
    for name, of in (("from_months", "start"), ("to_months", "end")):
        columns[name] = np.repeat([getattr(curve, of) / DAYS_PER_MONTH for curve in one], sizes)
    return pd.DataFrame(columns | names)


def joined_curves(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Curves of several regimens; where none of them has any, a table without a row, whose readers find its columns all the same."""
    parts = [part for part in parts if not part.empty]
    return pd.concat(parts, ignore_index=True) if parts else NO_CURVES
