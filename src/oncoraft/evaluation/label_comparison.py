"""One comparison of labels: what the rule on scans says of cases, what people do, how far they agree, and what each does to AUROC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.evaluation.agreement import ORDERED, agreement, estimated, kappa
from oncoraft.evaluation.curated import curated_response
from oncoraft.evaluation.discrimination import Array, auroc, mean_known, patient_weights, ranking
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.config import Evaluation


def labelled(cases: pd.DataFrame, labels: pd.DataFrame, readings: pd.DataFrame, baseline_days: int) -> pd.DataFrame:
    """A row a case of one definition: what the rule says (category, responder, whether a scan decided) and what people do (their columns)."""
    frame = cases.merge(labels.drop(columns="definition"), on="case_id", validate="one_to_one")
    told = curated_response(frame, readings, baseline_days)
    by_scan = frame["scan_days"].map(len) > 0
    frame = frame.assign(rule=frame["category"], rule_responder=frame["responder"].where(by_scan))
    return frame.merge(
        told.rename(columns={"category": "curated", "responder": "curated_responder"})[["case_id", "curated", "curated_responder"]],
        on="case_id",
    )


def counted(frame: pd.DataFrame) -> dict[str, int]:
    """Cases by who could judge them from a scan; the four add up to all."""
    rule, people = frame["rule_responder"].notna(), frame["curated_responder"].notna()
    parts = {"both": rule & people, "rule_only": rule & ~people, "curated_only": ~rule & people, "neither": ~rule & ~people}
    return {"cases": len(frame), "patients": int(frame["patient_id"].nunique())} | {name: int(part.sum()) for name, part in parts.items()}


def compared(frame: pd.DataFrame, weights: Array, confidence: float) -> list[dict[str, Any]]:
    """Agreement and kappa of the cases that both could judge.

    Args:
        frame: from `labelled`, those cases alone.
        weights: (resamples, cases).
        confidence: level of the intervals.
    """
    rule, people = (frame[f"{who}_responder"].to_numpy(bool).astype(int) for who in ("rule", "curated"))
    place = {name: number for number, name in enumerate(ORDERED)}
    categories = [frame[who].map(place).to_numpy() for who in ("rule", "curated")]
    # A definition may call a case of another category a response or none; categories are compared where both have one of the four.
    ranked = ~np.isnan(np.array(categories, dtype=float)).any(axis=0)
    one, other = (said[ranked].astype(int) for said in categories)
    statistics: dict[str, tuple[Callable[[Array | None], Array], Array, int]] = {
        "agreement": (lambda w: agreement(rule, people, w), weights, len(frame)),
        "kappa": (lambda w: kappa(rule, people, w), weights, len(frame)),
        "kappa_categories": (lambda w: kappa(one, other, w, len(ORDERED)), weights[:, ranked], int(ranked.sum())),
        "kappa_linear": (lambda w: kappa(one, other, w, len(ORDERED), True), weights[:, ranked], int(ranked.sum())),
    }
    counts = {"responders_rule": int(rule.sum()), "responders_curated": int(people.sum())}
    return [
        {"measure": name, **estimated(statistic, w, confidence), "n": n, "patients": int(frame["patient_id"].nunique()), **counts}
        for name, (statistic, w, n) in statistics.items()
        if n
    ]


def areas(frame: pd.DataFrame, held_out: pd.DataFrame, settings: Evaluation, design: str) -> list[dict[str, Any]]:
    """AUROC of one run's scores under the rule, under curated response, and the difference, on the same cases.

    Args:
        frame: from `labelled`, cases that both could judge.
        held_out: case_id, fold (of the model that never saw the case; one number where all models did not), score.
    """
    joined = frame.merge(held_out[["case_id", "fold", "score"]], on="case_id", validate="one_to_one")
    if joined.empty:
        return []
    score, fold = joined["score"].to_numpy(float), joined["fold"].to_numpy()
    weights = patient_weights(
        joined["patient_id"].to_numpy(), np.zeros(len(joined)), settings.bootstrap, stable_seed(settings.seed, design, "labels")
    )
    of = {who: joined[f"{who}_responder"].to_numpy(bool) for who in ("rule", "curated")}

    def area(who: str, w: Array | None) -> Array:
        # Scores of different models are not compared: pairs are formed inside a fold, as at home.
        return auroc(score, of[who], w) if (fold == fold[0]).all() else mean_known(ranking(score, of[who], fold, w).auroc)

    statistics = {
        "rule": lambda w: area("rule", w),
        "curated": lambda w: area("curated", w),
        "rule less curated": lambda w: area("rule", w) - area("curated", w),
    }
    counts = {"n": len(joined), "patients": int(joined["patient_id"].nunique())}
    return [{"under": name, **estimated(one, weights, settings.confidence), **counts} for name, one in statistics.items()]


def comparison(
    scope: str, parts: pd.DataFrame, runs: dict[str, pd.DataFrame], definition: str, settings: Evaluation, design: str
) -> dict[str, Any]:
    """Everything of one comparison.

    Args:
        scope: its name.
        parts: from `labelled`, of every definition (column definition).
        runs: name of a run -> its held-out predictions.
        definition: the one that trains, of which areas and confusion are told.
    """
    records: list[dict[str, Any]] = []
    counts = {}
    for name, frame in parts.groupby("definition", sort=True):
        counts[str(name)] = counted(frame)
        both = frame.dropna(subset=["rule_responder", "curated_responder"])
        if both.empty:
            continue
        weights = patient_weights(
            both["patient_id"].to_numpy(), np.zeros(len(both)), settings.bootstrap, stable_seed(settings.seed, design, "agreement")
        )
        records += [{"scope": scope, "definition": name, **row} for row in compared(both, weights, settings.confidence)]
    mine = parts[parts["definition"] == definition]
    both = mine.dropna(subset=["rule_responder", "curated_responder"])
    table = mine.groupby(["rule", "curated"]).size().rename("cases").reset_index().to_dict("records")
    return {
        "scope": scope,
        "counts": counts,
        "agreement": records,
        "confusion": [{"scope": scope, "definition": definition, **row} for row in table],
        "auroc": [
            {"scope": scope, "definition": definition, "run": name, **row}
            for name, held_out in runs.items()
            for row in areas(both, held_out, settings, design)
        ],
    }
