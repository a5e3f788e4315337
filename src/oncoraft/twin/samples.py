"""Specimens of the twin and the two clinical files: which panel in which era, what pathology and the registry wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from oncoraft.twin import traps
from oncoraft.twin.cohort import Cohort
from oncoraft.twin.draws import Booleans, Draws, Floats, Integers
from oncoraft.twin.parameters import CANCERS, SITES
from oncoraft.twin.people import CALLABLE
from oncoraft.twin.records import Columns, first_gleason

PANELS = ("IMPACT505", "IMPACT468", "IMPACT410", "IMPACT341", "IMPACT-HEME-400")
SUFFIXES = ("IM7", "IM6", "IM5", "IM3", "IH3")
PANEL_SHARES = (0.286, 0.515, 0.159, 0.0399, 0.0001)  # newest first: the later the sequencing, the newer the panel
PER_MEGABASE = np.array([0.820347237, 0.864698095, 0.978719698, 1.109155301, 0.0])  # burden of one mutation
SECOND_SPECIMEN = 0.0036  # two specimens, always of two cancer types
MSI_WORDS = ("Stable", "Instable", "Indeterminate", "Do not report", "")
MSI_COMMENTS = (
    "MICROSATELLITE STABLE (MSS). See MSI note below.",
    "MICROSATELLITE INSTABILITY-HIGH (MSI-H). See MSI note below.",
    "MICROSATELLITE STATUS INDETERMINATE. See MSI note below; another test may help.",
    "Not enough loci were covered to report the microsatellite status of this sample.",
    "",
)
GROUPS = {1: ("1", "1A", "1B", "1A2"), 2: ("2", "2A", "2B"), 3: ("3", "3A", "3B", "3C"), 4: ("4", "4A", "4B")}
ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV"}
SUMMARIES = {
    1: ("Localized", "Localized", "Regional by direct extension"),
    2: ("Localized", "Regional by direct extension", "Regional to lymph nodes"),
    3: ("Regional to lymph nodes", "Regional both 2and 3", "Regional, extension and nodes"),
    4: ("Distant metastases/systemic disease", "Distant metastases/systemic disease", "Distant"),
}


@dataclass
class Samples:
    """Specimens: person, id, panel (position in `PANELS`), sequencing and acquisition day, cancer type, whether a patient's second."""

    person: Integers
    sample_id: Any
    panel: Integers
    day: Integers
    acquired: Integers
    cancer: Integers
    is_second: Booleans
    draws: Draws
    count: Integers  # nonsynonymous mutations to report

    def __len__(self) -> int:
        return len(self.person)


def panel_of(draws: Draws) -> Integers:
    """Panel by the era of sequencing: the draw that sets how long ago it was."""
    return np.searchsorted(np.cumsum(PANEL_SHARES)[:-1], draws.uniform("cut"), side="right")


