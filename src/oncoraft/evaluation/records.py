"""The numbers of one predictor as records: estimate, interval, denominators, method, and what a reader has to be warned of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from oncoraft.evaluation.calibration import measures, recalibrate
from oncoraft.evaluation.discrimination import Array, mean_known, ranking, told_interval
from oncoraft.evaluation.resampled_ranking import by_case, resampled_ranking
from oncoraft.evaluation.resampling import resampled_measures
from oncoraft.recalibration import logit, separates

METHOD = "percentile interval of a patient-cluster bootstrap within folds"
ON_TUNING = "recalibrated by a logistic regression on the tuning patients of each fold"
ON_OTHERS = "recalibrated by a logistic regression on the held-out scores of the other folds, no tuning scores being at hand"
BOTH_ON_OTHERS = "both recalibrated by a logistic regression on the held-out scores of the other folds"
POOLING_TOLERANCE = 0.01


class Means(NamedTuple):
    """AUROC, AUPRC and AUROC within regimen, means of folds: the estimates, and the values of the resamples; AUROC of each fold likewise."""

    estimate: tuple[float, float, float]
    samples: tuple[Array, Array, Array]
    by_fold: dict[str, tuple[float, Array]]


@dataclass(frozen=True)
class Evaluable:
    """Evaluable held-out cases as arrays, and their bootstrap weights (resamples, cases); `held`: the same as `by_case` has them, where they are."""

    frame: pd.DataFrame
    positive: Array
    fold: Array
    weights: Array
    label: str
    confidence: float
    known: dict[tuple[str, bytes], Means] = field(default_factory=dict, repr=False)
    held: Array | None = field(default=None, repr=False)

    @cached_property
    def rows(self) -> Array:
        """The weights with a row a case, (cases, resamples)."""
        return by_case(self.weights) if self.held is None else self.held

    def weights_of(self, mask: Array) -> Array:
        """The weights of some cases, (resamples, cases of mask); of all of them no copy."""
        return self.weights if mask.all() else self.weights[:, mask]

    @cached_property
    def patient(self) -> Array:
        """The number of each case's patient."""
        return np.unique(self.frame["patient_id"].to_numpy(str), return_inverse=True)[1]

    def means(self, name: str, score: Array, mask: Array) -> Means:
        """Estimates and resamples of one predictor on some of the cases, counted once."""
        key = (name, mask.tobytes())
        if key not in self.known:
            (area, precision), (areas, precisions) = (fold_values(score, self, mask, rows, True) for rows in (None, self.rows))
            within, withins = (within_regimen(score, self, mask, rows) for rows in (None, self.rows))
            folds = {str(k): (float(area[0, place]), areas[:, place]) for place, k in enumerate(np.unique(self.fold[mask]))}
            means = [mean_known(values) for values in (area, precision, areas, precisions)]
            self.known[key] = Means((means[0][0], means[1][0], within[0]), (means[2], means[3], withins), folds)
        return self.known[key]

    def record(self, name: str, metric: str, scope: str, estimate: float | Array, mask: Array, **more: Any) -> dict[str, Any]:
        """One record with its denominators.

        Args:
            mask: (cases,), which cases the number is of.
            more: `samples` (values of the resamples, for the interval) and any field of the record.
        """
        samples = more.pop("samples", None)
        lower, upper, note = (
            (None, None, "") if samples is None or np.isnan(estimate) else told_interval(np.asarray(samples), self.confidence)
        )
        more["flags"] = "; ".join(filter(None, [more.get("flags", ""), note]))
        base = {"predictor": name, "reference": None, "label": self.label, "metric": metric, "scope": scope, "group": None}
        counts = {
            "n": int(mask.sum()),
            "events": int(self.positive[mask].sum()),
            "patients": int(np.count_nonzero(np.bincount(self.patient[mask]))),
        }
        value = None if np.isnan(estimate) else float(estimate)
        method = METHOD if lower is not None else ""
        return {**base, "estimate": value, "lower": lower, "upper": upper, **counts, "method": method, **more}

    def tuned(self, name: str, mask: Array, column: str) -> Array | None:
        """What the model's tuning patients made of its scores (`probability` or `threshold`), (cases of mask,); None where they are too few."""
        if name != "model" or column not in self.frame:
            return None
        found = self.frame.loc[mask, column].to_numpy(float)
        # Of all folds or of none: two ways in one number could not be told apart.
        return None if np.isnan(found).any() else found

    def probabilities(self, name: str, score: Array, mask: Array) -> tuple[Array, str]:
        """Recalibrated probabilities of the cases of `mask`, and by whom they were recalibrated."""
        tuned = self.tuned(name, mask, "probability")
        if tuned is not None:
            return tuned, ON_TUNING
        fold = self.fold[mask]
        if len(np.unique(fold)) == 1:
            return np.clip(score[mask], 0, 1), ""
        return recalibrate(score[mask], self.positive[mask], fold), ON_OTHERS

    def usable(self, mask: Array) -> tuple[Array, str]:
        """The cases in folds that hold both classes among `mask`, and which folds are left out of every mean."""
        alone = [
            k
            for k in np.unique(self.fold[mask])
            if self.positive[mask & (self.fold == k)].all() or not self.positive[mask & (self.fold == k)].any()
        ]
        words = "left out of the mean, with one class only: fold " + ", ".join(map(str, alone)) if alone else ""
        return mask & ~np.isin(self.fold, alone), words


