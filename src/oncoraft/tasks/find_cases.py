"""Cases of one text task: `oncoraft task-cases TABLES --cohort CASES --out FOLDER`.

What the task's declaration finds becomes `cases.parquet` in the folder; for tasks on the tables it has the columns that `oncoraft evidence`,
`oncoraft audit` and `oncoraft folds` read, so that evidence at the index date, its look-ahead audit and the folds are those of every case.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.planning.edge import run, settings_record
from oncoraft.tasks.declaration import Found, Material, Task
from oncoraft.tasks.edge import task_parser, task_settings

log = logging.getLogger("oncoraft")


def found_cases(task: Task, material: Material) -> Found:
    """Cases of a task, checked.

    Raises:
        InputError: there is none, or a patient without an id.
    """
    found = task.find(material)
    if found.cases.empty:
        reasons = "; ".join(f"{count} {reason}" for reason, count in found.left_out.items() if count)
        raise InputError(f"task {task.kind}: expected at least one case with an answer" + (f" ({reasons})" if reasons else ""))
    assert found.cases["case_id"].is_unique
    assert found.cases["answer"].map(lambda answer: isinstance(answer, str) and bool(answer.strip())).all()
    return found


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = task_parser(
        "task-cases",
        "in:  what the task reads: ingested tables, the cohort's cases, a CSV of courses, or the file that its settings name\n"
        "out: cases.parquet (case_id, patient_id, index_day, answer and what evidence reads) fields.txt (of the evidence that it shows),\n     and a manifest, which counts what was left out\n\n"
        "example:\n  oncoraft task-cases tables --out tasks/icd10 --config config/tasks.yaml --task icd10",
    )
    parser.add_argument("tables", type=Path, nargs="?", metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("--cohort", type=Path, metavar="CASES", help="folder that holds the cohort's cases.parquet")
    parser.add_argument("--courses", type=Path, metavar="FILE", help="CSV of radiation courses")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write cases.parquet to")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Find the cases of one task."""
    given = parse(arguments)
    declared, blocks = task_settings("task-cases", given)
    target, listed = given.out / "cases.parquet", given.out / "fields.txt"
    record = given.out / "cases.parquet.manifest.json"
    claim(target, listed, record, step="task-cases", home=given.out)
    task, radiation = blocks["task"], blocks["radiation"]
    material = Material(task, given.tables, given.cohort, given.courses, radiation.gap_days)
    found = found_cases(declared, material)
    counts = {
        "cases": len(found.cases),
        "patients": int(found.cases["patient_id"].nunique()),
        "answers": int(found.cases["answer"].nunique()),
    }
    inputs = [given.courses, Path(task.file) if task.file else None, given.cohort and given.cohort / "cases.parquet"]
    inputs += (
        [given.tables / f"{name}.parquet" for name in ("timeline_diagnosis", "timeline_radiation", "clinical_patient")]
        if given.tables
        else []
    )
    with publishing(target, listed, record, step="task-cases", home=given.out) as (out, fields, note):
        found.cases.to_parquet(out, index=False)
        fields.write_text("".join(f"{name}\n" for name in declared.fields), encoding="utf-8")
        told = counts | {"left_out": found.left_out}
        read = [path for path in inputs if path is not None and path.is_file()]
        written = manifest(
            "task-cases",
            inputs=read,
            outputs={target: out, listed: fields},
            settings=settings_record(given, blocks),
            counts=told,
            beside=record,
        )
        write_json(note, written)
    log.info("task-cases: %s: %s; left out: %s", declared.kind, counts, found.left_out)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
