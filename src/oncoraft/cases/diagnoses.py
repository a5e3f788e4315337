"""Which cancer a treatment is for: of the diagnoses known when it starts, the one that its agent, and those given with it, are usual for.

A patient may have several cancers, and the registry knows only those that were sequenced. So treatment that begins more than
`diagnosis_grace_days` before the first diagnosis is for another or an unknown cancer, and so is an agent that no known cancer of the
patient is treated with; both are set aside and counted. Where several known cancers remain, what is usual decides (FOLFOX is given for the
colon, not for the prostate), then the later diagnosis. A cancer type that is sequenced but not registered is known from its
sequencing on; the first one sequenced is taken to be known always, behind any that was registered by then, and the case is flagged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from oncoraft.knowledge.cancers import cancer_of, indications, is_unusual_for, named_cancers
from oncoraft.knowledge.clinical_tables import CANCER_TYPES
from oncoraft.knowledge.drug_rows import are_for

ALWAYS = -(10**9)  # days: before anything
TOGETHER = 7  # days between the starts of agents that are one treatment
OTHER = "Other Cancer"
# Codes of cancer registries (NAACCR): 88 not applicable, 99 unknown, OC an occult tumour.
UNKNOWN_STAGE = ("", "88", "99", "UNK", "9", "Occu", "OC", "OCCULT")
STAGED = r"localized|regional|in situ"
COLUMNS = {
    "timeline_diagnosis": [
        "patient_id", "start_day", "dx_description", "ajcc", "clinical_group", "path_group", "stage_cdm_derived", "summary",
    ],
}  # fmt: skip


def stages(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether each registered diagnosis is told to be stage 4 or distant (`is_distant`), and whether it is told not to be (`is_local`).

    "Stage 1-3" is the registry's word for an unknown stage too, so it counts only beside a known group or summary.
    """
    words = {name: rows[name].astype("string").fillna("").str.strip() for name in COLUMNS["timeline_diagnosis"][3:]}
    groups = [words[name] for name in ("ajcc", "clinical_group", "path_group")]
    summary = words["summary"].str.lower()
    distant = (words["stage_cdm_derived"] == "Stage 4") | summary.str.startswith("distant")
    for group in groups:
        distant |= group.str.match(r"(?:IV|4)")
    told = summary.str.contains(STAGED)
    for group in groups:
        told |= ~group.isin(UNKNOWN_STAGE)
    return pd.DataFrame({"is_distant": distant.astype(bool), "is_local": (told & ~distant).astype(bool)}, index=rows.index)


