"""Facts about the person, the diagnosis and pathology: what is fixed, derived, or registered by the index date.

Every function takes numbered cases and prepared tables (`oncoraft.evidence.known`) and returns frames of case, value and days
before the index date, by field.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.evidence.known import Tables, closest, daily, facts, known_records, with_earlier

Found = dict[str, pd.DataFrame]
DAYS_PER_YEAR = 365.25
AGE_CAP = 89  # the source shows no higher age
OLDEST_BAND, YOUNGEST_BAND = 80, 20
UNKNOWN_GROUPS = {"", "88", "99", "9", "UNK", "OCCULT", "Occu", "OC", "N/A"}
UNKNOWN_WORDS = {
    "Unknown",
    "Pt Refused To Answer",
    "No Value Entered",
    "Unknown whether Spanish or not",
    "N/A",
    "Unknown/Unstaged",
    "Unstaged unknown",
}
# ICD-O-3 topography of the organ in which each cancer type begins.
TOPOGRAPHY = {
    "Non-Small Cell Lung Cancer": "C34",
    "Breast Cancer": "C50",
    "Colorectal Cancer": "C(?:18|19|20|21)",
    "Prostate Cancer": "C61",
    "Pancreatic Cancer": "C25",
}


def patient(cases: pd.DataFrame, tables: Tables) -> Found:
    """Sex, race, ethnicity and age band at index.

    Age is that at the end of follow-up (completed years, so half a year more on average) less the years from the index date to
    that end. Only this difference enters, in bands of ten years, so that the length of follow-up cannot be read from it. Where
    the source capped the age, the difference is a lower bound, and only "80 or over" may be said.
    """
    joined = cases[["case", "person", "index_day"]].merge(tables["clinical_patient"], on="person")
    recorded = joined["current_age_deid"].astype(float)
    age = recorded + 0.5 - (joined["os_days"] - joined["index_day"]) / DAYS_PER_YEAR
    age = age.where((recorded < AGE_CAP) | (age >= OLDEST_BAND)).where(age >= 0)
    decade = (age // 10 * 10).clip(upper=OLDEST_BAND).astype("Int64")
    reading = (
        (decade.astype(str) + " to " + (decade + 9).astype(str))
        .mask(decade == OLDEST_BAND, "80 or over")
        .mask(decade < YOUNGEST_BAND, "under 20")
    )
    return {
        "sex": facts(joined, joined["gender"].where(joined["gender"].isin(["Female", "Male"])).str.lower()),
        "race": facts(joined, _stated(joined["race"])),
        "ethnicity": facts(joined, _stated(joined["ethnicity"])),
        "age_at_index": facts(joined, (decade.astype(str) + "s").where(decade.notna()), reading=reading),
    }


def _stated(words: pd.Series) -> pd.Series:
    """Words as they stand, spaces settled; missing where the source says that nothing is known."""
    return words.where(~words.isin(UNKNOWN_WORDS)).astype(object).str.split().str.join(" ")


def diagnosis(cases: pd.DataFrame, tables: Tables, receptors: bool) -> Found:
    """The registered diagnosis: of those known at index the one of the case's organ, else the latest.

    Args:
        cases: numbered cases.
        tables: prepared tables.
        receptors: whether hormone receptor and HER2 status may be shown from the first diagnosis on.
    """
    rows = known_records(cases, tables["timeline_diagnosis"], "stage", ties="dx_description")
    pattern = cases.set_index("case")["cancer_type"].map(TOPOGRAPHY).fillna("C").reindex(rows["case"]).to_numpy()
    description = rows["dx_description"].fillna("")
    code = description.str.extract(r"\|\s*(C\d{3})\s*\)", expand=False).fillna("")
    fits = np.zeros(len(rows), dtype=bool)
    for expression in set(pattern):
        fits |= (pattern == expression) & code.str.match(expression).to_numpy()
    rows = closest(rows.iloc[np.lexsort([np.arange(len(rows)), ~fits, rows["case"].to_numpy()])])
    description = rows["dx_description"].fillna("")
    parts = description.str.split("(", n=1).str[0].str.split("|", n=1)
    histology, site = (parts.str[place].astype(object).str.strip().str.lower() for place in (0, 1))
    unstaged = (
        (rows["stage_cdm_derived"] == "Stage 1-3")
        & _is_unknown(rows["clinical_group"])
        & _is_unknown(rows["path_group"])
        & _is_unknown(rows["ajcc"])
    )
    found = {
        "diagnosis": facts(rows, description.where(description != "")),
        "diagnosed": facts(rows, rows["days_before_index"].astype("int64").astype(str)),
        "stage": facts(rows, rows["stage_cdm_derived"].mask(unstaged)),
        "histology": facts(rows, histology.where(histology != ""), reading=_specified(histology)),
        "primary_site": facts(rows, site.where(site != ""), reading=_specified(site)),
        "clinical_group": facts(rows, rows["clinical_group"].mask(_is_unknown(rows["clinical_group"]))),
        "pathological_group": facts(rows, rows["path_group"].mask(_is_unknown(rows["path_group"]))),
        "extent": facts(rows, _stated(rows["summary"]).astype(object).str.lower()),
    }
    return found | _receptors(cases, tables, rows["case"] if receptors else rows["case"].head(0))


def _specified(words: pd.Series) -> pd.Series:
    """Registry words without their "not otherwise specified"."""
    return words.astype(object).str.replace(r",?\s*\bnos\b", "", regex=True).str.strip(" ,")


def _is_unknown(groups: pd.Series) -> pd.Series:
    """Where a stage group says nothing."""
    return groups.isna() | groups.isin(UNKNOWN_GROUPS)


def _receptors(cases: pd.DataFrame, tables: Tables, diagnosed: pd.Series) -> Found:
    """Hormone receptor and HER2 status of cases with a diagnosis by the index date."""
    told = cases[cases["case"].isin(diagnosed)][["case", "person"]].merge(tables["clinical_patient"], on="person")
    words = {True: "positive", False: "negative"}
    return {"hormone_receptor": facts(told, told["hr"].map(words)), "her2": facts(told, told["her2"].map(words))}


def pathology(cases: pd.DataFrame, tables: Tables, count: int) -> Found:
    """PD-L1, mismatch repair and Gleason score: the closest dated report of each, with the earlier ones."""
    readings = {
        "pdl1": ("timeline_pdl1", "pdl1_positive", {1: "positive", 0: "negative"}),
        "mmr": ("timeline_mmr", "mmr_absent", {1: "deficient", 0: "intact"}),
        "gleason": ("timeline_gleason", "gleason_score", {score: str(score) for score in range(2, 11)}),
    }
    found = {}
    for field, (name, column, words) in readings.items():
        rows = tables[name].dropna(subset=[column])
        records = daily(known_records(cases, rows, field), column)
        reading = records[column].astype(int).map(words)
        first, earlier = with_earlier(records, reading, count)
        found[field] = facts(first, reading.loc[first.index], earlier=earlier)
    return found
