"""Where a score stands among those of a run: on the scale of held-out scores, beside its regimen's responders, with an interval.

Held-out scores are those of patients that the model which gave them had not seen. The interval of the recalibrated probability is that of
the regression on the fold's tuning cases, with patients as clusters; it says how well the line is known, not how one patient will fare.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.page.inputs import label_of
from oncoraft.page.study import Study
from oncoraft.predictions import read_predictions
from oncoraft.recalibration import FILE as RECALIBRATION
from oncoraft.recalibration import Recalibration, logit, read_recalibration, sigmoid
from oncoraft.report.collect import read_json

NORMAL = 1.959963984540054  # 97.5 % of a standard normal


def covariance(x: np.ndarray, positive: np.ndarray, cluster: np.ndarray, intercept: float, slope: float) -> np.ndarray:
    """Cluster-robust covariance of a logistic regression's intercept and slope, (2, 2), with the small-sample factor of statsmodels and Stata.

    Liang and Zeger, Biometrika 1986;73:13-22.
    """
    design = np.column_stack([np.ones(len(x)), x])
    p = sigmoid(design @ np.array([intercept, slope]))
    bread = np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)
    scores = pd.DataFrame(design * (positive - p)[:, None]).groupby(cluster).sum().to_numpy()
    n, groups = len(x), len(scores)
    factor = groups / (groups - 1) * (n - 1) / (n - 2)
    return np.asarray(factor * bread @ scores.T @ scores @ bread)


@dataclass(frozen=True)
class Standing:
    """What a run knows of the scores of one fold's model.

    Args:
        study: the results folder.
        fold: folder of the fold.
    """

    study: Study
    fold: Path
    _groups: dict[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        """Folder of the run."""
        return self.fold.parent

    @property
    def number(self) -> int:
        """Of the fold."""
        return int(self.fold.name.removeprefix("fold-"))

    @cached_property
    def label(self) -> str:
        """The definition of response that the run was judged by."""
        rows = read_json(self.run / "metrics" / "metrics.json") or [{}]
        return str(rows[0].get("label", ""))

    @cached_property
    def heldout(self) -> pd.DataFrame:
        """Held-out cases: case_id, patient_id, fold, score, regimen, regimen_name, cancer_type, index_day, responder (null: not evaluable)."""
        cases = self.study.cases
        scores = read_predictions(self.run / "predictions.jsonl", cases)[["case_id", "patient_id", "fold", "score"]]
        columns = ["case_id", "regimen", "regimen_name", "cancer_type", "index_day", "diagnosis_day"]
        labels = pd.read_parquet(self.study.root / "cases" / "labels.parquet", columns=["case_id", "definition", "responder"])
        own = labels[labels["definition"] == self.label][["case_id", "responder"]]
        return scores.merge(cases[columns], on="case_id").merge(own, on="case_id", how="left")

    @cached_property
    def tuning(self) -> pd.DataFrame:
        """The fold's tuning cases with score and label; empty where they are not kept."""
        rows = [
            row for path in sorted((self.fold / "predictions").glob("tuning-*.jsonl")) for row in read_jsonl(path, ("score", "responder"))
        ]
        return pd.DataFrame(rows, columns=["patient_id", "score", "responder"])

    @cached_property
    def _spread(self) -> tuple[Recalibration, np.ndarray] | None:
        """The recalibration and its covariance."""
        path = self.fold / RECALIBRATION
        found = read_recalibration(path) if path.is_file() else None
        rows = self.tuning.sort_values("patient_id") if not self.tuning.empty else self.tuning
        if found is None or found.intercept is None or not found.slope or len(rows) != found.cases or rows["patient_id"].nunique() < 3:
            return None
        x, positive = logit(rows["score"].to_numpy(float)), rows["responder"].to_numpy(bool)
        return found, covariance(x, positive, rows["patient_id"].to_numpy(str), float(found.intercept), float(found.slope))

    def interval(self, score: float) -> tuple[float, float] | None:
        """95 % interval of the recalibrated probability; None where the tuning cases are not at hand."""
        if self._spread is None:
            return None
        found, spread = self._spread
        at = np.array([1.0, float(logit(np.array(score)))])
        middle, width = float(at @ np.array([found.intercept, found.slope])), NORMAL * float(np.sqrt(at @ spread @ at))
        return float(sigmoid(np.array(middle - width))), float(sigmoid(np.array(middle + width)))

    def scale(self, score: float) -> dict[str, Any]:
        """Where a score lies among the held-out scores of the fold's own model."""
        own = self.heldout.loc[self.heldout["fold"] == self.number, "score"].to_numpy(float)
        if not len(own):
            return {"n": 0, "below": None, "scores": []}
        return {"n": len(own), "below": float(np.mean(own < score)), "scores": np.sort(own).tolist()}

    def of_regimen(self, regimen: str, cancer_type: str) -> dict[str, Any]:
        """Held-out scores of a regimen's responders and of its others, all folds; counts guarded."""
        rows = self.heldout[(self.heldout["regimen"] == regimen) & (self.heldout["cancer_type"] == cancer_type)]
        yes, no = rows["responder"].eq(True), rows["responder"].eq(False)
        groups = {"responders": rows.loc[yes.fillna(False), "score"], "others": rows.loc[no.fillna(False), "score"]}
        counts = {"n": len(rows), "not_evaluable": len(rows) - sum(map(len, groups.values()))} | {
            name: len(s) for name, s in groups.items()
        }
        shown = self.study.guard.rows([counts], [("n", "not_evaluable", *groups)])[0]
        told: dict[str, Any] = {name: shown[name] for name in ("n", "not_evaluable")}
        for name, scores in groups.items():
            # Marks can be counted: where the number is hidden, so are they.
            told[name] = {"n": shown[name], "scores": [] if isinstance(shown[name], str) else sorted(scores.tolist())}
        return told

    def warnings(
        self, regimen: str, cancer_type: str | None, told: frozenset[str], template: frozenset[str], patient: str | None
    ) -> list[str]:
        """Why the score may not hold for this case.

        Args:
            told: fields of which its evidence tells something; empty where the prompt was given as text.
            template: fields that a prompt can show.
        """
        return [*self._of_regimen(regimen, cancer_type), *self._of_evidence(told, template), *self._of_patient(patient)]

    def _of_regimen(self, regimen: str, cancer_type: str | None) -> list[str]:
        """Whether the cohort holds such cases."""
        known, said = self.study.cases, list[str]()
        of_type = known[known["cancer_type"] == cancer_type]
        if cancer_type is None:
            said.append("The cancer type could not be read from the prompt: whether the model has seen such cases is not known.")
        elif of_type.empty:
            said.append(f"The cohort of this model holds no case of {cancer_type}.")
        elif not regimen:
            said.append("The drugs could not be read from the prompt: whether the model has seen this regimen is not known.")
        elif not (seen := int(((of_type["regimen"] == regimen) | (of_type["regimen_at_index"] == regimen)).sum())):
            said.append(f"The cohort of this model holds no case of this regimen in {cancer_type}.")
        elif seen < 20:
            said.append(f"The cohort of this model holds few cases of this regimen in {cancer_type}: {self.study.guard.count(seen)}.")
        return said

    def _of_evidence(self, told: frozenset[str], template: frozenset[str]) -> list[str]:
        """Whether it lacks what nearly every case tells."""
        missing = sorted(self.study.usual_fields & template - told)
        names = ", ".join(map(label_of, missing))
        return [f"Nothing is told of what nine in ten cases tell: {names}."] if told and missing else []

    def _of_patient(self, patient: str | None) -> list[str]:
        """Whether the patient trained the model."""
        folds = set(self.heldout.loc[self.heldout["patient_id"] == patient, "fold"]) if patient is not None else {self.number}
        if not folds:
            return ["This patient has no held-out score in this run: whether the model was trained on the patient is not known."]
        return [] if self.number in folds else ["This patient's cases trained this model or tuned it: the score is not a held-out one."]
