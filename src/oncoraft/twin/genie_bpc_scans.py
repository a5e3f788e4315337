"""Curated scans and notes of the BPC twin."""

from __future__ import annotations

from typing import Any

import pandas as pd

from oncoraft.foundation.stable import stable_fraction
from oncoraft.knowledge.genie_bpc import EVIDENCE_OF_CANCER
from oncoraft.twin.genie_bpc_people import Life, Rows, each

YES, NO, UNCERTAIN, SILENT = EVIDENCE_OF_CANCER
GROWS, STABLE, SHRINKS, MIXED, UNSTATED = (
    "Progressing/Worsening/Enlarging",
    "Stable/No change",
    "Improving/Responding",
    "Mixed",
    "Not stated/Indeterminate",
)
TYPES = {"CT": "CT", "MR": "MRI", "PET": "PET or PET-CT"}
PARTS = {"CHEST": "Chest", "ABDOMEN": "Abdomen", "PELVIS": "Pelvis", "HEAD": "Brain/Head", "OTHER": "Extremity"}
CODES = {
    "Lung": "C34.9    Lung, NOS", "Other": "C50.9    Breast, NOS", "Lymph Nodes": "C77.9    Lymph node, NOS", "Bone": "C41.9    Bone, NOS",
    "Liver": "C22.0    Liver", "CNS/Brain": "C71.9    Brain, NOS", "Intra-Abdominal": "C48.2    Peritoneum, NOS", "Pleura": "C38.4    Pleura, NOS",
    "Reproductive Organs": "C61.9    Prostate gland", "Adrenal Glands": "C74.9    Adrenal gland, NOS",
}  # fmt: skip
# Of readings: those that say that something grew elsewhere too, those that curators leave open, those that do not speak of cancer.
SHARE_MIXED, SHARE_OPEN, SHARE_SILENT, SHARE_SHRINKS = 0.05, 0.3, 0.02, 0.35
PLACES = 15
NOTE_AFTER = 6  # days from a scan to the oncologist's note that tells of it


def files(people: dict[str, Life], tables: Rows, cohort: str, seed: int) -> Rows:
    """The imaging table and the notes of the oncologist."""
    day = ["PATIENT_ID", "START_DATE", "PROCEDURE_TYPE"]
    read = tables["timeline_progression"].drop_duplicates(day)
    seen = tables["timeline_cancer_presence"].drop_duplicates(day)
    joined = read.merge(seen[[*day, "HAS_CANCER", *PARTS]], on=day, how="inner")
    named = (
        tables["timeline_tumor_sites"]
        .groupby(["PATIENT_ID", "START_DATE", "SOURCE_SPECIFIC"])["TUMOR_SITE"]
        .agg(lambda sites: sorted(set(sites)))
    )
    scans, notes = [], []
    for number, row in enumerate(each(joined), 1):
        life = people[row.PATIENT_ID]
        sites = named.get((row.PATIENT_ID, row.START_DATE, row.PROCEDURE_TYPE), [])
        evidence, overall = _curated(row, seed)
        scans.append(_scan(cohort, row, life, number, sites, evidence, overall))
        notes.append(_note(cohort, row, life, number, evidence, overall))
    return {"imaging_level_dataset.csv": pd.DataFrame(scans), "med_onc_note_level_dataset.csv": pd.DataFrame(notes)}


def _curated(row: Any, seed: int) -> tuple[str, str]:
    """What a person reads where the language processing gave a probability: evidence of cancer, and the word, only with evidence."""
    key = ("genie_bpc", row.PATIENT_ID, row.START_DATE, row.PROCEDURE_TYPE)
    at = stable_fraction(seed, *key, "word")
    if stable_fraction(seed, *key, "silent") < SHARE_SILENT:
        return SILENT, ""
    if row.HAS_CANCER == "N" and row.PROGRESSION != "Y":
        return NO, ""
    if row.HAS_CANCER == "Indeterminate":
        return UNCERTAIN, ""
    if row.PROGRESSION == "Indeterminate":
        # People decide what the language processing left open, more often than not.
        told = GROWS if float(row.NLP_PROGRESSION_PROBABILITY or 0.5) > 0.5 else STABLE
        return YES, UNSTATED if at < SHARE_OPEN else told
    if row.PROGRESSION == "Y":
        return YES, MIXED if at < SHARE_MIXED else GROWS
    return YES, SHRINKS if at < SHARE_SHRINKS else STABLE


def _scan(cohort: str, row: Any, life: Life, number: int, sites: list[str], evidence: str, overall: str) -> dict[str, Any]:
    birth_day = life.zero + int(row.START_DATE)
    covered = [words for name, words in PARTS.items() if getattr(row, name) == "TRUE"]
    made: dict[str, Any] = {
        "cohort": cohort, "record_id": row.PATIENT_ID, "institution": row.PATIENT_ID.split("-")[1], "scan_number": number,
        "image_scan_int": birth_day, "dx_scan_days": birth_day - life.first_index.birth_day, "image_scan_type": TYPES.get(row.PROCEDURE_TYPE, "Other Nuclear Medicine Scan"),
        "scan_sites": "Full body" if len(covered) == len(PARTS) else ", ".join(covered), "image_ca": evidence, "image_overall": overall,
    }  # fmt: skip
    shown = [CODES[site] for site in sites] if evidence == YES else []
    return made | {f"image_casite{place}": shown[place - 1] if place <= len(shown) else "" for place in range(1, PLACES + 1)}


def _note(cohort: str, row: Any, life: Life, number: int, evidence: str, overall: str) -> dict[str, Any]:
    """The oncologist's note, some days later; it speaks of the impression and plan."""
    birth_day = min(life.zero + int(row.START_DATE) + NOTE_AFTER, life.end)
    words = evidence.replace("the Impression ", "the Impression/Plan ").replace("The Impression", "Impression/Plan")
    return {
        "cohort": cohort, "record_id": row.PATIENT_ID, "md_visit_number": number, "md_onc_visit_int": birth_day,
        "dx_md_visit_days": birth_day - life.first_index.birth_day, "md_ca": words, "md_ca_status": overall,
    }  # fmt: skip
