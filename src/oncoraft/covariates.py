"""Clinical covariates of each case at its index date, as the baselines and the adjusted survival models use them.

They are read from the evidence, so that nothing enters that a prompt could not show; words are the evidence's own, never reworded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

UNKNOWN = "unknown"
NUMBERS = ("age", "ecog", "line", "prior_lines", "days_since_imaging", "n_sites", "disease_extent")
WORDS = ("sex", "stage", "setting", "cancer_type", "drug_class", "last_progression", "cancer_present")
FIELD_OF_WORD = {"sex": "sex", "stage": "stage", "last_progression": "progression", "cancer_present": "cancer_presence"}
# Words of the tumour sites in the evidence -> column. What is none of these counts in `n_sites` alone.
SITES = {
    "site_liver": "liver",
    "site_bone": "bone",
    "site_brain": "cns/brain",
    "site_lung": "lung",
    "site_pleura": "pleura",
    "site_nodes": "lymph nodes",
    "site_peritoneum": "intra-abdominal",
    "site_adrenal": "adrenal glands",
    "site_reproductive": "reproductive organs",
}
ORGAN_SITES = ("site_liver", "site_bone", "site_brain", "site_lung", "site_pleura", "site_peritoneum", "site_adrenal")
COVARIATES = (*NUMBERS, *WORDS, *SITES)
RECENT_DAYS = 90  # how long a tumour site stays in the evidence; imaging within it tells of a site that is not named
ADVANCED = r"(?i)iv|4"
# Bounds are those of the evidence's bands of ten years: no other division can be told from it.
AGE_BANDS = ([-np.inf, 50, 60, 70, np.inf], ["under 50", "50 to 59", "60 to 69", "70 or over"])
LATEST_LINE = 4
FEW_LEVELS = 12  # a number of more values than these is summarised by its quartiles


def clinical_covariates(cases: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Cases with their covariates at index; of repeated kinds the closest record counts.

    `age` (years, middle of the band told), `ecog` (0 to 4), `line` (within its setting), `prior_lines` (of all settings); `sex`,
    `stage`, `setting`; `last_progression` ("yes", "no": the last decided verdict), `cancer_present` likewise, `days_since_imaging` (since the
    later of the two); `n_sites` and `site_…` (0 or 1): sites seen in the last 90 days; `disease_extent` (0 to 3): how many of stage
    IV, a positive last verdict and an organ site hold (the lung is none in lung cancer, where it is the organ of origin).

    Args:
        cases: cases.parquet, one row a case.
        evidence: evidence.parquet: one row a statement.

    Returns:
        The cases in their order with the columns of `COVARIATES`. Numbers are nan and words "unknown" where nothing was known; sites
        are nan where the evidence holds no imaging of the last 90 days, since what was not looked at is not absent.
    """
    needed = evidence[evidence["field"].isin([*FIELD_OF_WORD.values(), "age_at_index", "ecog"])]
    ordered = needed.sort_values(["days_before_index", "order"], kind="stable")
    closest = ordered.drop_duplicates(["case_id", "field"]).pivot(index="case_id", columns="field", values=["value", "days_before_index"])

    def told(field: str, what: str = "value") -> pd.Series:
        known = closest[(what, field)] if (what, field) in closest.columns else pd.Series(dtype=object)
        return known.reindex(cases["case_id"]).set_axis(cases.index)

    found = {name: told(field).fillna(UNKNOWN) for name, field in FIELD_OF_WORD.items()}
    line = cases["line_of_therapy"].astype(float)
    days = pd.concat([told(field, "days_before_index") for field in ("progression", "cancer_presence")], axis=1).astype(float).min(axis=1)
    joined = cases.assign(
        **found,
        age=pd.to_numeric(told("age_at_index"), errors="coerce"),
        ecog=pd.to_numeric(told("ecog"), errors="coerce"),
        line=line,
        prior_lines=(cases["line_overall"].astype(float) if "line_overall" in cases else line) - 1,
        setting=cases["setting"].fillna(UNKNOWN) if "setting" in cases else UNKNOWN,
        days_since_imaging=days,
        **tumor_sites(cases, evidence, imaged=days <= RECENT_DAYS),
    )
    return joined.assign(disease_extent=disease_extent(joined))


