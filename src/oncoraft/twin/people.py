"""The twin's patients at diagnosis: who they are, what their tumour is, when it was sequenced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoraft.twin.draws import Booleans, Draws, Floats, Integers, Keys, mix, patient_keys
from oncoraft.twin.parameters import (
    CANCERS,
    ECOG_WEIGHTS,
    HER2_WITH,
    HER2_WITHOUT,
    HORIZON_MONTHS,
    HORMONE_RECEPTOR,
    OUTSIDE,
    OUTSIDE_KNOWN,
    PDL1_POSITIVE,
    QUIET,
    SITES,
    Cancer,
)

DAYS_PER_MONTH = 365 / 12
STATES = (
    "EGFR",
    "MET",
    "G12C",
    "RAS",
    "BRAF",
    "STK11",
    "ALK",
    "BRCA",
    "TP53",
    "ESR1",
    "MSI",
    "TMB_HIGH",
    "PDL1",
    "HR",
    "HER2",
    "TRIPLE_NEGATIVE",
)
CALLABLE = tuple(sorted({gene for cancer in CANCERS for gene in cancer.driver}))


@dataclass
class People:
    """One entry a patient; days from diagnosis.

    Attributes:
        number: the patient's number; cancer: position in `CANCERS`; draws: of this patient.
        stage: 1 to 4 at diagnosis; ecog: 0 to 3; delay: days to sequencing unless it waits for a recurrence.
        sites: at diagnosis, shape (n, 10); states: what regimens need and what changes their effect.
        drivers: mutated genes, shape (n, len(CALLABLE)); burden: mutations per megabase; frailty: on the log hazard.
        bulk: how much tumour there is for its sites, standard normal; it raises every marker.
        follow_up: days from sequencing to the data cut or the last contact.
    """

    number: Integers
    cancer: Integers
    draws: Draws
    male: Booleans
    age: Floats
    stage: Integers
    ecog: Integers
    delay: Integers
    sites: Booleans
    states: dict[str, Booleans]
    drivers: Booleans
    burden: Floats
    fusion: Integers
    frailty: Floats
    bulk: Floats
    follow_up: Integers
    outside: Integers

    def of(self, field: str) -> Floats:
        """A number of each patient's cancer type."""
        return np.array([getattr(cancer, field) for cancer in CANCERS], dtype=np.float64)[self.cancer]

    def is_type(self, *codes: int) -> Booleans:
        """Whose cancer is one of these."""
        return np.isin(self.cancer, codes)


def base_keys(seed: int, numbers: Integers) -> Keys:
    """Keys of the patients before selection; the cancer type hangs on them, so that selection does not change its shares."""
    return patient_keys(seed, numbers)


def attempt_keys(base: Keys, attempt: Integers) -> Keys:
    """Keys of the `attempt`-th life: a life that ends before sequencing never enters the cohort, and the next is tried."""
    return mix(base ^ mix(attempt.astype(np.uint64) + np.uint64(77)))


def make_people(numbers: Integers, base: Keys, attempt: Integers) -> People:
    """Patients at diagnosis."""
    cancer = Draws(base).choice("cancer", [one.share for one in CANCERS])
    draws = Draws(attempt_keys(base, attempt))
    drivers, states, burden = _biology(cancer, draws)
    fusion = _fusions(cancer, draws, states, drivers)
    stage = np.where(draws.chance("stage four", _of(cancer, "stage_four")), 4, 1 + draws.choice("stage", _rows(cancer, "early_stages")))
    age = np.clip(draws.normal("age", _of(cancer, "age"), _of(cancer, "age_deviation")), 22, 92)
    ecog = draws.choice("ecog", np.where((stage == 4)[:, None], ECOG_WEIGHTS, (0.52, 0.42, 0.05, 0.01)))
    ecog = np.clip(ecog + draws.chance("old", np.clip((age - 66) / 80, 0, 0.3)), 0, 3)
    delay = draws.lognormal("delay", _of(cancer, "delay_days") * np.where(stage == 4, 0.7, 1.3), _of(cancer, "delay_sigma"))
    follow_up = HORIZON_MONTHS * DAYS_PER_MONTH * np.clip(draws.uniform("cut") ** 0.95, 0.01, 1)
    lost = draws.exponential("lost", 5200)
    asked = draws.chance("outside known", np.array(OUTSIDE_KNOWN)[cancer])
    elsewhere = draws.chance("outside", np.array(OUTSIDE)[cancer] / np.array(OUTSIDE_KNOWN)[cancer])
    return People(
        number=numbers, cancer=cancer, draws=draws, male=draws.chance("male", _of(cancer, "male")), age=age, stage=stage, ecog=ecog,
        delay=np.clip(delay, 8, 9000).astype(np.int64), sites=_sites(cancer, draws, stage), states=states, drivers=drivers, burden=burden,
        fusion=fusion, frailty=draws.normal("frailty"), bulk=draws.normal("bulk"), follow_up=np.maximum(np.minimum(follow_up, lost), 20).astype(np.int64),
        outside=np.where(asked, np.where(elsewhere, 1, 0), 2),
    )  # fmt: skip


def _of(cancer: Integers, field: str) -> Floats:
    return np.array([getattr(one, field) for one in CANCERS], dtype=np.float64)[cancer]


