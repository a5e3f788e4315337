"""What the report reads: every artefact of a cohort's results folder, or None where one is absent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    """One experiment: a model, a strategy and a design, with its metrics and survival; a frame is empty where nothing could be estimated."""

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
    verdict: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    definitions: pd.DataFrame = field(default_factory=pd.DataFrame)
    comparability: pd.DataFrame = field(default_factory=pd.DataFrame)
    distribution: pd.DataFrame = field(default_factory=pd.DataFrame)

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


FRAMES = ("roc", "calibration", "decision", "definitions", "comparability", "distribution")


def read_frame(path: Path) -> pd.DataFrame:
    """A CSV of numbers beside the metrics; empty where it holds no row."""
    if not path.is_file():
        raise InputError("expected a table written by `oncoraft metrics`", file=path)
    try:
        frame = pd.read_csv(path, dtype={"label": str, "rule": str, "predictor": str})
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    return frame


def read_run(path: Path) -> Run:
    """The experiment whose metrics.json is `path`.

    Raises:
        InputError: it is not there, or something beside it is not.
    """
    if not path.is_file():
        raise InputError("expected metrics written by `oncoraft metrics`", file=path)
    folder = path.parents[1]
    survival = read_json(folder / "survival" / "survival.json")
    if survival is None:
        raise InputError("expected survival beside the metrics", file=folder / "survival" / "survival.json")
    predicted = read_jsonl(folder / "predictions.jsonl", ("rationale",))
    told = [row for row in predicted if row["rationale"]]
    return Run(
        model=folder.parents[1].name,
        strategy=folder.parent.name,
        design=folder.name,
        metrics=read_json(path),
        survival=survival,
        curves=pd.read_parquet(folder / "survival" / "curves.parquet"),
        examples=told,
        scores={row["case_id"]: row["score"] for row in predicted if row.get("score") is not None},
        verdict=read_json(path.with_name("verdict.json")) or {},
        **{name: read_frame(path.with_name(f"{name}.csv")) for name in FRAMES},
    )


def read_runs(results: Path, metrics: Sequence[Path] = ()) -> list[Run]:
    """Experiments of a cohort's results folder.

    Args:
        results: results folder of one cohort.
        metrics: `metrics.json` of the wanted experiments; none: every one below the folder.

    Raises:
        InputError: there is none, or a wanted one is not there.
    """
    runs = [read_run(path) for path in sorted(metrics or results.glob("*/*/*/metrics/metrics.json"))]
    if not runs:
        raise InputError("expected <model>/<strategy>/<design>/metrics/metrics.json below it", file=results)
    return runs
