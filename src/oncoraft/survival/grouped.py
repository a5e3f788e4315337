"""Several groups side by side: score groups of any number, and responders beside the others from a landmark on.

Curves of all groups begin where each is under observation and end where few of one are left; every group stays in the test, the middle ones too. The
hazard ratio of each is against the first (the highest scores; the responders). Rows are flat, so that tables and figures need no other source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from oncoraft.survival.adjusted import EVENTS_PER_COLUMN, fit_clinical, ratio_of, strata_of, subjects_of
from oncoraft.survival.assumptions import DAYS_PER_MONTH
from oncoraft.survival.coding import Coding
from oncoraft.survival.cox import fit_cox
from oncoraft.survival.cross_fitting import variance_inflation, widened
from oncoraft.survival.dispersion import dispersion
from oncoraft.survival.inputs import finite
from oncoraft.survival.records import SMALLEST_RISK_SET, curve_rows, group_curves, half_years, joined_curves, months
from oncoraft.survival.risk_sets import Array, Subjects, at_risk, log_rank_of_groups
from oncoraft.survival.tails import quantile_of

NO_RATIOS = ratio_of("", None) | ratio_of("adjusted_", None)
TABLES = ("group_tests", "groups", "survival_at", "at_risk")


class Grouped(NamedTuple):
    """Rows of each of `TABLES`, and the curves."""

    rows: dict[str, list[dict[str, Any]]]
    curves: pd.DataFrame


class Grouping(NamedTuple):
    """How cases are grouped: kind (`score`, `response`), landmark in days (null: none), codes (n,), 0 the last, and names from the first down."""

    kind: str
    landmark_days: int | None
    codes: Array
    names: tuple[str, ...]


def grouped(
    group: pd.DataFrame,
    how: Grouping,
    by: Sequence[str],
    horizons: Sequence[int],
    names: dict[str, Any],
    coding: Coding,
    known: dict[str, dict[str, Any]] | None = None,
) -> Grouped:
    """Test, ratios, curves, survival and numbers at risk of the groups.

    Args:
        group: cases with follow-up and covariates.
        how: the groups.
        by: columns that are strata of every test; the side of the first sequencing is one of the adjusted ratios.
        horizons: in months from the start of time.
        names: columns that every row begins with.
        coding: of the covariates to adjust for.
        known: the ratios of each group against the first, as `ratios` gives them, where they are known already.
    """
    subjects, strata = subjects_of(group), strata_of(group, by, sequenced=False)
    names = names | {"grouping": how.kind, "landmark_days": how.landmark_days}
    parts = {name: subjects.where(how.codes == len(how.names) - 1 - place) for place, name in enumerate(how.names)}
    parts = {name: part for name, part in parts.items() if len(part)}
    curves = group_curves(parts)
    found = ratios(group, how, strata, by, coding) if known is None else known
    test = log_rank_of_groups(subjects, how.codes, strata)
    tested: dict[str, Any] = {"groups": len(parts), "cases": len(group), "events": int(subjects.event.sum())}
    tested |= {"log_rank_chi2": finite(test.chi2), "log_rank_df": test.degrees, "log_rank_p": finite(test.p), "log_rank_q": None}
    tested |= {"trend_chi2": finite(test.trend_chi2), "trend_p": finite(test.trend_p)}
    rows: dict[str, list[dict[str, Any]]] = {"group_tests": [names | tested], "groups": [], "survival_at": [], "at_risk": []}
    reference = next(iter(parts))
    for name, part in parts.items():
        mine = names | {"score_group": name}
        curve = curves.get(name)
        lower, upper = curve.median_interval() if curve else (None, None)
        told: dict[str, Any] = {"reference": reference, "cases": len(part), "events": int(part.event.sum())}
        told |= {"delayed_entry_cases": int(np.sum(part.entry > 0)), "median_months": months(curve.median() if curve else None)}
        told |= {"median_lower": months(lower), "median_upper": months(upper)}
        told |= {"curve_from_months": months(curve.start if curve else None), "curve_to_months": months(curve.end if curve else None)}
        rows["groups"].append(mine | told | found.get(name, NO_RATIOS))
        rows["survival_at"] += [mine | row for row in survival_rows(parts, curves, name, reference, horizons)]
        rows["at_risk"] += [mine | row for row in at_risk_rows(part, max(float(one.exit.max()) for one in parts.values()))]
    return Grouped(rows, curve_rows(curves, **names))


def ratios(group: pd.DataFrame, how: Grouping, strata: Array, by: Sequence[str], coding: Coding) -> dict[str, dict[str, Any]]:
    """Hazard ratio of each group against the first, raw and beside the covariates; null where the events allow none."""
    subjects = subjects_of(group)
    others = {name: (how.codes == len(how.names) - 1 - place) for place, name in enumerate(how.names) if place}
    columns = np.column_stack([*others.values()]).astype(float)
    raw, adjusted, factors = fit_cox(subjects, columns, list(others), strata), None, {}
    if subjects.event.sum() >= EVENTS_PER_COLUMN * (len(others) + 1):
        finer = strata_of(group, by)
        base, table = fit_clinical(group, finer, coding.of(group), own=len(others))
        wider = table.assign(**{name: columns[:, place] for place, name in enumerate(others)})
        adjusted = fit_cox(subjects, wider.to_numpy(float), list(wider.columns), finer)
        # Responders are not cut by a score that others have trained.
        trained = variance_inflation(group, base.residuals, finer) if how.kind == "score" else None
        factors = {name: (trained or 1.0) * dispersion(adjusted, name, wider, subjects, finer).factor for name in others}
    return {
        name: ratio_of("", raw.hazard_ratio(name))
        | ratio_of("adjusted_", widened(adjusted.hazard_ratio(name), factors[name]) if adjusted else None)
        for name in others
    }


def survival_rows(
    parts: dict[str, Subjects], curves: dict[str, Any], name: str, reference: str, horizons: Sequence[int]
) -> list[dict[str, Any]]:
    """Survival of a group at each horizon, and the first group's less it, with intervals; null under ten at risk."""

    def told(one: str, days: float) -> tuple[float, float, float, float]:
        enough = int(at_risk(parts[one], np.array([days]))[0]) >= SMALLEST_RISK_SET
        return curves[one].estimate(days) if one in curves and enough else (float("nan"),) * 4

    rows = []
    for horizon in horizons:
        days = horizon * DAYS_PER_MONTH
        (value, lower, upper, error), (first, _, _, first_error) = told(name, days), told(reference, days)
        difference = first - value if name != reference else float("nan")
        width = quantile_of(0.95) * float(np.hypot(error, first_error))
        numbers = {"survival": value, "lower": lower, "upper": upper, "difference": difference}
        numbers |= {"difference_lower": difference - width, "difference_upper": difference + width}
        count = int(at_risk(parts[name], np.array([days]))[0])
        rows.append({"months": horizon, "at_risk": count} | {key: finite(number) for key, number in numbers.items()})
    return rows


def at_risk_rows(part: Subjects, last: float) -> list[dict[str, Any]]:
    """Half-yearly numbers at risk (entry < t <= exit) of a group, and who has entered, died and been lost by then."""
    at = half_years(last)
    days = np.array(at) * DAYS_PER_MONTH
    risk = at_risk(part, days)
    # Of who leaves on the very day the number at risk still holds them.
    left = {name: np.searchsorted(np.sort(part.exit[mask]), days, "left") for name, mask in (("e", part.event), ("c", ~part.event))}
    return [
        {"months": month, "at_risk": int(risk[row]), "events_before": int(left["e"][row]), "censored_before": int(left["c"][row])}
        for row, month in enumerate(at)
    ]


def joined(parts: Sequence[Grouped]) -> Grouped:
    """Rows and curves of several, one under the other."""
    rows: dict[str, list[dict[str, Any]]] = {name: [row for part in parts for row in part.rows[name]] for name in TABLES}
    return Grouped(rows, joined_curves([part.curves for part in parts]))
