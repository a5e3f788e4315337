"""Which registered diagnosis a day belongs to: the one cancer that was known by then."""

from __future__ import annotations

import pandas as pd

from oncoraft.knowledge.cancers import cancer_of

COLUMNS = ("patient_id", "start_day", "dx_description")


def named(diagnoses: pd.DataFrame) -> pd.DataFrame:
    """Registered diagnoses with `cancer_type`, None where the table of sites knows none."""
    words = diagnoses["dx_description"].fillna("").astype(str)
    kinds = {word: cancer_of(word) for word in words.unique()}
    return diagnoses.assign(dx_description=words, cancer_type=words.map(kinds).astype(object))


def at_days(events: pd.DataFrame, diagnoses: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Events with cancer type and day of the diagnosis that they belong to.

    An event before any diagnosis, or of a patient with cancers of several kinds by then, belongs to none that could be told.

    Args:
        events: patient_id, index_day and what else they carry.
        diagnoses: from `named`.

    Returns:
        those that belong to one, and how many do not, by reason.
    """
    numbered = events.reset_index(drop=True).rename_axis("event").reset_index()
    known = numbered[["event", "patient_id", "index_day"]].merge(
        diagnoses[["patient_id", "start_day", "cancer_type"]].dropna(subset=["cancer_type"]), on="patient_id"
    )
    known = known[known["start_day"] <= known["index_day"]]
    kinds = known.groupby("event")["cancer_type"].nunique()
    one = known[known["event"].map(kinds) == 1].sort_values(["event", "start_day"], kind="stable").drop_duplicates("event", keep="last")
    told = numbered.merge(one[["event", "cancer_type", "start_day"]].rename(columns={"start_day": "diagnosis_day"}), on="event")
    left_out = {
        "before any diagnosis of the cohort's cancers": len(numbered) - len(kinds),
        "patient with cancers of several kinds by then": int((kinds > 1).sum()),
    }
    return told.drop(columns="event"), left_out
