"""Who the twin's patients are: round, plausible numbers in the range of the published marginals; no row of a real cohort.

One entry a cancer type, in the order of `CANCERS`. Days and months are from diagnosis unless a comment says otherwise.
"""

from __future__ import annotations

from typing import NamedTuple


class Cancer(NamedTuple):
    """One cancer type.

    Attributes:
        share: of patients, in thousandths.
        histologies: (OncoTree name, code, registry words with morphology, weight).
        primary_sites: (registry words, topography, portal words, weight).
        primary_organ, organ_share: imaging site of the primary, and how often it is seen while it is in place.
        spread: weight of each of the ten imaging sites for metastases.
        male, age, age_deviation: years at diagnosis.
        stage_four: share at diagnosis before selection by survival.
        early_stages: weights of stages 1, 2, 3.
        delay_days, delay_sigma: log-normal time from diagnosis to sequencing.
        recurs, recurrence_days: share of early cancers that come back, median time to it.
        death_months: mean survival in metastatic disease at average risk.
        first_treatment_days: median time to the first regimen.
        local_treated, treated: share given drugs for early and for metastatic disease.
        smoker: share that ever smoked.
        driver: gene -> share; fusion pairs -> share; amplified and deleted genes -> share.
        burden: median mutations per megabase and sigma; unstable: share with MSI.
        markers: laboratory tests and the share tested.
        procedures: weights of CT, MR, PET.
    """

    name: str
    share: int
    histologies: tuple[tuple[str, str, str, float], ...]
    primary_sites: tuple[tuple[str, str, str, float], ...]
    primary_organ: str
    organ_share: float
    spread: tuple[float, ...]
    male: float
    age: float
    age_deviation: float
    stage_four: float
    early_stages: tuple[float, float, float]
    delay_days: float
    delay_sigma: float
    recurs: float
    recurrence_days: float
    death_months: float
    first_treatment_days: float
    local_treated: float
    treated: float
    smoker: float
    driver: dict[str, float]
    fusions: dict[tuple[str, str], float]
    calls: dict[str, float]
    burden: tuple[float, float]
    unstable: float
    markers: dict[str, float]
    procedures: tuple[float, float, float]


# The order of the sites in `spread` and in every site matrix.
SITES = ("Lung", "Other", "Lymph Nodes", "Bone", "Liver", "CNS/Brain", "Intra-Abdominal", "Pleura", "Reproductive Organs", "Adrenal Glands")
LIVER, BRAIN = SITES.index("Liver"), SITES.index("CNS/Brain")

