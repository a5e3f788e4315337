"""The numbers that commit 1073922 tells of scores, by the functions of this checkout: `same_numbers.py metrics`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.evaluation.calibration import calibration_curve, decision_curve, recalibrate, slope_and_intercept, smoothed
from oncoraft.evaluation.discrimination import Array, mean_known, patient_weights, ranking
from oncoraft.evaluation.metrics import roc_rows, scores_of
from oncoraft.evaluation.reading import read_baselines, read_held_out, read_labels
from oncoraft.evaluation.records import Evaluable, fold_values, within_regimen
from oncoraft.evaluation.resampled_ranking import resampled_ranking
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.provenance import write_json
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.config import Evaluation

DESIGN, LABEL = "kfold", "strict"


def calibration(probability: Array, positive: Array) -> dict[str, float]:
    """The six measures, as they were told."""
    slope, shift = slope_and_intercept(probability, positive)
    brier, rate = float(np.mean((probability - positive) ** 2)), float(positive.mean())
    return {
        "observed_to_expected": float(positive.sum() / probability.sum()),
        "calibration_slope": slope,
        "calibration_in_the_large": shift,
        "brier": brier,
        "scaled_brier": 1 - brier / (rate * (1 - rate)),
        "integrated_calibration_index": float(np.mean(np.abs(smoothed(probability, positive) - probability))),
    }


def by_cancer_type(name: str, score: Array, has: Array, data: Evaluable) -> Iterable[dict[str, Any]]:
    """AUROC of each cancer type, mean of folds, however few its cases."""
    types, code = np.unique(data.frame["cancer_type"].to_numpy(str), return_inverse=True)
    folds = np.unique(data.fold, return_inverse=True)[1]
    cell = (code * (folds.max() + 1) + folds)[has]
    estimate = ranking(score[has], data.positive[has], cell).auroc
    samples = resampled_ranking(score[has], data.positive[has], cell, data.rows, column=np.flatnonzero(has)).auroc
    owner = np.unique(cell) // (folds.max() + 1)
    for k in np.unique(owner):
        values = (mean_known(estimate[owner == k]), mean_known(samples[:, owner == k]))
        yield data.record(name, "auroc", "cancer_type", values[0], has & (code == k), group=types[k], samples=values[1])


def records_of(name: str, score: Array, data: Evaluable) -> tuple[list[dict[str, Any]], Array]:
    """Every record of one predictor, and its AUROC in each resample."""
    has = ~np.isnan(score)
    positive, fold = data.positive[has], data.fold[has]
    area, precision = fold_values(score, data, has, None, with_precision=True)
    samples = mean_known(fold_values(score, data, has, data.rows)[0])
    zero = np.zeros(int(has.sum()))
    pooled = resampled_ranking(score[has], positive, zero, data.rows, column=np.flatnonzero(has)).auroc[:, 0]
    within, withins = (within_regimen(score, data, has, rows) for rows in (None, data.rows))
    rows = [
        data.record(name, "auroc", "mean_of_folds", mean_known(area)[0], has, samples=samples),
        data.record(name, "auroc", "pooled", ranking(score[has], positive, zero).auroc[0], has, samples=pooled),
        data.record(name, "auroc_within_regimen", "mean_of_folds", within[0], has, samples=withins),
        data.record(name, "auprc", "mean_of_folds", mean_known(precision)[0], has),
    ]
    told = calibration(recalibrate(score[has], positive, fold), positive)
    rows += [data.record(name, metric, "recalibrated", value, has) for metric, value in told.items()]
    for place, k in enumerate(np.unique(fold)):
        rows.append(data.record(name, "auroc", "fold", area[0, place], has & (data.fold == k), group=str(k)))
    return rows + list(by_cancer_type(name, score, has, data)), samples


def differences(scores: dict[str, Array], known: dict[str, Array], data: Evaluable) -> Iterable[dict[str, Any]]:
    """AUROC of the model less that of each baseline, on the cases that both have scored."""
    model = scores["model"]
    for name, score in scores.items():
        both = ~np.isnan(model) & ~np.isnan(score)
        if name == "model":
            continue
        of_both = [
            (mean_known(fold_values(one, data, both, None)[0])[0], mean_known(fold_values(one, data, both, data.rows)[0]))
            if (both != ~np.isnan(one)).any()
            else (mean_known(fold_values(one, data, both, None)[0])[0], known[its_name])
            for its_name, one in (("model", model), (name, score))
        ]
        told = {"reference": name, "samples": of_both[0][1] - of_both[1][1]}
        yield data.record("model", "auroc_difference", "mean_of_folds", of_both[0][0] - of_both[1][0], both, **told)


def metrics(predictions: Path, cases: Path, baselines: Path, out: Path) -> None:
    """metrics.json, metrics.csv, roc.csv, calibration.csv and decision.csv."""
    settings = Evaluation()
    held_out, _ = read_held_out(predictions, cases, DESIGN)
    held_out = held_out.merge(read_labels(cases, LABEL)[["case_id", "responder"]], on="case_id", how="left", validate="one_to_one")
    frame = held_out[held_out["responder"].notna()].reset_index(drop=True)
    fold, positive = frame["fold"].to_numpy(), frame["responder"].to_numpy(bool)
    weights = patient_weights(frame["patient_id"].to_numpy(), fold, settings.bootstrap, stable_seed(settings.seed, DESIGN))
    data = Evaluable(frame, positive, fold, weights, LABEL, settings.confidence)
    scores = scores_of(frame, frame["responder"], read_baselines(baselines, frame))
    records, known = [], {}
    for name, score in scores.items():
        rows, known[name] = records_of(name, score, data)
        records += rows
    records += differences(scores, known, data)
    write_json(out / "metrics.json", records)
    write_csv(out / "metrics.csv", pd.DataFrame(records))
    write_csv(out / "roc.csv", pd.concat([rows for name, score in scores.items() for rows in roc_rows(name, score, data)]))
    curves = []
    for name, score in scores.items():
        has = ~np.isnan(score)
        probability, y = recalibrate(score[has], positive[has], fold[has]), positive[has]
        curves.append((calibration_curve(probability, y).assign(predictor=name), decision_curve(probability, y).assign(predictor=name)))
    for name, parts in zip(("calibration.csv", "decision.csv"), zip(*curves)):
        write_csv(out / name, pd.concat(parts))
