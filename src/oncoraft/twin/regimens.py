"""What the twin's patients are given, and what makes it work: the whole truth about response, in round numbers of our own.

Effects are on the logit of response (CR or PR) and are scaled by `SIGNAL`. A null regimen is one in which nothing matters:
its patients respond at one rate, and from its first day they die at their cancer type's mean rate whatever their state, so a
score that separates survival there is a false positive.
"""

from __future__ import annotations

from typing import NamedTuple

from oncoraft.twin.parameters import NAMES


class Option(NamedTuple):
    """A regimen: agents, weight as the first and as a later line, the state it needs ("" for none), its intercept, whether it is null."""

    agents: tuple[str, ...]
    first: float
    later: float
    needs: str = ""
    intercept: float = 0.0
    is_null: bool = False


def option(agents: str, first: float, later: float, needs: str = "", intercept: float = 0.0, is_null: bool = False) -> Option:
    """An option from agents joined by ` + `."""
    return Option(tuple(agents.split(" + ")), first, later, needs, intercept, is_null)


# For metastatic disease, by cancer type.
METASTATIC: tuple[tuple[Option, ...], ...] = (
    (
        option("CARBOPLATIN + PEMETREXED", 4.5, 1.3),
        option("BEVACIZUMAB + CARBOPLATIN + PEMETREXED", 1.1, 0.3, "", 0.1),
        option("CARBOPLATIN + PEMBROLIZUMAB + PEMETREXED", 2.5, 0.3, "", 0.3),
        option("PEMBROLIZUMAB", 1.4, 1.2, "", 0.0),
        option("NIVOLUMAB", 0.15, 2.0, "", -0.3),
        option("OSIMERTINIB", 45, 22, "EGFR", 0.4),
        option("ERLOTINIB", 20, 8, "EGFR", 0.0),
        option("AFATINIB", 0.15, 0.6, "", -0.9),
        option("CRIZOTINIB", 12, 10, "MET", 0.2),
        option("DABRAFENIB + TRAMETINIB", 12, 10, "BRAF", 0.3),
        option("ALECTINIB", 40, 10, "ALK", 1.4),
        option("CARBOPLATIN + PACLITAXEL", 1.4, 0.6, "", -0.2),
        option("SOTORASIB", 0.3, 5.0, "G12C", 0.1),
        option("GEMCITABINE", 0.05, 0.7, "", -0.8),
        option("DOCETAXEL + RAMUCIRUMAB", 0, 0.8, "", -0.5),
        option("DOCETAXEL", 0, 3.0, "", -0.8, True),
        option("INVESTIGATIONAL", 0.5, 1.3, "", -0.4),
    ),
    (
        option("LETROZOLE + PALBOCICLIB", 6, 1.2, "HR", 0.4),
        option("FULVESTRANT + PALBOCICLIB", 0.6, 2.2, "HR", 0.1),
        option("FULVESTRANT", 0.3, 1.0, "HR", -0.4),
        option("EVEROLIMUS + EXEMESTANE", 0, 1.0, "HR", -0.3),
        option("CAPECITABINE", 0.9, 4.0, "", -0.4),
        option("PACLITAXEL", 1.8, 1.6, "", 0.0),
        option("PACLITAXEL + PEMBROLIZUMAB", 1.6, 0.5, "TRIPLE_NEGATIVE", 0.0),
        option("LETROZOLE", 0.5, 0.3, "HR", -0.2),
        option("CARBOPLATIN + GEMCITABINE", 0.6, 1.0, "", -0.1),
        option("DOCETAXEL + PERTUZUMAB + TRASTUZUMAB", 40, 2, "HER2", 0.5),
        option("ADO-TRASTUZUMAB EMTANSINE", 0.5, 6, "HER2", 0.1),
        option("FAM-TRASTUZUMAB DERUXTECAN", 0, 4, "HER2", 0.5),
        option("OLAPARIB", 0.8, 7, "BRCA", -0.2),
        option("ERIBULIN", 0, 2.6, "", -0.6, True),
        option("INVESTIGATIONAL", 0.3, 1.0, "", -0.4),
    ),
    (
        option("FLUOROURACIL + LEUCOVORIN + OXALIPLATIN", 5, 0.8, "", 0.2),
        option("BEVACIZUMAB + FLUOROURACIL + LEUCOVORIN + OXALIPLATIN", 1.8, 0.4, "", 0.4),
        option("BEVACIZUMAB + FLUOROURACIL + IRINOTECAN + LEUCOVORIN", 0.5, 2.6, "", 0.1),
        option("FLUOROURACIL + IRINOTECAN + LEUCOVORIN", 0.5, 1.6, "", -0.1),
        option("CAPECITABINE", 0.9, 1.1, "", -0.5),
        option("CAPECITABINE + OXALIPLATIN", 0.8, 0.2, "", 0.1),
        option("FLUOROURACIL + LEUCOVORIN", 0, 0, "", 0.0),
        option("CETUXIMAB + IRINOTECAN", 0.2, 2.2, "", -0.1),
        option("REGORAFENIB", 0, 0.4, "", -1.0),
        option("PANITUMUMAB", 0.1, 0.7, "", -0.3),
        option("PEMBROLIZUMAB", 9, 7, "MSI", -0.2),
        option("FLOXURIDINE", 0.6, 0.6, "", 0.0),
        option("TIPIRACIL-TRIFLURIDINE", 0, 2.4, "", -1.0, True),
        option("INVESTIGATIONAL", 0.15, 0.6, "", -0.5),
    ),
    (
        option("LEUPROLIDE", 3.2, 0, "", 0.3),
        option("BICALUTAMIDE + LEUPROLIDE", 2.2, 0, "", 0.3),
        option("ABIRATERONE + LEUPROLIDE", 2.4, 0.4, "", 0.5),
        option("ABIRATERONE", 0.4, 3.0, "", 0.0),
        option("ENZALUTAMIDE", 0.3, 3.0, "", 0.0),
        option("CABAZITAXEL + CARBOPLATIN", 0, 1.0, "", -0.2),
        option("OLAPARIB", 0, 6, "BRCA", -0.2),
        option("PEMBROLIZUMAB", 0, 5, "MSI", -0.4),
        option("RADIUM RA-223 DICHLORIDE", 0, 0.9, "", -0.9),
        option("DOCETAXEL", 0.7, 2.4, "", -0.3, True),
        option("INVESTIGATIONAL", 0.3, 1.2, "", -0.4),
    ),
    (
        option("FLUOROURACIL + IRINOTECAN + LEUCOVORIN + OXALIPLATIN", 5.5, 0.8, "", 0.2),
        option("GEMCITABINE + PACLITAXEL PROTEIN-BOUND", 4, 4, "", 0.0),
        option("FLUOROURACIL + LEUCOVORIN + OXALIPLATIN", 0.4, 1.0, "", -0.2),
        option("FLUOROURACIL + IRINOTECAN LIPOSOMAL + LEUCOVORIN", 0, 2.2, "", -0.5),
        option("CAPECITABINE", 0.3, 1.0, "", -0.6),
        option("CISPLATIN + GEMCITABINE", 0.4, 0.5, "", 0.0),
        option("FLUOROURACIL + LEUCOVORIN", 0, 0, "", 0.0),
        option("OLAPARIB", 0.3, 7, "BRCA", -0.2),
        option("GEMCITABINE", 0.9, 2.0, "", -0.7, True),
        option("EVEROLIMUS", 0.1, 0.35, "", -0.5),
        option("INVESTIGATIONAL", 0.4, 1.2, "", -0.5),
    ),
)

