"""The twin: a synthetic study in MSK-CHORD's released layout, with a known truth.

`oncoraft twin --out STUDY [--truth truth.parquet] [--patients N] [--seed S] [--clean]`. Everything is made from the parameters of
`twin_parameters`; no real row is used. The truth (the probability of response at every regimen) stays outside the study folder.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.cohort.twin_course import Patient, live, new_patient
from oncoraft.cohort.twin_files import write_matrix, write_meta, write_rows
from oncoraft.cohort.twin_parameters import CANCERS, CHANGES, CNA_GENES
from oncoraft.config import Twin
from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.knowledge.tables import TABLES
from oncoraft.provenance import manifest, publishing, write_json
from oncoraft.stable import stable_seed

log = logging.getLogger("oncoraft")
MONTHS_PER_DAY = 12 / 365
PANELS = {"IMPACT341": "IM3", "IMPACT410": "IM5", "IMPACT468": "IM6", "IMPACT505": "IM7"}
SITE_COLUMNS = {
    "adrenal_glands": "Adrenal Glands", "bone": "Bone", "cns_brain": "CNS/Brain", "intra_abdominal": "Intra-Abdominal", "liver": "Liver",
    "lung": "Lung", "lymph_nodes": "Lymph Nodes", "other": "Other", "pleura": "Pleura", "reproductive_organs": "Reproductive Organs",
}  # fmt: skip
Records = dict[str, list[dict[str, Any]]]


def make_patient(number: int, seed: int) -> tuple[Patient, int, int, bool]:
    """A patient who lived to be sequenced, with sequencing day, end of follow-up (days from diagnosis) and whether it is death."""
    patient_id = f"P-{number:07d}"
    draw = np.random.default_rng(stable_seed(seed, "twin", patient_id))
    cancer = CANCERS[int(draw.choice(len(CANCERS), p=np.array([c.share for c in CANCERS]) / sum(c.share for c in CANCERS)))]
    while True:
        patient = new_patient(patient_id, cancer, draw)
        sequencing = int(draw.exponential(cancer.delay_days / np.log(2)) * (0.35 if patient.stage == "Stage 4" else 0.6)) + 1
        end, died = live(patient, float(sequencing + draw.integers(250, 2400)))
        if end > sequencing + 1:
            return patient, sequencing, int(end), died


def shift(patient: Patient, sequencing: int, end: int, records: Records, truth: list[dict[str, Any]]) -> None:
    """Days from sequencing; what lies after the end of follow-up never happened, and intervals are cut there."""
    for table, rows in patient.records.items():
        for row in rows:
            if row["start_day"] > end:
                continue
            row["start_day"] -= sequencing
            if "stop_day" in row:
                row["stop_day"] = min(row["stop_day"], end) - sequencing
            records[table].append(row)
    truth.extend({**row, "start_day": row["start_day"] - sequencing} for row in patient.truth if row["start_day"] <= end)


def describe(patient: Patient, sequencing: int, end: int, died: bool, records: Records) -> tuple[str, dict[tuple[str, str], float]]:
    """Clinical, genomic and registry records of one patient; its specimen and copy-number calls."""
    draw, cancer = patient.draw, patient.cancer
    panel = str(draw.choice(list(PANELS), p=[0.05, 0.17, 0.52, 0.26]))
    sample = f"{patient.patient_id}-T01-{PANELS[panel]}"
    who = {"patient_id": patient.patient_id}
    age = int(np.clip(draw.normal(cancer.age, 11) + (end - sequencing) / 365.25, 25, 89))
    male = draw.random() < cancer.male
    ever = {row["tumor_site"] for row in patient.records["timeline_tumor_sites"]}
    breast = cancer.code == "IDC"
    records["clinical_patient"].append({
        **who, "gender": "Male" if male else "Female", "race": str(draw.choice(["White", "Asian-Far East/Indian Subcont", "Black Or African American", "Other"], p=[0.79, 0.08, 0.08, 0.05])),
        "ethnicity": "Non-Spanish; Non-Hispanic", "current_age_deid": age, "stage_highest_recorded": patient.stage, "num_icdo_dx": 1,
        **{column: "Yes" if site in ever else "No" for column, site in SITE_COLUMNS.items()},
        "smoking_predictions_3_classes": str(draw.choice(["Never", "Former/Current Smoker", "Unknown"], p=[0.5, 0.46, 0.04])),
        "history_of_pdl1": ("PDL1" in patient.states) if cancer.code == "LUAD" else None,
        "prior_med_to_msk": str(draw.choice(["No prior medications", "Prior medications to MSK", "Unknown"], p=[0.6, 0.19, 0.21])),
        "os_months": round((end - sequencing) * MONTHS_PER_DAY, 9), "os_status": "1:DECEASED" if died else "0:LIVING",
        "hr": ("HR" in patient.states) if breast else None, "her2": ("HER2" in patient.states) if breast else None,
    })  # fmt: skip
    burden = float(np.round(draw.lognormal(1.4, 0.8), 9))
    metastasis = patient.stage == "Stage 4" and draw.random() < 0.6
    records["clinical_sample"].append({
        **who, "sample_id": sample, "cancer_type": cancer.name, "cancer_type_detailed": cancer.detailed, "oncotree_code": cancer.code,
        "sample_type": "Metastasis" if metastasis else "Primary", "metastatic_site": patient.sites[0] if metastasis else None,
        "sample_class": "Tumor", "primary_site": cancer.site, "gene_panel": panel, "sample_coverage": max(60, int(draw.normal(640, 150))),
        "tumor_purity": int(draw.integers(1, 9)) * 10, "msi_score": round(float(draw.exponential(0.5)), 2), "msi_type": "Stable",
        "somatic_status": "Matched", "clinical_group": "4" if patient.stage == "Stage 4" else "2", "tmb_nonsynonymous": burden,
    })  # fmt: skip
    records["gene_panel_matrix"].append({"sample_id": sample, "mutations": panel, "cna": panel, "structural_variants": panel})
    genes = sorted(patient.states & set(cancer.genes)) + [
        str(gene) for gene in draw.choice(["ARID1A", "KMT2D", "ATM", "NF1", "FAT1"], 2, replace=False)
    ]
    for gene in genes:
        place = int(draw.integers(20, 900))
        change = CHANGES.get(gene, f"p.{draw.choice(list('ARNDQEGHILKMFPSTWYV'))}{place}*")
        start = int(draw.integers(1_000_000, 150_000_000))
        records["mutations"].append({
            "hugo_symbol": gene, "tumor_sample_barcode": sample, "variant_classification": "Missense_Mutation", "hgvsp_short": change,
            "variant_type": "SNP", "ncbi_build": "GRCh37", "chromosome": str(draw.integers(1, 23)), "start_position": start, "end_position": start,
            "reference_allele": "C", "tumor_seq_allele1": "C", "tumor_seq_allele2": "T", "t_ref_count": 300, "t_alt_count": int(draw.integers(20, 200)),
        })  # fmt: skip
    timeline(patient, sample, sequencing)
    calls = {(gene, sample): float(draw.choice([2, -2])) for gene in CNA_GENES if draw.random() < 0.05}
    if "HER2" in patient.states:
        calls["ERBB2", sample] = 2.0
    records["cna_segments"].append(
        {
            "id": sample,
            "chrom": "1",
            "loc_start": 1,
            "loc_end": 200_000_000,
            "num_mark": 4000,
            "seg_mean": round(float(draw.normal(0, 0.2)), 4),
        }
    )
    return sample, calls


def timeline(patient: Patient, sample: str, sequencing: int) -> None:
    """Registry, specimen and pathology records, in days from diagnosis."""
    draw, cancer = patient.draw, patient.cancer
    patient.add("timeline_diagnosis", 0, source="Tumor Registry", dx_description=f"ADENOCARCINOMA, NOS | {cancer.site.upper()} (M8140/3 | C000)",
                clinical_group="4" if patient.stage == "Stage 4" else "2", path_group="99", stage_cdm_derived=patient.stage,
                summary="Distant metastases/systemic disease" if patient.stage == "Stage 4" else "N/A")  # fmt: skip
    patient.add("timeline_specimen", sequencing, sample_id=sample)
    acquired = max(0, sequencing - int(draw.exponential(60))) if draw.random() < 0.8 else 0
    patient.records["timeline_specimen_surgery"].append(
        {"patient_id": patient.patient_id, "start_day": acquired, "sample_id": sample, "sequencing_day": 0}
    )
    patient.add("timeline_surgery", acquired)
    patient.add("timeline_prior_meds", 1, treatment_type="Medical Therapy", inferred_tx_prob=0.1, prior_med_to_msk="No prior medications")
    if draw.random() < 0.4:
        patient.add("timeline_radiation", float(draw.integers(20, 400)))
    if cancer.code == "LUAD":
        patient.add("timeline_pdl1", 5, source="CDM", pdl1_positive="PDL1" in patient.states)
    if cancer.code == "COAD":
        patient.add("timeline_mmr", 5, mmr_absent=bool(draw.random() < 0.1))
    if cancer.code == "PRAD":
        patient.add("timeline_gleason", 0, source="Pathology Reports (NLP)", gleason_score=int(draw.choice([6, 7, 8, 9, 10])))


def simulate(settings: Twin) -> tuple[Records, list[dict[str, Any]], list[str], dict[tuple[str, str], float]]:
    """All patients: records per table, truth, specimens, copy-number calls."""
    records: Records = defaultdict(list)
    truth: list[dict[str, Any]] = []
    samples: list[str] = []
    calls: dict[tuple[str, str], float] = {}
    for number in range(1, settings.patients + 1):
        patient, sequencing, end, died = make_patient(number, settings.seed)
        sample, own = describe(patient, sequencing, end, died, records)
        shift(patient, sequencing, end, records, truth)
        samples.append(sample)
        calls |= own
        if number % 1000 == 0:
            log.info("twin: %d of %d patients", number, settings.patients)
    return records, truth, samples, calls


def write_study(folder: Path, records: Records, samples: list[str], calls: dict[tuple[str, str], float], settings: Twin) -> None:
    """Every file of the study folder."""
    folder.mkdir()
    draw = np.random.default_rng(stable_seed(settings.seed, "files"))
    for table in TABLES:
        if table.layout == "gene_by_sample":
            write_matrix(folder, table, samples, CNA_GENES, calls)
        else:
            write_rows(folder, table, records[table.name], draw, settings.clean)
    write_meta(folder, samples)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make and write a study, whole or not at all."""
    parser = step_parser("twin", "example:\n  oncoraft twin --patients 300 --seed 1 --out study --truth truth.parquet")
    parser.add_argument("--out", type=Path, required=True, metavar="STUDY", help="study folder to write (replaced if it exists)")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="Parquet file for the true response probabilities")
    parser.add_argument("--patients", type=int, help="instead of twin.patients")
    parser.add_argument("--seed", type=int, help="instead of twin.seed")
    parser.add_argument("--clean", action="store_true", help="without the quirks of the released files")
    given = parser.parse_args(arguments)
    block = read_settings("twin", given)["twin"]
    changed = {"patients": given.patients, "seed": given.seed, "clean": given.clean or None}
    settings = Twin(**(block.model_dump() | {key: value for key, value in changed.items() if value is not None}))
    if given.out.exists() and any(path.is_file() and not path.name.startswith(("data_", "meta_")) for path in given.out.iterdir()):
        raise InputError("expected an empty folder or an earlier study; it holds other files", file=given.out)
    records, truth, samples, calls = simulate(settings)
    truth_file = given.truth or given.out.with_name(given.out.name + ".truth.parquet")
    record = truth_file.with_name(truth_file.name + ".manifest.json")
    counts = {"patients": settings.patients, "regimens": len(truth)} | {name: len(rows) for name, rows in sorted(records.items())}
    with publishing(given.out, truth_file, record) as (study, answers, note):
        write_study(study, records, samples, calls, settings)
        pd.DataFrame(truth).to_parquet(answers, index=False)
        outputs = {given.out / path.relative_to(study): path for path in sorted(study.rglob("*.txt"))} | {truth_file: answers}
        settings_now = settings_record(given, {"twin": settings})
        write_json(note, manifest("twin", inputs=[], outputs=outputs, settings=settings_now, counts=counts, beside=record))
    log.info("twin: %d patients, %d regimens in %s", settings.patients, len(truth), given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
