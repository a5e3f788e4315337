"""The cohort's flow from patients to analysed cases, every exclusion with its count: `oncoraft flow TABLES CASES`."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.cases.flow_comparisons import fold_tables
from oncoraft.cases.flow_reading import Found, read
from oncoraft.cases.flow_tables import by_type, label_balance, label_flags, scan_counts, table_one
from oncoraft.cases.tables import open_tables, spelt
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import Labels
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
COLUMNS = {
    "clinical_patient": [
        "patient_id", "gender", "race", "current_age_deid", "stage_highest_recorded", "smoking_predictions_3_classes", "prior_med_to_msk",
        "os_days", "os_status", "is_deceased",
    ],
    "timeline_treatment": ["patient_id"],
    "timeline_specimen": ["patient_id"],
    "timeline_progression": ["patient_id", "start_day", "progression"],
}  # fmt: skip
OF_CASES = {
    "cases": [
        "case_id", "patient_id", "cancer_type", "index_day", "next_treatment_day", "regimen", "regimen_name", "setting",
        "line_of_therapy", "drug_class", "gene_panel", "is_before_sequencing",
    ],
    "followup": ["case_id", "endpoint"],
    "folds": ["case_id", "patient_id", "design", "fold", "is_tuning"],
    "labels": [
        "case_id", "definition", "category", "responder", "is_immortal", "is_contradicted", "local_treatment_between", "reason", "scan_days",
    ],
}  # fmt: skip
Reason = tuple[str, int, int | None]  # words, patients, cases


def stage(name: str, patients: int, cases: int | None, before: dict[str, Any] | None, reasons: Sequence[Reason]) -> dict[str, Any]:
    """One step of the flow: what is left, what was lost since `before`, and why; reasons that met nobody are left out."""
    reasons = [reason for reason in reasons if reason[1]]
    lost = before["cases"] - cases if before and before["cases"] is not None and cases is not None else None
    return {
        "name": name,
        "patients": patients,
        "cases": cases,
        "excluded_patients": before["patients"] - patients if before else None,
        "excluded_cases": lost,
        "reason": "; ".join(words for words, _, _ in reasons),
        "reasons": [{"reason": words, "patients": people, "cases": count} for words, people, count in reasons],
    }


ASIDE = {
    "patients_without_specimen": "no sequenced specimen with a cancer type",
    "patients_with_no_cancer_rows_only": "no cancer known",
    "patients_with_before_diagnosis_rows_only": "treated before the first diagnosis alone",
    "patients_with_other_cancer_rows_only": "only agents of another cancer than those known",
}


def check_falls(steps: Sequence[dict[str, Any]]) -> None:
    """A flow only falls, and its reasons sum to what was lost: in cases where a step has them, else in patients.

    Raises:
        InputError: it does not, so that its parts are not of one run.
    """
    remedy = "tables, cases, labels and follow-up must be of one run; make them again"
    for step in steps[1:]:
        unit = "patients" if step["excluded_cases"] is None else "cases"
        told = sum(reason[unit] for reason in step["reasons"])
        lost = step[f"excluded_{unit}"]
        if step["excluded_patients"] < 0 or lost < 0 or told != lost or any(reason[unit] < 0 for reason in step["reasons"]):
            found = f"{step['excluded_patients']} patients and {step['excluded_cases']} cases lost, {told} {unit} told"
            raise InputError(
                f"flow, step {step['name']!r}: expected a loss of at least none, every one with its reason; {remedy}", found=found
            )


def of_cases(reason: str, cases: pd.DataFrame) -> Reason:
    """A reason with the patients and cases that it meets."""
    return reason, cases["patient_id"].nunique(), len(cases)


def attrition(found: Found, chosen: pd.DataFrame, definition: str, counted: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps from patients to evaluable cases under observation, each counted from the one before.

    A patient is counted under a reason with the cases lost for it; one who keeps another case is not excluded by it.

    Args:
        found: as `flow`.
        chosen: labels of the definition that trains, with patient_id.
        counted: what the regimen builder counted, what `cohort_filter` left out among it.
    """
    cases, untreated = found.cases, found.patients - found.treated
    first = stage("patients in the study", found.patients, None, None, [])
    recorded = stage("with a treatment recorded", found.treated, None, first, [("no treatment recorded", untreated, None)])
    limits = counted.get("cohort_filter") or {}
    treated = limits["patients_before"] if limits else cases["patient_id"].nunique()
    told = [(words, int(counted.get(name, 0)), None) for name, words in ASIDE.items()]
    rest_aside = recorded["patients"] - treated - sum(lost for _, lost, _ in told)
    aside: list[Reason] = [("only supportive agents, tracers, other indications or agents set aside", rest_aside, None), *told]
    steps = [first, recorded, stage("with an anticancer regimen", treated, limits.get("cases_before", len(cases)), recorded, aside)]
    if limits:
        left = [(row["reason"], row["patients"], row["cases"]) for row in limits["left_out"]]
        steps.append(stage("in the chosen cohort", cases["patient_id"].nunique(), len(cases), steps[-1], left))
    steps += observed(found, chosen, definition, steps[-1])
    check_falls(steps)
    return steps


