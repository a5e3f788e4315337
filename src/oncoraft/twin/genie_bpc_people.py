"""Patients, cancers and panels of the BPC twin: births, diagnoses, who has two index cancers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from oncoraft.foundation.stable import stable_fraction
from oncoraft.knowledge.cancers import cancer_of
from oncoraft.knowledge.genie_bpc import COHORTS

Rows = dict[str, pd.DataFrame]
CENTRES = (("DFCI", 0.42), ("VICC", 0.17), ("UHN", 0.09), ("MSK", 0.32))
ASSAYS = {"DFCI": "DFCI-ONCOPANEL-3", "VICC": "VICC-01-T7", "UHN": "UHN-555-V1"}
SECOND_INDEX = 0.04  # patients with two regimens or more who have a second index cancer
TWICE = 0.5  # specimens of patients with two cancers that are linked to both
STAGES = {"1": "Stage I", "2": "Stage II", "3": "Stage III", "4": "Stage IV"}
KINDS = {"Primary": "Primary tumor", "Metastasis": "Metastasis site unspecified", "Local Recurrence": "Local recurrence"}
OF_THEIR_OWN = 1_000_000  # added to the numbers of MSK patients who are in no other twin
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class Cancer:
    """A diagnosis: its number (0: the only one), day from birth, whether it is an index cancer, registry words, stage."""

    ca_seq: int
    birth_day: int
    is_index: bool
    words: str
    stage: str


@dataclass(frozen=True)
class Life:
    """A patient: birth to first sequencing, birth to the end, whether that is death, cancers by day."""

    zero: int
    end: int
    died: bool
    cancers: tuple[Cancer, ...]

    @property
    def first_index(self) -> Cancer:
        """The first index cancer: scans count from it."""
        return next(one for one in self.cancers if one.is_index)

    def cancer_at(self, birth_day: float) -> Cancer:
        """The index cancer that a treatment begun on this day is for: the latest known, else the first."""
        known = [one for one in self.cancers if one.is_index and one.birth_day <= birth_day]
        return known[-1] if known else self.first_index


def each(rows: pd.DataFrame) -> Iterator[Any]:
    """The rows, their cells by name."""
    yield from rows.itertuples()


def centre_of(seed: int, patient: str) -> str:
    """The institution of a patient who is in no other twin."""
    at, total = stable_fraction(seed, "genie_bpc", "centre", patient), 0.0
    for name, share in CENTRES:
        total += share
        if at < total:
            return name
    return CENTRES[-1][0]


def record_id(patient: str, centre: str, shared: bool) -> str:
    """`GENIE-MSK-P-0000001` or `GENIE-DFCI-000001` for `P-0000001`."""
    number = int(patient.removeprefix("P-"))
    if centre == "MSK":
        return f"GENIE-MSK-P-{number if shared else number + OF_THEIR_OWN:07d}"
    return f"GENIE-{centre}-{number:06d}"


def sample_id(sample: str, record: str) -> str:
    """The specimen's id as its institution writes it."""
    parts, centre = sample.split("-"), record.split("-")[1]
    number = f"{int(parts[1]):06d}{parts[2][1:]}"
    return {
        "MSK": f"{record}-{'-'.join(parts[2:])}",
        "DFCI": f"{record}-{number}",
        "UHN": f"{record}-AR{number}",
        "VICC": f"{record}-unk-{number}",
    }[centre]


def lives(tables: Rows, cohort: str, seed: int) -> dict[str, Life]:
    """Everybody of a cohort."""
    diagnoses = {who: rows for who, rows in tables["timeline_diagnosis"].groupby("PATIENT_ID", sort=False)}
    starts = {who: sorted({int(day) for day in days}) for who, days in tables["timeline_treatment"].groupby("PATIENT_ID")["START_DATE"]}
    found = {}
    for row in each(tables["clinical_patient"]):
        who, age = row.PATIENT_ID, float(row.CURRENT_AGE_DEID or 60)
        days = round(float(row.OS_MONTHS) * 365 / 12)
        zero = math.floor((age + 0.5) * DAYS_PER_YEAR) - days
        told = []
        for one in each(diagnoses.get(who, pd.DataFrame())):
            stage = "4" if one.STAGE_CDM_DERIVED == "Stage 4" else (one.CLINICAL_GROUP or one.PATH_GROUP or "")[:1]
            told.append(
                [zero + int(one.START_DATE), cancer_of(one.DX_DESCRIPTION) == COHORTS[cohort][0], one.DX_DESCRIPTION, STAGES.get(stage, "")]
            )
        if not any(is_index for _, is_index, _, _ in told):
            told.append([zero - 30, True, f" | (M8000/3 | {COHORTS[cohort][1]})", ""])
        # One index cancer each, then the planted second one.
        told = sorted(told, key=lambda one: one[0])
        firsts = [one for one in told if one[1]]
        told = [one for one in told if not one[1] or one is firsts[0]]
        later = [day for day in starts.get(who, []) if zero + day > firsts[0][0] + 200]
        if later and stable_fraction(seed, "genie_bpc", "second index", who) < SECOND_INDEX:
            told.append([zero + later[-1] - 20, True, firsts[0][2], "Stage IV"])
        told = sorted(told, key=lambda one: one[0])
        cancers = tuple(Cancer(0 if len(told) == 1 else number, *one) for number, one in enumerate(told, 1))
        found[who] = Life(zero, zero + days, row.OS_STATUS == "1:DECEASED", cancers)
    return found


