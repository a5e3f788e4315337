"""The setting of each case: neoadjuvant, adjuvant, metastatic or unknown, told from what was known at its index date alone.

Metastatic: the registered stage is 4 or distant; imaging named a distant site since the diagnosis, on a day on which it did not say
that no cancer is there; a metastasis had been sequenced; or imaging said progression, not on a day that says "no cancer" alone, after an
operation or late after the diagnosis (recurrence). Adjuvant: none of this, and an operation since the diagnosis, not too long ago. Neoadjuvant: none of this, a registered
stage below 4, no operation since, and treatment within `neoadjuvant_days` of the diagnosis: whether an operation then follows is not
asked, because who is operated on depends on the response. All else is unknown.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.cases.local_treatment import operations
from oncoraft.knowledge.cancers import distant_sites
from oncoraft.planning.config import Regimens

BEFORE_DIAGNOSIS = 90  # days: staging scans, and the operation that made the diagnosis, are dated before the registry's day
NEVER = -(10**9)


def last_day(cases: pd.DataFrame, events: pd.DataFrame, by: tuple[str, ...] = ("patient_id",)) -> np.ndarray:
    """The latest event on or before each case's index day, or `NEVER`.

    Args:
        cases: index_day and the columns `by`, any order.
        events: start_day and the columns `by`.
    """
    left = cases[[*by, "index_day"]].assign(row=np.arange(len(cases)), day=cases["index_day"].astype("int64")).sort_values("day")
    right = events[[*by, "start_day"]].astype({"start_day": "int64"}).sort_values("start_day")
    # merge_asof wants both sides sorted by the day alone, whatever `by` says.
    found = pd.merge_asof(left, right, left_on="day", right_on="start_day", by=list(by), direction="backward")
    return found.set_index("row")["start_day"].reindex(range(len(cases))).fillna(NEVER).to_numpy(dtype="int64")


def distant_days(cases: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Days on which a site distant from a cancer of the patient's cases was named by imaging that did not say "no cancer", or a
    metastasis was sequenced.

    Returns:
        patient_id, cancer_type, start_day; a day once.
    """
    pairs = pd.DataFrame(sorted(distant_sites()), columns=["cancer_type", "tumor_site"])
    pairs = cases[["patient_id", "cancer_type"]].drop_duplicates().merge(pairs, on="cancer_type")
    sites = tables["timeline_tumor_sites"][["patient_id", "start_day", "tumor_site"]].merge(pairs, on=["patient_id", "tumor_site"])
    columns = ["patient_id", "cancer_type", "start_day"]
    sites = sites[columns].drop_duplicates()
    said = tables["timeline_cancer_presence"][["patient_id", "start_day", "has_cancer"]]
    gone, there = (said.loc[said["has_cancer"] == word, ["patient_id", "start_day"]].drop_duplicates() for word in ("N", "Y"))
    told = sites.merge(gone.assign(gone=True), how="left").merge(there.assign(there=True), how="left")
    sites = told.loc[told["gone"].isna() | told["there"].notna(), columns]
    samples = tables["clinical_sample"]
    # A metastasis without a site may be a regional lymph node, which does not make the disease distant.
    nodal = samples["metastatic_site"].astype("string").str.contains(r"node|\bLN\b", case=False).fillna(True)
    far = samples.loc[(samples["sample_type"] == "Metastasis") & ~nodal, ["sample_id", "cancer_type"]]
    sequenced = tables["timeline_specimen"][["patient_id", "start_day", "sample_id"]].merge(far, on="sample_id")
    return pd.concat([sites, sequenced[columns].dropna()]).drop_duplicates()


def progression_days(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Days on which imaging said progression, without those on which all that it said of cancer is that there is none: patient_id,
    start_day, once each. A line and a recurrence are for good, so neither rests on a day that contradicts itself."""
    keys = ["patient_id", "start_day"]
    reads, said = tables["timeline_progression"], tables["timeline_cancer_presence"]
    days = reads.loc[reads["progression"] == "Y", keys].drop_duplicates()
    said = days.merge(said[[*keys, "has_cancer"]].dropna(subset=["has_cancer"]), on=keys)
    only_none = said.assign(none=said["has_cancer"] == "N").groupby(keys)["none"].all().rename("denied")
    return days[~days.join(only_none, on=keys)["denied"].eq(True).to_numpy()].reset_index(drop=True)


def settings_at_index(
    cases: pd.DataFrame, diagnosis: pd.DataFrame, progressions: pd.DataFrame, tables: dict[str, pd.DataFrame], rules: Regimens
) -> pd.DataFrame:
    """The setting that each case's own index date tells, without the case before.

    Args:
        cases: patient_id, cancer_type, index_day.
        diagnosis: from `diagnoses.at_index`, aligned.
        progressions: from `progression_days`.
        tables: timeline_tumor_sites, timeline_cancer_presence, timeline_surgery, timeline_specimen_surgery,
            timeline_specimen, clinical_sample.
        rules: windows in days.

    Returns:
        aligned: setting, last_operation (day, or `NEVER`; one long before the diagnosis is none of it).
    """
    index = cases["index_day"].to_numpy(dtype="int64")
    since = diagnosis["known_day"].to_numpy() - BEFORE_DIAGNOSIS
    progressed = last_day(cases, progressions)
    operated = last_day(cases, operations(tables))
    operated = np.where(operated >= since, operated, NEVER)
    distant = last_day(cases, distant_days(cases, tables), ("patient_id", "cancer_type"))
    late = progressed > diagnosis["known_day"].to_numpy() + rules.neoadjuvant_days
    registered = ~diagnosis["is_diagnosis_unknown"].to_numpy()
    recurred = (progressed > np.maximum(operated, since)) & ((operated > NEVER) | (late & registered))
    metastatic = diagnosis["is_distant"].to_numpy() | ((distant >= since) & (distant > NEVER)) | recurred
    adjuvant = (operated > NEVER) & (index - operated <= rules.adjuvant_days)
    fresh = registered & (index <= diagnosis["known_day"].to_numpy() + rules.neoadjuvant_days)
    neoadjuvant = diagnosis["is_local"].to_numpy() & (operated == NEVER) & fresh
    setting = np.select([metastatic, adjuvant, neoadjuvant], ["metastatic", "adjuvant", "neoadjuvant"], "unknown")
    return pd.DataFrame({"setting": setting, "last_operation": operated}, index=cases.index)
