"""Parameters of the twin: round, plausible numbers in the range of the published marginals; no row of a real cohort.

Regimens: agents, weight by line (first, later), and which biomarker has to be there. Effects are on the logit of response.
"""

from __future__ import annotations

from typing import NamedTuple


class Cancer(NamedTuple):
    """One cancer type: share of patients, marginals, delay from diagnosis to sequencing, monthly hazard of death."""

    name: str
    detailed: str
    code: str
    site: str
    share: float
    male: float
    age: float
    stage_four: float
    delay_days: float
    hazard: float
    sites: tuple[str, ...]
    genes: dict[str, float]
    marker: str


CANCERS = (
    Cancer("Non-Small Cell Lung Cancer", "Lung Adenocarcinoma", "LUAD", "Lung", 0.31, 0.42, 66, 0.55, 60, 0.022,
           ("Lung", "Lymph Nodes", "Bone", "CNS/Brain", "Liver", "Pleura"),
           {"TP53": 0.50, "KRAS": 0.28, "EGFR": 0.26, "STK11": 0.13, "KEAP1": 0.12, "BRAF": 0.04}, "CEA"),
    Cancer("Colorectal Cancer", "Colon Adenocarcinoma", "COAD", "Colon", 0.22, 0.54, 58, 0.50, 120, 0.016,
           ("Liver", "Lung", "Lymph Nodes", "Intra-Abdominal", "Other"),
           {"TP53": 0.74, "KRAS": 0.43, "NRAS": 0.04, "BRAF": 0.10, "PIK3CA": 0.18, "APC": 0.75}, "CEA"),
    Cancer("Breast Cancer", "Breast Invasive Ductal Carcinoma", "IDC", "Breast", 0.21, 0.01, 56, 0.40, 300, 0.012,
           ("Bone", "Liver", "Lymph Nodes", "Lung", "Other"),
           {"TP53": 0.40, "PIK3CA": 0.35, "BRCA1": 0.03, "BRCA2": 0.04, "ESR1": 0.08}, "CA 15-3"),
    Cancer("Prostate Cancer", "Prostate Adenocarcinoma", "PRAD", "Prostate", 0.13, 1.0, 67, 0.50, 350, 0.012,
           ("Bone", "Lymph Nodes", "Liver", "Other"),
           {"TP53": 0.28, "PTEN": 0.16, "BRCA2": 0.09, "SPOP": 0.10}, "PSA"),
    Cancer("Pancreatic Cancer", "Pancreatic Adenocarcinoma", "PAAD", "Pancreas", 0.13, 0.52, 65, 0.55, 80, 0.045,
           ("Liver", "Intra-Abdominal", "Lymph Nodes", "Lung", "Other"),
           {"KRAS": 0.82, "TP53": 0.66, "SMAD4": 0.20, "BRCA2": 0.05}, "CA 19-9"),
)  # fmt: skip


class Option(NamedTuple):
    """A regimen: agents, weight in first and in later lines, biomarker that is required ("" for none), response intercept."""

    agents: tuple[str, ...]
    first: float
    later: float
    needs: str
    intercept: float


