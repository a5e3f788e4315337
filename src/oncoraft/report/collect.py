"""What the report reads: every artefact of a cohort's results folder, or None where one is absent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl


def read_json(path: Path) -> Any:
    """A JSON file, or None if there is none.

    Raises:
        InputError: the file is not JSON.
    """
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"expected JSON ({error.msg})", file=path, line=error.lineno) from None


@dataclass(frozen=True)
class Run:
    """One experiment: a model, a strategy and a design, with its metrics and survival."""

    model: str
    strategy: str
    design: str
    metrics: list[dict[str, Any]]
    roc: pd.DataFrame
    calibration: pd.DataFrame
    decision: pd.DataFrame
    survival: dict[str, Any]
    curves: pd.DataFrame
    examples: list[dict[str, Any]]

    @property
    def folds(self) -> int:
        """How many folds the design holds out."""
        return len({row["group"] for row in self.metrics if row["scope"] == "fold"})

    @property
    def name(self) -> str:
        """How the run is called in the report."""
        return f"{self.model} · {self.strategy} · {self.design}"

    def metric(self, predictor: str, metric: str, scope: str = "mean_of_folds") -> dict[str, Any] | None:
        """One record of the metrics."""
        wanted = (predictor, metric, scope)
        return next((row for row in self.metrics if (row["predictor"], row["metric"], row["scope"]) == wanted), None)


def read_runs(results: Path, metrics: Sequence[Path] = ()) -> list[Run]:
    """Experiments of a cohort's results folder.

    Args:
        results: results folder of one cohort.
        metrics: `metrics.json` of the wanted experiments; none: every one below the folder.

    Raises:
        InputError: there is none, or a wanted one is not there.
    """
    runs = []
    for path in sorted(metrics or results.glob("*/*/*/metrics/metrics.json")):
        if not path.is_file():
            raise InputError("expected metrics written by `oncoraft metrics`", file=path)
        folder = path.parents[1]
        survival = read_json(folder / "survival" / "survival.json")
        if survival is None:
            raise InputError("expected survival beside the metrics", file=folder / "survival" / "survival.json")
        told = [row for row in read_jsonl(folder / "predictions.jsonl", ("rationale",)) if row["rationale"]]
        strategy, design = folder.parent.name, folder.name
        roc, calibration, decision = (pd.read_csv(folder / "metrics" / f"{name}.csv") for name in ("roc", "calibration", "decision"))
        curves = pd.read_parquet(folder / "survival" / "curves.parquet")
        runs.append(Run(folder.parents[1].name, strategy, design, read_json(path), roc, calibration, decision, survival, curves, told))
    if not runs:
        raise InputError("expected <model>/<strategy>/<design>/metrics/metrics.json below it", file=results)
    return runs
