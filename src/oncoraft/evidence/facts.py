"""Facts about the person, the diagnosis and pathology: what is fixed, derived, or registered by the index date.

Every function takes numbered cases and prepared tables (`oncoraft.evidence.known`) and returns frames of case, value and days
before the index date, by field.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.evidence.known import Tables, closest, daily, facts, known_records, of_distinct, with_earlier
from oncoraft.evidence.words import clean
from oncoraft.knowledge.cancers import cancer_of, named_cancers

Found = dict[str, pd.DataFrame]
DAYS_PER_YEAR = 365.25
AGE_CAP = 89  # the source shows no higher age
OLDEST_BAND, YOUNGEST_BAND = 80, 20
BREAST, PROSTATE = "Breast Cancer", "Prostate Cancer"
UNASSIGNED = "C7[79]|C80"  # lymph nodes, unknown primary (ICD-O-3): no other organ's cancer
# Codes of cancer registries (NAACCR): 88 not applicable, 99 unknown, OC an occult tumour.
UNKNOWN_GROUPS = {"", "88", "99", "9", "UNK", "OCCULT", "Occu", "OC", "N/A"}


def patient(cases: pd.DataFrame, tables: Tables) -> Found:
    """Sex, race, ethnicity and age band at index.

    Age is that at the end of follow-up (completed years, so half a year more on average) less the years from the index date to
    that end. Only this difference enters, in bands of ten years, so that the length of follow-up cannot be read from it; the
    value is the middle of the band. Where the source capped the age, the difference is a lower bound, and only "80 or over" may
    be said.
    """
    joined = cases[["case", "person", "index_day"]].merge(tables["clinical_patient"], on="person")
    recorded = joined["current_age_deid"].astype(float)
    age = recorded + 0.5 - (joined["os_days"] - joined["index_day"]) / DAYS_PER_YEAR
    age = age.where((recorded < AGE_CAP) | (age >= OLDEST_BAND)).where(age >= 0)
    decade = (age // 10 * 10).clip(upper=OLDEST_BAND, lower=YOUNGEST_BAND - 10).astype("Int64")
    reading = (
        (decade.astype(str) + " to " + (decade + 9).astype(str))
        .mask(decade == OLDEST_BAND, "80 or over")
        .mask(decade < YOUNGEST_BAND, "under 20")
    )
    sex = clean(joined["gender"])
    return {
        "sex": facts(joined, sex.where(sex.isin(["female", "male"]))),
        "race": facts(joined, clean(joined["race"])),
        "ethnicity": facts(joined, clean(joined["ethnicity"])),
        "age_at_index": facts(joined, (decade + 5).astype(str).where(decade.notna()), reading=reading),
    }


def diagnosis(cases: pd.DataFrame, tables: Tables, receptors: bool) -> Found:
    """The registered diagnosis of the case's cancer, and what other cancers were registered by the index date.

    Args:
        cases: numbered cases.
        tables: prepared tables.
        receptors: whether hormone receptor and HER2 status may be shown from the first diagnosis on.
    """
    registered = _registered(cases, tables)
    rows = closest(registered[registered["is_own"]])
    histology, site = (of_distinct(rows["dx_description"], part) for part in (_histology, _site))
    stage = clean(rows["stage_cdm_derived"]).mask(_is_unstaged(rows))
    is_distant = stage.map({"stage 4": True, "stage 1-3": False})
    extent = clean(rows["summary"])
    goes_far = extent.str.startswith("distant")
    found = {
        "diagnosis": facts(rows, _in_capitals(histology, site, rows["dx_description"])),
        "diagnosed": facts(rows, rows["days_before_index"].astype("int64").astype(str)),
        "stage": facts(rows, stage, reading=of_distinct(stage, lambda words: words.str.capitalize())),
        "histology": facts(rows, histology),
        "primary_site": facts(rows, site),
        "clinical_group": facts(rows, _group(rows["clinical_group"], is_distant)),
        "pathological_group": facts(rows, _group(rows["path_group"], is_distant)),
        "extent": facts(rows, extent.mask(is_distant.notna() & goes_far.notna() & (goes_far != is_distant))),
    }
    found["other_cancer"] = _other_cancers(cases, registered)
    return found | _receptors(cases, tables, rows["case"] if receptors else rows["case"].head(0))


def _in_capitals(histology: pd.Series, site: pd.Series, description: pd.Series) -> pd.Series:
    """Cleaned words in the registry's own form: `ADENOCARCINOMA | LUNG (M8140/3 | C349)`; missing where either says nothing."""
    codes = of_distinct(description, lambda words: words.str.extract(r"(\([^()]*\))\s*$", expand=False).fillna(""))
    name = histology + " | " + site
    return of_distinct(of_distinct(name, lambda words: words.str.upper()) + " " + codes, lambda words: words.str.strip())


