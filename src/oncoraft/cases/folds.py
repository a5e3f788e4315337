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
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oncoraft.cases.fold_designs import DESIGNS, Assigned
from oncoraft.cases.tables import open_tables, read_tables, spelt
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.ranges import RangedTable
from oncoraft.foundation.stable import stable_fraction
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
    table["stratum"] = table["cancer_type"]
    if labels is not None:
        chosen = labels.loc[labels["definition"] == definition, ["case_id", "responder"]].merge(
            cases[["case_id", "patient_id"]], on="case_id"
        )
        told = chosen.dropna(subset=["responder"]).astype({"responder": bool}).groupby("patient_id")["responder"].any().reindex(table.index)
        answer = told.map({True: "response", False: "no response"}).fillna("not evaluable")
        table["stratum"] += " / " + answer.astype(str)
    return table.reset_index()


def read_frozen(settings: Folds) -> Assigned:
    """Folds of an earlier run's `kfold_stratified`; empty where none is configured.

    Raises:
        InputError: no such file, not a folds table, or folds beyond the configured number.
    """
    if settings.frozen is None:
        return {}
    path = Path(settings.frozen)
    wanted = ["patient_id", "design", "fold"]
    rows = read_tables(path.parent, [path.stem], {path.stem: wanted})[path.stem]
    # The other designs go by hash or by configuration: their folds stay without being frozen.
    rows = rows[rows["design"] == "kfold_stratified"].drop_duplicates("patient_id")
    if rows.empty:
        raise InputError("expected rows of design kfold_stratified", file=path, column="design")
    if int(rows["fold"].max()) >= settings.folds:
        raise InputError(
            f"expected folds below {settings.folds}, as folds.folds says", file=path, column="fold", found=int(rows["fold"].max())
        )
    return {str(patient): int(fold) for patient, fold in zip(rows["patient_id"], rows["fold"])}