def make_samples(cohort: Cohort) -> Samples:
    """The first specimen of everybody, and a second one of few."""
    draws, people = cohort.draws, cohort.people
    second = np.flatnonzero(draws.chance("second specimen", SECOND_SPECIMEN) & (cohort.end > 60))
    person = np.concatenate([np.arange(len(cohort)), second])
    is_second = np.arange(len(person)) >= len(cohort)
    mine = draws.repeat(person, is_second.astype(np.int64), "specimen")
    day = np.where(is_second, mine.whole("day", 1, np.minimum(cohort.end[person], 2717)), 0)
    same_day = mine.chance("same day", 0.21)
    lag = np.where(same_day, 0, mine.lognormal("lag", 55, 1.55)).astype(np.int64)
    at_diagnosis = mine.chance("at diagnosis", 0.45) & (day - cohort.diagnosis[person] < 5000)
    diagnosis = cohort.diagnosis[person] + mine.whole("biopsy", 0, 12)
    acquired = np.where(at_diagnosis & ~same_day & (diagnosis <= day), diagnosis, np.maximum(day - lag, cohort.diagnosis[person]))
    cancer = np.where(is_second, (people.cancer[person] + mine.whole("other cancer", 1, 4)) % len(CANCERS), people.cancer[person])
    panel = panel_of(draws)[person]
    number = 1 + draws.choice("specimen number", (0.913, 0.0745, 0.0095, 0.003))[person] + is_second
    text = [f"P-{who:07d}-T{which:02d}-{SUFFIXES[chip]}" for who, which, chip in zip(people.number[person], number, panel)]
    burden = np.where(is_second, mine.lognormal("other burden", 4, 0.7), people.burden[person])
    unit = PER_MEGABASE[panel]
    count = np.where(unit > 0, np.floor(burden / np.maximum(unit, 0.1) + mine.uniform("rounding")), 0).astype(np.int64)
    known = np.where(is_second, 0, people.drivers[person].sum(axis=1))
    count = np.where(unit > 0, np.maximum(count, known), 0)
    return Samples(person, np.array(text, dtype=object), panel, day, acquired, cancer, is_second, mine, count)


def sample_table(cohort: Cohort, samples: Samples) -> Columns:
    """data_clinical_sample."""
    draws, people, person = samples.draws, cohort.people, samples.person
    histology, place = _pathology_words(samples)
    kind = draws.choice(
        "type", np.stack([_metastatic(cohort, samples), np.full(len(samples), 0.005), np.full(len(samples), 0.004)], axis=1)
    )
    kind = np.where(draws.chance("primary", 1 - _metastatic(cohort, samples)), 3, kind)
    spread = draws.choice("metastatic site", np.array([cancer.spread for cancer in CANCERS])[samples.cancer])
    words = np.array([*SITES[:2], "Lymph Node", *SITES[3:]], dtype=object)[spread]
    words = np.where(draws.chance("spelling", 0.1) & (words == "Lymph Node"), "Lymph node", words)
    status = _msi(cohort, samples)
    scored = status < 3
    score = np.round(
        np.where(
            status == 1,
            10 + draws.exponential("unstable", 15),
            np.where(status == 2, draws.uniform("score", 3, 10), draws.exponential("score", 0.45)),
        ),
        2,
    )
    gleason = first_gleason(cohort)[person]
    graded = (samples.cancer == 3) & ~samples.is_second & draws.chance("graded", 0.62)
    tested = draws.chance("pdl1 tested", np.where(samples.cancer == 0, 0.35, 0.01))
    stage = np.where(samples.is_second, 1 + draws.choice("other stage", (0.4, 0.3, 0.2, 0.1)), people.stage[person])
    group, path = _groups(draws, stage)
    summary = _by_stage(
        draws, "summary", stage, {key: tuple(word.title().replace("2And", "2 and") for word in words) for key, words in SUMMARIES.items()}
    )
    return {
        "sample_id": samples.sample_id, "person": person, "gleason_sample_level": np.where(graded, gleason, -9),
        "pdl1_positive": np.where(tested, np.where(people.states["PDL1"][person], "Yes", "No"), "").astype(object),
        "cancer_type": np.array([cancer.name for cancer in CANCERS], dtype=object)[samples.cancer],
        "sample_type": np.array(["Metastasis", "Unknown", "Local Recurrence", "Primary"], dtype=object)[kind], "sample_class": "Tumor",
        "metastatic_site": np.where(kind == 0, words, "").astype(object), "primary_site": place[2], "cancer_type_detailed": histology[0],
        "gene_panel": np.array(PANELS, dtype=object)[samples.panel], "sample_coverage": np.clip(draws.normal("coverage", 640, 190), 23, 2610).astype(np.int64),
        "tumor_purity": np.where(draws.chance("no purity", 0.02), -9, 5 * draws.choice("purity", [1, 1, 8, 1, 14, 2, 14, 2, 12, 2, 10, 1, 9, 1, 7, 1, 5, 0, 2])),
        "oncotree_code": histology[1], "msi_comment": np.array(MSI_COMMENTS, dtype=object)[np.where(draws.chance("no comment", 0.25), 4, status)],
        "msi_score": np.where(scored, score, -1.0), "msi_type": np.array(MSI_WORDS, dtype=object)[status],
        "somatic_status": np.where(draws.chance("matched", 0.992), "Matched", "Unmatched").astype(object),
        "clinical_group": np.where(np.isin(group, ("99", "88")), "", group), "pathological_group": np.where(path == "99", np.where(draws.chance("zero", 0.3), "0", ""), path),
        "clinical_summary": summary, "icd_o_histology_description": np.array([word.split("|")[0].title() for word in histology[2]], dtype=object),
        "diagnosis_description": place[3], "tmb_nonsynonymous": np.round(samples.count * PER_MEGABASE[samples.panel], 9),
    }  # fmt: skip


