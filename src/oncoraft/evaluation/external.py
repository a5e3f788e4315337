"""`oncoraft external`: how models of one cohort do in another, beside how they did at home.

Discrimination: at home the mean of folds of held-out cases, away the area of the mean of all folds' models over all cases, and of each
fold's model singly; the drop is home less away, its interval from resampling the patients of both cohorts, each in its own. Calibration:
of the patients who recalibration was not fitted on, by what the models' own tuning patients gave (before) and by a logistic regression on
a share of the second cohort's patients (after): the same cases both times.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from oncoraft.evaluation.calibration import calibration_curve, measures
from oncoraft.evaluation.discrimination import Array, auroc, bootstrap, mean_known, patient_weights, ranking, told_interval
from oncoraft.evaluation.reading import read_baselines, read_held_out, read_labels
from oncoraft.evaluation.resampling import resampled_measures
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction, stable_seed
from oncoraft.planning.config import Evaluation, External
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.recalibration import SMALLEST_CLASS, logit, rising_logistic, sigmoid

log = logging.getLogger("oncoraft")
NO_SAMPLES = np.array([np.nan])  # equal probabilities have no slope in any resample
WRONG_WAY = "response falls with the score where recalibration is fitted: its order is not turned round, all are given the prevalence there"
SHOWN = (
    *("observed_to_expected", "calibration_slope", "calibration_in_the_large", "brier", "scaled_brier"),
    *("integrated_calibration_index", "expected_calibration_error"),
)
EPILOG = """example:
  oncoraft external --home msk/predictions.jsonl msk/cases msk/baselines.parquet --away bpc/predictions.jsonl bpc/cases bpc/baselines.parquet --out external"""


class Judged(NamedTuple):
    """Evaluable cases of a cohort: their rows, class, scores by predictor, fold, and resamples of its patients."""

    frame: pd.DataFrame
    positive: Array
    scores: dict[str, Array]
    fold: Array
    weights: Array


def read_judged(files: Sequence[Path], design: str, definition: str, settings: Evaluation, name: str) -> Judged:
    """Predictions, cases and baselines of one cohort.

    Raises:
        InputError: as `reading`; no evaluable case, or all of one class.
    """
    predictions, cases, baselines = files
    held_out, _ = read_held_out(predictions, cases, design)
    held_out = held_out.merge(read_labels(cases, definition)[["case_id", "responder"]], on="case_id", how="left", validate="one_to_one")
    scores = {"model": held_out["score"].to_numpy(float)}
    scores |= {str(column): values.to_numpy(float) for column, values in read_baselines(baselines, held_out).items()}
    fold = held_out["fold"].to_numpy()
    weights = patient_weights(held_out["patient_id"].to_numpy(), fold, settings.bootstrap, stable_seed(settings.seed, design, name))
    judged = held_out["responder"].notna().to_numpy()
    frame = held_out[judged].reset_index(drop=True)
    positive = frame["responder"].to_numpy(bool)
    if not 0 < positive.sum() < len(positive):
        raise InputError(
            "expected evaluable cases of both classes", file=predictions, found=f"{int(positive.sum())} responders of {len(positive)}"
        )
    return Judged(frame, positive, {key: value[judged] for key, value in scores.items()}, fold[judged], weights[:, judged])


def mean_of_folds(score: Array, data: Judged) -> tuple[float, Array]:
    """AUROC of the cases that have a score, the mean of folds: the estimate and the resamples'."""
    has = ~np.isnan(score)

    def statistic(weight: Array | None) -> Array:
        return mean_known(ranking(score[has], data.positive[has], data.fold[has], weight).auroc)

    return float(statistic(None)), bootstrap(statistic, data.weights[:, has])


def pooled(score: Array, data: Judged) -> tuple[float, Array]:
    """AUROC over all cases that have a score: the estimate and the resamples'."""
    has = ~np.isnan(score)
    return float(auroc(score[has], data.positive[has])), bootstrap(
        lambda weight: auroc(score[has], data.positive[has], weight), data.weights[:, has]
    )


def scored(score: Array, data: Judged) -> Judged:
    """The cases that have a score: those whom a number is of."""
    has = ~np.isnan(score)
    return Judged(data.frame[has], data.positive[has], {}, data.fold[has], data.weights[:, has])


