"""How good the scores are, beside the baselines: `oncoraft metrics predictions.jsonl CASES --design D --baselines FILE --out DIR`.

The headline is the unweighted mean over folds of AUROC; every interval comes from resampling patients within folds. Differences
from a baseline use the same resamples and the cases that both have scored. Only evaluable cases enter; the others are counted, and
weighted for beside. `metrics` holds discrimination, calibration, subgroups and differences; `verdict` whether the model beats the best
baseline; `definitions` the AUROC by label definition; `comparability` what others report; `distribution` scores by class.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from oncoraft.artefacts import read_table
from oncoraft.covariates import clinical_covariates
from oncoraft.evaluation.calibration import calibration_curve, decision_curve
from oncoraft.evaluation.comparability import comparability_rows, distribution_rows
from oncoraft.evaluation.discrimination import Array, patient_weights
from oncoraft.evaluation.reading import read_baselines, read_held_out, read_labels
from oncoraft.evaluation.records import Evaluable, calibration_records, difference_records, discrimination_records, verdict
from oncoraft.evaluation.resampling import resampled_net_benefit
from oncoraft.evaluation.subgroups import definition_rows, evaluable_weights, race, records_by_predictor, weighted_record
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

EVIDENCE_COLUMNS = ("case_id", "field", "value", "days_before_index", "order")
log = logging.getLogger("oncoraft")
TABLES = ("metrics", "roc", "calibration", "decision", "definitions", "comparability", "distribution")
EPILOG = """example:
  oncoraft metrics predictions.jsonl cases --design kfold --baselines baselines.parquet --evidence evidence.parquet --out metrics"""


def not_estimated(score: Array, data: Evaluable) -> str | None:
    """Why nothing can be said of a predictor: the evaluable cases that it has scored are of one class, or there are none; else None."""
    has = ~np.isnan(score)
    cases, events = int(has.sum()), int(data.positive[has].sum())
    if not cases:
        return "no evaluable case has a score"
    # Without the counts: the report decides which of them may be shown.
    which = "all" if events else "none"
    return f"the evaluable cases are {which} of them responders" if events in (0, cases) else None


def roc_rows(name: str, score: Array, data: Evaluable) -> Iterable[pd.DataFrame]:
    """ROC points of each fold."""
    for k in np.unique(data.fold):
        inside = (data.fold == k) & ~np.isnan(score)
        if 0 < data.positive[inside].sum() < inside.sum():
            false, true, _ = roc_curve(data.positive[inside], score[inside])
            yield pd.DataFrame({"predictor": name, "fold": k, "false_positive_rate": false, "true_positive_rate": true})


def utility_rows(name: str, score: Array, data: Evaluable) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Calibration curve and decision curve of one predictor's scores, recalibrated where there is something to recalibrate by."""
    has = ~np.isnan(score)
    y = data.positive[has]
    probability, _ = data.probabilities(name, score, has)
    tails = [50 * (1 - data.confidence), 50 * (1 + data.confidence)]
    lower, upper = np.nanpercentile(resampled_net_benefit(probability, y, data.weights_of(has)), tails, axis=0)
    decision = decision_curve(probability, y).assign(lower=lower, upper=upper)
    return calibration_curve(probability, y, score=score[has]).assign(predictor=name), decision.assign(predictor=name)


def scores_of(held_out: pd.DataFrame, responder: pd.Series, baselines: pd.DataFrame) -> dict[str, Array]:
    """Scores by predictor in the order of the held-out cases; nan where a predictor has none.

    `model_from_text` is the score that the model wrote into its own text, where a rationale was sampled and the head did not write it.
    """
    scores = {"model": held_out["score"].to_numpy(float)}
    text = held_out["score_from_text"].to_numpy(float)
    told = ~np.isnan(text) & responder.notna().to_numpy()
    if responder[told].nunique() == 2:
        scores["model_from_text"] = text
    return scores | {name: baselines[name].to_numpy(float) for name in baselines.columns}


def all_records(scores: dict[str, Array], data: Evaluable, weight: Array | None) -> list[dict[str, Any]]:
    """Every record of every predictor."""
    records = []
    subgroups = records_by_predictor({name: score for name, score in scores.items() if not not_estimated(score, data)}, data)
    for name, score in scores.items():
        if reason := not_estimated(score, data):
            has = ~np.isnan(score)
            if has.any() or name == "model":
                records += [data.record(name, "auroc", scope, np.nan, has, flags=reason) for scope in ("mean_of_folds", "pooled")]
            continue
        records += discrimination_records(name, score, data)
        records += calibration_records(name, score, data)
        records += subgroups[name]
        if weight is not None:
            records.append(weighted_record(name, score, data, weight))
    for name, score in scores.items():
        if name != "model" and not not_estimated(np.where(np.isnan(scores["model"]), np.nan, score), data):
            records += difference_records(name, scores["model"], score, data)
    return records


