"""Folds by patient: `oncoraft folds CASES`. How each design assigns them is in `fold_designs`.

Whatever the design, a patient is in one fold of it, and the same stable hash sets patients apart for tuning inside training parts.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from oncoraft.cases.fold_designs import ABSENT, DESIGNS, Frozen, draws
from oncoraft.cases.fold_reading import read_cases, read_frozen, read_labels
from oncoraft.cases.tables import open_tables, spelt
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import Folds
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
# What is written, as pandas reads it.
ONE = pd.DataFrame({"case_id": [""], "patient_id": "", "design": "", "fold": np.int16(0), "is_tuning": False}).astype({"fold": np.int16})
FOLDS = pa.Schema.from_pandas(ONE, preserve_index=False)
CASE_COLUMNS = ["case_id", "patient_id", "cancer_type", "gene_panel"]


def patient_table(cases: pd.DataFrame, labels: pd.DataFrame | None, definition: str) -> pd.DataFrame:
    """One row a patient, sorted: patient_id, cancer_type, gene_panel, cases (count), stratum (cancer type and kind of answer).

    The kind of answer is "response" where any case of the patient responded by `definition`, "no response" where one was evaluable,
    else "not evaluable"; without labels it is left out.
    """
    grouped = cases.groupby("patient_id", sort=True)
    table = grouped.agg(cancer_type=("cancer_type", "first"), gene_panel=("gene_panel", "first"), cases=("case_id", "size"))
    table = spelt(table)
    table["stratum"] = table["cancer_type"]
    if labels is not None:
        chosen = labels.loc[labels["definition"] == definition, ["case_id", "responder"]].merge(
            cases[["case_id", "patient_id"]], on="case_id"
        )
        told = chosen.dropna(subset=["responder"]).astype({"responder": bool}).groupby("patient_id")["responder"].any().reindex(table.index)
        answer = told.map({True: "response", False: "no response"}).fillna("not evaluable")
        table["stratum"] += " / " + answer.astype(str)
    return table.reset_index()


def tuning_of(patients: pd.DataFrame, fold: np.ndarray, settings: Folds, design: str) -> np.ndarray:
    """Who of the patients of a design, given their folds, is kept for tuning inside training parts, (patients,).

    Raises:
        InputError: a part has nobody left to train on.
    """
    # By hash, so that who joins the cohort later moves nobody.
    draw, is_there = draws(patients, settings.seed, design, "tuning"), fold != ABSENT
    is_tuning = is_there & (draw < settings.tuning_fraction)
    for held_out in range(settings.count(design)):
        training = np.flatnonzero(is_there & (fold != held_out))
        if not is_tuning[training].all():
            continue
        if not len(training) or settings.tuning_fraction >= 1:
            raise InputError(
                "expected a share that leaves patients to train on", column="folds.tuning_fraction", found=settings.tuning_fraction
            )
        # Chance set all of a few patients apart: the last by the hash trains.
        is_tuning[training[draw[training].argmax()]] = False
    return is_tuning


def assign(
    cases: pd.DataFrame,
    settings: Folds,
    labels: pd.DataFrame | None = None,
    frozen: Frozen | None = None,
    names: pa.Array | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The fold that holds out each case, per design, and whether its patient is kept for tuning inside training parts.

    Args:
        cases: case_id, patient_id, cancer_type, gene_panel.
        settings: designs, number of folds, seed.
        labels: needed by kfold_stratified: case_id, definition, responder.
        frozen: patients who keep their fold of kfold_stratified.
        names: where patient_id is a number, the name that each stands for, sorted.

    Returns:
        rows of `folds.parquet`, sorted; per design its cases by fold and the cases and patients that are in no part of it.

    Raises:
        InputError: fewer patients than folds, a fold without patients, or one without training patients.
    """
    parts: dict[str, pd.DataFrame] = {}
    counts: dict[str, Any] = {}
    patients = patient_table(cases, labels, settings.balance_label)
    ordered = cases[["case_id", "patient_id"]].sort_values("case_id")
    owner = pd.Index(patients["patient_id"]).get_indexer(pd.Index(ordered["patient_id"]))
    if names is not None:
        own = names.take(pa.array(patients["patient_id"], pa.int32()))
        patients["patient_id"] = pd.Series(own, dtype=pd.ArrowDtype(own.type))
    for design in settings.designs:
        if len(patients) < settings.count(design):
            raise InputError(f"folds.folds: expected at most {len(patients)}, the number of patients", found=settings.count(design))
        fold = DESIGNS[design](patients, settings, frozen or {})
        people = int((fold != ABSENT).sum())
        if empty := set(range(settings.count(design))) - set(fold.tolist()):
            raise InputError(
                f"folds.folds: {people} patients leave fold {min(empty)} of {design} empty; expected fewer folds", found=settings.folds
            )
        is_tuning = tuning_of(patients, fold, settings, design)
        # A patient has one fold, so that all of the patient's cases are in it.
        told = owner[is_there := (owner >= 0) & (fold[owner] != ABSENT)]
        parts[design] = rows = ordered[is_there].assign(design=design, fold=fold[told], is_tuning=is_tuning[told])
        counts[design] = {
            "cases": {str(k): int(n) for k, n in rows["fold"].value_counts().sort_index().items()},
            "cases_in_no_part": len(cases) - len(rows),
            "patients_in_no_part": len(patients) - people,
            "tuning_patients": int(is_tuning.sum()),
        }
    return pd.concat([parts[design] for design in sorted(parts)], ignore_index=True), counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases, write folds."""
    parser = step_parser(
        "folds",
        "in:  cases.parquet, and for kfold_stratified labels.parquet beside it\n"
        "out: folds.parquet, one row a case and design; fold -1 only ever trains; a case in no part of a design has no row (docs/artefacts.md)\n\n"
        "example:\n  oncoraft folds cases --config config/config.yaml",
    )
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases.parquet; folds.parquet is written beside it")
    given = parser.parse_args(arguments)
    blocks = read_settings("folds", given)
    settings = blocks["folds"]
    inputs = [given.cases / "cases.parquet"]
    cases = read_cases(open_tables(given.cases, ["cases"], {"cases": CASE_COLUMNS})["cases"])
    labels, frozen = None, {}
    if "kfold_stratified" in settings.designs:
        table = open_tables(given.cases, ["labels"], {"labels": ["case_id", "definition", "responder"]})["labels"]
        labels = read_labels(table, settings.balance_label, cases.case_ids)
        frozen = read_frozen(settings)
        inputs += [given.cases / "labels.parquet", *([Path(settings.frozen)] if settings.frozen else [])]
    rows, counts = assign(cases.table, settings, labels, frozen, cases.patients)
    final, record = given.cases / "folds.parquet", given.cases / "folds.parquet.manifest.json"
    with publishing(final, record, step="folds") as (out, note):
        named = {
            "case_id": cases.case_ids.take(pa.array(rows["case_id"])),
            "patient_id": cases.patients.take(pa.array(rows["patient_id"], pa.int32())),
        }
        told = pa.Table.from_pandas(rows.drop(columns=list(named)), preserve_index=False)
        pq.write_table(pa.Table.from_arrays([*named.values(), *told.columns], schema=FOLDS), out)
        written = manifest(
            "folds", inputs=inputs, outputs={final: out}, settings=settings_record(given, blocks), counts=counts, beside=record
        )
        write_json(note, written)
    log.info("folds: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
