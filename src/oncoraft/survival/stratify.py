"""Does the score add to what a clinician knows of survival, regimen by regimen? `oncoraft survival predictions.jsonl CASES evidence.parquet ...`

Per cancer type and regimen, the patient's first use of it. The headline is the increment: the hazard ratio of the low-score against the
high-score group adjusted for the clinical covariates, and the likelihood-ratio test of the score beside them, its q over the regimens
tested. The raw hazard ratio and log-rank test stand beside. Groups of all folds are pooled and the fold is a stratum of every test
(`groups` tells how they are cut). Above 1, low scores die sooner.
"""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from oncoraft.covariates import clinical_covariates
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import Survival
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.predictions import read_predictions
from oncoraft.survival.analysis import EndpointResult, analyse_endpoint, intended_of
from oncoraft.survival.chosen_covariates import with_chosen
from oncoraft.survival.comparators import with_baselines
from oncoraft.survival.cross_fitting import TARGET
from oncoraft.survival.endpoints import CODES, observe
from oncoraft.survival.flat import all_curves, flat_tables, regimen_table
from oncoraft.survival.groups import first_use, frame_of
from oncoraft.survival.inputs import check_folds, read_baselines, read_cases, read_followup, read_response, read_table, read_targets
from oncoraft.survival.subgroups import subgroup_records

log = logging.getLogger("oncoraft")
STATEMENT = (
    "These groups are prognostic within a regimen: they say who lives longer among those who received it. They do not say who "
    "gains from it rather than from another; that needs patients who did not receive it and a test of interaction."
)
DIRECTION = (
    "Hazard ratios are of the low-score against the high-score group, or of a standard deviation towards lower scores: above 1, low scores die "
    "sooner. Those whose name begins with published_ are of the high-score against the low-score group: below 1, high scores live longer."
)
CASE_COLUMNS = ["case_id", "patient_id", "cancer_type", "regimen", "regimen_name", "index_day"]
FLAT = ("endpoints", "counts", "groups", "group_tests", "survival_at", "at_risk", "shape", "periods")
FILES = ("survival.json", "regimens.csv", "curves.parquet", *(f"{name}.csv" for name in FLAT), "all_curves.parquet", "manifest.json")


class Inputs(NamedTuple):
    """Predicted cases with covariates, follow-up by endpoint, what was left out of them, and the files read."""

    frame: pd.DataFrame
    followup: dict[str, pd.DataFrame]
    left_out: dict[str, int]
    files: list[Path]


def read_inputs(given: Namespace, settings: Survival, definition: str) -> Inputs:
    """All that survival stands on, proven.

    Args:
        given: the files.
        settings: of the stage.
        definition: of the label that trains.

    Raises:
        InputError: the first thing that is wrong in a file.
    """
    files = [given.predictions, given.cases / "cases.parquet", given.cases / "followup.parquet", given.evidence]
    of_settings = ["diagnosis_day"] * (settings.anchor == "diagnosis") + ["specimen_id"] * bool(settings.table_columns("clinical_sample"))
    cases = read_cases(files[1], CASE_COLUMNS, of_settings)
    predictions = read_predictions(given.predictions, cases)
    if predictions.empty:
        raise InputError("expected at least one prediction", file=given.predictions, found="none")
    if (folds := given.cases / "folds.parquet").is_file():
        check_folds(predictions, folds, given.design, given.predictions)
        files.append(folds)
    followup: dict[str, pd.DataFrame] = {name: read_followup(files[2], CODES[name]) for name in settings.endpoints}
    evidence = read_table(given.evidence, ["case_id", "field", "value", "days_before_index", "order"], ["case_id", "order"])
    frame = frame_of(predictions, clinical_covariates(cases, evidence))
    frame, counts, more = with_chosen(frame, settings, given.tables)
    labels = given.cases / "labels.parquet"
    if settings.response_label is not None:
        frame = frame.merge(read_response(labels, settings.response_label), on="case_id", how="left", validate="one_to_one")
    if labels.is_file():
        more.append(labels)
        frame[TARGET] = frame["case_id"].map(read_targets(labels, definition))
    if given.baselines:
        more.append(given.baselines)
    frame = with_baselines(frame, read_baselines(given.baselines) if given.baselines else None)
    return Inputs(frame, followup, {"cases_without_prediction": len(cases) - len(predictions)} | counts, [*files, *more])


def analyse_all(read: Inputs, settings: Survival) -> list[EndpointResult]:
    """Every endpoint, the headline first."""
    results = []
    for name, followup in read.followup.items():
        observed, left_out = observe(read.frame, followup, settings.anchor)
        from_index = observed if settings.anchor == "index" else observe(read.frame, followup, "index").frame
        used = first_use(observed, ["cancer_type", "regimen"])
        counts = {"cases": len(observed), "events": int(observed["event"].sum())} | read.left_out | left_out
        counts |= {"cases_after_the_first_use": len(observed) - len(used)}
        counts |= {"cases_analysed": len(used), "events_analysed": int(used["event"].sum())}
        results.append(analyse_endpoint(name, observed, from_index, settings, counts))
        if len(results) == 1:  # of the headline alone
            results[0].record["subgroups"] = subgroup_records(observed, intended_of(settings), settings.minimum_events_shown)
    return results


def write_results(given: Namespace, blocks: dict[str, Any], results: list[EndpointResult], inputs: list[Path]) -> dict[str, int]:
    """Publish every file of the stage; the counts of the headline."""
    headline, further = results[0], results[1:]
    record = {"settings": blocks["survival"].model_dump(mode="json")} | headline.record
    record |= {"further_endpoints": [one.record for one in further], "statement": STATEMENT, "direction": DIRECTION}
    tables = flat_tables(results)
    files = [given.out / name for name in FILES]
    counts: dict[str, int] = headline.record["counts"]
    with publishing(*files, step="survival", home=given.out) as (table, regimens, curves, *flat, every_curve, note):
        write_json(table, record)
        write_csv(regimens, regimen_table(headline.record))
        headline.curves.to_parquet(curves, index=False)
        for name, path in zip(FLAT, flat):
            write_csv(path, tables[name])
        all_curves(results).to_parquet(every_curve, index=False)
        outputs = dict(zip(files[:-1], (table, regimens, curves, *flat, every_curve)))
        settings_now = settings_record(given, blocks)
        write_json(note, manifest("survival", inputs=inputs, outputs=outputs, settings=settings_now, counts=counts, beside=files[-1]))
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Stratify and write."""
    parser = step_parser("survival", "example:\n  oncoraft survival predictions.jsonl cases evidence.parquet --design kfold --out survival")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, follow-up, folds and labels")
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet: the covariates that the score is adjusted for")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument(
        "--baselines", type=Path, metavar="FILE", help="baselines' predictions.parquet: their hazard ratios beside the model's"
    )
    parser.add_argument(
        "--tables", type=Path, metavar="TABLES", help="folder of the clinical tables, where `covariates` names their columns"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("survival", given)
    read = read_inputs(given, blocks["survival"], blocks["labels"].definition)
    results = analyse_all(read, blocks["survival"])
    counts = write_results(given, blocks, results, read.files)
    log.info("survival: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
