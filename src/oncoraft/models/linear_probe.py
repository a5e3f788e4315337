"""A linear probe: logistic regression on what a frozen base model makes of a prompt, how strongly regularised being chosen on tuning patients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file

STRENGTHS = tuple(float(f"1e{power}") for power in range(-6, 2))  # C of scikit-learn: the smaller, the stronger the penalty
WITHOUT_TUNING = 1e-3  # where tuning patients of one class or none leave nothing to choose by
ITERATIONS = 2000
FILE = "probe.json"


class Probe(NamedTuple):
    """What is kept of a fitted probe: standardisation, coefficients, and how the penalty was chosen."""

    mean: list[float]
    scale: list[float]
    coefficients: list[float]
    intercept: float
    strength: float
    chosen: list[dict[str, float]]
    read_at: str

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Log odds of response, (cases,), from embeddings (cases, hidden)."""
        return np.asarray((vectors - np.array(self.mean)) / np.array(self.scale) @ np.array(self.coefficients) + self.intercept)


def fitted(train: np.ndarray, positive: np.ndarray, tuning: np.ndarray, tuning_positive: np.ndarray, read_at: str) -> Probe:
    """The probe whose penalty has the least log loss on tuning cases; ties go to the stronger penalty.

    Args:
        train: embeddings, (cases, hidden), standardised here by their own mean and spread.
        positive: (cases,), boolean, both classes.
        tuning, tuning_positive: of patients who train nothing; chosen by, never fitted on.
        read_at: where the embeddings were read.
    """
    mean, spread = train.mean(axis=0), train.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    x, other = (train - mean) / scale, (tuning - mean) / scale
    can_choose = len(set(tuning_positive.tolist())) == 2
    chosen, best = [], None
    for strength in STRENGTHS if can_choose else (WITHOUT_TUNING,):
        model = LogisticRegression(C=strength, max_iter=ITERATIONS).fit(x, positive)
        if can_choose:
            probability = model.predict_proba(other)[:, 1]
            loss, area = log_loss(tuning_positive, probability), roc_auc_score(tuning_positive, probability)
            chosen.append({"strength": strength, "log_loss": float(loss), "auroc": float(area)})
        if best is None or (can_choose and chosen[-1]["log_loss"] < min(row["log_loss"] for row in chosen[:-1])):
            best = (strength, model)
    assert best is not None
    return Probe(mean.tolist(), scale.tolist(), best[1].coef_[0].tolist(), float(best[1].intercept_[0]), best[0], chosen, read_at)


def read_embeddings(path: Path, cases: Sequence[str]) -> np.ndarray:
    """Embeddings of these cases, (cases, hidden), in their order.

    Raises:
        InputError: no such file, not one of embeddings, or a case that it lacks.
    """
    require_file(path, "embeddings written by `oncoraft embed`")
    try:
        table = pq.read_table(path, columns=["case_id", "embedding"])
    except (pa.ArrowInvalid, KeyError):
        raise InputError("expected embeddings written by `oncoraft embed`", file=path) from None
    place = {name: number for number, name in enumerate(table["case_id"].to_pylist())}
    if absent := [name for name in cases if name not in place]:
        raise InputError(f"expected an embedding of every case; {len(absent)} have none, the first", file=path, found=absent[0])
    vectors = table["embedding"].combine_chunks()
    width = vectors.type.list_size
    return vectors.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)[[place[name] for name in cases]].astype(float)


def read_probe(path: Path) -> Probe:
    """A probe that `oncoraft probe` wrote.

    Raises:
        InputError: no such file, or another.
    """
    try:
        told: dict[str, Any] = json.loads(require_file(path, "a probe written by `oncoraft probe`").read_text(encoding="utf-8"))
        return Probe(**told)
    except (ValueError, TypeError):
        raise InputError("expected a probe written by `oncoraft probe`", file=path) from None
