"""Folds by patient: `oncoraft folds CASES`. A stable hash of the seed and the patient decides, so new patients move nobody."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cases.tables import read_tables
from oncoraft.config import Folds
from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.provenance import manifest, publishing, write_json
from oncoraft.stable import stable_fraction

log = logging.getLogger("oncoraft")


def assign(cases: pd.DataFrame, settings: Folds) -> pd.DataFrame:
    """The fold that holds out each case, per design, and whether its patient is kept for tuning inside training parts.

    Raises:
        InputError: a fold would be empty.
    """
    parts = []
    for design in settings.designs:
        patients = pd.Series(sorted(cases["patient_id"].unique()))
        if len(patients) < settings.folds:
            raise InputError(f"folds.folds: expected at most {len(patients)}, the number of patients", found=settings.folds)
        fold = pd.Series([int(stable_fraction(settings.seed, design, patient) * settings.folds) for patient in patients])
        tuning = pd.Series([stable_fraction(settings.seed, design, "tuning", patient) < settings.tuning_fraction for patient in patients])
        if fold.nunique() < settings.folds:
            raise InputError(f"folds.folds: {len(patients)} patients leave a fold empty; expected fewer folds", found=settings.folds)
        table = pd.DataFrame({"patient_id": patients, "fold": fold.astype(np.int16), "is_tuning": tuning.astype(bool)})
        parts.append(cases[["case_id", "patient_id"]].merge(table, on="patient_id", validate="many_to_one").assign(design=design))
    rows = pd.concat(parts)[["case_id", "patient_id", "design", "fold", "is_tuning"]]
    assert (rows.groupby(["design", "patient_id"])["fold"].nunique() == 1).all(), "a patient is in two folds"
    return rows.sort_values(["design", "case_id"], ignore_index=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases, write folds."""
    parser = step_parser("folds", "example:\n  oncoraft folds cases")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases.parquet; folds.parquet is written beside it")
    given = parser.parse_args(arguments)
    blocks = read_settings("folds", given)
    rows = assign(read_tables(given.cases, ["cases"])["cases"], blocks["folds"])
    counts = {f"{design}-{fold}": len(part) for (design, fold), part in rows.groupby(["design", "fold"])}
    final, record = given.cases / "folds.parquet", given.cases / "folds.parquet.manifest.json"
    with publishing(final, record) as (out, note):
        rows.to_parquet(out, index=False)
        inputs = [given.cases / "cases.parquet"]
        settings = settings_record(given, blocks)
        write_json(note, manifest("folds", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("folds: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
