"""Results of all endpoints as flat tables: a row a regimen, a group, a horizon or a point, each with its endpoint, so that a reader needs no nesting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from oncoraft.survival.analysis import EndpointResult
from oncoraft.survival.grouped import TABLES, joined

NESTED = ["at_risk", "survival_at", "covariates", "comparators", "hazard_ratio_by_period", "bootstrap", "shape"]
OF_CURVES = (
    "endpoint",
    "anchor",
    "cancer_type",
    "regimen",
    "regimen_name",
    "grouping",
    "landmark_days",
    "score_group",
    "months",
    "survival",
)
COUNTED = {
    "cases_without_prediction": "without a prediction",
    "cases_without_follow_up": "without follow-up of the endpoint: no record, never assessed, or over before observation began",
    "cases_without_anchor": "without a day of diagnosis to count from",
    "cases_over_before_anchor": "over before the day that time is counted from",
    "cases": "under observation",
    "cases_after_the_first_use": "of those a later use of the same regimen by the same patient, left out",
    "cases_analysed": "analysed",
}
NAMES = ["endpoint", "anchor", "cancer_type", "regimen", "regimen_name"]


def regimen_table(record: dict[str, Any]) -> pd.DataFrame:
    """Plain fields of the regimens of one endpoint."""
    return pd.DataFrame(record["regimens"]).drop(columns=NESTED, errors="ignore")


def rows_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Regimens, cancer types and what is skipped of one endpoint; the latter with the reason."""
    named = {"endpoint": record["endpoint"], "anchor": record["anchor"]}
    shown = [*record["regimens"], *record["cancer_types"]]
    skipped = [*record["skipped"], *record["cancer_types_skipped"]]
    return [
        named | row for row in [*({"not_shown": None} | row for row in shown), *({"not_shown": row["reason"]} | row for row in skipped)]
    ]


def flat_tables(results: Sequence[EndpointResult]) -> dict[str, pd.DataFrame]:
    """The tables by name: endpoints, counts, shape, periods, and those of `grouped.TABLES`."""
    rows = [row for one in results for row in rows_of(one.record)]
    tables = {"endpoints": pd.DataFrame(rows).drop(columns=[*NESTED, "reason"], errors="ignore")}
    counts = [
        {"endpoint": one.record["endpoint"], "anchor": one.record["anchor"], "what": text, "cases": one.record["counts"][key]}
        | {
            "events": one.record["counts"]["events"]
            if key == "cases"
            else one.record["counts"]["events_analysed"]
            if key == "cases_analysed"
            else None
        }
        for one in results
        for key, text in COUNTED.items()
    ]
    tables["counts"] = pd.DataFrame(counts).astype({"events": "Int64"})
    for name, key in (("shape", "shape"), ("periods", "hazard_ratio_by_period")):
        inner = [{column: row[column] for column in NAMES} | point for row in rows for point in row.get(key) or ()]
        tables[name] = pd.DataFrame(inner, columns=None if inner else NAMES)
    groups = joined([one.groups for one in results])
    for name in TABLES:
        part = groups.rows[name]
        tables[name] = pd.DataFrame(part, columns=None if part else [*NAMES, "grouping", "landmark_days"])
        tables[name] = tables[name].astype({"landmark_days": "Int64"})
    return tables


def all_curves(results: Sequence[EndpointResult]) -> pd.DataFrame:
    """Curves of every endpoint, grouping and landmark."""
    curves = joined([one.groups for one in results]).curves.drop(columns="adjusted_survival")
    for name in OF_CURVES:
        if name not in curves:
            curves = curves.assign(**{name: None})
    rest = [name for name in curves if name not in OF_CURVES]
    return curves[[*OF_CURVES, *rest]].astype({"landmark_days": "Int64"})
