"""Discrimination of the model beside its baselines: `oncoraft metrics predictions.jsonl CASES --design D --baselines FILE --out DIR`.

The headline is the unweighted mean over folds of AUROC; its interval comes from resampling patients within folds. Differences
from a baseline use the same resamples and the cases that both have scored. Only evaluable cases enter; the others are counted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_curve

from oncoraft.evaluation.calibration import calibration_curve, decision_curve, measures, recalibrate
from oncoraft.evaluation.discrimination import auroc, auroc_within, bootstrap, interval, mean_over_folds, patient_weights
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.predictions import read_predictions

log = logging.getLogger("oncoraft")
Array = np.ndarray
METHOD = "percentile interval of a patient-cluster bootstrap within folds"


@dataclass(frozen=True)
class Evaluable:
    """Evaluable held-out cases as arrays, and their bootstrap weights (resamples, cases)."""

    frame: pd.DataFrame
    positive: Array
    fold: Array
    weights: Array
    label: str
    confidence: float

    def record(self, name: str, metric: str, scope: str, estimate: float | Array, mask: Array, **more: Any) -> dict[str, Any]:
        """One record with its denominators."""
        samples = more.pop("samples", None)
        lower, upper = interval(samples, self.confidence) if samples is not None and not np.all(np.isnan(samples)) else (None, None)
        base = {"predictor": name, "reference": None, "label": self.label, "metric": metric, "scope": scope, "group": None}
        counts = {"n": int(mask.sum()), "events": int(self.positive[mask].sum()), "patients": self.frame.loc[mask, "patient_id"].nunique()}
        value = None if np.isnan(estimate) else float(estimate)
        return {**base, "estimate": value, "lower": lower, "upper": upper, **counts, "method": METHOD if lower is not None else "", **more}


def mean_auroc(score: Array, positive: Array, fold: Array) -> Any:
    """Mean over folds of AUROC as a function of weights."""
    return mean_over_folds(lambda index, weight: auroc(score[index], positive[index], weight), fold)


def records_of(name: str, score: Array, data: Evaluable) -> list[dict[str, Any]]:
    """All records of one predictor; cases that it did not score are left out and the denominators say so."""
    has = ~np.isnan(score)
    s, y, fold, weights = score[has], data.positive[has], data.fold[has], data.weights[:, has]
    frame = data.frame[has]
    group = (frame["cancer_type"] + "|" + frame["regimen"]).to_numpy()
    ones = np.ones(len(s))
    mean = mean_auroc(s, y, fold)
    within = mean_over_folds(lambda index, weight: auroc_within(s[index], y[index], group[index], weight), fold)
    rows = [
        data.record(name, "auroc", "mean_of_folds", mean(ones), has, samples=bootstrap(mean, weights)),
        data.record(name, "auroc", "pooled", auroc(s, y), has, samples=bootstrap(lambda w: auroc(s, y, w), weights)),
        data.record(name, "auroc_within_regimen", "mean_of_folds", within(ones), has, samples=bootstrap(within, weights)),
    ]
    precision = [average_precision_score(y[fold == k], s[fold == k]) for k in np.unique(fold) if y[fold == k].any()]
    rows.append(data.record(name, "auprc", "mean_of_folds", float(np.mean(precision)), has))
    folds = np.unique(fold)
    scope = "recalibrated" if len(folds) > 1 else "as_scored"  # a fold alone has no others to recalibrate by
    rows += [data.record(name, metric, scope, value, has) for metric, value in measures(recalibrate(s, y, fold), y).items()]
    for k in folds:
        mask = has & (data.fold == k)
        rows.append(data.record(name, "auroc", "fold", auroc(s[fold == k], y[fold == k]), mask, group=str(k)))
    for cancer in sorted(frame["cancer_type"].unique()):
        inside = (frame["cancer_type"] == cancer).to_numpy()
        part = mean_auroc(s[inside], y[inside], fold[inside])
        mask = has & (data.frame["cancer_type"] == cancer).to_numpy()
        samples = bootstrap(part, weights[:, inside])
        rows.append(data.record(name, "auroc", "cancer_type", part(ones[inside]), mask, group=cancer, samples=samples))
    return rows


def difference(reference: str, model: Array, other: Array, data: Evaluable) -> dict[str, Any]:
    """Mean-of-folds AUROC of the model less that of a baseline, on the cases that both scored and the same resamples."""
    both = ~np.isnan(model) & ~np.isnan(other)
    y, fold = data.positive[both], data.fold[both]
    first, second = mean_auroc(model[both], y, fold), mean_auroc(other[both], y, fold)
    samples = bootstrap(lambda weight: first(weight) - second(weight), data.weights[:, both])
    ones = np.ones(int(both.sum()))
    estimate = first(ones) - second(ones)
    return data.record("model", "auroc_difference", "mean_of_folds", estimate, both, reference=reference, samples=samples)


def roc_rows(name: str, score: Array, data: Evaluable) -> Iterable[pd.DataFrame]:
    """ROC points of each fold."""
    for k in np.unique(data.fold):
        inside = (data.fold == k) & ~np.isnan(score)
        if 0 < data.positive[inside].sum() < inside.sum():
            false, true, _ = roc_curve(data.positive[inside], score[inside])
            yield pd.DataFrame({"predictor": name, "fold": k, "false_positive_rate": false, "true_positive_rate": true})


def utility_rows(name: str, score: Array, data: Evaluable) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Calibration curve and decision curve of one predictor's scores, recalibrated where there are other folds."""
    has = ~np.isnan(score)
    y = data.positive[has]
    probability = recalibrate(score[has], y, data.fold[has])
    return calibration_curve(probability, y).assign(predictor=name), decision_curve(probability, y).assign(predictor=name)


