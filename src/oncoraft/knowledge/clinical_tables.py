"""The two clinical tables: one row a patient, one row a sequenced specimen.

Most of their columns are undated or look ahead (highest stage ever, age at the end of follow-up), so
`known="never"`: they may describe a cohort, never a case at its index date.
"""

from __future__ import annotations

from typing import Any

from oncoraft.knowledge.table_specification import Column, Table, column, flag, patient, sample

SITES = (
    "ADRENAL_GLANDS",
    "BONE",
    "CNS_BRAIN",
    "INTRA_ABDOMINAL",
    "LIVER",
    "LUNG",
    "LYMPH_NODES",
    "OTHER",
    "PLEURA",
    "REPRODUCTIVE_ORGANS",
)
RACES = (
    "White",
    "Asian-Far East/Indian Subcont",
    "Black Or African American",
    "Pt Refused To Answer",
    "Other",
    "Unknown",
    "Native American-Am Ind/Alaska",
    "No Value Entered",
    "Native Hawaiian Or Pacific Isl",
)
ETHNICITIES = (
    "Non-Spanish; Non-Hispanic",
    "Spanish  NOS; Hispanic NOS, Latino NOS",
    "Unknown whether Spanish or not",
    "South/Central America (except Brazil)",
    "Puerto Rican",
    "Dominican Republic",
    "Cuban",
    "Other Spanish/Hispanic(incl European; excl Dom Rep",
    "Mexican (includes Chicano)",
    "Spanish surname only",
    "Unknown",
)
CANCER_TYPES = ("Non-Small Cell Lung Cancer", "Colorectal Cancer", "Breast Cancer", "Prostate Cancer", "Pancreatic Cancer")
GLEASON: dict[str, Any] = {"unit": "Gleason score", "minimum": 2, "maximum": 10}
PANELS = ("IMPACT341", "IMPACT410", "IMPACT468", "IMPACT505", "IMPACT-HEME-400")


def _site(source: str) -> Column:
    return column(
        source,
        required=False,
        vocabulary=("Yes", "No", "Unknown"),
        closed=True,
        known="never",
        note="ever seen on imaging, also after day 0; Unknown: no radiology",
    )


PATIENT_COLUMNS = (
    patient(),
    column(
        "GENDER",
        required=False,
        vocabulary=("Female", "Male", "Unknown"),
        known="always",
        other_headers=("SEX",),
        without="no sex in the evidence",
    ),
    column("RACE", required=False, vocabulary=RACES, known="always"),
    column("ETHNICITY", required=False, vocabulary=ETHNICITIES, known="always", note="one value holds two spaces in the source"),
    column(
        "CURRENT_AGE_DEID",
        "integer",
        required=False,
        known="never",
        unit="years",
        minimum=0,
        maximum=130,
        bounded=True,
        without="no age in the evidence",
        note="age at data cut or death, capped at 89; `>89` is read as 90",
    ),
    column("STAGE_HIGHEST_RECORDED", required=False, vocabulary=("Stage 1-3", "Stage 4", "Unknown"), known="never"),
    column("NUM_ICDO_DX", "integer", required=False, known="never", unit="registry entries", minimum=0),
    *(_site(source) for source in SITES),
    column(
        "SMOKING_PREDICTIONS_3_CLASSES",
        required=False,
        vocabulary=("Never", "Former/Current Smoker", "Unknown"),
        known="never",
        note="undated",
    ),
    column("GLEASON_FIRST_REPORTED", "integer", required=False, known="never", **GLEASON),
    column("GLEASON_HIGHEST_REPORTED", "integer", required=False, known="never", **GLEASON),
    flag("HISTORY_OF_PDL1", "Yes", "No", required=False, known="never", note="PD-L1 ever positive"),
    column(
        "PRIOR_MED_TO_MSK",
        required=False,
        vocabulary=("No prior medications", "Unknown", "Prior medications to MSK"),
        known="never",
        note="dated in timeline_prior_meds",
    ),
    column(
        "OS_MONTHS",
        "number",
        required=False,
        known="never",
        unit="months",
        minimum=0,
        maximum=1500,
        note="from first sequencing to death or last contact; a patient without it has no survival",
        without="no survival, and no response label, whose window follow-up bounds",
    ),
    column(
        "OS_STATUS",
        required=False,
        vocabulary=("0:LIVING", "1:DECEASED"),
        aliases=(("LIVING", "0:LIVING"), ("DECEASED", "1:DECEASED")),
        closed=True,
        known="never",
        without="no survival",
    ),
    flag("HR", "Yes", "No", required=False, known="never", note="hormone receptor; blank outside breast cancer"),
    flag("HER2", "Yes", "No", required=False, known="never", note="blank exactly where HR is blank"),
)