def observed(found: Found, chosen: pd.DataFrame, definition: str, before: dict[str, Any]) -> list[dict[str, Any]]:
    """The last two steps: cases under observation, and those of them whose response can be judged."""
    cases, patients, followed = found.cases, found.people, found.followed["case_id"]
    seen = cases["case_id"].isin(followed)
    recorded = cases["patient_id"].isin(patients.loc[patients["os_days"].notna() & patients["is_deceased"].notna(), "patient_id"])
    unseen = [
        of_cases("no survival recorded", cases[~seen & ~recorded]),
        of_cases("the follow-up ends before the patient is under observation", cases[~seen & recorded]),
    ]
    risk = stage("with follow-up at risk", cases.loc[seen, "patient_id"].nunique(), int(seen.sum()), before, unseen)
    judged = chosen[chosen["case_id"].isin(followed)]
    evaluable, rest = judged[judged["responder"].notna()], judged[judged["responder"].isna()]
    by_reason = sorted(rest.groupby("reason", dropna=False, observed=True), key=lambda item: (-len(item[1]), str(item[0])))
    reasons = [of_cases(str(reason), part) for reason, part in by_reason]
    last = stage(f"evaluable for response ({definition})", evaluable["patient_id"].nunique(), len(evaluable), risk, reasons)
    return [risk, last]


def flow(found: Found, settings: Labels, counted: dict[str, Any]) -> dict[str, Any]:
    """Everything of `flow.json`.

    Args:
        found: from `flow_reading.read`.
        settings: windows, and which definition trains.
        counted: what the regimen builder counted on its way from treatment rows to regimens.
    """
    cases, patients = found.cases, found.people
    chosen = found.chosen
    types = [
        {
            "cancer_type": name,
            "patients": part["patient_id"].nunique(),
            "cases": len(part),
            "evaluable": int(part["responder"].notna().sum()),
            "responders": int(part["responder"].eq(True).sum()),
        }
        for name, part in islice(by_type(chosen), 1, None)
    ]
    counts = spelt(cases.groupby(["cancer_type", "regimen", "regimen_name"], observed=True).size().reset_index(name="cases"))
    counts = counts.sort_values(["cases", "regimen", "cancer_type"], ascending=[False, True, True])
    folds, balance = fold_tables(found.folds, cases, chosen)
    told = found.labels.told()
    return {
        "definition": settings.definition,
        "steps": attrition(found, chosen, settings.definition, counted),
        "labels": told["labels"],
        "by_cancer_type": types,
        "regimens": counts.to_dict("records"),
        "table_one": table_one(patients, cases),
        "label_balance": label_balance(chosen),
        "label_flags": label_flags(chosen),
        "treatment_rows": counted,
        "scans": scan_counts(found.scans),
        **{name: told[name] for name in ("agreement", "strict_against_published", "published_rule")},
        "folds": folds,
        "fold_balance": balance,
    }


def treatment_rows(cases: Path) -> dict[str, Any]:
    """What the regimen builder counted on its way from treatment rows to regimens; empty where its manifest is not there."""
    path = cases / "cases.parquet.manifest.json"
    return json.loads(path.read_text(encoding="utf-8"))["counts"] if path.is_file() else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases, labels, follow-up and folds, write the flow."""
    parser = step_parser(
        "flow",
        "in:  cases, labels, followup, folds; clinical_patient, timeline_treatment, timeline_specimen, timeline_progression\n"
        "out: flow.json (docs/artefacts.md)\n\nexample:\n  oncoraft flow tables cases",
    )
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument(
        "cases", type=Path, metavar="CASES", help="folder with cases, labels, follow-up and folds; flow.json is written beside them"
    )
    given = parser.parse_args(arguments)
    blocks = read_settings("flow", given)
    tables, made = open_tables(given.tables, COLUMNS, COLUMNS), open_tables(given.cases, OF_CASES, OF_CASES)
    result = flow(read(tables, made, blocks["labels"]), blocks["labels"], treatment_rows(given.cases))
    final, record = given.cases / "flow.json", given.cases / "flow.json.manifest.json"
    with publishing(final, record, step="flow") as (out, note):
        write_json(out, result)
        inputs = [
            given.cases / "cases.parquet.manifest.json",
            *(given.tables / f"{name}.parquet" for name in COLUMNS),
            *(given.cases / f"{name}.parquet" for name in OF_CASES),
        ]
        counts = {step["name"]: step["patients"] for step in result["steps"]}
        settings = settings_record(given, blocks)
        write_json(note, manifest("flow", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("flow: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
