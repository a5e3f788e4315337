"""One synthetic patient: biology, then the course of treatment from diagnosis, as records per table, in days from diagnosis.

The true probability of response at each regimen depends on biomarkers, performance status, liver disease, line and earlier
progression; scans, duration, survival and the next line follow from the drawn response. Everything is shifted to the
sequencing day at the end, and only patients who lived to be sequenced are kept: left truncation is real.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from oncoraft.cohort.twin_parameters import (
    BIOMARKERS,
    DAYS_TO_PROGRESSION,
    ECOG_EFFECT,
    HAZARD_BY_RESPONSE,
    INTERCEPT,
    LINE_EFFECT,
    LIVER_EFFECT,
    PROGRESSED_EFFECT,
    REGIMENS,
    SUBTYPES_OF_ORAL,
    Cancer,
    Option,
)
from oncoraft.knowledge.drugs import drugs

Draw = np.random.Generator
SIGNAL = 0.6  # scales the logit so that the truth predicts the strict label with an AUROC near 0.8, as tested
NOISE = 0.06  # share of verdicts that the language processing gets wrong
INDETERMINATE = 0.12


@dataclass
class Patient:
    """State of one patient and the records made so far: table -> list of rows."""

    patient_id: str
    cancer: Cancer
    draw: Draw
    states: set[str] = field(default_factory=set)
    ecog: int = 1
    sites: list[str] = field(default_factory=list)
    progressed: bool = False
    stage: str = "Stage 1-3"
    records: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    truth: list[dict[str, Any]] = field(default_factory=list)

    def add(self, table: str, day: float, **values: Any) -> None:
        """A record of a timeline."""
        self.records[table].append({"patient_id": self.patient_id, "start_day": int(day), **values})


def new_patient(patient_id: str, cancer: Cancer, draw: Draw) -> Patient:
    """Biology and extent of disease at diagnosis."""
    patient = Patient(patient_id, cancer, draw)
    patient.states = {gene for gene, share in cancer.genes.items() if draw.random() < share}
    if "EGFR" in patient.states:
        patient.states -= {"KRAS", "BRAF"}
    for state, share in (("PDL1", 0.4 if cancer.code == "LUAD" else 0.05), ("HR", 0.77), ("HER2", 0.17)):
        if (state == "PDL1" or cancer.code == "IDC") and draw.random() < share:
            patient.states.add(state)
    patient.ecog = int(draw.choice([0, 1, 2, 3], p=[0.42, 0.38, 0.16, 0.04]))
    if draw.random() < cancer.stage_four:
        patient.stage = "Stage 4"
    count = int(draw.integers(2, 5)) if patient.stage == "Stage 4" else int(draw.integers(1, 3))
    weights = np.array([1.0 if site == "Liver" else 1.2 for site in cancer.sites])
    patient.sites = list(draw.choice(cancer.sites, min(count, len(cancer.sites)), replace=False, p=weights / weights.sum()))
    return patient


def choose(patient: Patient, line: int, before: set[tuple[str, ...]]) -> Option:
    """The next regimen: by line and biomarker, not one received before if there is another."""
    options = [option for option in REGIMENS[patient.cancer.code] if not option.needs or option.needs in patient.states]
    fresh = [option for option in options if option.agents not in before] or options
    weights = np.array([option.first if line == 1 else option.later for option in fresh]) + 0.02
    return fresh[int(patient.draw.choice(len(fresh), p=weights / weights.sum()))]


def probability(patient: Patient, option: Option, line: int) -> float:
    """The true probability of CR or PR."""
    logit = INTERCEPT + option.intercept + ECOG_EFFECT[patient.ecog] + LINE_EFFECT * (line - 1)
    logit += LIVER_EFFECT * ("Liver" in patient.sites) + PROGRESSED_EFFECT * patient.progressed
    logit += sum(effect for state, agents, effect in BIOMARKERS if state in patient.states and agents & set(option.agents))
    return float(1 / (1 + np.exp(-SIGNAL * logit)))


def scan(patient: Patient, day: float, progressed: bool, present: bool, sites: list[str]) -> None:
    """One radiology report: verdict on progression, on presence of cancer, and the sites named, with noise."""
    draw = patient.draw
    how = str(draw.choice(["CT", "MR", "PET"], p=[0.65, 0.2, 0.15]))

    def verdict(truth: bool) -> tuple[str, float]:
        if draw.random() < INDETERMINATE:
            return "Indeterminate", float(draw.uniform(0.21, 0.79))
        said = truth != (draw.random() < NOISE)
        return ("Y", float(draw.uniform(0.8, 0.999))) if said else ("N", float(draw.uniform(0.001, 0.2)))

    word, chance = verdict(progressed)
    patient.add("timeline_progression", day, progression=word, nlp_progression_probability=round(chance, 8), procedure_type=how)
    word, chance = verdict(present) if draw.random() < 0.5 else (("Y", 0.95) if present else ("N", 0.05))
    patient.add("timeline_cancer_presence", day, has_cancer=word, nlp_has_cancer_probability=round(chance, 8), procedure_type=how)
    for site in sites:
        patient.add("timeline_tumor_sites", day, source="Radiology Reports (NLP)", source_specific=how, tumor_site=site)


def follow_regimen(patient: Patient, day: float, option: Option, response: str) -> float:
    """Scans, agents, ECOG and marker values during one regimen; the day it was stopped."""
    draw = patient.draw
    present = True
    scan(patient, day - draw.integers(3, 25), patient.progressed, True, patient.sites)
    patient.add("timeline_performance_status", day - draw.integers(1, 14), ecog=patient.ecog)
    to_progression = DAYS_TO_PROGRESSION[response] * float(draw.lognormal(0, 0.25))
    if response == "SD":
        to_progression = max(to_progression, 110)
    stop = day + min(to_progression + 5, 700)
    known = drugs()
    for agent in option.agents:
        drug = known[agent]
        last = stop - draw.integers(0, 15)
        oral = drug.subtype in SUBTYPES_OF_ORAL and drug.oral
        patient.add(
            "timeline_treatment", day + draw.integers(0, 3) * (agent != option.agents[0]), stop_day=int(max(last, day + 4)), agent=agent,
            subtype=drug.subtype, rx_investigative=False, flag_orotopical=drug.oral or oral,
        )  # fmt: skip
    kept = patient.sites
    if response == "CR":
        kept, present = [], False
    elif response == "PR":
        kept = patient.sites[: int(len(patient.sites) * 0.6)]
    next_scan = day + draw.integers(40, 75)
    while next_scan < stop + 30:
        over = bool(next_scan >= day + to_progression)
        scan(patient, next_scan, over, present or over, patient.sites if over else kept)
        if over:
            break
        next_scan += draw.integers(50, 80)
    level = float(draw.lognormal(3, 1))
    for number in range(4):
        level *= {"CR": 0.4, "PR": 0.6, "SD": 1.0, "PD": 1.6}[response] * float(draw.lognormal(0, 0.15)) if number else 1
        patient.add(
            marker_table(patient.cancer.marker),
            day - 10 + 28 * number,
            result=round(level, 1),
            test=patient.cancer.marker.replace(" ", "_"),
        )
    return stop


def marker_table(marker: str) -> str:
    """The table of a tumour marker."""
    return f"timeline_{marker.lower().replace(' ', '_').replace('-', '_')}_labs"


def live(patient: Patient, horizon: float) -> tuple[float, bool]:
    """The course from diagnosis (day 0 here): regimen after regimen until death or the horizon; the end and whether it is death."""
    draw = patient.draw
    before: set[tuple[str, ...]] = set()
    day, line = float(draw.integers(14, 60)), 1
    while True:
        option = choose(patient, line, before)
        before.add(option.agents)
        chance = probability(patient, option, line)
        if draw.random() < chance:
            response = "CR" if draw.random() < 0.12 else "PR"
        else:
            response = "SD" if draw.random() < 0.5 else "PD"
        patient.truth.append(
            {
                "patient_id": patient.patient_id,
                "start_day": int(day),
                "agents": list(option.agents),
                "probability": chance,
                "response": response,
            }
        )
        stop = follow_regimen(patient, day, option, response)
        hazard = patient.cancer.hazard / 30.4375 * HAZARD_BY_RESPONSE[response] * (1.5 if patient.ecog >= 2 else 1)
        goes_on = draw.random() < 0.8 and line < 6
        following = max(stop + draw.integers(7, 35), day + 35) if goes_on else np.inf
        death = day + draw.exponential(1 / hazard)
        if death < min(following, horizon):
            return death, True
        if following >= horizon:
            return horizon, False
        patient.progressed = True
        patient.ecog = min(3, patient.ecog + (draw.random() < 0.2))
        fresh = [site for site in patient.cancer.sites if site not in patient.sites]
        if fresh:
            patient.sites = [*patient.sites, str(draw.choice(fresh))]
        day, line = float(following), line + 1