def fold_values(score: Array, data: Evaluable, mask: Array, rows: Array | None, with_precision: bool = False) -> tuple[Array, Array]:
    """AUROC and AUPRC (nan unless asked for) of each resample and each fold that holds some of `mask`, (resamples, folds).

    Args:
        rows: weights, (cases, resamples); None for the estimate.
    """
    if not mask.any():
        nothing = np.full((1 if rows is None else rows.shape[1], 1), np.nan)
        return nothing, nothing
    cases = (score[mask], data.positive[mask], data.fold[mask])
    if rows is None:
        found = ranking(*cases, None, with_precision)
        return found.auroc[None], found.auprc[None]
    found = resampled_ranking(*cases, rows, with_precision, np.flatnonzero(mask))
    return found.auroc, found.auprc


def fold_means(score: Array, data: Evaluable, mask: Array, rows: Array | None) -> Array:
    """AUROC of each resample, mean of folds; nan where no fold has both classes. `rows` as for `fold_values`."""
    return mean_known(fold_values(score, data, mask, rows)[0])


def within_regimen(score: Array, data: Evaluable, mask: Array, rows: Array | None) -> Array:
    """AUROC over pairs of the same cancer type and regimen, averaged over folds. `rows` as for `fold_values`."""
    if not mask.any():
        return np.full(1 if rows is None else rows.shape[1], np.nan)
    frame, fold = data.frame[mask], data.fold[mask]
    group = pd.factorize(
        pd.Series(fold.astype(str)) + "|" + (frame["cancer_type"] + "|" + frame["regimen"]).reset_index(drop=True), sort=True
    )[0]
    numbers, of_fold = np.unique(fold, return_inverse=True)
    owner = np.zeros((group.max() + 1, len(numbers)))
    owner[group, of_fold] = 1
    s, y = score[mask], data.positive[mask]
    found = ranking(s, y, group) if rows is None else resampled_ranking(s, y, group, rows, column=np.flatnonzero(mask))
    # In float64: a product of counts soon exceeds 2**24, up to which float32 holds every whole number.
    pairs = (found.positives.astype(float) * found.negatives) @ owner
    mean = mean_known((found.concordant.astype(float) @ owner) / np.where(pairs > 0, pairs, np.nan))
    return mean[None] if rows is None else mean


def discrimination_records(name: str, score: Array, data: Evaluable) -> list[dict[str, Any]]:
    """AUROC and AUPRC: mean of folds, pooled, within regimen, fold by fold, and by cancer type."""
    has = ~np.isnan(score)
    usable, flag = data.usable(has)
    found = data.means(name, score, usable)
    (mean, precision, within), (samples, of_precision, of_within), _ = found
    zero = np.zeros(int(has.sum()))
    s, y = score[has], data.positive[has]
    pooled = ranking(s, y, zero).auroc[0]
    pooled_samples = resampled_ranking(s, y, zero, data.rows, column=np.flatnonzero(has)).auroc[:, 0]
    gap = abs(float(pooled - mean))
    far = f"pooled differs from the mean of folds by {gap:.3f}, more than {POOLING_TOLERANCE}" if gap > POOLING_TOLERANCE else ""
    prevalence = mean_known(np.array([data.positive[usable & (data.fold == k)].mean() for k in np.unique(data.fold[usable])]))
    rows = [
        data.record(name, "auroc", "mean_of_folds", mean, usable, samples=samples, flags=flag),
        data.record(name, "auroc", "pooled", pooled, has, samples=pooled_samples, flags=far),
        data.record(name, "auprc", "mean_of_folds", precision, usable, samples=of_precision, flags=flag),
        data.record(name, "prevalence", "mean_of_folds", prevalence, usable, flags=flag),
    ]
    rows.append(data.record(name, "auroc_within_regimen", "mean_of_folds", within, usable, samples=of_within, flags=flag))
    for k in np.unique(data.fold[has]):
        mask = has & (data.fold == k)
        if str(k) in found.by_fold:
            estimate, of_fold = found.by_fold[str(k)]
            rows.append(data.record(name, "auroc", "fold", estimate, mask, group=str(k), samples=of_fold))
        else:
            rows.append(data.record(name, "auroc", "fold", np.nan, mask, group=str(k), flags="one class only"))
    return rows


