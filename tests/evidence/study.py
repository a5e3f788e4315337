"""Small studies made by hand or by draw: tables as `oncoraft ingest` would write them, and their case lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.evidence.evidence import TABLES_READ, collect
from oncoraft.evidence.known import Tables
from oncoraft.knowledge.tables import Column, table

NUMBERS = {"integer": "float64", "number": "float64", "day": "float64"}


def series(column: Column, values: Sequence[Any]) -> pd.Series:
    """Values in the kind that the table specification states."""
    if column.name == "start_day":
        return pd.Series(values, dtype="int32")
    return pd.Series(values, dtype=NUMBERS.get(column.kind, "object"))


def frame(name: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of one table with every column that it has; what a row does not say is missing."""
    specification = table(name)
    columns = [*specification.columns, *specification.derived]
    unknown = {key for row in rows for key in row} - {column.name for column in columns}
    assert not unknown, f"{name} has no column {unknown}"
    return pd.DataFrame({column.name: series(column, [row.get(column.name) for row in rows]) for column in columns})


def tables(**rows: Sequence[Mapping[str, Any]]) -> Tables:
    """Whole tables of a study; those not given are empty."""
    assert not set(rows) - set(TABLES_READ)
    return {name: frame(name, rows.get(name, ())) for name in TABLES_READ}


def cases(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """A case list; each row says patient_id, index_day, cancer_type and agents, the rest has defaults: a line of a metastatic cancer."""
    full = []
    for row in rows:
        agents = sorted(row["agents"])
        base = {
            "case_id": f"{row['patient_id']}_{row['index_day']:+d}",
            "agents_at_index": agents,
            "line_of_therapy": 1,
            "line_overall": row.get("line_of_therapy", 1),
            "regimen": "-".join(agents).lower(),
            "setting": "metastatic",
            "protocol": None,
            "is_chemoradiation_at_index": False,
            "diagnosis_day": None,
            "has_other_cancer": False,
        }
        base |= dict(row) | {"agents": agents}
        full.append(base | {"regimen_at_index": "-".join(sorted(base["agents_at_index"])).lower()})
    return pd.DataFrame(full).astype({"index_day": "int32", "line_of_therapy": "int16", "line_overall": "int16", "diagnosis_day": "Int32"})


LUNG = "Non-Small Cell Lung Cancer"
CASE = {"patient_id": "P-0000001", "index_day": 100, "cancer_type": LUNG, "agents": ["OSIMERTINIB"]}


def texts(
    field: str, rows: dict[str, list[dict[str, Any]]], case: dict[str, Any] | None = None, known: str = "sequenced", **more: Any
) -> list[str]:
    """How one field reads for one case of one patient, whose rows need not name the patient."""
    case = CASE | (case or {})
    named = {
        name: [{"patient_id": "P-0000001"} | row if "patient_id" in columns(name) else row for row in part] for name, part in rows.items()
    }
    found = collect(tables(**named), cases(case), known, 3, **more)
    return found.loc[found["field"] == field, "text"].tolist()


def columns(name: str) -> set[str]:
    return {column.name for column in table(name).columns}


def draw_study(patients: int, seed: int) -> tuple[Tables, pd.DataFrame]:
    """A made-up cohort in which every table holds records on both sides of, and on, the index dates.

    Patients are first sequenced on day 0; a third have a second specimen later; regimens begin between day -200 and 600.
    """
    draw = np.random.default_rng(seed)
    types = ["Non-Small Cell Lung Cancer", "Colorectal Cancer", "Breast Cancer", "Prostate Cancer", "Pancreatic Cancer"]
    agents = ["PEMBROLIZUMAB", "CARBOPLATIN", "PEMETREXED", "DOCETAXEL", "LETROZOLE", "OSIMERTINIB"]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES_READ}
    starts: list[dict[str, Any]] = []
    for number in range(patients):
        person = f"P-{number + 1:07d}"
        kind = types[number % len(types)]
        _person(rows, draw, person, kind)
        days = sorted(int(day) for day in draw.choice(np.arange(-200, 600), size=3, replace=False))
        for line, day in enumerate(days, 1):
            given = [str(agent) for agent in draw.choice(agents, size=2, replace=False)]
            starts.append({"patient_id": person, "index_day": day, "cancer_type": kind, "agents": given, "line_of_therapy": line})
            for agent in given:
                rows["timeline_treatment"].append({"patient_id": person, "start_day": day, "stop_day": day + 90, "agent": agent})
        for day in [*days, *(int(day) for day in draw.integers(-400, 900, 25))]:
            _records(rows, draw, person, day, kind)
    return tables(**rows), cases(*starts)