def assign(
    cases: pd.DataFrame, settings: Folds, labels: pd.DataFrame | None = None, frozen: Assigned | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The fold that holds out each case, per design, and whether its patient is kept for tuning inside training parts.

    Args:
        cases: case_id, patient_id, cancer_type, gene_panel.
        settings: designs, number of folds, seed.
        labels: needed by kfold_stratified: case_id, definition, responder.
        frozen: patients who keep their fold of kfold_stratified.

    Returns:
        rows of `folds.parquet`, sorted; per design its cases by fold and the cases and patients that are in no part of it.

    Raises:
        InputError: fewer patients than folds, a fold without patients, or one without training patients.
    """
    parts: dict[str, pd.DataFrame] = {}
    counts: dict[str, Any] = {}
    patients = patient_table(cases, labels, settings.balance_label)
    ordered = cases[["case_id", "patient_id"]].sort_values("case_id")
    for design in settings.designs:
        if len(patients) < settings.count(design):
            raise InputError(f"folds.folds: expected at most {len(patients)}, the number of patients", found=settings.count(design))
        fold = DESIGNS[design](patients, settings, frozen or {})
        table = pd.DataFrame({"patient_id": list(fold), "fold": np.array(list(fold.values()), dtype=np.int16)})
        # By hash, so that who joins the cohort later moves nobody.
        draw = np.array([stable_fraction(settings.seed, design, "tuning", patient) for patient in fold])
        table["is_tuning"] = draw < settings.tuning_fraction
        if empty := set(range(settings.count(design))) - set(fold.values()):
            raise InputError(
                f"folds.folds: {len(fold)} patients leave fold {min(empty)} of {design} empty; expected fewer folds", found=settings.folds
            )
        for held_out in range(settings.count(design)):
            training = np.flatnonzero(table["fold"] != held_out)
            if not table["is_tuning"].iloc[training].all():
                continue
            if len(training) and settings.tuning_fraction < 1:
                # Chance set all of a few patients apart: the last by the hash trains.
                table.loc[training[draw[training].argmax()], "is_tuning"] = False
            else:
                raise InputError(
                    "expected a share that leaves patients to train on", column="folds.tuning_fraction", found=settings.tuning_fraction
                )
        # A patient has one row in `table`, so that all of the patient's cases are in one fold.
        place = pd.Index(table["patient_id"]).get_indexer(pd.Index(ordered["patient_id"]))
        told = table.iloc[place[place >= 0]]
        rows = ordered[place >= 0].assign(design=design, fold=told["fold"].to_numpy(), is_tuning=told["is_tuning"].to_numpy())
        counts[design] = {
            "cases": {str(k): int(n) for k, n in rows["fold"].value_counts().sort_index().items()},
            "cases_in_no_part": len(cases) - len(rows),
            "patients_in_no_part": len(patients) - len(table),
            "tuning_patients": int(table["is_tuning"].sum()),
        }
        parts[design] = rows
    return pd.concat([parts[design] for design in sorted(parts)], ignore_index=True), counts


def read_cases(table: RangedTable) -> tuple[pd.DataFrame, pa.Table]:
    """Cases as they stand, with their place in the order of case ids as case_id; and case_id and patient_id by that place.

    A cohort's ids as objects of Python take as much memory as all else here.
    """
    table = RangedTable(table.path, table.key, table.columns, ("cancer_type", "gene_panel"))
    groups = [table.file.schema_arrow.empty_table().select(table.columns)]
    groups += (table.file.read_row_group(number, columns=table.columns, use_threads=False) for number in range(table.file.num_row_groups))
    rows = pa.concat_tables(groups).unify_dictionaries()
    order = pc.sort_indices(rows["case_id"]).to_numpy()
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order))
    ids = rows.select(["case_id", "patient_id"]).take(pa.array(order))
    rows = rows.set_column(rows.column_names.index("case_id"), "case_id", pa.array(place))
    # In the order of the file: the first case of a patient says of which cancer type the patient is.
    return spelt(rows.to_pandas(ignore_metadata=True)), ids


def read_labels(table: RangedTable, definition: str, case_ids: pa.ChunkedArray) -> pd.DataFrame:
    """Labels of a definition: case_id (place among some ids), definition, responder."""
    found = [table.file.schema_arrow.empty_table().select(table.columns)]
    for number in range(table.file.num_row_groups):
        rows = table.file.read_row_group(number, columns=table.columns, use_threads=False)
        found.append(rows.filter(pc.equal(rows["definition"], definition)))
    rows = pa.concat_tables(found)
    place = pc.index_in(rows["case_id"], value_set=case_ids.combine_chunks())
    rows = rows.set_column(rows.column_names.index("case_id"), "case_id", place)
    return rows.filter(pc.is_valid(place)).to_pandas()


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
    cases, ids = read_cases(open_tables(given.cases, ["cases"], {"cases": CASE_COLUMNS})["cases"])
    labels, frozen = None, {}
    if "kfold_stratified" in settings.designs:
        table = open_tables(given.cases, ["labels"], {"labels": ["case_id", "definition", "responder"]})["labels"]
        labels = read_labels(table, settings.balance_label, ids["case_id"])
        frozen = read_frozen(settings)
        inputs += [given.cases / "labels.parquet", *([Path(settings.frozen)] if settings.frozen else [])]
    rows, counts = assign(cases, settings, labels, frozen)
    final, record = given.cases / "folds.parquet", given.cases / "folds.parquet.manifest.json"
    with publishing(final, record, step="folds") as (out, note):
        told = pa.Table.from_pandas(rows.drop(columns=["case_id", "patient_id"]), preserve_index=False)
        names = ids.take(pa.array(rows["case_id"]))
        pq.write_table(pa.Table.from_arrays([*names.columns, *told.columns], schema=FOLDS), out)
        written = manifest(
            "folds", inputs=inputs, outputs={final: out}, settings=settings_record(given, blocks), counts=counts, beside=record
        )
        write_json(note, written)
    log.info("folds: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