def _metastatic(cohort: Cohort, samples: Samples) -> Floats:
    """The chance that the specimen is of a metastasis: with stage 4 or after a recurrence."""
    late = (cohort.people.stage == 4) | (cohort.recurrence <= 0)
    later = samples.acquired > cohort.diagnosis[samples.person] + 30
    share = np.array([0.95, 1.5, 0.75, 0.85, 1.0])[samples.cancer] * np.where(later, 0.64, 0.45)
    return np.where(late[samples.person] & ~samples.is_second, share, 0.06)


def _msi(cohort: Cohort, samples: Samples) -> Integers:
    """Reported microsatellite status (position in `MSI_WORDS`)."""
    unstable = cohort.people.states["MSI"][samples.person] & ~samples.is_second
    unsure = samples.draws.choice(
        "msi report", np.where(unstable[:, None], (0.005, 0.95, 0.035, 0.01, 0.0), (0.875, 0.0, 0.034, 0.072, 0.019))
    )
    return unsure


def _pathology_words(samples: Samples) -> tuple[list[Any], list[Any]]:
    """Histology (name, code, registry words) and primary site (registry words, topography, portal words, description)."""
    histology = [np.full(len(samples), "", dtype=object) for _ in range(3)]
    place = [np.full(len(samples), "", dtype=object) for _ in range(4)]
    described = {0: "Lung and Bronchus", 1: "Breast", 3: "Prostate", 4: "Pancreas"}
    for number, cancer in enumerate(CANCERS):
        mine = np.flatnonzero(samples.cancer == number)
        kinds = samples.draws[mine].choice("histology", [one[3] for one in cancer.histologies])
        sites = samples.draws[mine].choice("primary site", [one[3] for one in cancer.primary_sites])
        for column in range(3):
            histology[column][mine] = np.array([one[column] for one in cancer.histologies], dtype=object)[kinds]
            place[column][mine] = np.array([one[column] for one in cancer.primary_sites], dtype=object)[sites]
        place[3][mine] = described.get(number) or np.array([one[2].title() for one in cancer.primary_sites], dtype=object)[sites]
    return histology, place


def _by_stage(draws: Draws, name: str, stage: Integers, words: Mapping[int, tuple[str, ...]]) -> Any:
    """A word of each stage's list."""
    out = np.full(len(stage), "", dtype=object)
    for number, options in words.items():
        mine = np.flatnonzero(stage == number)
        out[mine] = np.array(options, dtype=object)[draws[mine].choice(name, np.ones(len(options)))]
    return out


def _groups(draws: Draws, stage: Integers) -> tuple[Any, Any]:
    """Clinical and pathological stage group; 99 where unknown."""
    group, path = _by_stage(draws, "group", stage, GROUPS), _by_stage(draws, "path", stage, GROUPS)
    group = np.where(draws.chance("group unknown", 0.17), "99", group)
    path = np.where(
        draws.chance("path unknown", np.where(stage == 4, 0.55, 0.1)), np.where(draws.chance("path other", 0.12), "88", "99"), path
    )
    return group.astype(object), path.astype(object)