def read_frame(predictions: Path, cases: Path, label: str) -> tuple[pd.DataFrame, int]:
    """Evaluable held-out cases with their scores and labels, sorted by case, and how many cases were predicted.

    Raises:
        InputError: as `read_predictions`, or only one class among the evaluable.
    """
    labels = pd.read_parquet(cases / "labels.parquet", filters=[("definition", "==", label)])
    labels = labels[labels["responder"].notna()]
    kinds = pd.read_parquet(cases / "cases.parquet", columns=["case_id", "patient_id", "cancer_type", "regimen"])
    rows = read_predictions(predictions, kinds)
    frame = rows.merge(kinds.drop(columns="patient_id"), on="case_id")
    frame = frame.merge(labels[["case_id", "responder"]], on="case_id").sort_values("case_id", ignore_index=True)
    if frame["responder"].nunique() < 2:
        raise InputError(f"expected responders and non-responders among the {len(frame)} evaluable cases", file=predictions)
    return frame, len(rows)


def scores_of(frame: pd.DataFrame, baselines: pd.DataFrame) -> dict[str, Array]:
    """Scores by predictor in the order of `frame`; nan where a predictor has none.

    `model_from_text` is the score that the model wrote into its own text, where a rationale was sampled and the head did not write it.
    """
    wide = baselines.pivot(index="case_id", columns="predictor", values="score").reindex(frame["case_id"])
    scores = {"model": frame["score"].to_numpy(float)}
    text = pd.to_numeric(frame["score_from_text"], errors="coerce").to_numpy(float)
    told = ~np.isnan(text)
    if 0 < frame.loc[told, "responder"].sum() < told.sum():
        scores["model_from_text"] = text
    return scores | {name: wide[name].to_numpy(float) for name in wide.columns}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write."""
    parser = step_parser(
        "metrics", "example:\n  oncoraft metrics predictions.jsonl cases --design kfold --baselines baselines.parquet --out metrics"
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases and labels")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--baselines", type=Path, required=True, metavar="FILE", help="baseline predictions")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("metrics", given)
    settings, label = blocks["evaluation"], blocks["labels"].definition
    frame, predicted = read_frame(given.predictions, given.cases, label)
    fold = frame["fold"].to_numpy()
    weights = patient_weights(frame["patient_id"].to_numpy(), fold, settings.bootstrap, stable_seed(settings.seed, given.design))
    data = Evaluable(frame, frame["responder"].to_numpy(dtype=bool), fold, weights, label, settings.confidence)
    scores = scores_of(frame, pd.read_parquet(given.baselines))
    records = [row for name, score in scores.items() for row in records_of(name, score, data)]
    records += [difference(name, scores["model"], score, data) for name, score in scores.items() if name != "model"]
    tables = {"roc.csv": pd.concat([rows for name, score in scores.items() for rows in roc_rows(name, score, data)])}
    curves = [utility_rows(name, score, data) for name, score in scores.items()]
    tables |= {name: pd.concat(parts) for name, parts in zip(("calibration.csv", "decision.csv"), zip(*curves))}
    counts = {"predicted": predicted, "evaluable": len(frame), "not_evaluable": predicted - len(frame)}
    counts |= {"responders": int(data.positive.sum()), "bootstrap": settings.bootstrap}
    files = [given.out / name for name in ("metrics.json", "metrics.csv", *tables, "manifest.json")]
    with publishing(*files, step="metrics", home=given.out) as written:
        write_json(written[0], records)
        write_csv(written[1], pd.DataFrame(records))
        for table, path in zip(tables.values(), written[2:-1], strict=True):
            write_csv(path, table)
        inputs = [given.predictions, given.baselines, given.cases / "cases.parquet", given.cases / "labels.parquet"]
        outputs = dict(zip(files[:-1], written[:-1]))
        settings_now = settings_record(given, blocks)
        write_json(written[-1], manifest("metrics", inputs=inputs, outputs=outputs, settings=settings_now, counts=counts, beside=files[-1]))
    headline = [row for row in records if (row["metric"], row["scope"]) == ("auroc", "mean_of_folds")]
    log.info("metrics: AUROC %s", {row["predictor"]: round(row["estimate"], 4) for row in headline})
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
