"""`oncoraft outside-folds`: parts of a cohort that no model was trained on, for every design of the cohort that one was.

All of its cases are held out. They are parted all the same, by a stable hash of the patient, so that whatever is cut or fitted on scores
(groups of survival) can be cut on other patients than those it is tried on. A part is no fold of any model.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cases.tables import read_tables
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import Folds
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
FEWEST = 2  # patients


def parts_of(cases: pd.DataFrame, settings: Folds) -> pd.DataFrame:
    """Rows of folds.parquet: case_id, patient_id, design, fold (the part), is_tuning (never).

    Raises:
        InputError: fewer than two patients.
    """
    patients = sorted(cases["patient_id"].unique())
    if len(patients) < FEWEST:
        raise InputError(f"expected at least {FEWEST} patients to judge models on", found=len(patients))
    parts = min(settings.folds, len(patients))
    # By rank of the hash, so that no part is empty however few there are.
    order = np.argsort([stable_fraction(settings.seed, "outside", patient) for patient in patients], kind="stable")
    part = {patients[place]: rank % parts for rank, place in enumerate(order)}
    rows = cases[["case_id", "patient_id"]].assign(fold=cases["patient_id"].map(part).astype(np.int16), is_tuning=False)
    joined = pd.concat([rows.assign(design=design) for design in settings.designs])
    return joined[["case_id", "patient_id", "design", "fold", "is_tuning"]].sort_values(["design", "case_id"], ignore_index=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases, write parts."""
    parser = step_parser(
        "outside-folds", "in:  cases.parquet\nout: folds.parquet\n\nexample:\n  oncoraft outside-folds cases --config config/external.yaml"
    )
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases.parquet; folds.parquet is written beside it")
    given = parser.parse_args(arguments)
    blocks = read_settings("outside-folds", given)
    cases = read_tables(given.cases, ["cases"], {"cases": ["case_id", "patient_id"]})["cases"]
    rows = parts_of(cases, blocks["folds"])
    counts = {str(design): {"cases": len(part), "parts": int(part["fold"].nunique())} for design, part in rows.groupby("design")}
    final, record = given.cases / "folds.parquet", given.cases / "folds.parquet.manifest.json"
    with publishing(final, record, step=("outside-folds", "folds")) as (out, note):
        rows.to_parquet(out, index=False)
        settings, inputs = settings_record(given, blocks), [given.cases / "cases.parquet"]
        write_json(note, manifest("outside-folds", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("outside-folds: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
