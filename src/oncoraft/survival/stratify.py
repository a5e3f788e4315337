"""Does the score add to what a clinician knows of survival, regimen by regimen? `oncoraft survival predictions.jsonl CASES evidence.parquet ...`

Per cancer type and regimen, the patient's first use of it. The headline is the increment: the hazard ratio of the low-score against the
high-score group adjusted for the clinical covariates, and the likelihood-ratio test of the score beside them, its q over the regimens
tested. The raw hazard ratio and log-rank test stand beside. Groups of all folds are pooled and the fold is a stratum of every test
(`groups` tells how they are cut). Above 1, low scores die sooner.
"""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from oncoraft.covariates import clinical_covariates
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import Survival
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.predictions import read_predictions
from oncoraft.survival.adjusted import design, gain, strata_of, subjects_of
from oncoraft.survival.assumptions import DAYS_PER_MONTH
from oncoraft.survival.bootstrap import Groups, bootstrap_record, patient_weights
from oncoraft.survival.comparators import comparator_records, with_baselines, within_extent
from oncoraft.survival.groups import first_use, frame_of, low_score
from oncoraft.survival.inputs import check_folds, read_baselines, read_followup, read_table
from oncoraft.survival.pooled import pooled
from oncoraft.survival.records import curve_rows, group_record, joined_curves, months
from oncoraft.survival.risk_sets import false_discovery

log = logging.getLogger("oncoraft")
STATEMENT = (
    "These groups are prognostic within a regimen: they say who lives longer among those who received it. They do not say who "
    "gains from it rather than from another; that needs patients who did not receive it and a test of interaction."
)
DIRECTION = (
    "Hazard ratios are of the low-score against the high-score group, or of a standard deviation towards lower scores: above 1, low scores die "
    "sooner. Those whose name begins with published_ are of the high-score against the low-score group: below 1, high scores live longer."
)
POOLED = {"adjusted_": "adjusted", "adjusted_per_sd_": "adjusted_per_sd", "": "raw"}
NESTED = ["at_risk", "survival_at", "covariates", "comparators", "hazard_ratio_by_period", "bootstrap"]


def names_of(group: pd.DataFrame, by: list[str]) -> dict[str, str]:
    """What a group is called."""
    names = {key: str(group[key].iloc[0]) if key in by else "all" for key in ("regimen", "cancer_type")}
    return names | {"regimen_name": str(group["regimen_name"].iloc[0]) if "regimen" in by else "All regimens"}


def skipped_reason(group: pd.DataFrame, low: np.ndarray, settings: Survival) -> str | None:
    """Why a group is not shown, or None."""
    events, smallest = int(group["event"].sum()), min(int(low.sum()), int((~low).sum()))
    if events < settings.minimum_events_shown:
        return f"fewer than {settings.minimum_events_shown} events"
    if group["score"].nunique() == 1:
        return "all scores are equal"
    if smallest < settings.minimum_group:
        return f"a score group has {smallest} cases, fewer than {settings.minimum_group}"
    return None


def resampled(group: pd.DataFrame, record: dict[str, Any], groups: Groups, settings: Survival) -> dict[str, Any] | None:
    """Bootstrap intervals of a record, in months; null where none are asked for or the adjusted ratio has no estimate."""
    if not settings.bootstrap or record["adjusted_hazard_ratio"] is None:
        return None
    name = f"{record['cancer_type']}|{record['regimen']}"  # each regimen has draws of its own, whatever the others are
    draw = np.random.default_rng([settings.seed, crc32(name.encode())])
    weights = patient_weights(group["patient_id"].to_numpy(), settings.bootstrap, draw)
    columns = design(group)[record["adjusted_for"]].to_numpy(float)
    found = bootstrap_record(subjects_of(group), -group["score"].to_numpy(float), columns, groups, weights)
    return found | {f"restricted_mean_{limit}": months(found[f"restricted_mean_{limit}"]) for limit in ("lower", "upper")}


def analyse(frame: pd.DataFrame, by: list[str], settings: Survival) -> tuple[list[dict[str, Any]], list[dict[str, Any]], pd.DataFrame]:
    """Records of the groups that are shown, the skipped ones with their reason, and the curves."""
    used = first_use(frame, by)
    shown, skipped, curves = [], [], []
    within = [] if "regimen" in by else ["regimen"]  # a group of many regimens is compared within each
    for _, group in used.groupby(by, sort=True):
        wider = [used[used["cancer_type"] == group["cancer_type"].iloc[0]], used]
        low = low_score(group, *wider)
        events = int(group["event"].sum())
        record: dict[str, Any] = {**names_of(group, by), "cases": len(group), "patients": group["patient_id"].nunique(), "events": events}
        if reason := skipped_reason(group, low, settings):
            skipped.append({**record, "reason": reason})
            continue
        # Raw tests are stratified by fold alone; the side of the first sequencing is a stratum of the adjusted ones (`adjusted`).
        strata = strata_of(group, ["fold", *within], sequenced=False)
        found, own = group_record(group, low, strata, settings.horizons_months)
        increment = gain(group, low, ["fold", *within])
        is_tested = events >= settings.minimum_events and increment["likelihood_ratio_p"] is not None
        record |= {"is_tested": is_tested, "is_underpowered": events < settings.powered_events, "q": None}
        record |= increment | found | within_extent(group, low, strata)
        groups = Groups(low, strata, strata_of(group, ["fold", *within]), min(settings.horizons_months) * DAYS_PER_MONTH)
        record["bootstrap"] = resampled(group, record, groups, settings)
        shown.append(record | {"comparators": comparator_records(group, wider, strata)})
        curves.append(curve_rows(own, **names_of(group, by)))
    tested = [record for record in shown if record["is_tested"]]
    for p, q in (("likelihood_ratio_p", "q"), ("log_rank_p", "log_rank_q")):
        values = np.array([record[p] for record in tested], dtype=float)  # null becomes nan, which is of no family
        for record, value in zip(tested, false_discovery(values)):
            record[q] = None if np.isnan(value) else float(value)
    shown.sort(key=lambda record: (-record["events"], record["cancer_type"], record["regimen"]))
    return shown, skipped, joined_curves(curves)