# For early disease, by cancer type: up to three courses one after another; of each, options with weight and the state needed.
LOCAL: tuple[tuple[tuple[Option, ...], ...], ...] = (
    ((option("CISPLATIN + PEMETREXED", 3, 0), option("OSIMERTINIB", 6, 0, "EGFR"), option("CARBOPLATIN + PACLITAXEL", 1, 0), option("CISPLATIN + VINORELBINE", 1.2, 0),
      option("CISPLATIN + ETOPOSIDE", 0.8, 0)),),
    (
        (option("CYCLOPHOSPHAMIDE + DOXORUBICIN", 3.4, 0), option("LETROZOLE", 1.2, 0, "HR"), option("TAMOXIFEN", 1.0, 0, "HR"),
         option("CYCLOPHOSPHAMIDE + DOCETAXEL", 0.7, 0), option("PACLITAXEL + TRASTUZUMAB", 12, 0, "HER2"),
         option("CARBOPLATIN + DOCETAXEL + PERTUZUMAB + TRASTUZUMAB", 18, 0, "HER2"), option("CYCLOPHOSPHAMIDE + EPIRUBICIN + FLUOROURACIL", 0.3, 0)),
        (option("PACLITAXEL", 0, 0), option("DOCETAXEL", 0, 0), option("HYALURONIDASE/PERTUZUMAB/TRASTUZUMAB", 0, 0, "HER2"),
         option("TAMOXIFEN", 0.8, 0, "HR"), option("ANASTROZOLE", 1.0, 0, "HR"), option("CAPECITABINE", 0.15, 0)),
        (option("LETROZOLE", 1.2, 0, "HR"), option("ANASTROZOLE", 1.0, 0, "HR"), option("TAMOXIFEN", 0.9, 0, "HR"), option("CAPECITABINE", 0.3, 0)),
    ),
    ((option("FLUOROURACIL + LEUCOVORIN + OXALIPLATIN", 5, 0), option("CAPECITABINE", 2, 0), option("CAPECITABINE + OXALIPLATIN", 1.6, 0), option("FLUOROURACIL", 0.5, 0)),),
    ((option("DEGARELIX", 0.9, 0), option("LEUPROLIDE", 2, 0), option("BICALUTAMIDE + LEUPROLIDE", 1.5, 0)),),
    ((option("FLUOROURACIL + IRINOTECAN + LEUCOVORIN + OXALIPLATIN", 3, 0), option("GEMCITABINE", 2, 0), option("CAPECITABINE + GEMCITABINE", 1.6, 0)),),
)  # fmt: skip
LOCAL_CONTINUES = ((0.0,), (0.62, 0.8), (0.0,), (0.0,), (0.0,))  # chance of a second and third course beside a protocol's own