def record(metric: str, predictor: str, scope: str, found: tuple[float, Array], data: Judged, confidence: float) -> dict[str, Any]:
    """One number with interval and denominators."""
    estimate, samples = found
    lower, upper, note = told_interval(samples, confidence) if np.isfinite(estimate) else (None, None, "")
    counts = {"n": len(data.positive), "events": int(data.positive.sum()), "patients": int(data.frame["patient_id"].nunique())}
    value = float(estimate) if np.isfinite(estimate) else None
    return {
        "metric": metric,
        "predictor": predictor,
        "scope": scope,
        "estimate": value,
        "lower": lower,
        "upper": upper,
        **counts,
        "flags": note,
    }


def discrimination(home: Judged, away: Judged, single: Array, confidence: float) -> list[dict[str, Any]]:
    """AUROC at home, away and the drop, of every predictor that both cohorts have; of each fold's model away.

    Args:
        home, away: the two cohorts.
        single: scores of each fold's model on the cases of `away`, (models, cases).
        confidence: level of the intervals.
    """
    rows = []
    for name in (name for name in away.scores if name in home.scores):
        there = mean_of_folds(home.scores[name], home)
        here = pooled(away.scores[name], away)
        judged = scored(away.scores[name], away)
        rows.append(record("auroc", name, "home", there, scored(home.scores[name], home), confidence))
        rows.append(record("auroc", name, "away", here, judged, confidence))
        rows.append(record("auroc_drop", name, "home less away", (there[0] - here[0], there[1] - here[1]), judged, confidence))
    areas = [pooled(score, away) for score in single]
    rows += [record("auroc", "model", f"away, model of fold {fold}", found, away, confidence) for fold, found in enumerate(areas)]
    mean = (float(np.mean([one for one, _ in areas])), np.mean([samples for _, samples in areas], axis=0))
    return [*rows, record("auroc", "model", "away, mean of single models", mean, away, confidence)]


def calibration(away: Judged, settings: External, confidence: float) -> tuple[list[dict[str, Any]], pd.DataFrame, str]:
    """Measures before and after recalibration on a share of the second cohort's patients, curves of both, and why there are none, or what is wrong with them.

    Args:
        away: its frame holds `probability` where the models' own recalibration was fitted.
        settings: the share, and the seed that draws who is in it.
        confidence: level of the intervals.
    """
    told = away.frame["probability"].to_numpy(float)
    before = told if np.isfinite(told).all() else away.scores["model"]
    drawn = (
        np.array([stable_fraction(settings.seed, "recalibration", who) for who in away.frame["patient_id"]]) < settings.recalibration_share
    )
    positive, rest = away.positive, ~drawn
    classes = [int(positive[drawn].sum()), int((~positive[drawn]).sum()), int(positive[rest].sum()), int((~positive[rest]).sum())]
    if min(classes) < SMALLEST_CLASS:
        few = "too few cases to recalibrate on and to judge by: {} responders and {} others, {} and {}; at least {} of each are needed"
        return [], pd.DataFrame(), few.format(*classes, SMALLEST_CLASS)
    intercept, slope = rising_logistic(logit(before[drawn]), positive[drawn])
    if not np.isfinite(slope):
        return [], pd.DataFrame(), "a cut of the score tells the cases apart that recalibration would be fitted on"
    after = sigmoid(intercept + slope * logit(before))
    rows, curves = [], []
    judged = Judged(away.frame[rest], positive[rest], {}, away.fold[rest], away.weights[:, rest])
    for scope, probability in (("before recalibration", before[rest]), ("after recalibration", np.asarray(after)[rest])):
        found, samples = measures(probability, positive[rest]), resampled_measures(probability, positive[rest], judged.weights)
        rows += [record(name, "model", scope, (found[name], samples.get(name, NO_SAMPLES)), judged, confidence) for name in SHOWN]
        curves.append(calibration_curve(probability, positive[rest]).assign(scope=scope))
    return rows, pd.concat(curves, ignore_index=True), WRONG_WAY if slope == 0 else ""


