"""A few patients as ingested tables, and what the tasks' steps need beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.tasks.declaration import Material
from oncoraft.tasks.registry import task_of

DIAGNOSES = [
    ("P-1", -100, "ADENOCARCINOMA, NOS | LOWER LOBE, LUNG (M8140/3 | C343)", "Stage 1-3"),
    ("P-2", -50, "INFILTRATING DUCT CARCINOMA, NOS | BREAST, NOS (M8500/3 | C509)", "Stage 4"),
    ("P-3", -20, "ADENOCARCINOMA, NOS | PROSTATE GLAND (M8140/3 | C619)", "Stage 1-3"),
    ("P-4", -10, "ADENOCARCINOMA, NOS | LOWER LOBE, LUNG (M8140/3 | C343)", "Stage 1-3"),
    ("P-4", 5, "INFILTRATING DUCT CARCINOMA, NOS | BREAST, NOS (M8500/3 | C509)", "Stage 1-3"),
    ("P-5", 0, "MALIGNANT LYMPHOMA | LYMPH NODES (M9590/3 | C779)", "Stage 4"),
]
STARTS = [("P-1", -10), ("P-1", -10), ("P-1", 15), ("P-1", 60), ("P-2", -60), ("P-2", 0), ("P-3", 40), ("P-4", 30)]
COURSES = """patient_id,start_day,course,dose,unit,fractions,modality,schedule
P-1,-10,a,60,Gy,30,photon,
P-2,0,b,3000,cGy,10,photon,
P-3,40,c,50,Gy,25,photon,
P-3,40,c,10,Gy,5,electron,
P-4,30,d,45,Gy,30,photon,BID
"""
TREATED = [
    ("P-1_-90", "P-1", -90, ["PEMETREXED", "CARBOPLATIN"]),
    ("P-2_-40", "P-2", -40, ["LETROZOLE"]),
    ("P-3_0", "P-3", 0, ["INVESTIGATIONAL"]),
    ("P-4_9", "P-4", 9, ["NOT A DRUG"]),
]


def tables(folder: Path) -> Path:
    """Ingested tables of the five patients."""
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(DIAGNOSES, columns=["patient_id", "start_day", "dx_description", "stage_cdm_derived"]).to_parquet(
        folder / "timeline_diagnosis.parquet"
    )
    pd.DataFrame(STARTS, columns=["patient_id", "start_day"]).to_parquet(folder / "timeline_radiation.parquet")
    patients = {"patient_id": [f"P-{n}" for n in range(1, 6)], "os_days": [500, 20, 60, 900, 900]}
    pd.DataFrame(patients | {"is_deceased": [False] * 5}).to_parquet(folder / "clinical_patient.parquet")
    return folder


def cohort(folder: Path) -> Path:
    """Treatment cases of three of them."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = pd.DataFrame(TREATED, columns=["case_id", "patient_id", "index_day", "agents_at_index"])
    cases.assign(cancer_type="Breast Cancer", diagnosis_day=-100, gene_panel="IMPACT468").to_parquet(folder / "cases.parquet")
    return folder


def courses(folder: Path, text: str = COURSES) -> Path:
    """A group's table of courses."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "courses.csv").write_text(text)
    return folder / "courses.csv"


def material(folder: Path, **task: Any) -> Material:
    """All of it."""
    from oncoraft.planning.config import TextTask

    return Material(TextTask(**task), tables(folder / "tables"), cohort(folder / "cases"), courses(folder), 30)


def evidence(statements: dict[str, list[tuple[str, str]]]) -> pd.DataFrame:
    """Case -> field and text of its statements, as `evidence.parquet` has them."""
    rows = [
        {"case_id": case, "order": number, "section": "diagnosis", "field": field, "value": text, "text": text, "priority": 50}
        for case, told in statements.items()
        for number, (field, text) in enumerate(told)
    ]
    return pd.DataFrame(rows)


def cases_of(kind: str, answers: dict[str, str]) -> pd.DataFrame:
    """Cases with their answers."""
    assert task_of(kind)
    return pd.DataFrame([{"case_id": case, "patient_id": case.split("_")[0], "answer": answer} for case, answer in answers.items()])


def settings(kind: str, **more: Any) -> list[str]:
    """The arguments by which a rule hands a task over."""
    return ["--settings", json.dumps({"task": {"kind": kind, "bootstrap": 50, **more}})]