PATIENT_DERIVED = (
    Column("", "os_days", "integer", known="never", unit="days", note="OS_MONTHS times the constant in checks.json, rounded"),
    Column("", "is_deceased", "boolean", known="never", note="OS_STATUS is 1:DECEASED"),
)

SAMPLE_COLUMNS = (
    sample(),
    patient(),
    column("GLEASON_SAMPLE_LEVEL", "integer", required=False, **GLEASON),
    flag("PDL1_POSITIVE", "Yes", "No", required=False),
    column(
        "CANCER_TYPE",
        required=False,
        vocabulary=CANCER_TYPES,
        note="any word is kept; where it is empty, ONCOTREE_CODE tells it",
        without="ONCOTREE_CODE alone tells the cancer type, and where that is lacking too there are no cases",
    ),
    column("SAMPLE_TYPE", required=False, vocabulary=("Primary", "Metastasis", "Unknown", "Local Recurrence")),
    column("SAMPLE_CLASS", required=False, vocabulary=("Tumor",)),
    column("METASTATIC_SITE", required=False, note="spellings vary in case"),
    column("PRIMARY_SITE", required=False, note="spellings vary in case"),
    column("CANCER_TYPE_DETAILED", required=False, note="OncoTree name"),
    column("GENE_PANEL", required=False, vocabulary=PANELS),
    column("SAMPLE_COVERAGE", "integer", required=False, unit="reads", minimum=0),
    column("TUMOR_PURITY", "number", required=False, unit="%", minimum=0, maximum=100),
    column("ONCOTREE_CODE", required=False),
    column("MSI_COMMENT", required=False),
    column("MSI_SCORE", "number", required=False, minimum=-1, note="-1: not computed"),
    column("MSI_TYPE", required=False, vocabulary=("Stable", "Do not report", "Indeterminate", "Instable")),
    column("SOMATIC_STATUS", required=False, vocabulary=("Matched", "Unmatched")),
    column("CLINICAL_GROUP", required=False, known="never", note="stage group at diagnosis; dated in timeline_diagnosis"),
    column("PATHOLOGICAL_GROUP", required=False, known="never", note="0 is inflated; dated in timeline_diagnosis"),
    column("CLINICAL_SUMMARY", required=False, known="never", note="dated in timeline_diagnosis"),
    column("ICD_O_HISTOLOGY_DESCRIPTION", required=False),
    column("DIAGNOSIS_DESCRIPTION", required=False),
    column("TMB_NONSYNONYMOUS", "number", required=False, unit="mutations per megabase", minimum=0),
)

CLINICAL_TABLES = (
    Table(
        "clinical_patient",
        "data_clinical_patient.txt",
        PATIENT_COLUMNS,
        required=True,
        header_rows=4,
        key=("patient_id",),
        derived=PATIENT_DERIVED,
        note="one row a patient",
    ),
    Table(
        "clinical_sample",
        "data_clinical_sample.txt",
        SAMPLE_COLUMNS,
        required=True,
        header_rows=4,
        key=("sample_id",),
        note="one row a sequenced specimen; a value is known once the specimen is (timeline_specimen)",
    ),
)
