"""data_clinical_patient of the twin."""

from __future__ import annotations

import numpy as np

from oncoraft.knowledge.clinical_tables import ETHNICITIES, RACES
from oncoraft.twin.cohort import Cohort
from oncoraft.twin.parameters import CANCERS, SITES
from oncoraft.twin.records import Columns, first_gleason

RACE_WEIGHTS = (78.3, 7.9, 7.1, 2.9, 2.7, 0.84, 0.11, 0.11, 0.05)
ETHNICITY_WEIGHTS = (89.6, 5.1, 4.0, 0.5, 0.26, 0.23, 0.1, 0.05, 0.05, 0.02, 0.0)
SITE_COLUMNS = {
    "adrenal_glands": "Adrenal Glands", "bone": "Bone", "cns_brain": "CNS/Brain", "intra_abdominal": "Intra-Abdominal", "liver": "Liver",
    "lung": "Lung", "lymph_nodes": "Lymph Nodes", "other": "Other", "pleura": "Pleura", "reproductive_organs": "Reproductive Organs",
}  # fmt: skip
OUTSIDE_WORDS = ("No prior medications", "Prior medications to MSK", "Unknown")
DAYS_PER_YEAR = 365.25
BLANK = -9  # of whole numbers; written as an empty cell
LACKING = 0.00012  # patients of whom the registry has nothing: sex, stage and age unknown


def patient_table(cohort: Cohort, tables: dict[str, Columns]) -> Columns:
    """One row a patient. What summarises a whole history (sites, PD-L1, highest stage) is taken from the timelines in `tables`.

    Args:
        tables: imaging, PD-L1 and Gleason timelines of these patients.
    """
    draws, people, count = cohort.draws, cohort.people, len(cohort)
    lacking = draws.chance("lacking", LACKING)
    age = people.age + (cohort.end - cohort.diagnosis) / DAYS_PER_YEAR
    smoking = np.array([cancer.smoker for cancer in CANCERS])[people.cancer]
    smokes = draws.choice("smoking", np.stack([0.956 - smoking, smoking, np.full(count, 0.044)], axis=1))
    days = cohort.end.astype(np.float64)
    columns: Columns = {
        "person": np.arange(count), "gender": np.where(lacking, "Unknown", np.where(people.male, "Male", "Female")).astype(object),
        "race": draws.words("race", RACES, RACE_WEIGHTS), "ethnicity": draws.words("ethnicity", ETHNICITIES, ETHNICITY_WEIGHTS),
        # The release caps ages at 89.
        "current_age_deid": np.where(lacking, BLANK, np.clip(np.floor(age), 10, 89)).astype(np.int64),
        "stage_highest_recorded": np.where(lacking, "Unknown", np.where((people.stage == 4) | draws.chance("upstaged", 0.012), "Stage 4", "Stage 1-3")).astype(object),
        "num_icdo_dx": np.where(lacking, 0, 1 + draws.choice("registry entries", (0.773, 0.168, 0.042, 0.0115, 0.0035, 0.002))),
        "smoking_predictions_3_classes": np.array(["Never", "Former/Current Smoker", "Unknown"], dtype=object)[smokes],
        # The release counts months as days x 12/365.
        "prior_med_to_msk": np.array(OUTSIDE_WORDS, dtype=object)[people.outside], "os_months": np.round(days * 12 / 365, 9),
        "os_status": np.where(cohort.died, "1:DECEASED", "0:LIVING").astype(object),
    }  # fmt: skip
    return columns | _sites(cohort, tables) | _histories(cohort, tables)


def _sites(cohort: Cohort, tables: dict[str, Columns]) -> Columns:
    """Whether each site was ever named on imaging; unknown without imaging."""
    mentions = tables["timeline_tumor_sites"]
    imaged = np.zeros(len(cohort), dtype=bool)
    imaged[tables["timeline_progression"]["person"]] = True
    out: Columns = {}
    for column, site in SITE_COLUMNS.items():
        ever = np.zeros(len(cohort), dtype=bool)
        ever[mentions["person"][mentions["tumor_site"] == site]] = True
        out[column] = np.where(imaged, np.where(ever, "Yes", "No"), "Unknown").astype(object)
    assert set(SITE_COLUMNS.values()) == set(SITES)
    return out


def _histories(cohort: Cohort, tables: dict[str, Columns]) -> Columns:
    """PD-L1 ever, first and highest Gleason score, receptors."""
    people, pdl1, gleason = cohort.people, tables["timeline_pdl1"], tables["timeline_gleason"]
    positive, asked = np.zeros(len(cohort), dtype=bool), np.zeros(len(cohort), dtype=bool)
    asked[pdl1["person"]] = True
    positive[pdl1["person"][pdl1["pdl1_positive"]]] = True
    asked |= cohort.draws.chance("PD-L1 in the notes", 0.09)
    highest = np.full(len(cohort), BLANK, dtype=np.int64)
    np.maximum.at(highest, gleason["person"], gleason["gleason_score"])
    breast = people.cancer == 1
    return {
        "history_of_pdl1": np.where(asked, np.where(positive, "Yes", "No"), "").astype(object),
        "gleason_first_reported": np.where(highest > 0, np.minimum(first_gleason(cohort), highest), BLANK), "gleason_highest_reported": highest,
        "hr": np.where(breast, np.where(people.states["HR"], "Yes", "No"), "").astype(object),
        "her2": np.where(breast, np.where(people.states["HER2"], "Yes", "No"), "").astype(object),
    }  # fmt: skip