def known_cancers(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every cancer of every patient and the day from which it is known.

    Args:
        tables: timeline_diagnosis, timeline_specimen, clinical_sample.

    Returns:
        patient_id, cancer_type, day, told_day (registered or sequenced), is_registered, is_distant, is_local; sorted by patient, day
        and type, a day and type once. A diagnosis whose site no table knows, or of a patient whose sequenced cancer the table has no word for, is the sequenced one.
    """
    rows = tables["timeline_diagnosis"][COLUMNS["timeline_diagnosis"]].reset_index(drop=True)
    named = {text: cancer_of(text) for text in rows["dx_description"].dropna().unique()}
    registered = rows[["patient_id"]].assign(cancer_type=rows["dx_description"].map(named).astype(object), day=rows["start_day"])
    specimens = tables["timeline_specimen"][["patient_id", "start_day", "sample_id"]]
    specimens = specimens.merge(tables["clinical_sample"][["sample_id", "cancer_type"]].dropna(), on="sample_id")
    specimens = specimens.sort_values(["patient_id", "start_day", "sample_id"]).drop_duplicates(["patient_id", "cancer_type"])
    pairs = pd.MultiIndex.from_frame(registered[["patient_id", "cancer_type"]])
    unmatched = specimens[~pd.MultiIndex.from_frame(specimens[["patient_id", "cancer_type"]]).isin(pairs)]
    adopted = registered["patient_id"].map(unmatched.drop_duplicates("patient_id").set_index("patient_id")["cancer_type"])
    foreign = adopted.notna() & ~adopted.isin(named_cancers())
    registered["cancer_type"] = registered["cancer_type"].mask(registered["cancer_type"].isna() | foreign, adopted).fillna(OTHER)
    registered = pd.concat([registered.assign(told_day=registered["day"], is_registered=True), stages(rows)], axis=1)
    # Anew: a registered cancer may have adopted the type of a sequenced one.
    pairs = pd.MultiIndex.from_frame(registered[["patient_id", "cancer_type"]])
    sampled = specimens[~pd.MultiIndex.from_frame(specimens[["patient_id", "cancer_type"]]).isin(pairs)]
    is_first = sampled["sample_id"].isin(specimens.drop_duplicates("patient_id")["sample_id"])
    sampled = sampled.assign(day=sampled["start_day"].mask(is_first, ALWAYS), told_day=sampled["start_day"], is_registered=False)
    sampled = sampled[["patient_id", "cancer_type", "day", "told_day", "is_registered"]]
    found = pd.concat([registered, sampled.assign(is_distant=False, is_local=False)], ignore_index=True)
    found = found.sort_values(["patient_id", "day", "cancer_type", "is_distant", "is_local"], kind="stable")
    return (
        found.drop_duplicates(["patient_id", "day", "cancer_type"], keep="last")
        .astype({"day": "int64", "told_day": "int64"})
        .reset_index(drop=True)
    )


def cohort_cancers(tables: dict[str, pd.DataFrame]) -> frozenset[str]:
    """Cancer types of which cases are made: those of the study's layout, and what the sample table names beside."""
    return frozenset(CANCER_TYPES).union(tables["clinical_sample"]["cancer_type"].dropna())


def attribute(
    intervals: pd.DataFrame, cancers: pd.DataFrame, grace: int, of_cohort: Iterable[str], for_any: Collection[str] = ()
) -> tuple[pd.Series, pd.Series]:
    """The cancer that each agent interval is for, or why it is for none of the cohort.

    Args:
        intervals: patient_id, start_day, stop_day, agent; a unique index.
        cancers: from `known_cancers`.
        grace: days by which treatment may precede its diagnosis.
        of_cohort: cancer types of which cases are made.
        for_any: agents that are taken to treat every cancer, whatever the tables say.

    Returns:
        aligned with `intervals`: cancer type (null where there is none), and the reason ("" where there is one): `no_cancer` (nothing
        is known of the patient), `before_diagnosis`, `other_cancer` (no known cancer is treated with the agent, or it is none of the
        cohort).
    """
    rows = intervals[["patient_id", "start_day", "stop_day", "agent"]].assign(row=np.arange(len(intervals)))
    pairs = rows.merge(cancers[["patient_id", "cancer_type", "day"]], on="patient_id")
    pairs = pairs[pairs["day"] <= pairs["start_day"] + grace]
    known = np.zeros(len(rows), dtype=bool)
    known[pairs["row"]] = True
    good = pairs["agent"].isin(list(for_any)) | are_for(pairs["agent"], pairs["cancer_type"])
    # Of two that were diagnosed on one day the last by name, whatever the order of the rows.
    order = ["row", "usual", "support", "day", "cancer_type"]
    best = with_support(pairs[good], rows).sort_values(order, kind="stable").drop_duplicates("row", keep="last")
    cancer = pd.Series(None, index=np.arange(len(rows)), dtype=object)
    cancer.loc[best["row"]] = best["cancer_type"].to_numpy()
    of_nobody = ~rows["patient_id"].isin(cancers["patient_id"]).to_numpy()
    outside = (cancer.isna() | ~cancer.isin(list(of_cohort))).to_numpy()
    reason = np.select([of_nobody, ~known, outside], ["no_cancer", "before_diagnosis", "other_cancer"], "")
    return cancer.where(reason == "").set_axis(intervals.index), pd.Series(reason, index=intervals.index)


def with_support(pairs: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Agent intervals paired with the cancers that they may be for, and how well each fits.

    Args:
        pairs: row, patient_id, start_day, agent, cancer_type.
        rows: all intervals: patient_id, start_day, stop_day, agent.

    Returns:
        `pairs` with usual (whether the agent is not known to be given for others), and support: how many agents that run on its first
        day, or start within `TOGETHER` days of it, are; agents of one cancer alone say nothing of those beside them. Where an interval
        has one cancer only, both are 0.
    """
    found = pairs.assign(usual=False, support=0)
    several = pairs["row"].map(pairs.groupby("row")["cancer_type"].nunique()).gt(1)
    if not several.any():
        return found
    mine = pairs[several]
    kinds = mine[["agent", "cancer_type"]].drop_duplicates()
    others = rows.loc[
        rows["patient_id"].isin(mine["patient_id"]) & ~rows["agent"].isin(list(indications())),
        ["patient_id", "start_day", "stop_day", "agent"],
    ]
    beside = mine[["patient_id", "row", "start_day", "cancer_type"]].merge(others, on="patient_id", suffixes=("", "_beside"))
    day, begins, ends = (beside[name].to_numpy() for name in ("start_day", "start_day_beside", "stop_day"))
    beside = beside[(day >= begins - TOGETHER) & (day <= np.maximum(ends, begins + TOGETHER))]
    beside = beside.drop_duplicates(["row", "cancer_type", "agent"])
    kinds = pd.concat([kinds, beside[["agent", "cancer_type"]]]).drop_duplicates()
    kinds["usual"] = [not is_unusual_for(agent, cancer) for agent, cancer in zip(kinds["agent"], kinds["cancer_type"])]
    support = beside.merge(kinds, on=["agent", "cancer_type"]).groupby(["row", "cancer_type"])["usual"].sum().rename("support")
    told = mine.merge(kinds, on=["agent", "cancer_type"], how="left").join(support, on=["row", "cancer_type"])
    found.loc[several, "usual"] = told["usual"].to_numpy(dtype=bool)
    found.loc[several, "support"] = told["support"].fillna(0).to_numpy(dtype=int)
    return found


def at_index(cases: pd.DataFrame, cancers: pd.DataFrame, grace: int) -> pd.DataFrame:
    """The diagnosis of each case's cancer known at its index date, and whether another cancer was known too.

    Returns:
        aligned with `cases`: diagnosis_day (Int32; null where the cancer is not registered), known_day (that day, or of sequencing),
        is_diagnosis_unknown, has_other_cancer, is_distant, is_local (stage as registered by then, the grace left out).
    """
    rows = cases[["patient_id", "index_day", "cancer_type"]].assign(row=np.arange(len(cases)))
    pairs = rows.merge(cancers.rename(columns={"cancer_type": "known"}), on="patient_id")
    pairs = pairs[pairs["day"] <= pairs["index_day"] + grace]
    own = pairs[pairs["known"] == pairs["cancer_type"]].sort_values(["row", "day"], kind="stable")
    mine = own.drop_duplicates("row", keep="last")
    # Without the grace: that a treatment is for a cancer tells that it was known, but not the stage that is registered later.
    staged = own[own["day"] <= own["index_day"]].drop_duplicates("row", keep="last").set_index("row").reindex(range(len(cases)))
    # Without the grace: a prompt may say that another cancer is known.
    other = pairs[(pairs["known"] != pairs["cancer_type"]) & (pairs["told_day"] <= pairs["index_day"])]["row"]
    found = mine.set_index("row").reindex(range(len(cases)))
    registered = found["is_registered"].eq(True)
    result = pd.DataFrame(
        {
            "diagnosis_day": found["day"].where(registered).astype("Int32"),
            "known_day": found["day"].fillna(ALWAYS).astype("int64"),
            "is_diagnosis_unknown": ~registered,
            "has_other_cancer": np.isin(np.arange(len(cases)), other),
            "is_distant": staged["is_distant"].eq(True),
            "is_local": staged["is_local"].eq(True),
        }
    )
    return result.set_axis(cases.index)