def single_scores(predictions: Path, cases: pd.Series) -> Array:
    """Each fold's model on the cases, (models, cases).

    Raises:
        InputError: the file tells no scores of single models, or of different numbers of them.
    """
    told = {row["case_id"]: row["fold_scores"] for row in read_jsonl(predictions, ("case_id", "fold_scores"))}
    if len({len(scores) for scores in told.values()}) != 1:
        raise InputError("expected as many scores of single models in every line", file=predictions, column="fold_scores")
    return np.array([told[case_id] for case_id in cases], dtype=float).T


def final_records(path: Path, away: Judged, confidence: float) -> list[dict[str, Any]]:
    """AUROC of the model that was trained on all of the first cohort, and how far it lies above the mean of all folds' models.

    Raises:
        InputError: a case that it has not judged.
    """
    told = {row["case_id"]: row["score"] for row in read_jsonl(path, ("case_id", "score"), once="case_id")}
    if absent := [case_id for case_id in away.frame["case_id"] if case_id not in told]:
        raise InputError(f"expected a score of every case; {len(absent)} have none, the first", file=path, found=absent[0])
    final = pooled(np.array([told[case_id] for case_id in away.frame["case_id"]], dtype=float), away)
    mean = pooled(away.scores["model"], away)
    return [
        record("auroc", "model", "away, final model", final, away, confidence),
        record("auroc_gain", "model", "final model less mean of folds", (final[0] - mean[0], final[1] - mean[1]), away, confidence),
    ]


def measure(given: argparse.Namespace, blocks: dict[str, Any]) -> tuple[dict[str, Any], pd.DataFrame]:
    """What stands in external.json, and the calibration curves."""
    settings, external, definition = blocks["evaluation"], blocks["external"], blocks["labels"].definition
    home = read_judged(given.home, given.design, definition, settings, "home")
    away = read_judged(given.away, given.design, definition, settings, "away")
    records = discrimination(home, away, single_scores(given.away[0], away.frame["case_id"]), settings.confidence)
    if given.final:
        records += final_records(given.final, away, settings.confidence)
    calibrated, curves, reason = calibration(away, external, settings.confidence)
    doubt = {"recalibration_warning": reason or None} if calibrated else {"not_recalibrated": reason or None}
    told = {"home": given.home_name, "away": given.away_name, "model": given.model, "strategy": given.strategy, "design": given.design}
    why = {"not_recalibrated": None, "recalibration_warning": None} | doubt
    return {**told, "label": definition, "records": [*records, *calibrated], **why}, curves


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = step_parser("external", EPILOG)
    for name, what in (("home", "held-out cases of the cohort that models were trained on"), ("away", "cases of the second cohort")):
        parser.add_argument(f"--{name}", type=Path, nargs=3, required=True, metavar=("PREDICTIONS", "CASES", "BASELINES"), help=what)
        parser.add_argument(f"--{name}-name", default=name, help="name of that cohort")
    parser.add_argument(
        "--final", type=Path, metavar="PREDICTIONS", help="what the model trained on all of the first cohort says of the second"
    )
    parser.add_argument("--model", default="", help="name of the base model")
    parser.add_argument("--strategy", default="", help="name of the strategy")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given: argparse.Namespace = parser.parse_args(arguments)
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write."""
    given = parse(arguments)
    blocks = read_settings("external", given)
    files = [given.out / name for name in ("external.json", "external.csv", "calibration.csv", "manifest.json")]
    claim(*files, step="external", home=given.out)
    document, curves = measure(given, blocks)
    inputs = [
        path
        for part in (given.home, given.away)
        for path in (part[0], part[2], *(part[1] / f"{name}.parquet" for name in ("cases", "labels", "folds")))
    ]
    inputs += [given.final] if given.final else []
    with publishing(*files, step="external", home=given.out) as written:
        write_json(written[0], document)
        write_csv(written[1], pd.DataFrame(document["records"]))
        write_csv(written[2], curves)
        counts = {"records": len(document["records"])}
        outputs = dict(zip(files[:-1], written[:-1], strict=True))
        note = settings_record(given, blocks)
        write_json(written[-1], manifest("external", inputs=inputs, outputs=outputs, settings=note, counts=counts, beside=files[-1]))
    told = {
        row["scope"]: round(row["estimate"], 4) for row in document["records"] if (row["metric"], row["predictor"]) == ("auroc", "model")
    }
    log.info("external: AUROC %s", told)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
