"""`oncoraft pool`: cases of several cohorts as one, for models that are trained on both, folds by patient.

What is joined is what each cohort's own steps have made: cases, labels, follow-up, evidence, rationales. Nobody may stand in two cohorts:
of further ones those are taken who may be judged (`oncoraft overlap`), and an id that is there twice, in whatever case, is refused. Designs: `kfold`, by the
same hash as in one cohort, so that its patients stay in the folds that they have at home; `leave_cohort_out`: a cohort is held out at a time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from oncoraft.cases.folds import assign
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import Folds
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
LEAVE_OUT = "leave_cohort_out"
JOINED = ("cases/cases.parquet", "cases/labels.parquet", "cases/followup.parquet", "prompts/evidence.parquet", "prompts/rationales.jsonl")
AUDIT = "prompts/audit.json"
FILES = (*JOINED, "cases/folds.parquet", "cases/origin.parquet", AUDIT, "manifest.json")
EPILOG = """\
A cohort is a folder of results with cases, labels, follow-up, evidence, audit and rationales; two or more are needed. OUT receives the same
files, joined, with folds.parquet of the pooled designs and origin.parquet (patient_id, cohort).

example:
  oncoraft pool results/msk results/bpc --out results/pooled"""


def same_name(name: str) -> str:
    """An id as two cohorts are held against one another, by the rule of `oncoraft overlap`: in whatever case, without blanks about it."""
    return name.strip().casefold()


def refuse_shared(cases: Sequence[pd.DataFrame], names: Sequence[str]) -> None:
    """Whether a patient or a case stands in two cohorts, or in one without an id.

    Raises:
        InputError: the first that does: one patient would train a model and judge it.
    """
    for column in ("patient_id", "case_id"):
        owner: dict[str, str] = {}
        for frame, name in zip(cases, names, strict=True):
            if missing := int(frame[column].isna().sum()):
                raise InputError("expected an id in every row", column=column, found=f"nothing in {missing} of {name}")
            here = {same_name(one): str(one) for one in frame[column]}
            if both := sorted(owner.keys() & here.keys()):
                raise InputError(
                    f"expected nobody in two cohorts; {len(both)} of {name} are in {owner[both[0]]} too", column=column, found=here[both[0]]
                )
            owner |= dict.fromkeys(here, name)


def leave_cohort_out(cases: pd.DataFrame, origin: dict[str, str], names: Sequence[str], settings: Folds) -> pd.DataFrame:
    """Rows of folds.parquet in which fold k holds the k-th cohort out; tuning patients by the hash of every design.

    Args:
        cases: case_id, patient_id.
        origin: patient -> cohort.
        names: of the cohorts, in their order.
    """
    number = {name: place for place, name in enumerate(names)}
    fold = cases["patient_id"].map(origin).map(number).astype(np.int16)
    draw = cases["patient_id"].map(lambda patient: stable_fraction(settings.seed, LEAVE_OUT, "tuning", patient))
    return cases[["case_id", "patient_id"]].assign(design=LEAVE_OUT, fold=fold, is_tuning=draw < settings.tuning_fraction)


def pooled_folds(
    cases: pd.DataFrame, origin: dict[str, str], names: Sequence[str], settings: Folds, designs: Sequence[str]
) -> pd.DataFrame:
    """The folds of every pooled design, no patient in two.

    Raises:
        InputError: as `folds.assign`; a training part without anybody who trains.
    """
    parts = []
    if "kfold" in designs:
        parts.append(assign(cases, settings.model_copy(update={"designs": ("kfold",)}))[0])
    if LEAVE_OUT in designs:
        rows = leave_cohort_out(cases, origin, names, settings)
        for place, name in enumerate(names):
            if rows.loc[rows["fold"] != place, "is_tuning"].all():
                raise InputError(
                    f"expected a share that leaves patients to train on without {name}",
                    column="folds.tuning_fraction",
                    found=settings.tuning_fraction,
                )
        parts.append(rows)
    joined = pd.concat(parts)[["case_id", "patient_id", "design", "fold", "is_tuning"]]
    return joined.sort_values(["design", "case_id"], ignore_index=True)


def joined_table(paths: Sequence[Path]) -> pa.Table:
    """Tables under one another, by the names of their columns; one that a cohort lacks is null there."""
    tables = [pq.read_table(path) for path in paths]
    return pa.concat_tables([table.replace_schema_metadata(None) for table in tables], promote_options="permissive")


def joined_lines(paths: Sequence[Path]) -> str:
    """JSONL files under one another."""
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def refuse_other_folders(folders: Sequence[Path]) -> None:
    """Every file of every cohort, and no cohort twice.

    Raises:
        InputError: the first that is wrong.
    """
    if len({folder.name for folder in folders}) < max(len(folders), 2):
        raise InputError("expected two or more cohorts of different names", found=", ".join(folder.name for folder in folders))
    for folder in folders:
        for name in (*JOINED, AUDIT):
            require_file(folder / name, "a file of a cohort that is to be pooled")


def main(arguments: Sequence[str] | None = None) -> int:
    """Join cohorts, assign pooled folds, write."""
    parser = step_parser("pool", EPILOG)
    parser.add_argument("cohorts", type=Path, nargs="+", metavar="COHORT", help="folder of a cohort's results")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("pool", given)
    folders: list[Path] = given.cohorts
    files = [given.out / name for name in FILES]
    claim(*files, step="pool", home=given.out)
    refuse_other_folders(folders)
    names = [folder.name for folder in folders]
    cases = [pd.read_parquet(folder / JOINED[0]) for folder in folders]
    refuse_shared(cases, names)
    origin = {str(who): name for frame, name in zip(cases, names, strict=True) for who in frame["patient_id"]}
    every = pd.concat([frame[["case_id", "patient_id", "cancer_type", "gene_panel"]] for frame in cases], ignore_index=True)
    folds = pooled_folds(every, origin, names, blocks["folds"], blocks["pooling"].designs)
    inputs = [folder / name for folder in folders for name in (*JOINED, AUDIT)]
    counts: dict[str, Any] = {
        name: {"cases": len(frame), "patients": int(frame["patient_id"].nunique())} for frame, name in zip(cases, names, strict=True)
    }
    with publishing(*files, step="pool", home=given.out) as written:
        for name, path in zip(JOINED, written, strict=False):
            paths = [folder / name for folder in folders]
            if name.endswith(".parquet"):
                pq.write_table(joined_table(paths), path)
            else:
                path.write_text(joined_lines(paths), encoding="utf-8")
        out = dict(zip(FILES, written, strict=True))
        folds.to_parquet(out["cases/folds.parquet"], index=False)
        pd.DataFrame({"patient_id": list(origin), "cohort": list(origin.values())}).to_parquet(out["cases/origin.parquet"], index=False)
        write_json(out[AUDIT], {folder.name: json.loads((folder / AUDIT).read_text(encoding="utf-8")) for folder in folders})
        outputs = dict(zip(files[:-1], written[:-1], strict=True))
        note = settings_record(given, blocks)
        write_json(written[-1], manifest("pool", inputs=inputs, outputs=outputs, settings=note, counts=counts, beside=files[-1]))
    log.info("pool: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