def _rows(cancer: Integers, field: str) -> Floats:
    return np.array([getattr(one, field) for one in CANCERS], dtype=np.float64)[cancer]


def _shares(pick: str) -> Floats:
    """Share of each driver by cancer type, shape (5, len(CALLABLE))."""
    tables: list[dict[str, float]] = [getattr(one, pick) for one in CANCERS]
    return np.array([[table.get(gene, 0.0) for gene in CALLABLE] for table in tables])


def _biology(cancer: Integers, draws: Draws) -> tuple[Booleans, dict[str, Booleans], Floats]:
    """Drivers, states and mutational burden; drivers of one pathway exclude one another."""
    share = _shares("driver")[cancer]
    unstable = draws.chance("unstable", _of(cancer, "unstable"))
    drivers = np.stack([draws.chance(f"gene {gene}", share[:, place]) for place, gene in enumerate(CALLABLE)], axis=1)
    quiet = draws.chance("quiet", np.array(QUIET)[cancer]) & ~unstable
    drivers &= ~quiet[:, None]
    at = {gene: place for place, gene in enumerate(CALLABLE)}
    lung, colon = cancer == 0, cancer == 2
    drivers[:, at["KRAS"]] &= ~(lung & drivers[:, at["EGFR"]])
    drivers[:, at["BRAF"]] |= colon & unstable & draws.chance("unstable BRAF", 0.4)
    drivers[:, at["KRAS"]] &= ~(colon & drivers[:, at["BRAF"]])
    drivers[:, at["NRAS"]] &= ~drivers[:, at["KRAS"]]
    drivers[:, at["BRAF"]] &= ~(lung & (drivers[:, at["EGFR"]] | drivers[:, at["KRAS"]]))
    median, sigma = _rows(cancer, "burden").T
    burden = np.where(unstable, draws.lognormal("unstable burden", 56, 0.4), draws.lognormal("burden", median, sigma))
    burden *= np.where(lung & drivers[:, at["EGFR"]], 0.7, 1.0)
    burden = np.where(quiet, 0.05, burden)
    states = {gene: drivers[:, at[gene]] for gene in ("EGFR", "MET", "BRAF", "STK11", "TP53", "ESR1")}
    states["RAS"] = drivers[:, at["KRAS"]] | drivers[:, at["NRAS"]]
    states["G12C"] = lung & drivers[:, at["KRAS"]] & draws.chance("G12C", 0.42)
    states["BRCA"] = drivers[:, at["BRCA1"]] | drivers[:, at["BRCA2"]] | drivers[:, at["PALB2"]]
    states |= {"MSI": unstable, "TMB_HIGH": burden >= 10, "PDL1": draws.chance("PD-L1", np.array(PDL1_POSITIVE)[cancer])}
    breast = cancer == 1
    states["HR"] = breast & draws.chance("HR", HORMONE_RECEPTOR)
    states["HER2"] = breast & draws.chance("HER2", np.where(states["HR"], HER2_WITH, HER2_WITHOUT))
    states["TRIPLE_NEGATIVE"] = breast & ~states["HR"] & ~states["HER2"]
    return drivers, states, burden


def _fusions(cancer: Integers, draws: Draws, states: dict[str, Booleans], drivers: Booleans) -> Integers:
    """Which fusion of its cancer type's list each tumour has, -1 for none; lung drivers exclude one another."""
    fusion = np.full(len(cancer), -1)
    for place, one in enumerate(CANCERS):
        mine = np.flatnonzero(cancer == place)
        shares = list(one.fusions.values())
        picked = draws[mine].choice("fusion", [*shares, 1 - sum(shares)])
        fusion[mine] = np.where(picked < len(shares), picked, -1)
    fusion[(cancer == 0) & (states["EGFR"] | states["RAS"])] = -1
    states["ALK"] = (cancer == 0) & (fusion == 0)
    return fusion


def _sites(cancer: Integers, draws: Draws, stage: Integers) -> Booleans:
    """Sites at diagnosis: the primary's organ, and with stage 4 one to three sites of metastases; nodes with stage 3."""
    sites = np.zeros((len(cancer), len(SITES)), dtype=bool)
    organ = np.array([SITES.index(one.primary_organ) for one in CANCERS])[cancer]
    sites[np.arange(len(cancer)), organ] = draws.chance("organ", _of(cancer, "organ_share"))
    sites[:, SITES.index("Lymph Nodes")] |= (stage == 3) & draws.chance("nodes", 0.8)
    return spread(cancer, draws, sites, np.where(stage == 4, 1 + draws.choice("spread count", (0.42, 0.36, 0.22)), 0), "diagnosis")


def spread(cancer: Integers, draws: Draws, sites: Booleans, count: Integers, name: str) -> Booleans:
    """The sites and `count` new ones each (0 to 3), by the cancer type's weights."""
    sites = sites.copy()
    weights = _rows(cancer, "spread")
    for number in range(3):
        rows = np.flatnonzero((count > number) & ~sites.all(axis=1))
        if len(rows):
            new = draws[rows].choice(f"spread {name} {number}", np.where(sites[rows], 0.0, weights[rows]))
            sites[rows, new] = True
    return sites


def cancer_of(people: People) -> list[Cancer]:
    """The cancer type of each patient."""
    return [CANCERS[place] for place in people.cancer]
