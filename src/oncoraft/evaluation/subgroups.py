"""Where the score works and where it does not: subgroups, label definitions, and the weight of cases that could not be judged.

A subgroup of few events is named and counted, and its number kept back: it would be noise, and could tell of single patients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from oncoraft.covariates import AGE_BANDS, NUMBERS, SITES, UNKNOWN, WORDS, line_level
from oncoraft.evaluation.discrimination import Array, mean_known, ranking
from oncoraft.evaluation.records import Evaluable, fold_means
from oncoraft.evaluation.resampled_ranking import by_case, resampled_ranking

SMALLEST_EVENTS = 20
SMALLEST_SHARE = 0.05  # probabilities of being evaluable are kept above it, so that no case weighs more than twenty


def levels(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """The level of each case by subgroup; those that need evidence are there where it was read.

    `era` is by the first sequencing, since the year is not in the data: before it, a patient is known to live until then.
    """
    found = {
        "drug class": frame["drug_class"],
        "line": line_level(frame["line_of_therapy"]),
        "setting": frame["setting"] if "setting" in frame else pd.Series(UNKNOWN, index=frame.index),
        "panel": frame["gene_panel"] if "gene_panel" in frame else pd.Series(UNKNOWN, index=frame.index),
        "era": pd.Series(np.where(frame["index_day"] >= 0, "index on or after sequencing", "index before sequencing"), index=frame.index),
        "immortal window": pd.Series(np.where(frame["is_immortal"], "yes", "no"), index=frame.index),
    }
    if "sex" in frame:
        found |= {name: frame[name] for name in ("sex", "stage", "race")}
        found["age"] = pd.cut(frame["age"], AGE_BANDS[0], right=False, labels=AGE_BANDS[1]).astype(object)
    return {name: values.fillna(UNKNOWN).astype(str) for name, values in found.items()}


def race(cases: pd.DataFrame, evidence: pd.DataFrame) -> pd.Series:
    """Race as the evidence states it, in the order of the cases."""
    told = evidence[evidence["field"] == "race"].drop_duplicates("case_id").set_index("case_id")["value"]
    return told.reindex(cases["case_id"]).set_axis(cases.index).fillna(UNKNOWN)


def subgroup_records(name: str, score: Array, data: Evaluable) -> list[dict[str, Any]]:
    """AUROC of each level of each subgroup, mean of folds; suppressed below twenty events or twenty others."""
    return records_by_predictor({name: score}, data)[name]


def records_by_predictor(scores: dict[str, Array], data: Evaluable) -> dict[str, list[dict[str, Any]]]:
    """`subgroup_records` of every predictor; those that scored the same cases are counted together."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in scores}
    alike: dict[bytes, list[str]] = {}
    for name, score in scores.items():
        alike.setdefault(np.isnan(score).tobytes(), []).append(name)
    for names in alike.values():
        together = np.stack([scores[name] for name in names])
        for kind, values in {"": data.frame["cancer_type"], **levels(data.frame)}.items():
            for place, rows in enumerate(_records_of_kind(names, together, data, kind, values)):
                found[names[place]] += rows
    return found


def _records_of_kind(names: list[str], scores: Array, data: Evaluable, kind: str, values: pd.Series) -> list[list[dict[str, Any]]]:
    """The records of one subgroup, a list a predictor."""
    has = ~np.isnan(scores[0])
    told, code = np.unique(values.to_numpy(str), return_inverse=True)
    counts = [(int((has & (code == k)).sum()), int((has & (code == k) & data.positive).sum())) for k in range(len(told))]
    enough = np.array([min(events, cases - events) >= SMALLEST_EVENTS for cases, events in counts])
    shown = has & enough[code]
    estimates, samples = (_level_means(scores, data, shown, code, rows) for rows in (None, data.rows))
    found: list[list[dict[str, Any]]] = [[] for _ in names]
    few = f"suppressed: fewer than {SMALLEST_EVENTS} events or others"
    for k, level in enumerate(told):
        inside = has & (code == k)
        scope, group = ("subgroup", f"{kind}: {level}") if kind else ("cancer_type", level)
        mask, flag = data.usable(inside)
        place = int(enough[:k].sum())
        for rows, name, estimate, spread in zip(found, names, estimates, samples, strict=True):
            if enough[k]:
                more = {"group": group, "samples": spread[:, place], "flags": flag}
                rows.append(data.record(name, "auroc", scope, estimate[0, place], mask, **more))
            else:
                # The count of events too, since a small cell tells of single patients.
                hidden = {"events": None} if kind else {}
                rows.append(data.record(name, "auroc", scope, np.nan, inside, group=group, flags=few) | hidden)
    return found