def diagnosis_table(cohort: Cohort, samples: Samples, clean: bool) -> Columns:
    """data_timeline_diagnosis: one row a sequenced cancer, and some earlier cancers."""
    draws, person = samples.draws, samples.person
    histology, place = _pathology_words(samples)
    stage = np.where(samples.is_second, 1 + draws.choice("other stage", (0.4, 0.3, 0.2, 0.1)), cohort.people.stage[person])
    group, path = _groups(draws, stage)
    day = np.where(samples.is_second, samples.acquired, cohort.diagnosis[person])
    registered = draws.chance("registered", 0.9998) | ~samples.is_second
    ajcc = np.where(draws.chance("ajcc", 0.34), np.array(["", *ROMAN.values()], dtype=object)[stage], "").astype(object)
    summary = _by_stage(draws, "summary", stage, SUMMARIES)
    summary = np.where(draws.chance("no summary", 0.02), "N/A", summary).astype(object)
    unknown = draws.chance("unstaged", 0.0 if clean else traps.SUMMARY_UNKNOWN)
    summary = np.where(unknown, draws.words("unstaged word", ("Unknown/Unstaged", "Unstaged unknown"), (0.6, 0.4)), summary).astype(object)
    texts = [
        f"{words.split('|')[0]} | {site} ({words.split('|')[1]} | {code})" for words, site, code in zip(histology[2], place[0], place[1])
    ]
    columns = {
        "person": person, "start_day": day, "dx_description": np.array(texts, dtype=object), "ajcc": ajcc, "clinical_group": group,
        "path_group": np.where(draws.chance("no path", 0.08), "", path).astype(object),
        "stage_cdm_derived": np.where(stage == 4, "Stage 4", "Stage 1-3").astype(object), "summary": summary,
    }  # fmt: skip
    earlier = _earlier_diagnoses(cohort)
    return {key: np.concatenate([values[registered], earlier[key]]) for key, values in columns.items()}


def _earlier_diagnoses(cohort: Cohort) -> Columns:
    """Registry rows of cancers before the sequenced one."""
    earlier = traps.earlier_cancers(cohort)
    rows = np.flatnonzero(earlier.is_registered)
    words = np.array(traps.EARLIER_WORDS, dtype=object)[earlier.is_prostate[rows].astype(int)]
    same = {"ajcc": "", "clinical_group": "1", "path_group": "1", "stage_cdm_derived": "Stage 1-3", "summary": "Localized"}
    constant = {name: np.full(len(rows), word, dtype=object) for name, word in same.items()}
    return {"person": earlier.person[rows], "start_day": earlier.diagnosis[rows], "dx_description": words} | constant


def specimen_tables(cohort: Cohort, samples: Samples) -> dict[str, Columns]:
    """Sequencing and acquisition of each specimen, and its panel."""
    panel = np.array(PANELS, dtype=object)[samples.panel]
    return {
        "timeline_specimen": {"person": samples.person, "start_day": samples.day, "sample_id": samples.sample_id},
        "timeline_specimen_surgery": {
            "person": samples.person, "start_day": samples.acquired, "sample_id": samples.sample_id, "sequencing_day": samples.day,
        },
        "gene_panel_matrix": {"sample_id": samples.sample_id, "mutations": panel, "cna": panel, "structural_variants": panel},
    }  # fmt: skip


def driver_rows(cohort: Cohort, samples: Samples) -> tuple[Integers, Integers]:
    """Specimen and gene (position in `CALLABLE`) of each driver mutation; a second specimen has none of the first's."""
    has = cohort.people.drivers[samples.person] & ~samples.is_second[:, None] & (samples.panel < 4)[:, None]
    row, gene = np.nonzero(has)
    assert has.shape[1] == len(CALLABLE)
    return row, gene