def flattened(score: Array, probability: Array, fold: Array) -> str:
    """Which folds' scores recalibration has made one number, since response fell with the score where it was fitted."""
    flat = [k for k in np.unique(fold) if np.ptp(probability[fold == k]) == 0 < np.ptp(score[fold == k])]
    return (
        f"the score points the wrong way where it was recalibrated, the prevalence stands in its place: fold {', '.join(map(str, flat))}"
        if flat
        else ""
    )


def calibration_records(name: str, score: Array, data: Evaluable) -> list[dict[str, Any]]:
    """Calibration of the score as delivered and, where there are tuning patients or other folds to recalibrate by, of the recalibrated one."""
    has = ~np.isnan(score)
    y = data.positive[has]
    probability, by = data.probabilities(name, score, has)
    scopes = [("as_delivered", score[has], METHOD)]
    scopes.append(("recalibrated", probability, f"{METHOD}; {by}") if by else ("as_scored", score[has], METHOD))
    rows = []
    for scope, probability, method in scopes:
        samples = resampled_measures(probability, y, data.weights_of(has))
        flag = "no slope: a cut tells the classes apart, or all scores are equal" if separates(logit(probability), y) else ""
        wrong_way = flattened(score[has], probability, data.fold[has]) if scope == "recalibrated" else ""
        for metric, value in measures(probability, y).items():
            told = {
                "flags": "; ".join(filter(None, [flag if metric in ("calibration_slope", "calibration_intercept") else "", wrong_way])),
                "method": method if metric in samples else "",
            }
            rows.append(data.record(name, metric, scope, value, has, samples=samples.get(metric), **told))
    return rows


def difference_records(reference: str, model: Array, other: Array, data: Evaluable) -> Iterable[dict[str, Any]]:
    """The model less a baseline, on the cases that both scored and the same resamples: AUROC, within regimen, AUPRC, Brier score."""
    both = ~np.isnan(model) & ~np.isnan(other)
    usable, flag = data.usable(both)
    if not usable.any():
        return
    w = data.weights_of(both).astype(np.float32)
    values, samples = [], []
    for name, score in (("model", model), (reference, other)):
        square = (recalibrate(score[both], data.positive[both], data.fold[both]) - data.positive[both]) ** 2
        found = data.means(name, score, usable)
        values.append([*found.estimate, square.mean()])
        samples.append([*found.samples, (w @ square.astype(np.float32)) / w.sum(axis=1)])
    metrics = ("auroc_difference", "auprc_difference", "auroc_within_regimen_difference", "brier_difference")
    for place, metric in enumerate(metrics):
        mask, scope = (both, "recalibrated") if metric.startswith("brier") else (usable, "mean_of_folds")
        estimate, spread = values[0][place] - values[1][place], samples[0][place] - samples[1][place]
        told = {"flags": flag} if mask is usable else {"method": f"{METHOD}; {BOTH_ON_OTHERS}"}
        yield data.record("model", metric, scope, estimate, mask, reference=reference, samples=spread, **told)


def verdict(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Does the model beat the best baseline on the same evidence? The best by AUROC, the oracle aside.

    The best of several is chosen on the same cases, which favours it a little: a lead over it is a lead over each.
    """
    rows = {(row["predictor"], row["metric"], row["scope"], row["reference"]): row for row in records if row["group"] is None}
    rivals = [
        row
        for (name, metric, scope, _), row in rows.items()
        if (metric, scope) == ("auroc", "mean_of_folds")
        and not name.startswith("model")
        and name != "oracle"
        and row["estimate"] is not None
    ]
    own = rows.get(("model", "auroc", "mean_of_folds", None))
    if own is None or own["estimate"] is None:
        why = f" ({own['flags']})" if own is not None and own["flags"] else ""
        return {"best_baseline": None, "beats": {}, "sentence": f"Whether the model beats a baseline could not be estimated{why}."}
    if not rivals:
        return {"best_baseline": None, "beats": {}, "sentence": "There is no baseline to compare with."}
    best = max(rivals, key=lambda row: (row["estimate"], row["predictor"]))["predictor"]
    told = {}
    for metric in ("auroc_difference", "auroc_within_regimen_difference", "auprc_difference", "brier_difference"):
        scope = "recalibrated" if metric.startswith("brier") else "mean_of_folds"
        row = rows.get(("model", metric, scope, best))
        if row is None or row["lower"] is None:
            told[metric] = {"estimate": None, "lower": None, "upper": None, "answer": "no estimate"}
            continue
        ahead, behind = (row["upper"] < 0, row["lower"] > 0) if metric.startswith("brier") else (row["lower"] > 0, row["upper"] < 0)
        answer = "yes" if ahead else "no, worse" if behind else "not shown"
        told[metric] = {"estimate": row["estimate"], "lower": row["lower"], "upper": row["upper"], "answer": answer}
    overall, within = told["auroc_difference"]["answer"], told["auroc_within_regimen_difference"]["answer"]
    sentence = (
        f"Does the model beat the best baseline on the same evidence ({best})? By AUROC overall: {overall}; within regimen: {within}."
    )
    return {"best_baseline": best, "beats": told, "sentence": sentence}
