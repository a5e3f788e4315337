"""Folds of cells: `oncoraft cell-folds CASES_DIR`.

pooled_by_donor: donors of all data sets, dealt by data set and response. leave_dataset_out, leave_drug_out, leave_tissue_out: whole
levels, the largest first into the smallest fold. pooled_by_cell: cells by hash, whoever they are of, as published; cells of one donor
then stand on both sides, and a model that knows the donor knows the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.cells.declared import UNKNOWN
from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.tables import parts_of_fold, read_cases
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import LEAKING, CellStudy
from oncoraft.planning.edge import run, settings_record

log = logging.getLogger("oncoraft")
LEVEL_OF = {"leave_dataset_out": "data_set", "leave_drug_out": "drug", "leave_tissue_out": "tissue"}
NEVER = -1  # trains, and is never held out: nothing is stated of the level


def by_donor(cases: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """Donors dealt in turn within data set and response, in the order of a stable hash."""
    donors = cases.groupby("patient_id", sort=True).agg(data_set=("data_set", "first"), responds=("score", "mean"))
    if len(donors) < count:
        raise InputError(f"designs.pooled_by_donor: expected at most {len(donors)} folds, the number of donors", found=count)
    draw = [stable_fraction(seed, "donor", name) for name in donors.index]
    donors = donors.assign(responds=donors["responds"] >= 0.5, draw=draw).sort_values(["data_set", "responds", "draw"])
    fold = pd.Series(np.arange(len(donors)) % count, index=donors.index)
    return fold.reindex(cases["patient_id"]).to_numpy()


def by_cell(cases: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """Cases by a stable hash of their own."""
    return np.array([int(stable_fraction(seed, "by cell", name) * count) for name in cases["case_id"]])


def by_level(cases: pd.DataFrame, column: str, count: int, design: str) -> np.ndarray:
    """Whole levels of a column; what is not stated is never held out."""
    sizes = cases.loc[cases[column] != UNKNOWN, column].value_counts()
    if len(sizes) < count:
        raise InputError(
            f"designs.{design}: expected at most {len(sizes)} folds, the number of levels of {column} that are stated", found=count
        )
    filled, place = np.zeros(count), {}
    for name, size in sorted(sizes.items(), key=lambda pair: (-pair[1], str(pair[0]))):
        place[name] = int(filled.argmin())
        filled[place[name]] += size
    return cases[column].map(place).fillna(NEVER).astype(int).to_numpy()


def assigned(cases: pd.DataFrame, study: CellStudy) -> pd.DataFrame:
    """Rows of folds.parquet: case_id, design, fold, held_out (the levels that the fold leaves out, in words).

    Raises:
        InputError: more folds than there is to hold out; a fold with nothing to train on or labels of one class to learn from.
    """
    parts = []
    for design, count in study.designs.items():
        if design in LEVEL_OF:
            fold = by_level(cases, LEVEL_OF[design], count, design)
        else:
            fold = (by_cell if design == LEAKING else by_donor)(cases, count, study.seed)
        table = pd.DataFrame({"case_id": cases["case_id"], "design": design, "fold": fold.astype(np.int16)})
        words = {k: f"fold {k}" for k in range(count)} | {NEVER: ""}
        if design in LEVEL_OF:
            level = cases[LEVEL_OF[design]]
            words |= {k: ", ".join(sorted(level[fold == k].unique())) for k in range(count)}
        table["held_out"] = table["fold"].map(words)
        for k in range(count):
            train, _ = parts_of_fold(cases, table, k, design == LEAKING)
            if cases["responder"].to_numpy()[train].all() or not cases["responder"].to_numpy()[train].any():
                raise InputError(
                    f"designs.{design}: expected sensitive and resistant cases to train on in fold {k} ({words[k]}); all {len(train)} are alike"
                )
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def counted(cases: pd.DataFrame, folds: pd.DataFrame, study: CellStudy) -> dict[str, Any]:
    """Per design and fold: cases and donors on each side, and donors on both."""
    found: dict[str, Any] = {}
    for design, table in folds.groupby("design", sort=False):
        rows = []
        for k in range(study.designs[design]):  # type: ignore[index]
            train, held = parts_of_fold(cases, table, k, design == LEAKING)
            sides = [set(cases["patient_id"].iloc[part]) for part in (train, held)]
            rows.append(
                {
                    "held_out": str(table.loc[table["fold"] == k, "held_out"].iloc[0]),
                    "training_cases": len(train),
                    "training_donors": len(sides[0]),
                    "heldout_cases": len(held),
                    "heldout_donors": len(sides[1]),
                    "donors_on_both_sides": len(sides[0] & sides[1]),
                    "cases_set_aside": len(cases) - len(train) - len(held),
                }
            )
        found[str(design)] = {"leaks": design == LEAKING, "folds": rows}
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Assign the folds of every design."""
    parser = cell_parser("cell-folds", "example:\n  oncoraft cell-folds cells/lung --config config/cells.yaml --cells lung")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder written by `oncoraft cell-cases`; folds are written beside")
    given = parser.parse_args(arguments)
    blocks = cell_settings("cell-folds", given)
    out, told, record = (given.folder / name for name in ("folds.parquet", "folds.json", "folds.parquet.manifest.json"))
    claim(out, told, record, step="cell-folds")
    cases = read_cases(given.folder)
    folds = assigned(cases, blocks["cell_study"])
    counts = counted(cases, folds, blocks["cell_study"])
    with publishing(out, told, record, step="cell-folds") as (table, summary, note):
        folds.to_parquet(table, index=False)
        write_json(summary, counts)
        outputs = {out: table, told: summary}
        inputs = [given.folder / "cases.parquet"]
        settings = settings_record(given, blocks)
        write_json(
            note, manifest("cell-folds", inputs=inputs, outputs=outputs, settings=settings, counts={"cases": len(cases)}, beside=record)
        )
    log.info("cell-folds: %d designs of %d cases", len(counts), len(cases))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