def line_level(line: pd.Series) -> pd.Series:
    """Lines of therapy, whole numbers, as words; from `LATEST_LINE` on as one."""
    words = line.astype(int).astype(str)
    return words.where(line < LATEST_LINE, f"{LATEST_LINE} or later")


def tumor_sites(cases: pd.DataFrame, evidence: pd.DataFrame, imaged: pd.Series) -> pd.DataFrame:
    """Number of sites of disease and one column a kind of site, in the order of the cases; nan where nothing was imaged of late."""
    rows = evidence[evidence["field"] == "tumor_sites"]
    site = rows["value"].str.removesuffix(" disease").str.lower()
    # Of each case a site once. A cross table, for what is a count, would take many times as long.
    seen = pd.DataFrame({"case_id": rows["case_id"], "site": site}).dropna().drop_duplicates()
    count = seen["case_id"].value_counts().reindex(cases["case_id"]).set_axis(cases.index)
    columns = {"n_sites": count} | {name: cases["case_id"].isin(seen.loc[seen["site"] == word, "case_id"]) for name, word in SITES.items()}
    table = pd.DataFrame(columns, index=cases.index).astype(float).fillna(0.0)
    return table.where(imaged | count.notna())


def disease_extent(joined: pd.DataFrame) -> pd.Series:
    """How many of stage IV, a positive last verdict and an organ site hold, 0 to 3; nan where none of the three is known."""
    sites = joined[list(ORGAN_SITES)]
    sites = sites.assign(site_lung=sites["site_lung"].where(~joined["cancer_type"].str.contains("Lung"), 0 * sites["site_lung"]))
    parts = [
        joined["stage"].str.contains(ADVANCED, regex=True).astype(float).where(joined["stage"] != UNKNOWN),
        joined["last_progression"].eq("yes").astype(float).where(joined["last_progression"] != UNKNOWN),
        sites.max(axis=1),
    ]
    return pd.concat(parts, axis=1).sum(axis=1, min_count=1)


def covariate_report(frame: pd.DataFrame, intended: Sequence[str]) -> list[dict[str, Any]]:
    """What became of each intended covariate, so that none vanishes unsaid.

    Args:
        frame: from `clinical_covariates`, or a part of it.
        intended: names of columns.

    Returns:
        A record each: covariate, state ("used", "constant" where every known value is the same, "missing" where none is known or there
        is no such column), n (known), unknown, levels ({value: cases}; quartiles in place of many numbers).
    """
    records = []
    for name in intended:
        known = frame[name].dropna() if name in frame else pd.Series(dtype=float)
        counts = Counter(known.tolist())
        unknown = len(frame) - len(known) + counts.pop(UNKNOWN, 0)
        state = "used" if len(counts) > 1 else "constant" if counts else "missing"
        levels = _levels(counts, pd.api.types.is_numeric_dtype(known))
        records.append({"covariate": name, "state": state, "n": len(frame) - unknown, "unknown": unknown, "levels": levels})
    return records


def _levels(counts: Counter[Any], is_numeric: bool) -> dict[str, float]:
    """Cases by value, or the quartiles where there are many numbers."""
    if is_numeric and len(counts) > FEW_LEVELS:
        known = np.array(list(counts.elements()), dtype=float)
        return dict(zip(("lower_quartile", "median", "upper_quartile"), np.quantile(known, (0.25, 0.5, 0.75)).tolist()))
    return {f"{value:g}" if isinstance(value, float) else str(value): counts[value] for value in sorted(counts)}
