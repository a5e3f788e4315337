"""Cases, labels, follow-up and source rows as the steps write them, for pictures of patients; their truth is in the numbers below."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

DAYS = ("cea", "ca_15_3", "ca_19_9", "psa")
PATIENTS = 60
IDS = [f"P-{number:07d}" for number in range(PATIENTS)]
RESPONSES = ("CR", "PR", "SD", "PD", "NE")


def case(patient: str, index_day: int, regimen: str, **more: Any) -> dict[str, Any]:
    """One row of cases.parquet."""
    made = {
        "case_id": f"{patient}_{index_day:+d}",
        "patient_id": patient,
        "cancer_type": "Cancer",
        "index_day": index_day,
        "drug_class": "Chemo",
    }
    return made | {"regimen": regimen, "regimen_name": regimen.title(), "stop_day": index_day + 89, "is_investigational": False} | more


def cohort() -> list[dict[str, Any]]:
    """Every patient has a first regimen, two of three a second one."""
    first = [case(patient, 10, "alpha" if number % 4 else "beta", stop_day=10 + 3 * number) for number, patient in enumerate(IDS)]
    second = [case(patient, 400, "gamma", drug_class="Immuno") for number, patient in enumerate(IDS) if number % 3]
    return sorted([*first, *second], key=lambda row: (row["patient_id"], row["index_day"]))


def write(home: Path, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The tables below a results folder, one wide score a case, written into its run; the scores.

    Responses are drawn; responders have higher scores. Patients die 300 days after their index date, every
    fourth is alive then; progression is on day 100.
    """
    cases = pd.DataFrame(rows)
    cases.to_parquet(home / "cases" / "cases.parquet")
    draw = Random(1)
    category = [draw.choice(RESPONSES) for _ in rows]
    responder = [None if name == "NE" else name in {"CR", "PR"} for name in category]
    told = {"category": category, "responder": pd.array(responder, dtype="boolean"), "window_start_days": 15, "window_end_days": 120}
    labels = pd.DataFrame({"case_id": cases["case_id"], "definition": "strict", **told})
    labels.to_parquet(home / "cases" / "labels.parquet")
    dead = [place % 4 != 0 for place in range(len(cases))]
    death = pd.DataFrame({"case_id": cases["case_id"], "endpoint": "os", "entry_days": 0, "exit_days": 300, "event": dead})
    progression = death.assign(endpoint="rwpfs", exit_days=100, event=True)
    pd.concat([death, progression]).to_parquet(home / "cases" / "followup.parquet")
    sources(home, list(cases["patient_id"].unique()))
    scores = {row["case_id"]: round((0.6 if good else 0.3) + 0.0001 * place, 6) for place, (row, good) in enumerate(zip(rows, responder))}
    lines = [{"case_id": key, "score": value, "rationale": None} for key, value in scores.items()]
    (home / "tiny" / "raft" / "kfold" / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return scores


def sources(home: Path, patients: Sequence[str]) -> None:
    """Source rows that a timeline shows: a scan, a marker, a performance status and a procedure for everybody."""
    base = pd.DataFrame({"patient_id": patients, "start_day": 60})
    frames = {
        "timeline_progression": base.assign(progression="N", procedure_type="CT"),
        "timeline_performance_status": base.assign(ecog=1),
        "timeline_surgery": base,
        "timeline_radiation": base.iloc[:0],
        "timeline_specimen": base.assign(start_day=0),
        **{f"timeline_{name}_labs": base.assign(test="CEA", result=5.0) for name in DAYS[:1]},
        **{f"timeline_{name}_labs": base.iloc[:0].assign(test="", result=0.0) for name in DAYS[1:]},
    }
    for name, frame in frames.items():
        frame.to_parquet(home / "tables" / f"{name}.parquet")