def files(people: dict[str, Life], tables: Rows, cohort: str, seed: int) -> Rows:
    """The patient, cancer and panel tables."""
    made = {"patient_level_dataset.csv": _patients(people, tables, cohort)}
    index = [_cancer(cohort, who, one, life) for who, life in people.items() for one in life.cancers if one.is_index]
    others = [_cancer(cohort, who, one, life) for who, life in people.items() for one in life.cancers if not one.is_index]
    made["cancer_level_dataset_index.csv"] = pd.DataFrame(index)
    made["cancer_level_dataset_non_index.csv"] = pd.DataFrame(others, columns=list(index[0]))
    made["cancer_panel_test_level_dataset.csv"] = _panels(people, tables, cohort, seed)
    return made


def _patients(people: dict[str, Life], tables: Rows, cohort: str) -> pd.DataFrame:
    rows = []
    for row in each(tables["clinical_patient"]):
        life = people[row.PATIENT_ID]
        rows.append(
            {
                "cohort": cohort,
                "record_id": row.PATIENT_ID,
                "institution": row.PATIENT_ID.split("-")[1],
                "naaccr_sex_code": row.GENDER,
                "naaccr_race_code_primary": row.RACE,
                "naaccr_ethnicity_code": row.ETHNICITY,
                "hybrid_death_int": life.end if life.died else None,
                "last_alive_int": None if life.died else life.end,
            }
        )
    return pd.DataFrame(rows)


def _cancer(cohort: str, who: str, one: Cancer, life: Life) -> dict[str, Any]:
    histology, _, place = one.words.partition(" | ")
    site, _, codes = place.partition(" (")
    morphology, _, topography = codes.strip("()").partition(" | ")
    first = life.first_index.birth_day
    return {
        "cohort": cohort,
        "record_id": who,
        "institution": who.split("-")[1],
        "ca_seq": one.ca_seq,
        "redcap_ca_index": "Yes" if one.is_index else "No",
        "ca_type": "" if one.is_index else "Other cancer",
        "dob_ca_dx_days": one.birth_day,
        "first_index_ca_days": None if one.birth_day == first and one.is_index else one.birth_day - first,
        "stage_dx": one.stage,
        "ca_d_site": f"{topography[:3]}.{topography[3:]}    {site.capitalize()}" if topography else "",
        "ca_hist_adeno_squamous": histology.strip(),
        "naaccr_histology_cd": morphology.removeprefix("M").replace("/", ""),
        # Outcomes: what a reader must leave alone.
        "os_dx_status": int(life.died),
        "tt_os_dx_days": life.end - one.birth_day,
    }


def _panels(people: dict[str, Life], tables: Rows, cohort: str, seed: int) -> pd.DataFrame:
    """One row a specimen, of few a second row for the patient's other cancer."""
    days = tables["timeline_specimen"].set_index("SAMPLE_ID")["START_DATE"].astype(int)
    rows = []
    for number, row in enumerate(each(tables["clinical_sample"]), 1):
        life, centre = people[row.PATIENT_ID], row.PATIENT_ID.split("-")[1]
        of = [life.first_index]
        if len(life.cancers) > 1 and stable_fraction(seed, "genie_bpc", "twice", row.SAMPLE_ID) < TWICE:
            of.append(next(one for one in life.cancers if one != of[0]))
        for one in of:
            reported = life.zero + int(days[row.SAMPLE_ID])
            rows.append(
                {
                    "cohort": cohort,
                    "record_id": row.PATIENT_ID,
                    "institution": centre,
                    "ca_seq": one.ca_seq,
                    "cpt_number": number,
                    "cpt_genie_sample_id": row.SAMPLE_ID,
                    "cpt_seq_assay_id": ASSAYS.get(centre, f"MSK-{row.GENE_PANEL}"),
                    "cpt_oncotree_code": row.ONCOTREE_CODE,
                    "sample_type": "Lymph node metastasis"
                    if row.METASTATIC_SITE.lower() == "lymph node"
                    else KINDS.get(row.SAMPLE_TYPE, ""),
                    "dob_cpt_report_days": reported,
                    "dx_cpt_rep_days": reported - one.birth_day,
                    "path_proc_number": number,
                    "path_rep_number": 1,
                }
            )
    return pd.DataFrame(rows)
