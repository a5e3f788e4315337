"""Training and held-out files of one fold of a task: `oncoraft task-split prompts.jsonl --folds folds.parquet --fold 0 ...`.

No patient is on both sides: asserted. Held-out rows carry no answer.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.edge import run, settings_record
from oncoraft.tasks.declaration import read_columns
from oncoraft.tasks.edge import task_parser, task_settings

log = logging.getLogger("oncoraft")
KEYS = ("case_id", "patient_id", "instruction", "input", "output", "site")
DESIGN = "kfold"  # by a hash of the patient: whoever is held out of one task is held out of every other


def capped(rows: list[dict[str, Any]], most: int | None, *parts: object) -> list[dict[str, Any]]:
    """At most so many rows, by hash: a higher cap adds rows and takes none away."""
    if most is None or len(rows) <= most:
        return rows
    chosen = {row["case_id"] for row in sorted(rows, key=lambda row: (stable_fraction(*parts, row["case_id"]), row["case_id"]))[:most]}
    return [row for row in rows if row["case_id"] in chosen]


def fold_parts(
    prompts: list[dict[str, Any]], fold_of: dict[str, int], fold: int, most_training: int | None, most_heldout: int | None, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Training and held-out rows of a fold.

    Args:
        prompts: rows of `prompts.jsonl`.
        fold_of: case -> the fold that holds it out; -1 only ever trains.
        fold: held out now.
        most_training, most_heldout: caps, or None.
        seed: of the caps.

    Raises:
        InputError: a side without cases.
    """
    if absent := [row["case_id"] for row in prompts if row["case_id"] not in fold_of]:
        raise InputError(f"expected a fold of every case; {len(absent)} have none, the first", found=min(absent))
    train = capped([row | {"fold": fold} for row in prompts if fold_of[row["case_id"]] != fold], most_training, seed, "training")
    held = capped([row | {"fold": fold} for row in prompts if fold_of[row["case_id"]] == fold], most_heldout, seed, "held out")
    for what, rows in (("to train on", train), ("held out", held)):
        if not rows:
            raise InputError(f"expected at least one case {what} in fold {fold}")
    shared = {row["patient_id"] for row in train} & {row["patient_id"] for row in held}
    assert not shared, f"{len(shared)} patients are on both sides, the first {min(shared)}"
    return train, [row | {"output": ""} for row in held]


def folds_of_file(prompts: list[dict[str, Any]]) -> dict[str, int]:
    """Fold 0 for the part that the file holds out, -1 for the one that trains."""
    return {row["case_id"]: 0 if row.get("part") == "heldout" else -1 for row in prompts}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one fold of one task."""
    parser = task_parser(
        "task-split",
        "in:  prompts.jsonl of a task, and folds.parquet of its cases (not where the task's file tells the parts)\n"
        "out: the fold's training file (with answers) and held-out file (without)\n\n"
        "example:\n  oncoraft task-split tasks/icd10/prompts.jsonl --folds tasks/icd10/folds.parquet --fold 0 --train train.jsonl --heldout heldout.jsonl --config config/tasks.yaml --task icd10",
    )
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="prompts.jsonl written by `oncoraft task-prompts`")
    parser.add_argument("--folds", type=Path, metavar="FILE", help="folds.parquet of the task's cases")
    parser.add_argument("--fold", type=int, required=True, help="the fold that is held out")
    parser.add_argument("--train", type=Path, required=True, metavar="FILE", help="training file to write")
    parser.add_argument("--heldout", type=Path, required=True, metavar="FILE", help="held-out file to write")
    given = parser.parse_args(arguments)
    _, blocks = task_settings("task-split", given)
    record = given.train.with_name("manifest.json")
    claim(given.train, given.heldout, record, step="task-split")
    task = blocks["task"]
    prompts = read_jsonl(given.prompts, KEYS, once="case_id")
    if task.parts == "from_file":
        fold_of = folds_of_file(prompts)
    elif given.folds is None:
        raise InputError("--folds: expected the folds of the task's cases")
    else:
        folds = read_columns(given.folds, ("case_id", "design", "fold"), "folds")
        folds = folds[folds["design"] == DESIGN]
        fold_of = dict(zip(folds["case_id"], folds["fold"].astype(int)))
    train, held = fold_parts(prompts, fold_of, given.fold, task.max_training_cases, task.max_heldout_cases, task.seed)
    counts = {
        name: {"cases": len(rows), "patients": len({row["patient_id"] for row in rows})}
        for name, rows in (("train", train), ("heldout", held))
    }
    with publishing(given.train, given.heldout, record, step="task-split") as (out, out_held, note):
        write_jsonl(out, train)
        write_jsonl(out_held, held)
        inputs = [given.prompts, *([given.folds] if given.folds else [])]
        outputs = {given.train: out, given.heldout: out_held}
        write_json(
            note,
            manifest("task-split", inputs=inputs, outputs=outputs, settings=settings_record(given, blocks), counts=counts, beside=record),
        )
    log.info("task-split: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
