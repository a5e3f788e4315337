"""The cells of the grid: what each model, strategy and design says of each cohort's cases, and what that has cost."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.artefacts import read_table
from oncoraft.evaluation.reading import read_held_out
from oncoraft.foundation.errors import InputError
from oncoraft.predictions import read_predictions

EXTERNAL, FINAL, POOLED, LEFT_OUT = "external, mean of folds", "external, final model", "pooled", "leave cohort out"
LEAVE_COHORT_OUT = "leave_cohort_out"
BASELINE = "baseline"  # in place of a base model
SECONDS_PER_HOUR = 3600
Cost = tuple[float | None, float | None]  # hours of training, of scoring


@dataclass(frozen=True)
class Cell:
    """One model, strategy, cohort and design: scores of cases (index: case_id; columns: fold, score) and hours of jobs.

    A fold is a group of cases that one model has scored: pairs are formed inside it.
    """

    model: str
    strategy: str
    cohort: str
    design: str
    scores: pd.DataFrame
    cost: Cost

    @property
    def name(self) -> tuple[str, str, str]:
        """What the cell is among those of its cohort."""
        return self.model, self.strategy, self.design


def hours(folder: Path, *patterns: str) -> float | None:
    """Wall time of jobs by the engine's benchmark files, in hours; None where none is there.

    Raises:
        InputError: a file that the engine did not write.
    """
    files = sorted(path for pattern in patterns for path in (folder / "benchmarks").glob(pattern))
    total = 0.0
    for path in files:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        try:
            total += float(rows[-1]["s"])
        except (IndexError, KeyError, ValueError):
            raise InputError("expected a benchmark of the engine, with seconds in column s", file=path) from None
    return total / SECONDS_PER_HOUR if files else None


def scoring_hours(run: Path, home: Path, *patterns: str) -> float | None:
    """Hours of scoring a run; of a linear probe also those in which the base model read the cohort's prompts.

    Args:
        run: folder of a model, a strategy and a design.
        home: the same in the cohort that its models were trained on.
        patterns: of the benchmark files of its scoring jobs.
    """
    probe = home / "fold-0" / "probe.json"
    read = hours(run.parents[1], f"embed-{json.loads(probe.read_text(encoding='utf-8'))['read_at']}.tsv") if probe.is_file() else None
    known = [one for one in (hours(run, *patterns), read) if one is not None]
    return sum(known) if known else None


def scored(frame: pd.DataFrame, one_model: bool) -> pd.DataFrame:
    """Fold and score by case; of one model, or a mean of all, one fold."""
    fold = np.zeros(len(frame), dtype=int) if one_model else frame["fold"].to_numpy(int)
    return pd.DataFrame({"fold": fold, "score": frame["score"].to_numpy(float)}, index=pd.Index(frame["case_id"]))


def home_cells(runs: Sequence[Path], cases: Path) -> list[Cell]:
    """Cross-validation in the cohort that models are trained on; runs are predictions.jsonl of model/strategy/design."""
    found = []
    for path in runs:
        model, strategy, design = path.parts[-4:-1]
        table = scored(read_held_out(path, cases, design)[0], one_model=False)
        trained = hours(path.parent, "train-*.tsv", "dpo-*.tsv", "grpo-*.tsv")
        cost = trained, scoring_hours(path.parent, path.parent, "infer-*.tsv")
        found.append(Cell(model, strategy, path.parts[-5], design, table, cost))
    return found


def away_cells(runs: Sequence[Path], home: Sequence[Cell], first: Path) -> list[Cell]:
    """The folds' models in another cohort, their mean."""
    trained = {(one.model, one.strategy, one.design): one.cost[0] for one in home}
    found = []
    for path in runs:
        cohort, model, strategy, design = path.parts[-5:-1]
        table = scored(read_held_out(path, path.parents[3] / "cases", design)[0], one_model=True)
        scoring = scoring_hours(path.parent, first / model / strategy / design, "apply-*.tsv")
        cost = trained.get((model, strategy, design)), scoring
        found.append(Cell(model, strategy, cohort, f"{EXTERNAL} ({design})", table, cost))
    return found


def final_cells(runs: Sequence[Path], home_folder: Path) -> list[Cell]:
    """Final models in another cohort; runs are predictions.jsonl of model/strategy/final/name."""
    found = []
    for path in runs:
        cohort, model, strategy, _, name = path.parts[-6:-1]
        cases = read_table(path.parents[4] / "cases" / "cases.parquet", ("case_id", "patient_id"), ["case_id"])
        table = scored(read_predictions(path, cases), one_model=True)
        cost = hours(home_folder / model / strategy / "final", f"train-{name}.tsv"), hours(path.parents[1], f"apply-{name}-*.tsv")
        found.append(Cell(model, strategy, cohort, FINAL, table, cost))
    return found


def of_design(design: str) -> str:
    """A pooled design in words."""
    return LEFT_OUT if design == LEAVE_COHORT_OUT else f"{POOLED} ({design})"


def split_by_cohort(model: str, strategy: str, design: str, table: pd.DataFrame, origin: pd.Series, cost: Cost) -> list[Cell]:
    """A pooled run as a cell a cohort; each carries the whole run's cost, since no part of it can be had alone.

    Args:
        table: fold and score by case.
        origin: case_id -> cohort.
    """
    of = origin.reindex(table.index)
    return [Cell(model, strategy, str(cohort), of_design(design), table[(of == cohort).to_numpy()], cost) for cohort in dict.fromkeys(of)]


def origin_of(folder: Path) -> pd.Series:
    """Cohort by case, of a pooled cohort's folder."""
    origin = read_table(folder / "cases" / "origin.parquet", ("patient_id", "cohort"), ["patient_id"]).set_index("patient_id")["cohort"]
    cases = read_table(folder / "cases" / "cases.parquet", ("case_id", "patient_id"), ["case_id"])
    return pd.Series(cases["patient_id"].map(origin).to_numpy(), index=pd.Index(cases["case_id"]))


def pooled_cells(runs: Sequence[Path]) -> list[Cell]:
    """Designs that train on all cohorts, cohort by cohort."""
    found = []
    for path in runs:
        model, strategy, design = path.parts[-4:-1]
        folder = path.parents[3]
        table = scored(read_held_out(path, folder / "cases", design)[0], one_model=False)
        cost = hours(path.parent, "train-*.tsv"), scoring_hours(path.parent, path.parent, "infer-*.tsv")
        found += split_by_cohort(model, strategy, design, table, origin_of(folder), cost)
    return found


def baseline_cells(files: Sequence[Path], home: str, pooled: str) -> list[Cell]:
    """Baselines of the same designs; files are results/cohort/baselines/design/predictions.parquet."""
    found = []
    for path in files:
        cohort, _, design = path.parts[-4:-1]
        rows = read_table(path, ("case_id", "fold", "predictor", "score"), ["case_id", "predictor"])
        for name, part in rows.groupby("predictor", sort=True):
            if cohort == pooled:
                found += split_by_cohort(BASELINE, str(name), design, scored(part, False), origin_of(path.parents[2]), (None, None))
            else:
                label = design if cohort == home else f"{EXTERNAL} ({design})"
                found.append(Cell(BASELINE, str(name), cohort, label, scored(part, cohort != home), (None, None)))
    return found