SIGNAL = 1.15  # scales the logit, so that the truth predicts the strict label with an AUROC of about 0.8
INTERCEPT = 2.4
ECOG_EFFECT = (0.4, 0.0, -0.6, -1.0, -1.2)
LIVER_EFFECT = -0.8
BRAIN_EFFECT = -0.4
LINE_EFFECT = -0.03  # a line, up to the fifth
STAGE_FOUR_EFFECT = -0.3
TP53_EFFECT = -0.4
OLD_EFFECT = -0.4  # from 75 years on, at diagnosis
# What imaging and the laboratory had shown before the first day, all of it on record by then.
GROWING_EFFECT = -2.4  # the scan before shows growth
GROWING = (0.30, 0.62)  # share in which it does, unless and if the disease had progressed in the RECENT_DAYS before
RECENT_DAYS = 100
PROGRESSIONS_EFFECT = -0.12  # each earlier progression, up to the third
QUICK_EFFECT = -0.4  # the last regimen held for less than QUICK_DAYS
QUICK_DAYS = 120
SITES_EFFECT = -0.5  # each site beyond the first, up to the fifth
BULK_EFFECT = -0.45  # a standard deviation of tumour bulk, which the markers tell
NOISE_DEVIATION = 0.25  # of the logit: what no record tells

CHECKPOINT = frozenset({"PEMBROLIZUMAB", "NIVOLUMAB"})
ENDOCRINE = frozenset({"ABIRATERONE", "ENZALUTAMIDE", "LEUPROLIDE", "PALBOCICLIB", "FULVESTRANT", "EXEMESTANE", "LETROZOLE"})
ANTI_EGFR = frozenset({"CETUXIMAB", "PANITUMUMAB"})
PLATINUM = frozenset({"CARBOPLATIN", "CISPLATIN", "OXALIPLATIN"})
# A state of the patient, the agents whose response it changes, the effect on the logit.
BIOMARKERS: tuple[tuple[str, frozenset[str], float], ...] = (
    ("EGFR", frozenset({"OSIMERTINIB", "ERLOTINIB"}), 1.2),
    ("EGFR", CHECKPOINT, -1.5),
    ("STK11", CHECKPOINT, -1.5),
    ("PDL1", CHECKPOINT, 1.6),
    ("MSI", CHECKPOINT, 2.6),
    ("TMB_HIGH", CHECKPOINT, 1.4),
    ("ALK", frozenset({"ALECTINIB"}), 1.0),
    ("RAS", ANTI_EGFR, -2.6),
    ("BRAF", ANTI_EGFR | frozenset({"OXALIPLATIN", "IRINOTECAN"}), -1.4),
    ("BRCA", PLATINUM, 1.8),
    ("BRCA", frozenset({"OLAPARIB"}), 1.6),
    ("HER2", frozenset({"TRASTUZUMAB", "ADO-TRASTUZUMAB EMTANSINE", "FAM-TRASTUZUMAB DERUXTECAN"}), 1.0),
    ("TP53", ENDOCRINE, -1.2),
    ("ESR1", frozenset({"LETROZOLE", "EXEMESTANE"}), -1.4),
)
DAYS_TO_NEOADJUVANT = (35.0, 0.5)  # from diagnosis, median and deviation of the log: no operation comes first
NULL_RATE = 0.25  # response in a null regimen
COMPLETE_SHARE = 0.14  # of responses
HAZARD_BY_RESPONSE = {"CR": 0.20, "PR": 0.45, "SD": 1.0, "PD": 2.2}
SAFE_DAYS = 110  # in which nobody dies who responds
ECOG_HAZARD = (0.65, 1.0, 1.8, 2.8, 4.0)
LIVER_HAZARD, TP53_HAZARD, STAGE_FOUR_HAZARD = 1.4, 1.25, 1.15
FRAILTY_DEVIATION = 0.45  # of the log hazard: what no record tells
DAYS_TO_PROGRESSION = {"CR": 430.0, "PR": 260.0, "SD": 150.0, "PD": 46.0}
RESPONSES = ("CR", "PR", "SD", "PD", "NED")

