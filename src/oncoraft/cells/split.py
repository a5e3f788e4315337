"""Training and held-out files of one fold of a design of cells: `oncoraft cell-split DIR --design D --fold 0 --train F --heldout F`.

Their rows are those of treatment cases, so that the same engine trains on them: instruction, input, output, score, responder. Held-out
rows carry neither answer nor label.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.answers import answer_text
from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.tables import parts_of_fold, read_cases, read_folds
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import LEAKING, CellStudy
from oncoraft.planning.edge import run, settings_record

log = logging.getLogger("oncoraft")
KEYS = ("case_id", "patient_id", "instruction", "input", "score", "responder")
STATED = {True: "The disease is called sensitive.", False: "The disease is called resistant."}  # no reason: nobody has given one


def capped(rows: list[dict[str, Any]], most: int | None, *parts: object) -> list[dict[str, Any]]:
    """At most so many rows, by hash: a higher cap adds rows and takes none away."""
    if most is None or len(rows) <= most:
        return rows
    ordered = sorted(rows, key=lambda row: (stable_fraction(*parts, row["case_id"]), row["case_id"]))
    chosen = {row["case_id"] for row in ordered[:most]}
    return [row for row in rows if row["case_id"] in chosen]


def answered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their answers in the published layout."""
    return [row | {"output": answer_text(row["score"], STATED[row["responder"]])} for row in rows]


def of_fold(
    given: argparse.Namespace, study: CellStudy, cases: pd.DataFrame, prompts: dict[str, dict[str, Any]]
) -> dict[Path, list[dict[str, Any]]]:
    """Training and held-out rows of one fold, by the file that they go to."""
    folds = read_folds(given.folder, given.design)
    sides = parts_of_fold(cases, folds, given.fold, given.design == LEAKING)
    train, held = ([prompts[cases["case_id"].iloc[k]] | {"fold": given.fold} for k in side] for side in sides)
    train = capped(train, study.max_training_cases, study.seed, "training")
    held = capped(held, study.max_heldout_cases, study.seed, "held out")
    asked = [{name: value for name, value in row.items() if name not in ("score", "responder")} | {"output": ""} for row in held]
    return {given.train: answered(train), given.heldout: asked}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one fold of one design."""
    parser = cell_parser(
        "cell-split",
        "example:\n  oncoraft cell-split cells/lung --prompts prompts.jsonl --design pooled_by_donor --fold 0 --train train.jsonl --heldout heldout.jsonl --config config/cells.yaml",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with cases.parquet and folds.parquet")
    parser.add_argument("--prompts", type=Path, required=True, metavar="FILE", help="prompts.jsonl of these cases")
    parser.add_argument("--design", help="design of the folds")
    parser.add_argument("--fold", type=int, help="the fold that is held out")
    parser.add_argument("--train", type=Path, metavar="FILE", help="training file to write")
    parser.add_argument("--heldout", type=Path, metavar="FILE", help="held-out file to write")
    parser.add_argument(
        "--all", type=Path, metavar="FILE", help="write every case with its answer to one file instead: what a tiny model reads first"
    )
    given = parser.parse_args(arguments)
    if (given.all is None) == (None in (given.design, given.fold, given.train, given.heldout)):
        parser.error("give either --all, or all of --design, --fold, --train and --heldout")
    blocks = cell_settings("cell-split", given)
    study = blocks["cell_study"]
    written = [given.all] if given.all is not None else [given.train, given.heldout]
    record = written[0].with_name("manifest.json") if given.all is None else given.all.with_name(given.all.name + ".manifest.json")
    claim(*written, record, step="cell-split")
    cases = read_cases(given.folder)
    prompts = {row["case_id"]: row for row in read_jsonl(given.prompts, KEYS, once="case_id")}
    if absent := sorted(set(cases["case_id"]) - set(prompts)):
        raise InputError(f"expected a prompt of every case; {len(absent)} have none, the first", file=given.prompts, found=absent[0])
    inputs = [given.prompts, given.folder / "cases.parquet"]
    if given.all is not None:
        parts = {given.all: answered(list(prompts.values()))}
    else:
        parts = of_fold(given, study, cases, prompts)
        inputs.append(given.folder / "folds.parquet")
    counts = {path.stem: {"cases": len(rows), "donors": len({row["patient_id"] for row in rows})} for path, rows in parts.items()}
    with publishing(*parts, record, step="cell-split") as temporary:
        for rows, path in zip(parts.values(), temporary):
            write_jsonl(path, rows)
        outputs = dict(zip(parts, temporary))
        settings = settings_record(given, blocks)
        write_json(temporary[-1], manifest("cell-split", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=record))
    log.info("cell-split: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
