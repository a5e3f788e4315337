"""`oncoraft export-meds`: ingested tables and labels as a MEDS data set (schema 0.4), to be read by other people's tools and back again.

The clock is relative: MEDS has calendar times alone, so day 0 (the first sequencing) stands at a fixed anchor and `dataset.json` says so.
Intervals are right, calendars are not: season, weekday and year mean nothing. Nothing is told before it was known: a value of a specimen
stands on the day of its sequencing, and undated summaries and outcomes stand at the end of follow-up, never among the static rows. A
label's prediction time is the last microsecond before the index day, since tools may use what stands at that very time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from oncoraft import __version__
from oncoraft.artefacts import read_table
from oncoraft.cohort.meds_predictions import FOLDER, answers_of, declare
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.provenance import manifest, publishing, sealed, write_json
from oncoraft.foundation.publishing import MANIFEST
from oncoraft.knowledge.meds import ANCHOR, CODES, DATA, DATASET, DEATH, EXTRA, LABELS, MEDS_VERSION, SPLITS
from oncoraft.knowledge.tables import TABLES, Column, Table
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
SUBJECTS_A_FILE = 10_000
LONGEST_IN_CODE = 60  # characters of a word that becomes part of a code
OWN = ("data/*", "labels/*", "metadata/*", f"{FOLDER}/*", MANIFEST)
EPILOG = """\
DIR receives data/*.parquet (subject_id, time, code, numeric_value, text_value, and where each value comes from), labels/response.parquet
(subject_id, prediction_time, boolean_value: evaluable cases alone), metadata/ (dataset.json, codes.parquet, subject_splits.parquet,
cases.parquet). With --predictions, predictions/fold-K.parquet too: the labels of the evaluable cases that fold K holds out, with
predicted_boolean_probability and predicted_boolean_value (null where the run has no thresholds), as meds-evaluation takes them. It is a copy
of the cohort: what forbids to share the cohort forbids to share this.

examples:
  oncoraft export-meds tables cases --out meds
  oncoraft export-meds tables cases --predictions raft/kfold/predictions.jsonl --out meds
  meds-evaluation-cli predictions_path='meds/predictions/*.parquet' output_file=evaluation.json"""


def text_of(column: Column, values: pd.Series) -> pd.Series:
    """Cells as a study file spells them; missing ones stay missing."""
    if column.kind == "boolean":
        return values.map(lambda value: None if pd.isna(value) else column.true[0] if value else column.false[0])
    if column.kind in ("integer", "day"):
        return values.map(lambda value: None if pd.isna(value) else str(int(value)))
    return values.map(lambda value: None if pd.isna(value) else repr(float(value)) if column.kind == "number" else str(value))


def code_of(table: Table, column: Column, text: str) -> str:
    """`TABLE//COLUMN` of a number or a long text, `TABLE//COLUMN//WORD` of a word."""
    code = f"{table.name}//{column.name}".upper()
    is_word = column.kind in ("text", "boolean") and not column.refers and len(text) <= LONGEST_IN_CODE
    return f"{code}//{text.strip()}" if is_word else code


def events_of(table: Table, rows: pd.DataFrame, day: pd.Series, patient: pd.Series) -> Iterator[pd.DataFrame]:
    """One event a cell, column by column, and one a row on its day.

    Args:
        table: specification.
        rows: as ingested.
        day: when each row became known, missing where it is fixed for life.
        patient: whose it is.
    """
    base = pd.DataFrame({"patient_id": patient, "day": day, "source_table": table.name, "source_row": np.arange(len(rows), dtype=np.int32)})
    if "start_day" in rows:
        yield base.assign(code=table.name.upper(), numeric_value=np.nan, text_value=None, source_column="start_day")
    for column in table.columns:
        if column.name in ("patient_id", "start_day") or column.name not in rows:
            continue
        text = text_of(column, rows[column.name])
        has = text.notna()
        numbers = rows[column.name].astype(float) if column.kind in ("integer", "number", "day") else pd.Series(np.nan, index=rows.index)
        codes = {word: code_of(table, column, word) for word in text[has].unique()}
        found = base.assign(code=text.map(codes), numeric_value=numbers, text_value=text, source_column=column.name)[has]
        yield found.assign(day=np.nan) if _is_always(table, column) else found


def _is_always(table: Table, column: Column) -> bool:
    """Whether a value is fixed for life, so that it may stand without a time."""
    return table.name == "clinical_patient" and column.known == "always"


def day_of(table: Table, rows: pd.DataFrame, sequenced: pd.Series, end: pd.Series, owner: pd.Series) -> tuple[pd.Series, pd.Series]:
    """When each row became known, and whose it is."""
    sample = next((column.name for column in table.columns if column.refers == "sample"), None)
    patient = rows["patient_id"] if "patient_id" in rows else rows[str(sample)].map(owner)
    last = patient.map(end)
    if "start_day" in rows:
        return rows["start_day"].astype(float), patient
    if sample is not None:
        # A specimen without a day is told of where nothing is left to predict.
        return rows[sample].map(sequenced).astype(float).fillna(last), patient
    return last, patient


def events(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every cell of a study as an event: patient_id, day, code, numeric_value, text_value and where it stood.

    Args:
        tables: by name, as ingested; copy number is not among them, whose zeros say which genes were measured.
    """
    patients, samples = tables["clinical_patient"], tables["clinical_sample"]
    owner = samples.drop_duplicates("sample_id").set_index("sample_id")["patient_id"]
    sequenced = tables["timeline_specimen"].groupby("sample_id")["start_day"].min()
    latest = pd.concat([rows[["patient_id", "start_day"]] for rows in tables.values() if "start_day" in rows])
    end = (
        patients.set_index("patient_id")["os_days"]
        .astype(float)
        .combine_first(latest.groupby("patient_id")["start_day"].max().astype(float))
        .fillna(0)
    )
    parts = []
    for table in TABLES:
        rows = tables.get(table.name)
        if rows is not None and len(rows):
            rows = rows.reset_index(drop=True)
            parts += list(events_of(table, rows, *day_of(table, rows, sequenced, end, owner)))
    dead = patients[patients["is_deceased"].eq(True) & patients["os_days"].notna()]
    base = {"numeric_value": np.nan, "text_value": None, "source_table": "", "source_row": -1, "source_column": ""}
    parts.append(pd.DataFrame({"patient_id": dead["patient_id"], "day": dead["os_days"].astype(float), "code": DEATH} | base))
    found = pd.concat(parts, ignore_index=True)
    return found[found["patient_id"].notna()]


def times(days: pd.Series) -> pa.Array:
    """Days as naive microseconds from the anchor; missing ones as nulls."""
    known = days.notna().to_numpy()
    stamps = np.datetime64(ANCHOR, "us") + np.where(known, days.fillna(0), 0).astype(np.int64) * np.timedelta64(86_400_000_000, "us")
    return pa.array(stamps, pa.timestamp("us"), mask=~known)


def data_table(found: pd.DataFrame, subjects: pd.Series) -> pa.Table:
    """Events as the MEDS schema wants them: by subject, static rows first, then by time."""
    found = found.assign(subject_id=found["patient_id"].map(subjects).astype(np.int64))
    # Stable, with static rows (missing days) first: readers refuse any other order, and the validator does not see it.
    found = found.sort_values(["subject_id", "day"], na_position="first", kind="stable")
    columns = {
        "subject_id": pa.array(found["subject_id"], pa.int64()),
        "time": times(found["day"]),
        "code": pa.array(found["code"], pa.string()),
        "numeric_value": pa.array(found["numeric_value"].astype(np.float32), pa.float32(), from_pandas=True),
        "text_value": pa.array(found["text_value"], pa.large_string(), from_pandas=True),
        "patient_id": pa.array(found["patient_id"], pa.string()),
        "source_table": pa.array(found["source_table"], pa.string()),
        "source_row": pa.array(found["source_row"], pa.int32()),
        "source_column": pa.array(found["source_column"], pa.string()),
    }
    return pa.table(columns)


def label_tables(cases: pd.DataFrame, labels: pd.DataFrame, subjects: pd.Series) -> tuple[pa.Table, pa.Table]:
    """Labels of evaluable cases, and which case each prediction time is of.

    Args:
        cases: case_id, patient_id, index_day.
        labels: case_id, responder of one definition; null where not evaluable: such a case has no label, since none may be null.
        subjects: patient_id -> subject_id.
    """
    known = cases.merge(labels[labels["responder"].notna()][["case_id", "responder"]], on="case_id", validate="one_to_one")
    known = known.assign(subject_id=known["patient_id"].map(subjects).astype(np.int64)).sort_values(["subject_id", "index_day", "case_id"])
    midnight = times(known["index_day"].astype(float)).to_numpy(zero_copy_only=False)
    before = pa.array(midnight - np.timedelta64(1, "us"), pa.timestamp("us"))
    subject = pa.array(known["subject_id"], pa.int64())
    told = pa.table({"subject_id": subject, "prediction_time": before, "boolean_value": pa.array(known["responder"].astype(bool))})
    which = pa.table({"subject_id": subject, "prediction_time": before, "case_id": pa.array(known["case_id"], pa.string())})
    return told, which


def splits(folds: pd.DataFrame, subjects: pd.Series, fold: int) -> pa.Table:
    """Who trains, tunes and is held out in one fold; patients without a case train."""
    of = folds.drop_duplicates("patient_id").set_index("patient_id")
    held, tuning = set(of.index[of["fold"] == fold]), set(of.index[of["is_tuning"] & (of["fold"] != fold)])
    names = ["held_out" if who in held else "tuning" if who in tuning else "train" for who in subjects.index]
    return pa.table({"subject_id": pa.array(subjects.to_numpy(), pa.int64()), "split": pa.array(names, pa.string())})


def dataset(name: str) -> dict[str, Any]:
    """What dataset.json says; the relative clock is declared in a key of its own, for which the schema has no field."""
    return {
        "dataset_name": name,
        "etl_name": "oncoraft",
        "etl_version": __version__,
        "meds_version": MEDS_VERSION,
        "raw_source_id_columns": ["patient_id"],
        "other_extension_columns": list(EXTRA),
        "time_is_relative": True,
        "time_zero": f"{ANCHOR}: the day of each patient's first sequencing; calendar dates, years, seasons and weekdays mean nothing",
    }


def write(folder: Path, found: pd.DataFrame, subjects: pd.Series, parts: tuple[pa.Table, pa.Table, pa.Table], name: str) -> dict[str, int]:
    """Every file of the data set below `folder`."""
    for place in (DATA, LABELS, SPLITS, CODES):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / DATA).mkdir(exist_ok=True)
    table = data_table(found, subjects)
    shard = (table["subject_id"].to_numpy() - 1) // SUBJECTS_A_FILE
    for number in np.unique(shard):
        # A subject in one file alone: readers refuse any other.
        parquet.write_table(table.filter(pa.array(shard == number)), folder / DATA / f"{number}.parquet")
    labels, which, split = parts
    parquet.write_table(labels, folder / LABELS)
    parquet.write_table(split, folder / SPLITS)
    parquet.write_table(which, folder / "metadata" / "cases.parquet")
    codes = sorted(set(table["code"].to_pylist()))
    none = pa.nulls(len(codes), pa.list_(pa.string()))
    described = pa.array([code.replace("//", ": ").lower().replace("_", " ") for code in codes], pa.string())
    parquet.write_table(pa.table({"code": pa.array(codes, pa.string()), "description": described, "parent_codes": none}), folder / CODES)
    write_json(folder / DATASET, dataset(name))
    return {"subjects": len(subjects), "events": table.num_rows, "codes": len(codes), "labels": labels.num_rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read tables, cases, labels and folds; write a data set, whole or not at all."""
    parser = step_parser("export-meds", EPILOG)
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, labels and folds")
    parser.add_argument("--design", default="kfold", help="design whose fold makes the split, and whose folds the predictions are of")
    parser.add_argument("--fold", type=int, default=0, help="fold that is held out in the split")
    parser.add_argument("--name", default="oncoraft", help="dataset_name")
    declare(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("export-meds", given)
    names = [table.name for table in TABLES if table.name not in ("cna", "cna_segments")]
    files = {name: require_file(given.tables / f"{name}.parquet", "a table written by `oncoraft ingest`") for name in names}
    tables = {name: pd.read_parquet(path) for name, path in files.items()}
    cases = read_table(given.cases / "cases.parquet", ("case_id", "patient_id", "index_day"), ["case_id"])
    definition = blocks["labels"].definition
    labels = read_table(
        given.cases / "labels.parquet",
        ("case_id", "definition", "responder"),
        ["case_id", "definition"],
        filters=[("definition", "==", definition)],
    )
    folds = read_table(
        given.cases / "folds.parquet",
        ("case_id", "patient_id", "design", "fold", "is_tuning"),
        ["case_id", "design"],
        filters=[("design", "==", given.design)],
    )
    if given.fold not in set(folds["fold"]):
        raise InputError(f"expected a fold of design {given.design!r} with cases in it", column="--fold", found=given.fold)
    people = sorted(tables["clinical_patient"]["patient_id"].astype(str))
    subjects = pd.Series(np.arange(1, len(people) + 1, dtype=np.int64), index=people)
    parts = (*label_tables(cases, labels, subjects), splits(folds, subjects, given.fold))
    answers = answers_of(given, cases, folds, *parts[:2])
    with publishing(given.out, step="export-meds", folders=[given.out], own=OWN) as (folder,):
        folder.mkdir()
        counts = write(folder, events(tables), subjects, parts, given.name) | answers.write(folder)
        outputs = {given.out / path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
        inputs = [*files.values(), *(given.cases / f"{name}.parquet" for name in ("cases", "labels", "folds")), *answers.inputs]
        settings = settings_record(given, blocks) | answers.settings
        record = manifest("export-meds", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=given.out / MANIFEST)
        write_json(folder / MANIFEST, sealed(record))
    log.info("export-meds: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
