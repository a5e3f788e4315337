"""Patients, specimens, panels and diagnoses of a GENIE BPC release."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.cohort.conversion import Converted, Origin
from oncoraft.cohort.genie_bpc_release import CANCERS, PANELS, PATHOLOGY, PATIENTS, Release, end_of_follow_up
from oncoraft.cohort.source_tables import days, text, written
from oncoraft.knowledge.genie_bpc import CODE, COHORTS, ORGAN_WORDS, SAMPLE_TYPES, STAGES, topography

DAYS_PER_YEAR, OLDEST = 365.25, 89
HISTOLOGY = ("ca_histology", "ca_hist_adeno_squamous")
SITE = ("naaccr_primary_site", "ca_d_site", "ca_d_site_txt")
PATIENT_ORIGINS = {
    "PATIENT_ID": Origin("mapped", "record_id"),
    "GENDER": Origin("mapped", "naaccr_sex_code"),
    "RACE": Origin("mapped", "naaccr_race_code_primary, where the release has it"),
    "ETHNICITY": Origin("mapped", "naaccr_ethnicity_code, where the release has it"),
    "CURRENT_AGE_DEID": Origin("mapped", "years from birth to death or last contact, capped at 89"),
    "OS_MONTHS": Origin(
        "approximated", "from the first sequencing report, which stands for the day of sequencing, to hybrid_death_int or last_alive_int"
    ),
    "OS_STATUS": Origin("mapped", "whether hybrid_death_int is there"),
    "PRIOR_MED_TO_MSK": Origin("absent", "treatment elsewhere is among the regimens themselves"),
    "HR": Origin("absent", "not among the columns that all releases have"),
    "HER2": Origin("absent", "not among the columns that all releases have"),
}
SAMPLE_ORIGINS = {
    "SAMPLE_ID": Origin("mapped", "cpt_genie_sample_id"),
    "PATIENT_ID": Origin("mapped", "record_id"),
    "CANCER_TYPE": Origin("mapped", "the cohort's cancer, for specimens of an index cancer; else by cpt_oncotree_code"),
    "SAMPLE_TYPE": Origin("mapped", "sample_type"),
    "METASTATIC_SITE": Origin("approximated", "lymph node or unknown, from sample_type"),
    "GENE_PANEL": Origin("mapped", "cpt_seq_assay_id"),
    "ONCOTREE_CODE": Origin("mapped", "cpt_oncotree_code"),
}
DIAGNOSIS_ORIGINS = {
    "PATIENT_ID": Origin("mapped", "record_id"),
    "START_DATE": Origin("mapped", "dob_ca_dx_days"),
    "DX_DESCRIPTION": Origin("approximated", "histology and site where curated, else the organ of the cohort"),
    "AJCC": Origin("approximated", "the group of stage_dx without its subgroup"),
    "STAGE_CDM_DERIVED": Origin("mapped", "stage_dx"),
    "CLINICAL_GROUP": Origin("absent", "stage_dx does not tell clinical from pathological"),
    "PATH_GROUP": Origin("absent", "stage_dx does not tell clinical from pathological"),
    "SUMMARY": Origin("absent", "not curated"),
}
START, ID = Origin("mapped", "record_id"), Origin("mapped", "cpt_genie_sample_id")


def read(release: Release, part: Converted) -> None:
    """The clinical tables, specimens and diagnoses."""
    part.put("clinical_patient", _patients(release), PATIENT_ORIGINS)
    panels = release.tables[PANELS]
    panels = panels[panels["record_id"].isin(release.zero.index)]
    _specimens(release, part, panels)
    part.put("timeline_diagnosis", _diagnoses(release, part), DIAGNOSIS_ORIGINS)


def _patients(release: Release) -> pd.DataFrame:
    rows, path = release.tables[PATIENTS], release.path(PATIENTS)
    rows = rows[rows["record_id"].isin(release.zero.index)]
    end = end_of_follow_up(rows, path)
    death = days(rows, "hybrid_death_int", path)
    follow_up = release.from_zero(rows, end)
    age = np.floor(end / DAYS_PER_YEAR).clip(upper=OLDEST).mask(rows["record_id"].isin(release.ageless))
    return pd.DataFrame(
        {
            "PATIENT_ID": rows["record_id"],
            "GENDER": text(rows, "naaccr_sex_code"),
            "RACE": text(rows, "naaccr_race_code_primary"),
            "ETHNICITY": text(rows, "naaccr_ethnicity_code"),
            "CURRENT_AGE_DEID": written(age),
            "OS_MONTHS": [("" if np.isnan(one) else f"{one * 12 / 365:.9f}") for one in follow_up],
            "OS_STATUS": np.where(death.notna(), "1:DECEASED", np.where(end.notna(), "0:LIVING", "")),
        }
    )


def _specimens(release: Release, part: Converted, panels: pd.DataFrame) -> None:
    """The sample table, the day of each report, and the day of the procedure where pathology has it."""
    path = release.path(PANELS)
    panels = panels.assign(day=days(panels, "dob_cpt_report_days", path), acquired=_acquired(release, panels))
    is_index = release.cancers.set_index(["record_id", "ca_seq"])["is_index"]
    of_index = is_index.reindex(pd.MultiIndex.from_frame(panels[["record_id", "ca_seq"]])).eq(True).to_numpy()
    panels = panels.assign(of_index=of_index).dropna(subset=["day"])
    # A specimen that is linked to two cancers is two rows: that of the index cancer counts.
    once = panels.sort_values(["cpt_genie_sample_id", "of_index", "day"], ascending=[True, False, True]).drop_duplicates(
        "cpt_genie_sample_id"
    )
    part.count(path, "set aside: a specimen's further rows, for another cancer", len(panels) - len(once))
    once = once.sort_index()
    cohort = str(release.tables[CANCERS]["cohort"].iloc[0])
    part.count_strange(path, "sample_type", text(once, "sample_type"), SAMPLE_TYPES)
    kind = text(once, "sample_type").map(lambda word: SAMPLE_TYPES.get(word, ("", "")))
    part.put(
        "clinical_sample",
        pd.DataFrame(
            {
                "SAMPLE_ID": once["cpt_genie_sample_id"],
                "PATIENT_ID": once["record_id"],
                "CANCER_TYPE": np.where(once["of_index"], COHORTS.get(cohort, (cohort, ""))[0], ""),
                "SAMPLE_TYPE": kind.map(lambda pair: pair[0]),
                "METASTATIC_SITE": kind.map(lambda pair: pair[1]),
                "GENE_PANEL": text(once, "cpt_seq_assay_id"),
                "ONCOTREE_CODE": text(once, "cpt_oncotree_code"),
            }
        ),
        SAMPLE_ORIGINS,
    )
    ids = {"PATIENT_ID": once["record_id"], "SAMPLE_ID": once["cpt_genie_sample_id"]}
    sequenced = written(release.from_zero(once, once["day"]))
    how = Origin("approximated", "dob_cpt_report_days: the report stands for the sequencing")
    part.put("timeline_specimen", pd.DataFrame(ids | {"START_DATE": sequenced}), {"PATIENT_ID": START, "START_DATE": how, "SAMPLE_ID": ID})
    taken = release.from_zero(once, once["acquired"])
    known = taken.notna() & (once["acquired"] <= once["day"])
    surgery = pd.DataFrame(ids | {"START_DATE": written(taken), "SEQ_DATE": sequenced})[known]
    origins = {
        "PATIENT_ID": START,
        "START_DATE": Origin("mapped", "path_proc_int of the report that the panel names"),
        "SAMPLE_ID": ID,
        "SEQ_DATE": how,
    }
    part.put("timeline_specimen_surgery", surgery, origins)


def _acquired(release: Release, panels: pd.DataFrame) -> pd.Series:
    """The day, from birth, of the procedure that a panel's tissue comes from; missing where the release does not link them."""
    reports, key = release.tables.get(PATHOLOGY), ["record_id", "path_proc_number"]
    if reports is None or not set(key) <= set(reports) or not set(key) <= set(panels):
        return pd.Series(np.nan, index=panels.index)
    day = days(reports, "path_proc_int", release.path(PATHOLOGY)).groupby([reports[name] for name in key]).min()
    return pd.Series(day.reindex(pd.MultiIndex.from_frame(panels[key])).to_numpy(), index=panels.index)