LUNG = Cancer(
    "Non-Small Cell Lung Cancer", 313,
    (("Lung Adenocarcinoma", "LUAD", "ADENOCARCINOMA, NOS|M8140/3", 0.77), ("Lung Squamous Cell Carcinoma", "LUSC", "SQUAMOUS CELL CARCINOMA, NOS|M8070/3", 0.11),
     ("Non-Small Cell Lung Cancer", "NSCLC", "NON-SMALL CELL CARCINOMA|M8046/3", 0.06), ("Poorly Differentiated Non-Small Cell Lung Cancer", "NSCLCPD", "CARCINOMA, NOS|M8010/3", 0.03),
     ("Large Cell Neuroendocrine Carcinoma", "LUNE", "LARGE CELL NEUROENDOCRINE CARCINOMA|M8013/3", 0.03)),
    (("UPPER LOBE, LUNG", "C341", "Lung", 0.5), ("LOWER LOBE, LUNG", "C343", "lung", 0.3), ("LUNG, NOS", "C349", "Lung", 0.2)),
    "Lung", 0.93, (6, 2, 8, 5, 2.6, 3.6, 0.6, 2.8, 0.4, 1.5), 0.41, 67, 10.5, 0.46, (0.55, 0.13, 0.32), 58, 1.75, 0.62, 560, 31, 45, 0.45, 0.96, 0.70,
    {"TP53": 0.53, "KRAS": 0.375, "EGFR": 0.215, "STK11": 0.13, "KEAP1": 0.12, "BRAF": 0.04, "MET": 0.04, "PIK3CA": 0.045, "ERBB2": 0.02, "RB1": 0.06,
     "NF1": 0.07, "SMARCA4": 0.07, "CDKN2A": 0.06, "RBM10": 0.08, "ATM": 0.06, "KMT2D": 0.06, "ARID1A": 0.06},
    {("EML4", "ALK"): 0.028, ("KIF5B", "RET"): 0.012, ("CD74", "ROS1"): 0.01, ("TPM3", "NTRK1"): 0.002},
    {"CDKN2A": -0.16, "EGFR": 0.035, "NKX2-1": 0.08, "MDM2": 0.05, "MYC": 0.05, "TERT": 0.06, "FGFR1": 0.02, "ERBB2": 0.02, "MET": 0.03},
    (6.0, 0.95), 0.004, {"CEA": 0.12}, (0.74, 0.15, 0.11),
)  # fmt: skip
BREAST = Cancer(
    "Breast Cancer", 215,
    (("Breast Invasive Ductal Carcinoma", "IDC", "INFILTRATING DUCT CARCINOMA, NOS|M8500/3", 0.70), ("Breast Invasive Lobular Carcinoma", "ILC", "LOBULAR CARCINOMA, NOS|M8520/3", 0.12),
     ("Invasive Breast Carcinoma", "BRCA", "INFILTRATING DUCT AND LOBULAR CARCINOMA|M8522/3", 0.18)),
    (("UPPER-OUTER QUADRANT OF BREAST", "C504", "Breast", 0.4), ("BREAST, NOS", "C509", "breast", 0.35), ("OVERLAPPING LESION OF BREAST", "C508", "Breast", 0.25)),
    "Other", 0.7, (3.6, 2.4, 5.6, 6.6, 4.4, 2.3, 0.8, 1.5, 0.5, 0.5), 0.011, 54, 12.5, 0.23, (0.42, 0.38, 0.2), 330, 1.5, 0.74, 1200, 84, 60, 0.98, 0.98, 0.33,
    {"TP53": 0.41, "PIK3CA": 0.35, "GATA3": 0.13, "CDH1": 0.12, "ESR1": 0.09, "MAP3K1": 0.08, "KMT2C": 0.08, "ARID1A": 0.06, "BRCA2": 0.04, "BRCA1": 0.03,
     "PTEN": 0.06, "AKT1": 0.05, "NF1": 0.05, "ERBB2": 0.04, "CHEK2": 0.02, "PALB2": 0.01, "ATM": 0.03},
    {("FGFR2", "TACC2"): 0.004, ("ESR1", "CCDC170"): 0.004},
    {"CCND1": 0.14, "FGFR1": 0.11, "MYC": 0.11, "ERBB2": 0.01, "PTEN": -0.02, "MDM2": 0.04},
    (3.3, 0.75), 0.003, {"CEA": 0.70, "CA_15-3": 0.72}, (0.37, 0.28, 0.35),
)  # fmt: skip
COLON = Cancer(
    "Colorectal Cancer", 222,
    (("Colon Adenocarcinoma", "COAD", "ADENOCARCINOMA, NOS|M8140/3", 0.62), ("Rectal Adenocarcinoma", "READ", "ADENOCARCINOMA, NOS|M8140/3", 0.23),
     ("Colorectal Adenocarcinoma", "COADREAD", "ADENOCARCINOMA IN ADENOMATOUS POLYP|M8210/3", 0.11), ("Mucinous Adenocarcinoma of the Colon and Rectum", "MACR", "MUCINOUS ADENOCARCINOMA|M8480/3", 0.04)),
    (("SIGMOID COLON", "C187", "Sigmoid Colon", 0.3), ("RECTUM, NOS", "C209", "Rectum", 0.25), ("CECUM", "C180", "Cecum", 0.2), ("ASCENDING COLON", "C182", "Ascending colon", 0.15),
     ("DESCENDING COLON", "C186", "Descending Colon", 0.1)),
    "Other", 0.7, (4.4, 2.6, 5, 1.3, 6, 0.5, 2.8, 0.4, 1.2, 0.5), 0.54, 57, 13.5, 0.43, (0.14, 0.25, 0.61), 145, 1.55, 0.49, 580, 66, 50, 0.72, 0.97, 0.39,
    {"APC": 0.74, "TP53": 0.73, "KRAS": 0.475, "PIK3CA": 0.17, "SMAD4": 0.14, "FBXW7": 0.12, "BRAF": 0.10, "TCF7L2": 0.09, "SOX9": 0.10, "AMER1": 0.07,
     "NRAS": 0.035, "PTEN": 0.05, "RNF43": 0.05, "ATM": 0.05, "CTNNB1": 0.02, "ERBB2": 0.02, "ARID1A": 0.05},
    {("VTI1A", "TCF7L2"): 0.006, ("TPM3", "NTRK1"): 0.002},
    {"MYC": 0.04, "ERBB2": 0.03, "SMAD4": -0.03, "PTEN": -0.015, "FGFR1": 0.02},
    (5.7, 0.5), 0.118, {"CEA": 0.99, "CA_19-9": 0.02}, (0.84, 0.11, 0.05),
)  # fmt: skip
PROSTATE = Cancer(
    "Prostate Cancer", 128,
    (("Prostate Adenocarcinoma", "PRAD", "ADENOCARCINOMA, NOS|M8140/3", 0.99), ("Prostate Small Cell Carcinoma", "PRSCC", "SMALL CELL CARCINOMA, NOS|M8041/3", 0.01)),
    (("PROSTATE GLAND", "C619", "Prostate", 1.0),),
    "Reproductive Organs", 0.6, (2, 1.6, 5, 7, 1.3, 0.9, 0.5, 0.4, 1.2, 0.4), 1.0, 65, 8.5, 0.50, (0.12, 0.55, 0.33), 560, 1.45, 0.68, 1100, 145, 120, 0.80, 0.98, 0.42,
    {"TP53": 0.31, "SPOP": 0.10, "PTEN": 0.06, "FOXA1": 0.10, "BRCA2": 0.08, "ATM": 0.05, "CDK12": 0.05, "AR": 0.06, "APC": 0.06, "KMT2D": 0.05, "PIK3CA": 0.04,
     "RB1": 0.04, "KMT2C": 0.06, "CTNNB1": 0.03, "BRCA1": 0.01},
    {("TMPRSS2", "ERG"): 0.22, ("SLC45A3", "ERG"): 0.015, ("TMPRSS2", "ETV1"): 0.02, ("TMPRSS2", "ETV4"): 0.01},
    {"AR": 0.10, "PTEN": -0.14, "MYC": 0.08, "RB1": -0.05, "BRCA2": -0.02, "CCND1": 0.02},
    (2.3, 0.8), 0.017, {"PSA": 0.99, "CEA": 0.05}, (0.58, 0.25, 0.17),
)  # fmt: skip
PANCREAS = Cancer(
    "Pancreatic Cancer", 125,
    (("Pancreatic Adenocarcinoma", "PAAD", "ADENOCARCINOMA, NOS|M8140/3", 0.87), ("Pancreatic Neuroendocrine Tumor", "PANET", "NEUROENDOCRINE CARCINOMA, NOS|M8246/3", 0.09),
     ("Intraductal Papillary Mucinous Neoplasm", "IPMN", "INTRADUCTAL PAPILLARY-MUCINOUS CARCINOMA, INVASIVE|M8453/3", 0.04)),
    (("HEAD OF PANCREAS", "C250", "Pancreas", 0.55), ("TAIL OF PANCREAS", "C252", "pancreas", 0.2), ("PANCREAS, NOS", "C259", "Pancreas", 0.25)),
    "Other", 0.88, (2.8, 2, 3.4, 0.9, 8, 0.3, 4, 0.4, 0.4, 0.5), 0.52, 65, 11, 0.43, (0.37, 0.37, 0.26), 88, 1.4, 0.80, 290, 19, 35, 0.70, 0.97, 0.41,
    {"KRAS": 0.84, "TP53": 0.69, "SMAD4": 0.19, "CDKN2A": 0.17, "ARID1A": 0.06, "GNAS": 0.03, "RNF43": 0.05, "BRCA2": 0.04, "ATM": 0.05, "MEN1": 0.03, "DAXX": 0.02,
     "TGFBR2": 0.04, "KMT2D": 0.04, "PIK3CA": 0.02, "PALB2": 0.01, "BRAF": 0.01},
    {("FGFR2", "BICC1"): 0.002, ("KIF5B", "RET"): 0.001},
    {"CDKN2A": -0.17, "SMAD4": -0.08, "MYC": 0.06, "CCNE1": 0.02, "KRAS": 0.03},
    (3.5, 0.55), 0.006, {"CEA": 0.80, "CA_19-9": 0.91, "CA_15-3": 0.01}, (0.92, 0.05, 0.03),
)  # fmt: skip
CANCERS = (LUNG, BREAST, COLON, PROSTATE, PANCREAS)
NAMES = tuple(cancer.name for cancer in CANCERS)

ECOG_WEIGHTS = (0.40, 0.47, 0.105, 0.025)
QUIET = (0.045, 0.045, 0.008, 0.13, 0.045)  # tumours without a reported mutation, by cancer type
PDL1_POSITIVE = (0.45, 0.30, 0.25, 0.20, 0.20)  # by cancer type, of those tested and of those not
PDL1_TESTED = (0.60, 0.065, 0.01, 0.008, 0.013)
MMR_TESTED = (0.015, 0.017, 0.76, 0.03, 0.07)
HORMONE_RECEPTOR, HER2_WITH, HER2_WITHOUT = 0.77, 0.15, 0.20  # HER2 by hormone receptor
OUTSIDE = (0.15, 0.23, 0.20, 0.23, 0.17)  # came with treatment received elsewhere
OUTSIDE_KNOWN = (0.85, 0.75, 0.81, 0.53, 0.89)
HORIZON_MONTHS = 118.0  # longest follow-up from sequencing
OTHER_CAUSE_MONTHS = 560.0  # mean time to death of something else, at 65 years