def summary_of(shown: list[dict[str, Any]]) -> dict[str, Any]:
    """Random effects over the tested regimens: adjusted, adjusted per standard deviation, and raw; null for fewer than three."""
    summary: dict[str, Any] = {}
    for prefix, name in POOLED.items():
        limits = [[row[f"{prefix}{key}"] for key in ("hazard_ratio", "lower", "upper")] for row in shown if row["is_tested"]]
        known = np.log(np.array([row for row in limits if None not in row], dtype=float).reshape(-1, 3))
        # A standard error from the limits, which lie 1.96 of them to either side (95 %).
        summary[name] = pooled(known[:, 0], (known[:, 2] - known[:, 1]) / (2 * 1.959963984540054))
    return summary


def read_inputs(given: Namespace) -> tuple[pd.DataFrame, dict[str, int], list[Path]]:
    """One row a predicted case with follow-up; what was left out, counted; the files read.

    Raises:
        InputError: the first thing that is wrong in a file.
    """
    files = [given.predictions, given.cases / "cases.parquet", given.cases / "followup.parquet", given.evidence]
    cases = read_table(files[1], ["case_id", "patient_id", "cancer_type", "regimen", "regimen_name", "index_day"], ["case_id"])
    predictions = read_predictions(given.predictions, cases)
    if predictions.empty:
        raise InputError("expected at least one prediction", file=given.predictions, found="none")
    if (folds := given.cases / "folds.parquet").is_file():
        check_folds(predictions, folds, given.design, given.predictions)
        files.append(folds)
    followup = read_followup(files[2], "os")
    evidence = read_table(given.evidence, ["case_id", "field", "value", "days_before_index", "order"], ["case_id", "order"])
    frame = frame_of(predictions, clinical_covariates(cases, evidence), followup)
    baselines = read_baselines(given.baselines) if given.baselines else None
    files += [given.baselines] if given.baselines else []
    counts = {
        "cases": len(frame),
        "cases_without_prediction": len(cases) - len(predictions),
        "cases_without_follow_up": len(predictions) - len(frame),
        "cases_after_the_first_use": len(frame) - len(first_use(frame, ["cancer_type", "regimen"])),
    }
    return with_baselines(frame, baselines), counts, files


def main(arguments: Sequence[str] | None = None) -> int:
    """Stratify and write."""
    parser = step_parser("survival", "example:\n  oncoraft survival predictions.jsonl cases evidence.parquet --design kfold --out survival")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, follow-up and folds")
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet: the covariates that the score is adjusted for")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument(
        "--baselines", type=Path, metavar="FILE", help="baselines' predictions.parquet: their hazard ratios beside the model's"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("survival", given)
    settings = blocks["survival"]
    frame, left_out, inputs = read_inputs(given)
    shown, skipped, curves = analyse(frame, ["cancer_type", "regimen"], settings)
    by_cancer, _, cancer_curves = analyse(frame, ["cancer_type"], settings)
    tested = sum(record["is_tested"] for record in shown)
    counts = {"attempted": len(shown) + len(skipped), "shown": len(shown), "tested": tested, "skipped": len(skipped)} | left_out
    result = {"settings": settings.model_dump(mode="json"), "counts": counts, "summary": summary_of(shown), "regimens": shown}
    result |= {"skipped": skipped, "cancer_types": by_cancer, "statement": STATEMENT, "direction": DIRECTION}
    files = [given.out / name for name in ("survival.json", "regimens.csv", "curves.parquet", "manifest.json")]
    with publishing(*files, step="survival", home=given.out) as (table, regimens, curve_file, note):
        write_json(table, json.loads(json.dumps(result)))
        write_csv(regimens, pd.DataFrame(shown).drop(columns=NESTED, errors="ignore"))
        joined_curves([curves, cancer_curves]).to_parquet(curve_file, index=False)
        outputs = dict(zip(files[:3], (table, regimens, curve_file)))
        settings_now = settings_record(given, blocks)
        write_json(note, manifest("survival", inputs=inputs, outputs=outputs, settings=settings_now, counts=counts, beside=files[3]))
    log.info("survival: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