_PLACED = [(cancer, False, one) for cancer, group in enumerate(METASTATIC) for one in group] + [
    (cancer, True, one) for cancer, courses in enumerate(LOCAL) for course in courses for one in course
]
OPTIONS: tuple[Option, ...] = tuple(one for _, _, one in _PLACED)


class Protocol(NamedTuple):
    """Two regimens given as one treatment: position of each in `OPTIONS`, share that goes on to the second, days between
    them and of the first, whether an operation lies between them where the first comes before it."""

    name: str
    first: int
    second: int
    share: float
    gap: tuple[int, int]
    days: float
    around_surgery: bool


def place_of(cancer: int, is_early: bool, agents: str) -> int:
    """The first position of a cancer type's option in `OPTIONS`."""
    return next(
        place for place, (kind, early, one) in enumerate(_PLACED) if (kind, early, " + ".join(one.agents)) == (cancer, is_early, agents)
    )


def _protocol(name: str, cancer: int, is_early: bool, first: str, second: str, share: float, gap: tuple[int, int], days: float) -> Protocol:
    around = second == "HYALURONIDASE/PERTUZUMAB/TRASTUZUMAB"
    return Protocol(name, place_of(cancer, is_early, first), place_of(cancer, is_early, second), share, gap, days, around)


FOLFIRINOX = "FLUOROURACIL + IRINOTECAN + LEUCOVORIN + OXALIPLATIN"
PROTOCOLS = (
    _protocol("AC then taxane", 1, True, "CYCLOPHOSPHAMIDE + DOXORUBICIN", "PACLITAXEL", 0.94, (9, 21), 52),
    _protocol("FEC then docetaxel", 1, True, "CYCLOPHOSPHAMIDE + EPIRUBICIN + FLUOROURACIL", "DOCETAXEL", 0.94, (14, 22), 50),
    _protocol("TCHP then HP", 1, True, "CARBOPLATIN + DOCETAXEL + PERTUZUMAB + TRASTUZUMAB", "HYALURONIDASE/PERTUZUMAB/TRASTUZUMAB", 0.85, (18, 30), 108),
    _protocol("FOLFIRINOX then fluorouracil", 4, False, FOLFIRINOX, "FLUOROURACIL + LEUCOVORIN", 0.45, (13, 21), 130),
    _protocol("FOLFOX then fluorouracil", 2, False, "FLUOROURACIL + LEUCOVORIN + OXALIPLATIN", "FLUOROURACIL + LEUCOVORIN", 0.25, (13, 21), 110),
)  # fmt: skip
# Share of an option's regimens that are given with radiation.
WITH_RADIATION = {
    place_of(2, True, "CAPECITABINE"): 0.85, place_of(2, True, "FLUOROURACIL"): 0.85, place_of(2, False, "CAPECITABINE"): 0.6,
    place_of(4, False, "CAPECITABINE"): 0.7, place_of(0, True, "CISPLATIN + ETOPOSIDE"): 0.9, place_of(0, True, "CARBOPLATIN + PACLITAXEL"): 0.5,
}  # fmt: skip
LOCAL_TREATMENT = (
    0.20,
    0.24,
    0.05,
    0.02,
    0.0,
)  # share with an operation or radiation between the first day and the first scan, by response
REGIMEN_OF_CANCER = {name: METASTATIC[place] for place, name in enumerate(NAMES)}


def null_regimens() -> list[tuple[str, str]]:
    """Cancer type and agents of the regimens in which nothing predicts anything."""
    return [(name, " + ".join(one.agents)) for name, group in REGIMEN_OF_CANCER.items() for one in group if one.is_null]