def _level_means(scores: Array, data: Evaluable, shown: Array, code: Array, rows: Array | None) -> Array:
    """AUROC of each level that is shown, mean of folds, (predictors, resamples, levels). `rows` as for `records.fold_values`."""
    if not shown.any():
        return np.zeros((len(scores), 1, 0))
    level, fold = code[shown], np.unique(data.fold[shown], return_inverse=True)[1]
    cell = level * (fold.max() + 1) + fold
    owner = np.unique(cell) // (fold.max() + 1)
    positive, place = data.positive[shown], np.flatnonzero(shown)
    found = []
    for score in scores[:, shown]:
        values = (
            ranking(score, positive, cell).auroc[None]
            if rows is None
            else resampled_ranking(score, positive, cell, rows, column=place).auroc
        )
        found.append(np.stack([mean_known(values[:, owner == one]) for one in np.unique(owner)], axis=-1))
    return np.stack(found)


def definition_rows(
    scores: dict[str, Array], held_out: pd.DataFrame, labels: pd.DataFrame, weights: Array, confidence: float
) -> pd.DataFrame:
    """AUROC of every predictor by every label definition, of the model with its interval: what a tornado plot shows.

    Args:
        scores: by predictor, of all held-out cases.
        held_out: case_id, patient_id, fold, one row a case.
        labels: case_id, definition, responder.
        weights: (resamples, cases) of all held-out cases.
    """
    rows, held = [], by_case(weights)
    for definition, part in labels.groupby("definition"):
        responder = part.set_index("case_id")["responder"].reindex(held_out["case_id"])
        told = responder.notna().to_numpy()
        positive = responder.fillna(False).to_numpy(bool)
        data = Evaluable(held_out, positive, held_out["fold"].to_numpy(), weights, str(definition), confidence, held=held)
        for name, score in scores.items():
            mask, flag = data.usable(told & ~np.isnan(score))
            value = fold_means(score, data, mask, None)
            samples = fold_means(score, data, mask, held) if name == "model" else None  # beside it, the others need none
            rows.append(data.record(name, "auroc", "label_definition", value[0], mask, group=definition, samples=samples, flags=flag))
    kept = ["predictor", "label", "estimate", "lower", "upper", "n", "events", "patients", "flags"]
    return pd.DataFrame(rows)[kept].sort_values(["predictor", "label"], ignore_index=True)


def evaluable_weights(held_out: pd.DataFrame, is_evaluable: Array) -> Array:
    """Inverse probability of being evaluable, (cases,), from a logistic regression on the covariates fitted on the other folds.

    It answers what the number would be had every case been judged, if the covariates say all that decides about it.
    """
    # keep_empty_features: scikit-learn otherwise drops a column that is missing throughout the other folds.
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
    columns = ColumnTransformer([("numbers", numbers, [*NUMBERS, *SITES]), ("words", words, list(WORDS))])
    model = make_pipeline(columns, LogisticRegression(C=0.1, max_iter=2000))
    probability = np.full(len(held_out), is_evaluable.mean())
    fold = held_out["fold"].to_numpy()
    for k in np.unique(fold):
        others = fold != k
        if others.any() and 0 < is_evaluable[others].sum() < others.sum():
            probability[~others] = model.fit(held_out[others], is_evaluable[others]).predict_proba(held_out[~others])[:, 1]
    return np.asarray(1 / np.clip(probability, SMALLEST_SHARE, 1))


def weighted_record(name: str, score: Array, data: Evaluable, weight: Array) -> dict[str, Any]:
    """AUROC, mean of folds, each case weighing the inverse of its probability of being evaluable."""
    mask, flag = data.usable(~np.isnan(score))
    more = {
        "method": "inverse probability of being evaluable, weights held fixed; percentile interval of a patient-cluster bootstrap within folds"
    }
    value = fold_means(score, data, mask, weight[:, None])
    samples = fold_means(score, data, mask, data.rows * weight.astype(np.float32)[:, None])
    return data.record(name, "auroc", "inverse_probability_weighted", value[0], mask, samples=samples, flags=flag, **more)
