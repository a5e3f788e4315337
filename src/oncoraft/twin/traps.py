"""What makes real rows hard to read, put into the twin in declared shares; `truth` says whom each touches.

What happens in care (operations and radiation between scans, an earlier cancer, an oral agent handed out before the infusion) is there with and
without `clean`; what only disturbs the records (spellings, tracers among the drugs, reports that contradict one another) is not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oncoraft.twin.cohort import Cohort
from oncoraft.twin.draws import Booleans, Draws, Integers
from oncoraft.twin.parameters import BRAIN, NAMES
from oncoraft.twin.regimens import OPTIONS

EARLIER_CANCER = 0.045  # patients with an earlier cancer, treated before the sequenced one was found
REGISTERED = 0.25  # of these, the registry has the earlier cancer too
SAME_DAY_ECOG = 0.11  # regimens whose ECOG is written on the day of the first infusion
EARLY_ORAL = 0.5  # of capecitabine with oxaliplatin
MINOR_PROCEDURE = 0.11  # regimens with a port or a biopsy between the first day and the first scan
TRACER, SPELLING = 0.006, 0.01  # regimens with a tracer or radio-iodine just before; treatment rows spelt otherwise
CONTRADICTED = 0.12  # "no cancer" reports under a response that name a site all the same
HEAD_ONLY = 0.06  # regimens with a scan of the head alone before the first scan of the body
SUMMARY_UNKNOWN = 0.015  # registry rows without an extent of disease
TRACERS = (("GALLIUM GA-68 PSMA-11", "Investigational"), ("FLUDEOXYGLUCOSE F-18", "Investigational"), ("SODIUM IODIDE I-131", "Targeted"))
SPELLINGS: dict[str, tuple[str, ...]] = {
    "TRASTUZUMAB": ("TRASTUZUMAB-DKST", "HERCEPTIN"), "BEVACIZUMAB": ("BEVACIZUMAB-AWWB", "BEVACIZUMAB-BVZR"), "PEMETREXED": ("PEMETREXED DISODIUM", "ALIMTA"),
    "OSIMERTINIB": ("OSIMERTINIB MESYLATE", "TAGRISSO"), "TAMOXIFEN": ("TAMOXIFEN CITRATE",), "CAPECITABINE": ("XELODA",), "PEMBROLIZUMAB": ("KEYTRUDA",),
    "DOXORUBICIN": ("DOXORUBICIN HYDROCHLORIDE",), "GEMCITABINE": ("GEMCITABINE HYDROCHLORIDE",), "ABIRATERONE": ("ABIRATERONE ACETATE",),
    "LEUPROLIDE": ("LEUPROLIDE ACETATE",), "FAM-TRASTUZUMAB DERUXTECAN": ("FAM-TRASTUZUMAB DERUXTECAN-NXKI", "ENHERTU"),
}  # fmt: skip
EARLIER_AGENTS = (("TAMOXIFEN", "LETROZOLE", "ANASTROZOLE"), ("LEUPROLIDE", "BICALUTAMIDE"))  # of breast, of prostate cancer
EARLIER_WORDS = ("INFILTRATING DUCT CARCINOMA, NOS | BREAST, NOS (M8500/3 | C509)", "ADENOCARCINOMA, NOS | PROSTATE GLAND (M8140/3 | C619)")
EARLY_ORAL_OPTION = np.array([{"CAPECITABINE", "OXALIPLATIN"} == set(option.agents) for option in OPTIONS])


class Earlier(NamedTuple):
    """Treatment of an earlier cancer, a row each: person, first and last day, agent, whether of the prostate, its diagnosis, registered or not."""

    person: Integers
    start: Integers
    stop: Integers
    agent: Booleans
    is_prostate: Booleans
    diagnosis: Integers
    is_registered: Booleans

    def cancer_type(self) -> Booleans:
        """Name of the earlier cancer, empty where nothing on record tells it."""
        return np.where(self.is_registered, np.where(self.is_prostate, NAMES[3], NAMES[1]), "").astype(object)


def earlier_cancers(cohort: Cohort) -> Earlier:
    """Endocrine treatment of an earlier breast or prostate cancer; a third of it goes on after the next cancer was found."""
    male = cohort.people.male
    other = cohort.people.cancer != np.where(male, 3, 1)
    here = cohort.arrival <= cohort.diagnosis  # who came late left nothing here before
    person = np.flatnonzero(cohort.draws.chance("earlier cancer", EARLIER_CANCER) & other & here)
    draws, first = cohort.draws[person], cohort.diagnosis[person]
    start = first - draws.whole("earlier start", 400, 3000)
    goes_on = draws.chance("earlier goes on", 0.33)
    stop = np.where(
        goes_on, first + draws.whole("earlier after", 20, 400), np.minimum(start + draws.whole("earlier days", 150, 1500), first - 120)
    )
    words = [np.array(names, dtype=object)[draws.choice("earlier agent", np.ones(len(names)))] for names in EARLIER_AGENTS]
    return Earlier(
        person, start, np.minimum(np.maximum(stop, start + 30), cohort.end[person]), np.where(male[person], words[1], words[0]), male[person],
        start - draws.whole("earlier diagnosis", 20, 120), draws.chance("earlier registered", REGISTERED),
    )  # fmt: skip


def of_regimens(cohort: Cohort) -> Draws:
    """Draws of each regimen for what disturbs its records."""
    return cohort.draws.repeat(cohort.regimens.person, cohort.regimens.line, "trap")


def early_oral(cohort: Cohort) -> Booleans:
    """Whose capecitabine is handed out days before the infusion that it goes with."""
    return EARLY_ORAL_OPTION[cohort.regimens.option] & of_regimens(cohort).chance("early oral", EARLY_ORAL)


def infusion_delay(cohort: Cohort) -> Integers:
    """Days from an oral agent handed out early to its infusion, 0 elsewhere."""
    return np.where(early_oral(cohort), of_regimens(cohort).whole("infusion", 8, 12), 0)


def tracer(cohort: Cohort) -> Booleans:
    """Regimens that a tracer or radio-iodine stands before in the treatment table."""
    return of_regimens(cohort).chance("tracer", TRACER)


def minor_procedure(cohort: Cohort) -> tuple[Booleans, Integers, Booleans]:
    """Regimens with a port or biopsy soon after the first day, its day, and whether it is recorded as a sampling."""
    draws = of_regimens(cohort)
    day = cohort.regimens.start + draws.whole("minor day", 1, 25)
    has = draws.chance("minor", MINOR_PROCEDURE) & (day < np.minimum(cohort.following, cohort.end[cohort.regimens.person]))
    return has, day, draws.chance("sampling", 0.5)


def local_treatment(cohort: Cohort) -> Booleans:
    """Regimens with an operation or radiation between the first day and the first scan, on record."""
    regimens = cohort.regimens
    return (regimens.local > 0) & (regimens.local_day < np.minimum(cohort.following, cohort.end[regimens.person]))


def head_only(cohort: Cohort, clean: bool) -> tuple[Booleans, Integers]:
    """Regimens with a scan of the head alone before the first one of the body, and its day."""
    regimens, draws = cohort.regimens, of_regimens(cohort)
    day = regimens.start + draws.whole("head day", 17, 33)
    has = draws.chance("head only", 0.0 if clean else HEAD_ONLY) & np.isin(cohort.people.cancer[regimens.person], (0, 1))
    has &= ~regimens.sites_before[:, BRAIN]  # nothing of the disease is in view
    return has & (day < np.minimum(cohort.following - 28, cohort.end[regimens.person])), day


def respelt(draws: Draws, agent: Booleans) -> Booleans:
    """Names of agents, a few with a brand, a salt or a suffix."""
    names = agent.copy()
    spelt = draws.chance("spelt", SPELLING)
    for name, others in SPELLINGS.items():
        rows = np.flatnonzero(spelt & (agent == name))
        names[rows] = np.array(others, dtype=object)[draws[rows].choice("spelling", np.ones(len(others)))]
    return names
