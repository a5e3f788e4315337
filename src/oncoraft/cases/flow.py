"""The cohort's flow from patients to analysed cases, every exclusion with its count: `oncoraft flow TABLES CASES`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.cases.tables import read_tables
from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.provenance import manifest, publishing, write_json

log = logging.getLogger("oncoraft")


def flow(patients: pd.DataFrame, cases: pd.DataFrame, labels: pd.DataFrame, followup: pd.DataFrame, definition: str) -> dict[str, Any]:
    """Steps with counts, label categories of each definition, cases by cancer type and by regimen.

    Args:
        patients: clinical_patient.
        cases: cases.parquet.
        labels: labels.parquet, all definitions.
        followup: followup.parquet.
        definition: the label definition that trains.
    """
    chosen = labels[labels["definition"] == definition].merge(cases[["case_id", "patient_id", "cancer_type"]], on="case_id")
    evaluable = chosen[chosen["responder"].notna()]
    survival = cases[cases["case_id"].isin(followup.loc[followup["endpoint"] == "os", "case_id"])]
    stages = [
        ("patients in the study", patients["patient_id"].nunique(), None, ""),
        ("patients with a treated regimen", cases["patient_id"].nunique(), len(cases), "no anticancer agent recorded"),
        (
            "with follow-up at risk",
            survival["patient_id"].nunique(),
            len(survival),
            "the follow-up ends before the patient is under observation",
        ),
        (
            f"evaluable for response ({definition})",
            evaluable["patient_id"].nunique(),
            len(evaluable),
            "no assessment, or nothing to respond",
        ),
    ]
    steps: list[dict[str, Any]] = []
    for number, (name, people, count, reason) in enumerate(stages):
        # Follow-up and evaluability are two ways out of the same cases, so both are counted from the treated.
        before = steps[min(number, 2) - 1] if number else None
        lost_cases = before["cases"] - count if before and before["cases"] is not None and count is not None else None
        lost = before["patients"] - people if before else None
        steps.append(
            {"name": name, "patients": people, "cases": count, "excluded_patients": lost, "excluded_cases": lost_cases, "reason": reason}
        )
    by_type = [
        {
            "cancer_type": name,
            "patients": part["patient_id"].nunique(),
            "cases": len(part),
            "evaluable": int(part["responder"].notna().sum()),
            "responders": int(part["responder"].fillna(False).sum()),
        }
        for name, part in chosen.groupby("cancer_type")
    ]
    counts = cases.groupby(["cancer_type", "regimen", "regimen_name"]).size().reset_index(name="cases")
    counts = counts.sort_values(["cases", "regimen"], ascending=[False, True])
    return {
        "definition": definition,
        "steps": steps,
        "labels": {name: part["category"].value_counts().sort_index().to_dict() for name, part in labels.groupby("definition")},
        "by_cancer_type": by_type,
        "regimens": counts.to_dict("records"),
        "published_rule": published_rule(labels),
    }


def published_rule(labels: pd.DataFrame) -> dict[str, int]:
    """How many responders of the published rule were never imaged in its window."""
    theirs = labels[(labels["definition"] == "oncoraft") & labels["category"].isin(["CR", "PR"])]
    return {"responders": len(theirs), "responders_never_imaged": int((theirs["scan_days"].map(len) == 0).sum())}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases, labels and follow-up, write the flow."""
    parser = step_parser("flow", "example:\n  oncoraft flow tables cases")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument(
        "cases", type=Path, metavar="CASES", help="folder with cases, labels and follow-up; flow.json is written beside them"
    )
    given = parser.parse_args(arguments)
    blocks = read_settings("flow", given)
    patients = read_tables(given.tables, ["clinical_patient"])["clinical_patient"]
    parts = read_tables(given.cases, ["cases", "labels", "followup"])
    result = flow(patients, parts["cases"], parts["labels"], parts["followup"], blocks["labels"].definition)
    final, record = given.cases / "flow.json", given.cases / "flow.json.manifest.json"
    with publishing(final, record) as (out, note):
        write_json(out, result)
        inputs = [given.tables / "clinical_patient.parquet", *(given.cases / f"{name}.parquet" for name in parts)]
        counts = {step["name"]: step["patients"] for step in result["steps"]}
        settings = settings_record(given, blocks)
        write_json(note, manifest("flow", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("flow: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