def _histology(descriptions: pd.Series) -> pd.Series:
    """What stands before the bar of a registered diagnosis."""
    return clean(descriptions.fillna("").str.split("(", n=1).str[0].str.split("|", n=1).str[0])


def _site(descriptions: pd.Series) -> pd.Series:
    """What stands behind it; missing where there is none."""
    return clean(descriptions.fillna("").str.split("(", n=1).str[0].str.split("|", n=1).str[1])


def cancers_registered(diagnoses: pd.DataFrame) -> pd.DataFrame:
    """Registered diagnoses with their ICD-O-3 topography (`code`, "" where there is none) and the cancer type that they are, told as for
    the cases (`known_cancer`, "" where the table of sites has no word for it).
    """
    words = diagnoses["dx_description"].fillna("").astype(object)
    code = of_distinct(words, lambda words: words.str.extract(r"\|\s*(C\d{2}\.?\d?)\s*\)", expand=False).fillna(""))
    return diagnoses.assign(code=code, known_cancer=words.map({text: cancer_of(text) or "" for text in words.unique()}).astype(object))


def _registered(cases: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Diagnoses known at index, each with whether it is of the case's own cancer; that of the case's diagnosis day comes first,
    then the latest. One without a topography is taken for the case's own, and so is, where the table of sites has no word for the case's
    cancer, that of its diagnosis day.
    """
    rows = known_records(cases, cancers_registered(tables["timeline_diagnosis"]), "stage", ties="dx_description")
    of_case = cases.set_index("case")[["cancer_type", "diagnosis_day"]].reindex(rows["case"])
    is_named = of_case["cancer_type"].isin(named_cancers()).to_numpy()
    kind = of_case["cancer_type"].where(is_named, "").to_numpy(object)
    is_day = rows["start_day"].to_numpy() == of_case["diagnosis_day"].astype("float64").to_numpy()
    rows = rows.assign(is_own=(rows["known_cancer"] == kind) | (rows["code"] == "") | (is_day & ~is_named))
    # np.lexsort sorts by its last key first.
    return rows.iloc[np.lexsort([np.arange(len(rows)), ~is_day, rows["case"].to_numpy()])]


def _other_cancers(cases: pd.DataFrame, registered: pd.DataFrame) -> pd.DataFrame:
    """Cancers of other organs registered by the index date, each once, when first registered."""
    told = cases.loc[cases["has_other_cancer"].astype(bool), "case"]
    rows = registered[registered["case"].isin(told) & ~registered["is_own"] & ~registered["code"].str.match(UNASSIGNED)]
    site = of_distinct(rows["dx_description"], _site)
    name = rows["known_cancer"].str.lower().mask(rows["known_cancer"] == "", site + " cancer")
    rows = rows.assign(name=name).dropna(subset=["name"])
    rows = rows.iloc[np.lexsort([pd.factorize(rows["name"], sort=True)[0], -rows["days_before_index"].to_numpy(), rows["case"].to_numpy()])]
    rows = rows.drop_duplicates(["case", "name"])
    return facts(rows, rows["name"])


def _is_unstaged(rows: pd.DataFrame) -> pd.Series:
    """Where the source's Stage 1-3 only stands for groups that say nothing."""
    groups = _is_unknown(rows["clinical_group"]) & _is_unknown(rows["path_group"]) & _is_unknown(rows["ajcc"])
    return (rows["stage_cdm_derived"] == "Stage 1-3") & groups


def _group(groups: pd.Series, is_distant: pd.Series) -> pd.Series:
    """A stage group that says something and does not contradict the derived stage; of the two the stage is told."""
    contradicts = is_distant.notna() & (groups.str.startswith("4") != is_distant)
    return groups.mask(_is_unknown(groups) | contradicts)


def _is_unknown(groups: pd.Series) -> pd.Series:
    """Where a stage group says nothing."""
    return groups.isna() | groups.isin(UNKNOWN_GROUPS)


def _receptors(cases: pd.DataFrame, tables: Tables, diagnosed: pd.Series) -> Found:
    """Hormone receptor and HER2 status of breast cancer diagnosed by the index date; another cancer of the patient has neither."""
    told = cases[cases["case"].isin(diagnosed) & (cases["cancer_type"] == BREAST)][["case", "person"]].merge(
        tables["clinical_patient"], on="person"
    )
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
        own = cases[cases["cancer_type"] == PROSTATE] if field == "gleason" else cases  # Gleason grades prostate cancer alone
        records = daily(known_records(own, rows, field), column)
        reading = records[column].astype(int).map(words)
        first, earlier = with_earlier(records, reading, count)
        found[field] = facts(first, reading.loc[first.index], earlier=earlier)
    return found
