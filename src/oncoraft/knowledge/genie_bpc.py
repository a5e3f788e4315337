"""Words and codes of a GENIE BPC release, and what each becomes in MSK-CHORD's layout.

From public code that writes or reads the releases (the consortium's export pipeline and its R package). Column sets differ from
cohort to cohort, so that columns are chosen by name and none but the keys is taken for granted.
"""

from __future__ import annotations

import re

# Cohort as the column spells it -> CANCER_TYPE and topography of the organ where a registry gives none.
COHORTS: dict[str, tuple[str, str]] = {
    "NSCLC": ("Non-Small Cell Lung Cancer", "C349"),
    "CRC": ("Colorectal Cancer", "C189"),
    "BrCa": ("Breast Cancer", "C509"),
    "PANC": ("Pancreatic Cancer", "C259"),
    "Prostate": ("Prostate Cancer", "C619"),
    "BLADDER": ("Bladder Cancer", "C679"),
    "RENAL": ("Renal Cell Carcinoma", "C649"),
}
ORGAN_WORDS = {
    "C349": "LUNG",
    "C189": "COLON",
    "C509": "BREAST",
    "C259": "PANCREAS",
    "C619": "PROSTATE GLAND",
    "C679": "BLADDER",
    "C649": "KIDNEY",
}

PROGRESSION = {
    "Progressing/Worsening/Enlarging": "Y",
    "Stable/No change": "N",
    "Improving/Responding": "N",
    # Some lesions grow and others shrink: no single reading decides whether the treatment worked.
    "Mixed": "Indeterminate",
    "Not stated/Indeterminate": "Indeterminate",
}
EVIDENCE_OF_CANCER = {
    "Yes, the Impression states or implies there is evidence of cancer": "Y",
    "No, the Impression states or implies there is no evidence of cancer": "N",
    "The Impression is uncertain, indeterminate, or equivocal": "Indeterminate",
    "The Impression does not mention cancer": "",
}
PROCEDURES = {"CT": "CT", "MRI": "MR", "PET or PET-CT": "PET", "Mammogram - Use for Breast Cancer only": "Mammogram"}
REGIONS = {
    "Chest": "CHEST",
    "Abdomen": "ABDOMEN",
    "Pelvis": "PELVIS",
    "Brain/Head": "HEAD",
    "Spine": "OTHER",
    "Neck": "OTHER",
    "Extremity": "OTHER",
}
FULL_BODY = "Full body"
SAMPLE_TYPES = {
    "Primary tumor": ("Primary", ""),
    "Lymph node metastasis": ("Metastasis", "Lymph Node"),
    "Metastasis site unspecified": ("Metastasis", ""),
    "Local recurrence": ("Local Recurrence", ""),
}
STAGES = {"Stage I": ("Stage 1-3", "I"), "Stage II": ("Stage 1-3", "II"), "Stage III": ("Stage 1-3", "III"), "Stage IV": ("Stage 4", "IV")}
STAGES |= {"Stage I-III NOS": ("Stage 1-3", ""), "Stage I-III": ("Stage 1-3", "")}
# tm_type, letters and digits alone -> test; the tests that MSK-CHORD has tables of.
MARKERS = {"CA153": "CA_15-3", "CA199": "CA_19-9", "CEA": "CEA", "PSA": "PSA"}
MASKED_DRUG = "Investigational Drug"

# Sites of disease on imaging by ICD-O-3 topography; the first that fits. Everything else is "Other", the breast too.
TUMOR_SITES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("Pleura", r"C384"),
        ("Lung", r"C3[34]"),
        ("Bone", r"C4[01]"),
        ("Liver", r"C22"),
        ("CNS/Brain", r"C7[012]"),
        ("Lymph Nodes", r"C77"),
        ("Adrenal Glands", r"C74"),
        ("Intra-Abdominal", r"C48"),
        ("Reproductive Organs", r"C5[1-8]|C6[0-3]"),
    )
)
CODE = re.compile(r"C\d{2}\.?\d?")


def topography(text: str) -> str:
    """The ICD-O-3 code at the start of `C34.1    Upper lobe lung`, without its point; empty where there is none."""
    found = CODE.match(text.strip())
    return found[0].replace(".", "") if found else ""


def tumor_site(text: str) -> str:
    """The imaging site of a curated site; empty where the cell names none."""
    code = topography(text)
    return next((name for name, pattern in TUMOR_SITES if pattern.match(code)), "Other") if code else ""


def drug_name(cell: str) -> str:
    """The drug of `Name(syn,syn)` or, without a bracket, of `Name, syn, syn`."""
    return cell.split("(" if "(" in cell else ",", maxsplit=1)[0].strip()