def _person(rows: dict[str, list[dict[str, Any]]], draw: np.random.Generator, person: str, kind: str) -> None:
    """What is fixed or undated of one patient, and the specimens."""
    yes = bool(draw.integers(2))
    rows["clinical_patient"].append(
        {
            "patient_id": person,
            "gender": ["Female", "Male"][int(draw.integers(2))],
            "race": "White",
            "ethnicity": "Non-Spanish; Non-Hispanic",
            "current_age_deid": int(draw.integers(40, 84)),
            "stage_highest_recorded": ["Stage 1-3", "Stage 4"][int(draw.integers(2))],
            "gleason_highest_reported": int(draw.integers(6, 11)),
            "history_of_pdl1": yes,
            "smoking_predictions_3_classes": ["Never", "Former/Current Smoker"][int(draw.integers(2))],
            "liver": ["Yes", "No"][int(draw.integers(2))],
            "os_months": 40.0,
            "os_days": int(draw.integers(700, 2000)),
            "os_status": ["0:LIVING", "1:DECEASED"][int(draw.integers(2))],
            "is_deceased": yes,
            "hr": yes if kind == "Breast Cancer" else None,
            "her2": not yes if kind == "Breast Cancer" else None,
        }
    )
    first = {"patient_id": person, "start_day": -420, "dx_description": f"ADENOCARCINOMA, NOS | {SITES[kind]}"}
    rows["timeline_diagnosis"].append(first)
    for order, day in enumerate([0, 300][: 1 + int(draw.integers(2))]):
        sample = f"{person}-T0{order + 1}-IM6"
        rows["timeline_specimen"].append({"patient_id": person, "start_day": day, "sample_id": sample})
        rows["timeline_specimen_surgery"].append({"patient_id": person, "start_day": day - 40, "sample_id": sample, "sequencing_day": day})
        rows["clinical_sample"].append(
            {
                "sample_id": sample,
                "patient_id": person,
                "cancer_type": kind,
                "sample_type": ["Primary", "Metastasis"][order],
                "primary_site": "Lung",
                "metastatic_site": "Liver" if order else None,
                "msi_type": ["Stable", "Instable"][int(draw.integers(2))],
                "msi_score": float(draw.integers(0, 40)) / 2,
                "tmb_nonsynonymous": float(draw.integers(0, 20)),
                "tumor_purity": 40.0,
                "cancer_type_detailed": "Lung Adenocarcinoma",
                "clinical_group": "4",
            }
        )
        # The second specimen was profiled for mutations alone.
        rows["profiled"].append({"sample_id": sample, "mutations": True, "copy_number": not order, "structural_variants": not order})
        for gene in draw.choice(["EGFR", "KRAS", "TP53", "STK11", "BRAF", "NF1"], size=3, replace=False):
            change = f"p.G{int(draw.integers(1, 900))}D"
            mutation = {"hugo_symbol": str(gene), "hgvsp_short": change, "variant_classification": "Missense_Mutation"}
            rows["mutations"].append({"tumor_sample_barcode": sample} | mutation)
        rows["cna"].append({"sample_id": sample, "gene": ["ERBB2", "CDKN2A"][order], "call": [2.0, -2.0][order]})
        rows["sv"].append({"sample_id": sample, "site1_hugo_symbol": ["ALK", "RET"][order], "site2_hugo_symbol": "EML4"})


SITES = {
    "Non-Small Cell Lung Cancer": "LUNG, NOS (M8140/3 | C349)",
    "Colorectal Cancer": "SIGMOID COLON (M8140/3 | C187)",
    "Breast Cancer": "BREAST, UOQ (M8140/3 | C504)",
    "Prostate Cancer": "PROSTATE GLAND (M8140/3 | C619)",
    "Pancreatic Cancer": "HEAD OF PANCREAS (M8140/3 | C250)",
}


def _records(rows: dict[str, list[dict[str, Any]]], draw: np.random.Generator, person: str, day: int, kind: str) -> None:
    """One record of every timeline on one day."""
    at = {"patient_id": person, "start_day": day}
    verdict = ["Y", "N", "Indeterminate"][int(draw.integers(3))]
    word = bool(draw.integers(2))
    rows["timeline_progression"].append(at | {"progression": verdict, "procedure_type": ["CT", "MR"][int(word)]})
    rows["timeline_cancer_presence"].append(at | {"has_cancer": verdict, "procedure_type": "CT"})
    rows["timeline_tumor_sites"].append(at | {"tumor_site": ["Liver", "Lung", "Bone", "CNS/Brain"][int(draw.integers(4))]})
    rows["timeline_performance_status"].append(at | {"ecog": int(draw.integers(0, 5))})
    rows["timeline_pdl1"].append(at | {"pdl1_positive": word})
    rows["timeline_mmr"].append(at | {"mmr_absent": word})
    rows["timeline_gleason"].append(at | {"gleason_score": int(draw.integers(6, 11))})
    rows["timeline_radiation"].append(at)
    rows["timeline_surgery"].append(at | {"subtype": ["PROCEDURE", "SAMPLE"][int(word)]})
    prior = ["No prior medications", "Prior medications to MSK"][int(word)]
    rows["timeline_prior_meds"].append(at | {"prior_med_to_msk": prior})
    for name in ("psa", "cea", "ca_19_9", "ca_15_3"):
        rows[f"timeline_{name}_labs"].append(at | {"result": float(draw.integers(0, 200)), "lr_unit_measure": "ng/ml"})
    stage = ["Stage 1-3", "Stage 4"][int(draw.integers(2))]
    text = f"ADENOCARCINOMA, NOS | {SITES[kind]}"
    rows["timeline_diagnosis"].append(at | {"stage_cdm_derived": stage, "clinical_group": "4", "path_group": "99", "dx_description": text})
