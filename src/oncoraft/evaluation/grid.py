"""`oncoraft grid`: models, strategies, cohorts and designs in one table, ranked within each cohort, with what each cell has cost.

Cells of a cohort are compared on the cases that all of them have scored, and on the same resamples of patients: how often a cell comes
first, and between which ranks it lies, says how far the order can be trusted. A cell that does not cover the cohort is shown, not ranked.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from oncoraft.artefacts import read_table
from oncoraft.evaluation.discrimination import LEAST_VALUED, Array, bootstrap, mean_known, patient_weights, ranking, told_interval
from oncoraft.evaluation.grid_cells import Cell, away_cells, baseline_cells, final_cells, home_cells, pooled_cells
from oncoraft.evaluation.reading import read_labels
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.config import POOLED, Evaluation
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
ORACLE = "oracle"  # the twin's own probability: shown, but no competitor
EPILOG = """example:
  oncoraft grid results/msk --home results/msk/tiny/raft/kfold/predictions.jsonl --away results/bpc/tiny/raft/kfold/predictions.jsonl --out results/msk/grid"""


def area(scores: pd.DataFrame, positive: Array, weight: Array | None) -> Array:
    """AUROC, the mean of the groups that one model has scored."""
    return mean_known(ranking(scores["score"].to_numpy(float), positive, scores["fold"].to_numpy(), weight).auroc)


def ranks_of(samples: Array, confidence: float) -> dict[str, Array]:
    """Ranks of cells in every resample, 1 the best, ties shared: mean, interval, how often each is first (shared where tied).

    Args:
        samples: AUROC, (cells, resamples); a resample in which any cell has none is left out.
        confidence: level of the intervals.
    """
    usable = samples[:, np.isfinite(samples).all(axis=0)]
    ranks = rankdata(-usable, axis=0)
    best = usable == usable.max(axis=0)
    # Outwards to ranks that were seen: a rank between two of them is none.
    return {
        "mean_rank": ranks.mean(axis=1),
        "rank_lower": np.percentile(ranks, 50 * (1 - confidence), axis=1, method="lower"),
        "rank_upper": np.percentile(ranks, 50 * (1 + confidence), axis=1, method="higher"),
        "first": (best / best.sum(axis=0)).mean(axis=1),
    }


def cohort_rows(name: str, cells: Sequence[Cell], labels: pd.DataFrame, settings: Evaluation) -> list[dict[str, Any]]:
    """The cells of one cohort, best first.

    Args:
        labels: case_id, patient_id, responder of the cases that can be judged.
    """
    covering = [one for one in cells if one.strategy != ORACLE and labels["case_id"].isin(one.scores.index).all()]
    rows, samples = [], []
    for cell in cells:
        mine = labels[labels["case_id"].isin(cell.scores.index)]
        positive, scores = mine["responder"].to_numpy(bool), cell.scores.loc[mine["case_id"]]
        row: dict[str, Any] = {"model": cell.model, "strategy": cell.strategy, "cohort": name, "design": cell.design}
        row |= {"n": len(mine), "events": int(positive.sum()), "patients": int(mine["patient_id"].nunique()), "cohort_cases": len(labels)}
        row |= {"training_hours": cell.cost[0], "scoring_hours": cell.cost[1], "is_ranked": any(cell is one for one in covering)}
        estimate = float(area(scores, positive, None)) if len(mine) else np.nan
        if not np.isfinite(estimate):
            rows.append(row | {"estimate": None, "lower": None, "upper": None, "flags": "", "is_ranked": False})
            continue
        # Of a whole cohort the same weights for every cell, so that their differences are paired.
        weights = patient_weights(
            mine["patient_id"].to_numpy(), np.zeros(len(mine)), settings.bootstrap, stable_seed(settings.seed, "grid", name)
        )
        found = bootstrap(lambda w, scores=scores, positive=positive: area(scores, positive, w), weights)  # type: ignore[misc]
        lower, upper, flags = told_interval(found, settings.confidence)
        rows.append(row | {"estimate": estimate, "lower": lower, "upper": upper, "flags": flags})
        if row["is_ranked"]:
            samples.append(found)
    ranked = [row for row in rows if row["is_ranked"]]
    together = np.isfinite(np.array(samples)).all(axis=0) if samples else np.zeros(1, dtype=bool)
    told = ranks_of(np.array(samples), settings.confidence) if together.mean() >= LEAST_VALUED else {}
    order = rankdata([-row["estimate"] for row in ranked], method="min")
    for place, row in enumerate(ranked):
        row |= {"rank": int(order[place]), **{key: float(values[place]) for key, values in told.items()}}
        if not together.all():
            said = f"{'' if told else 'not '}ranked in {together.sum()} of {len(together)} resamples, which have every cell"
            row["flags"] = "; ".join(filter(None, (row["flags"], said)))
    empty = dict.fromkeys(("rank", "mean_rank", "rank_lower", "rank_upper", "first"))
    return sorted(
        ({**row, **empty, **row} for row in rows), key=lambda row: -1 if row["estimate"] is None else row["estimate"], reverse=True
    )


def labels_of(folder: Path, definition: str) -> pd.DataFrame:
    """Judged cases of a cohort: case_id, patient_id, responder."""
    cases = read_table(folder / "cases" / "cases.parquet", ("case_id", "patient_id"), ["case_id"])
    labels = read_labels(folder / "cases", definition)[["case_id", "responder"]].dropna()
    return labels.merge(cases, on="case_id", validate="one_to_one").sort_values("case_id", ignore_index=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = step_parser("grid", EPILOG)
    parser.add_argument(
        "first", type=Path, metavar="RESULTS", help="results of the cohort that models are trained on; other cohorts lie beside it"
    )
    for name, what in (
        ("home", "held-out predictions in that cohort"),
        ("away", "predictions of the folds' models in another"),
        ("final", "predictions of final models in another"),
        ("pooled", "held-out predictions of designs that train on all cohorts"),
        ("baselines", "predictions.parquet of baselines, of any of these"),
    ):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[], metavar="PREDICTIONS", help=what)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given: argparse.Namespace = parser.parse_args(arguments)
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every cell, rank, write."""
    given = parse(arguments)
    blocks = read_settings("grid", given)
    files = [given.out / name for name in ("grid.json", "grid.csv", "manifest.json")]
    claim(*files, step="grid", home=given.out)
    paths = {name: [path.absolute() for path in getattr(given, name)] for name in ("home", "away", "final", "pooled", "baselines")}
    first = given.first.absolute()
    home = home_cells(paths["home"], first / "cases")
    cells = [*home, *away_cells(paths["away"], home, first), *final_cells(paths["final"], first), *pooled_cells(paths["pooled"])]
    cells += baseline_cells(paths["baselines"], first.name, POOLED)
    if not cells:
        raise InputError("expected the predictions of at least one run")
    cohorts = list(dict.fromkeys(cell.cohort for cell in cells))
    labels = {name: labels_of(first.parent / name, blocks["labels"].definition) for name in cohorts}
    rows = [
        row
        for name in cohorts
        for row in cohort_rows(name, [cell for cell in cells if cell.cohort == name], labels[name], blocks["evaluation"])
    ]
    inputs = [path for some in paths.values() for path in some]
    inputs += [first.parent / name / "cases" / f"{table}.parquet" for name in cohorts for table in ("cases", "labels")]
    with publishing(*files, step="grid", home=given.out) as written:
        write_json(written[0], {"label": blocks["labels"].definition, "resamples": blocks["evaluation"].bootstrap, "cells": rows})
        write_csv(written[1], pd.DataFrame(rows).astype({"rank": "Int64"}))
        counts = {"cells": len(rows), "ranked": sum(row["is_ranked"] for row in rows)}
        outputs = dict(zip(files[:-1], written[:-1], strict=True))
        note = settings_record(given, blocks)
        write_json(written[-1], manifest("grid", inputs=inputs, outputs=outputs, settings=note, counts=counts, beside=files[-1]))
    log.info("grid: %d cells in %s", len(rows), ", ".join(cohorts))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