REGIMENS: dict[str, tuple[Option, ...]] = {
    "LUAD": (
        Option(("CARBOPLATIN", "PEMETREXED"), 4, 1, "", 0.0),
        Option(("CARBOPLATIN", "PEMBROLIZUMAB", "PEMETREXED"), 4, 0.5, "", 0.3),
        Option(("PEMBROLIZUMAB",), 2, 2, "", -0.1),
        Option(("OSIMERTINIB",), 9, 6, "EGFR", 0.4),
        Option(("DOCETAXEL",), 0, 4, "", -0.8),
        Option(("NIVOLUMAB",), 0.5, 3, "", -0.4),
    ),
    "COAD": (
        Option(("FLUOROURACIL", "LEUCOVORIN", "OXALIPLATIN"), 7, 1.5, "", 0.3),
        Option(("FLUOROURACIL", "IRINOTECAN", "LEUCOVORIN"), 1, 4, "", -0.2),
        Option(("BEVACIZUMAB", "FLUOROURACIL", "LEUCOVORIN", "OXALIPLATIN"), 3, 1, "", 0.4),
        Option(("CAPECITABINE",), 1.5, 1.5, "", -0.4),
        Option(("CETUXIMAB", "IRINOTECAN"), 0.2, 3, "", -0.3),
    ),
    "IDC": (
        Option(("CYCLOPHOSPHAMIDE", "DOXORUBICIN"), 3, 0.5, "", 0.2),
        Option(("LETROZOLE", "PALBOCICLIB"), 3, 2, "HR", 0.4),
        Option(("FULVESTRANT",), 0.5, 2, "HR", -0.3),
        Option(("CAPECITABINE",), 0.3, 3, "", -0.5),
        Option(("PACLITAXEL",), 1.5, 2, "", 0.0),
        Option(("DOCETAXEL", "PERTUZUMAB", "TRASTUZUMAB"), 5, 3, "HER2", 0.8),
    ),
    "PRAD": (
        Option(("LEUPROLIDE",), 3, 0, "", 0.3),
        Option(("ABIRATERONE", "LEUPROLIDE"), 3, 2, "", 0.4),
        Option(("ENZALUTAMIDE",), 0.5, 3, "", 0.0),
        Option(("DOCETAXEL",), 1, 3, "", -0.3),
    ),
    "PAAD": (
        Option(("FLUOROURACIL", "IRINOTECAN", "LEUCOVORIN", "OXALIPLATIN"), 5, 1, "", 0.2),
        Option(("GEMCITABINE", "PACLITAXEL PROTEIN-BOUND"), 4, 3, "", 0.0),
        Option(("GEMCITABINE",), 1, 1.5, "", -0.6),
        Option(("FLUOROURACIL", "IRINOTECAN LIPOSOMAL", "LEUCOVORIN"), 0, 2, "", -0.6),
    ),
}
INTERCEPT = -0.2
ECOG_EFFECT = {0: 1.6, 1: 0.0, 2: -1.9, 3: -2.6}
LIVER_EFFECT = -1.7
LINE_EFFECT = -0.6
PROGRESSED_EFFECT = -0.8
# A gene or state, the agents whose response it changes, the effect.
BIOMARKERS: tuple[tuple[str, frozenset[str], float], ...] = (
    ("EGFR", frozenset({"OSIMERTINIB"}), 1.6),
    ("EGFR", frozenset({"PEMBROLIZUMAB", "NIVOLUMAB"}), -1.6),
    ("STK11", frozenset({"PEMBROLIZUMAB", "NIVOLUMAB"}), -1.8),
    ("PDL1", frozenset({"PEMBROLIZUMAB", "NIVOLUMAB"}), 1.6),
    ("KRAS", frozenset({"CETUXIMAB"}), -2.6),
    ("NRAS", frozenset({"CETUXIMAB"}), -2.6),
    ("BRAF", frozenset({"OXALIPLATIN", "IRINOTECAN"}), -1.4),
    ("TP53", frozenset({"ABIRATERONE", "ENZALUTAMIDE", "LEUPROLIDE", "PALBOCICLIB"}), -1.2),
    ("BRCA2", frozenset({"OXALIPLATIN", "CARBOPLATIN"}), 1.8),
    ("HER2", frozenset({"TRASTUZUMAB"}), 1.0),
)
HAZARD_BY_RESPONSE = {"CR": 0.15, "PR": 0.35, "SD": 1.0, "PD": 2.4}
DAYS_TO_PROGRESSION = {"CR": 520, "PR": 300, "SD": 150, "PD": 40}
CHANGES = {"EGFR": "p.L858R", "KRAS": "p.G12D", "BRAF": "p.V600E", "NRAS": "p.Q61R", "PIK3CA": "p.H1047R"}
SUBTYPES_OF_ORAL = ("Targeted", "Hormone")
CNA_GENES = ("ERBB2", "MYC", "CCND1", "CDKN2A", "PTEN", "FGFR1", "MDM2", "RB1", "EGFR", "MET", "AR", "CCNE1")