def tables_of(scores: dict[str, Array], data: Evaluable) -> dict[str, pd.DataFrame]:
    """The curves and tables beside the records, by file name."""
    known = {name: score for name, score in scores.items() if not not_estimated(score, data)}
    curves = [utility_rows(name, score, data) for name, score in known.items()]
    return {
        "roc": joined([rows for name, score in known.items() for rows in roc_rows(name, score, data)]),
        "calibration": joined([first for first, _ in curves]),
        "decision": joined([second for _, second in curves]),
        "comparability": pd.DataFrame([row for name, score in known.items() for row in comparability_rows(name, score, data)]),
        "distribution": joined([distribution_rows(name, score, data) for name, score in known.items()]),
    }


def joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Frames below one another; an empty one where there is none."""
    return pd.concat(parts) if parts else pd.DataFrame()


def read(given: argparse.Namespace, blocks: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, Any], list[Path]]:
    """Held-out cases with scores, labels and, where evidence is given, covariates; what was counted; the files read.

    Raises:
        InputError: as `reading`.
    """
    held_out, found = read_held_out(given.predictions, given.cases, given.design)
    labels = read_labels(given.cases, blocks["labels"].definition)[["case_id", "responder", "is_immortal"]]
    held_out = held_out.merge(labels, on="case_id", how="left", validate="one_to_one")
    held_out = held_out.assign(is_immortal=held_out["is_immortal"].fillna(False).astype(bool))
    inputs = [given.predictions, given.baselines, *(given.cases / f"{name}.parquet" for name in ("cases", "labels", "folds"))]
    if given.evidence is not None:
        evidence = read_table(given.evidence, EVIDENCE_COLUMNS)
        held_out = clinical_covariates(held_out, evidence).assign(race=race(held_out, evidence))
        inputs.append(given.evidence)
    judged = held_out["responder"].notna()
    counts: dict[str, Any] = {**found, "evaluable": int(judged.sum()), "not_evaluable": int((~judged).sum())}
    counts |= {"responders": int(held_out["responder"].sum()), "score_from_text": int(held_out["score_from_text"].notna().sum())}
    return held_out, counts, inputs


def measure(
    held_out: pd.DataFrame, scores: dict[str, Array], every_label: pd.DataFrame, blocks: dict[str, Any], design: str
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame]]:
    """Records and tables of held-out cases, of which the evaluable ones count."""
    settings, label = blocks["evaluation"], blocks["labels"].definition
    patient, fold = held_out["patient_id"].to_numpy(), held_out["fold"].to_numpy()
    # Seeded by the design alone and drawn over all held-out cases: runs, predictors and label definitions share their resamples.
    weights = patient_weights(patient, fold, settings.bootstrap, stable_seed(settings.seed, design))
    judged = held_out["responder"].notna().to_numpy()
    frame = held_out[judged].reset_index(drop=True)
    data = Evaluable(frame, frame["responder"].to_numpy(bool), fold[judged], weights[:, judged], label, settings.confidence)
    of_frame = {name: score[judged] for name, score in scores.items()}
    inverse = evaluable_weights(held_out, judged)[judged] if "sex" in held_out else None
    tables = tables_of(of_frame, data)
    tables["definitions"] = definition_rows(scores, held_out, every_label, weights, settings.confidence)
    return all_records(of_frame, data, inverse), tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write."""
    parser = step_parser("metrics", EPILOG)
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, labels and folds")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--baselines", type=Path, required=True, metavar="FILE", help="baseline predictions")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="evidence.parquet: adds subgroups and weights that need it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("metrics", given)
    held_out, counts, inputs = read(given, blocks)
    scores = scores_of(held_out, held_out["responder"], read_baselines(given.baselines, held_out))
    records, tables = measure(held_out, scores, read_labels(given.cases), blocks, given.design)
    counts |= {"bootstrap": blocks["evaluation"].bootstrap}
    counts |= {"without_score": {name: int(np.isnan(score).sum()) for name, score in scores.items()}}
    tables["metrics"] = pd.DataFrame(records)
    files = [given.out / name for name in ("metrics.json", "verdict.json", *(f"{name}.csv" for name in TABLES), "manifest.json")]
    with publishing(*files, step="metrics", home=given.out) as written:
        write_json(written[0], records)
        write_json(written[1], verdict(records))
        for name, path in zip(TABLES, written[2:-1], strict=True):
            write_csv(path, tables[name])
        outputs = dict(zip(files[:-1], written[:-1]))
        note = settings_record(given, blocks)
        write_json(written[-1], manifest("metrics", inputs=inputs, outputs=outputs, settings=note, counts=counts, beside=files[-1]))
    if counts["without_prediction"]:
        log.warning("metrics: %d held-out cases have no prediction", counts["without_prediction"])
    headline = [row for row in records if (row["metric"], row["scope"]) == ("auroc", "mean_of_folds") and row["estimate"] is not None]
    log.info("metrics: AUROC %s", {row["predictor"]: round(row["estimate"], 4) for row in headline})
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
