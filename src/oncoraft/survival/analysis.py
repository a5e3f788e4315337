"""One endpoint, regimen by regimen: the records that are shown, those skipped with their reason, and every group's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from oncoraft.planning.config import Survival
from oncoraft.survival.adjusted import INTENDED, design, gain, strata_of, subjects_of
from oncoraft.survival.adjusted_curves import adjusted_survival
from oncoraft.survival.assumptions import DAYS_PER_MONTH
from oncoraft.survival.bootstrap import Groups, bootstrap_record, patient_weights
from oncoraft.survival.coding import Coding, Columns
from oncoraft.survival.comparators import comparator_records, within_extent
from oncoraft.survival.endpoints import at_landmark
from oncoraft.survival.grouped import Grouped, Grouping, grouped, joined
from oncoraft.survival.groups import first_use, group_names, low_score, score_groups
from oncoraft.survival.pooled import pooled
from oncoraft.survival.records import curve_rows, group_record, joined_curves, months
from oncoraft.survival.risk_sets import Array, false_discovery

POOLED = {"adjusted_": "adjusted", "adjusted_per_sd_": "adjusted_per_sd", "": "raw"}
RESPONSE = ("response", "no response")
NONE_LEFT_OUT = {"over_before_landmark": 0, "label_unknown_at_landmark": 0}
RATIO = ("hazard_ratio", "lower", "upper", "wald_p")
ADJUSTED_RATIO = ("adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper", "adjusted_p")


@dataclass
class Analysis:
    """Records shown and skipped, curves of high and low scores, and rows of the groups."""

    shown: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    curves: list[pd.DataFrame] = field(default_factory=list)
    groups: list[Grouped] = field(default_factory=list)


def intended_of(settings: Survival) -> Sequence[str]:
    """The covariates to adjust for, first what few events admit first."""
    return INTENDED if settings.covariates is None else settings.covariates


def names_of(group: pd.DataFrame, by: list[str]) -> dict[str, str]:
    """What a group is called."""
    names = {key: str(group[key].iloc[0]) if key in by else "all" for key in ("regimen", "cancer_type")}
    return names | {"regimen_name": str(group["regimen_name"].iloc[0]) if "regimen" in by else "All regimens"}


def skipped_reason(group: pd.DataFrame, low: Array, settings: Survival) -> str | None:
    """Why a group is not shown, or None."""
    if group["score"].nunique() == 1 and group["event"].sum() >= settings.minimum_events_shown:
        return "all scores are equal"
    return too_small(group, [low, ~low], settings, "a score group")


def too_small(group: pd.DataFrame, parts: Sequence[Array], settings: Survival, what: str = "a group") -> str | None:
    """Why groups are too small to compare, or None."""
    smallest = min(int(part.sum()) for part in parts)
    if group["event"].sum() < settings.minimum_events_shown:
        return f"fewer than {settings.minimum_events_shown} events"
    return f"{what} has {smallest} cases, fewer than {settings.minimum_group}" if smallest < settings.minimum_group else None


def resampled(
    group: pd.DataFrame, record: dict[str, Any], low: Array, strata: Array, by: list[str], settings: Survival, columns: Columns
) -> dict[str, Any] | None:
    """Bootstrap intervals of a record, in months; null where none are asked for or the adjusted ratio has no estimate."""
    if not settings.bootstrap or record["adjusted_hazard_ratio"] is None:
        return None
    name = f"{record['cancer_type']}|{record['regimen']}"  # each regimen has draws of its own, whatever the others are
    draw = np.random.default_rng([settings.seed, crc32(name.encode())])
    weights = patient_weights(group["patient_id"].to_numpy(), settings.bootstrap, draw)
    table = design(group, columns)[record["adjusted_for"]].to_numpy(float)
    groups = Groups(low, strata, strata_of(group, by), min(settings.horizons_months) * DAYS_PER_MONTH)
    found = bootstrap_record(subjects_of(group), -group["score"].to_numpy(float), table, groups, weights)
    return found | {f"restricted_mean_{limit}": months(found[f"restricted_mean_{limit}"]) for limit in ("lower", "upper")}


def analyse(frame: pd.DataFrame, by: list[str], settings: Survival, endpoint: str) -> Analysis:
    """Every group of one endpoint.

    Args:
        frame: cases under observation (`endpoints.observe`).
        by: columns that make the groups: cancer_type, and regimen or not.
        settings: of the stage.
        endpoint: its name.
    """
    used, found = first_use(frame, by), Analysis()
    coding = Coding(used, intended_of(settings))
    within = [] if "regimen" in by else ["regimen"]  # a group of many regimens is compared within each
    of_type = dict(list(used.groupby("cancer_type")))
    for _, group in used.groupby(by, sort=True):
        wider = [of_type[group["cancer_type"].iloc[0]], used]
        analyse_group(group, wider, by, within, settings, endpoint, coding, found)
    tested = [record for record in found.shown if record["is_tested"]]
    for p, q in (("likelihood_ratio_p", "q"), ("log_rank_p", "log_rank_q")):
        discover(tested, p, q)
    discover([row for one in found.groups for row in one.rows["group_tests"] if row["is_tested"]], "log_rank_p", "log_rank_q")
    found.shown.sort(key=lambda record: (-record["events"], record["cancer_type"], record["regimen"]))
    return found


def discover(rows: list[dict[str, Any]], p: str, q: str) -> None:
    """Fill in q over the rows that have a p."""
    values = np.array([row[p] for row in rows], dtype=float)  # null becomes nan, which is of no family
    for row, value in zip(rows, false_discovery(values)):
        row[q] = None if np.isnan(value) else float(value)


def analyse_group(
    group: pd.DataFrame,
    wider: list[pd.DataFrame],
    by: list[str],
    within: list[str],
    settings: Survival,
    endpoint: str,
    coding: Coding,
    found: Analysis,
) -> None:
    """One group: its record, or why it is skipped, and the rows of its score groups."""
    names = names_of(group, by)
    is_halves = isinstance(settings.groups, str) or len(settings.groups) > 1
    low = low_score(group, *wider) if is_halves else score_groups(group, by=settings.groups) == 0
    events = int(group["event"].sum())
    record: dict[str, Any] = {**names, "cases": len(group), "patients": group["patient_id"].nunique(), "events": events}
    if reason := skipped_reason(group, low, settings):
        found.skipped.append({**record, "reason": reason})
        return
    # Raw tests are stratified by fold alone; the side of the first sequencing is a stratum of the adjusted ones (`adjusted`).
    strata = strata_of(group, ["fold", *within], sequenced=False)
    told, own = group_record(group, low, strata, settings.horizons_months, settings.anchor)
    # What the covariates are and how others separate is told once, of the headline.
    is_headline = endpoint == settings.endpoints[0]
    columns = coding.of(group)
    increment = gain(group, low, ["fold", *within], intended_of(settings), columns, states=is_headline)
    is_tested = events >= settings.minimum_events and increment["likelihood_ratio_p"] is not None
    record |= {"is_tested": is_tested, "is_underpowered": events < settings.powered_events, "q": None}
    record |= increment | told | within_extent(group, low, strata)
    record["bootstrap"] = resampled(group, record, low, strata, ["fold", *within], settings, columns)
    found.shown.append(record | {"comparators": comparator_records(group, wider, strata) if is_headline else []})
    table = design(group, columns)[increment["adjusted_for"]]
    found.curves.append(curve_rows(own, adjusted_survival(group, low, own, table), **names))
    order = group_names(settings.groups)
    halves = {"low": {name: record[name] for name in (*RATIO, *ADJUSTED_RATIO)}} if len(order) == 2 else None
    codes = np.where(low, 0, 1) if halves else score_groups(group, *wider, by=settings.groups)
    how = Grouping("score", None, codes, order)
    found.groups.append(
        shown_groups(group, how, within, settings, {"endpoint": endpoint, "anchor": settings.anchor, **names}, coding, known=halves)
    )


def shown_groups(
    group: pd.DataFrame,
    how: Grouping,
    within: list[str],
    settings: Survival,
    names: dict[str, Any],
    coding: Coding,
    left_out: dict[str, int] = NONE_LEFT_OUT,
    known: dict[str, dict[str, Any]] | None = None,
) -> Grouped:
    """Rows of several groups; of groups that are too small to compare, the reason alone."""
    parts = [how.codes == code for code in range(len(how.names))]
    reason = too_small(group, parts, settings)
    if reason:
        told = names | {"grouping": how.kind, "landmark_days": how.landmark_days, "groups": len(how.names), "cases": len(group)}
        told |= {"events": int(group["event"].sum())} | left_out | {"is_tested": False, "not_compared": reason}
        return Grouped({"group_tests": [told], "groups": [], "survival_at": [], "at_risk": []}, curve_rows({}))
    found = grouped(group, how, ["fold", *within], settings.horizons_months, names, coding, known)
    for row in found.rows["group_tests"]:
        row |= left_out | {"is_tested": row["events"] >= settings.minimum_events, "not_compared": None}
    return found


def landmark_groups(frame: pd.DataFrame, by: list[str], settings: Survival, endpoint: str) -> list[Grouped]:
    """Score groups and, where asked for, responders and others among those event-free at each landmark, with time counted from it.

    Args:
        frame: cases with follow-up from the index date; with responder and label_day (`inputs.read_response`) where response is asked for.
        by, settings, endpoint: as for `analyse`.
    """
    if not settings.landmarks:
        return []
    used, found = first_use(frame, by), []
    coding = Coding(used, intended_of(settings))
    within = [] if "regimen" in by else ["regimen"]
    of_type = dict(list(used.groupby("cancer_type")))
    for landmark in settings.landmarks:
        of_score, of_response = [], []
        for _, group in used.groupby(by, sort=True):
            wider = [of_type[group["cancer_type"].iloc[0]], used]
            names = {"endpoint": endpoint, "anchor": "landmark", **names_of(group, by)}
            codes = score_groups(group, *wider, by=settings.groups)
            kept, over = at_landmark(group.assign(code=codes), landmark)
            how = Grouping("score", landmark, kept["code"].to_numpy(), group_names(settings.groups))
            of_score.append(shown_groups(kept, how, within, settings, names, coding, NONE_LEFT_OUT | {"over_before_landmark": over}))
            if settings.response_label is not None:
                # A label that a later scan decides is not known at the landmark: to use it would look ahead.
                known = kept[kept["responder"].notna() & (kept["label_day"] <= landmark)]
                how = Grouping("response", landmark, known["responder"].astype(int).to_numpy(), RESPONSE)
                left = {"over_before_landmark": over, "label_unknown_at_landmark": len(kept) - len(known)}
                of_response.append(shown_groups(known, how, within, settings, names, coding, left))
        for family in (of_score, of_response):
            discover([row for one in family for row in one.rows["group_tests"] if row["is_tested"]], "log_rank_p", "log_rank_q")
        found += of_score + of_response
    return found


def summary_of(shown: list[dict[str, Any]]) -> dict[str, Any]:
    """Random effects over the tested regimens: adjusted, adjusted per standard deviation, and raw; null for fewer than three."""
    summary: dict[str, Any] = {}
    for prefix, name in POOLED.items():
        limits = [[row[f"{prefix}{key}"] for key in ("hazard_ratio", "lower", "upper")] for row in shown if row["is_tested"]]
        known = np.log(np.array([row for row in limits if None not in row], dtype=float).reshape(-1, 3))
        # A standard error from the limits, which lie 1.96 of them to either side (95 %).
        summary[name] = pooled(known[:, 0], (known[:, 2] - known[:, 1]) / (2 * 1.959963984540054))
    return summary


@dataclass(frozen=True)
class EndpointResult:
    """All of one endpoint: what survival.json holds of it, curves of high and low scores, rows of the groups."""

    record: dict[str, Any]
    curves: pd.DataFrame
    groups: Grouped


def analyse_endpoint(
    endpoint: str, observed: pd.DataFrame, from_index: pd.DataFrame, settings: Survival, counts: dict[str, int]
) -> EndpointResult:
    """Regimens and cancer types of one endpoint.

    Args:
        endpoint: its name.
        observed: cases with follow-up from the anchor.
        from_index: from the index date, for the landmarks.
        settings: of the stage.
        counts: what is known already of cases left out.
    """
    levels = [["cancer_type", "regimen"], ["cancer_type"]]
    regimens, cancer_types = (analyse(observed, by, settings, endpoint) for by in levels)
    at_landmarks = [one for by in levels for one in landmark_groups(from_index, by, settings, endpoint)]
    shown, skipped = regimens.shown, regimens.skipped
    tested = sum(record["is_tested"] for record in shown)
    told = {"attempted": len(shown) + len(skipped), "shown": len(shown), "tested": tested, "skipped": len(skipped)} | counts
    record = {"endpoint": endpoint, "anchor": settings.anchor, "counts": told, "summary": summary_of(shown), "regimens": shown}
    record |= {"skipped": skipped, "cancer_types": cancer_types.shown, "cancer_types_skipped": cancer_types.skipped}
    curves = joined_curves([*regimens.curves, *cancer_types.curves])
    return EndpointResult(record, curves, joined([*regimens.groups, *cancer_types.groups, *at_landmarks]))