def _diagnoses(release: Release, part: Converted) -> pd.DataFrame:
    """Every cancer of the patients, index or not."""
    mine = release.cancers[release.cancers["record_id"].isin(release.zero.index)]
    rows = mine[mine["birth_day"].notna()]
    part.count(release.path(CANCERS), "set aside: diagnoses without a day", len(mine) - len(rows))
    cohort = str(release.tables[CANCERS]["cohort"].iloc[0])
    words = text(rows, "stage_dx", "stage_dx_iv")
    part.count_strange(release.path(CANCERS), "stage_dx", words, STAGES)
    stage = words.map(lambda word: STAGES.get(word, ("", "")))
    return pd.DataFrame(
        {
            "PATIENT_ID": rows["record_id"],
            "START_DATE": written(release.from_zero(rows, rows["birth_day"])),
            "DX_DESCRIPTION": _descriptions(rows, COHORTS.get(cohort, ("", ""))[1]),
            "AJCC": stage.map(lambda pair: pair[1]),
            "STAGE_CDM_DERIVED": stage.map(lambda pair: pair[0]),
        }
    )


def _descriptions(rows: pd.DataFrame, organ: str) -> list[str]:
    """`HISTOLOGY | SITE (M8140/3 | C341)`; of an index cancer without a code the organ of its cohort, of another no code at all."""
    made = []
    codes, words = text(rows, *SITE), text(rows, *HISTOLOGY)
    morphology, kind = text(rows, "naaccr_histology_cd"), text(rows, "ca_type")
    for site, histology, number, other, is_index in zip(codes, words, morphology, kind, rows["is_index"], strict=True):
        code = topography(site) or (organ if is_index else "")
        place = CODE.sub("", site).strip(" ,-").upper() or (ORGAN_WORDS.get(code, "") if is_index else "")
        figures = "".join(letter for letter in number if letter.isdigit())[:4]
        known = f" (M{figures if len(figures) == 4 else '8000'}/3 | {code})" if code else ""
        made.append(f"{(histology or ('' if is_index else other)).upper()} | {place}{known}".strip())
    return made
