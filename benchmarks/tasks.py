"""What three text tasks add to the prompts stage: processor time, both sides in one process on the same tables.

    python benchmarks/tasks.py TABLES CASES

Response: evidence of every treatment case and its prompt. Tasks: finding the cases, evidence of their own fields, prompts, and the search of
each for its answer, for radiation_regimen, modality (asked on the same days: its evidence is taken from there, as in the workflow) and icd10.
Their cases are not the treatment cases. Lengths are estimated on both sides.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.evidence.evidence import collect, collected, collecting
from oncoraft.evidence.reading import read_cases, read_tables
from oncoraft.planning.config import Evidence, Prompts, Radiation, TextTask
from oncoraft.prompts.budget import estimated_tokens
from oncoraft.prompts.render import render, renderer_of
from oncoraft.tasks.declaration import Material
from oncoraft.tasks.prompts import audit, rendered
from oncoraft.tasks.registry import task_of
from oncoraft.twin.radiation_courses import courses

TASKS = ("radiation_regimen", "modality", "icd10")


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and its processor seconds."""
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def of_task(kind: str, folder: Path, tables: dict[str, pd.DataFrame], table: Path, known: dict[str, pd.DataFrame]) -> int:
    """All steps of one task up to its prompts; how many there are.

    Args:
        kind: of the task.
        folder: of the tables.
        tables: those that evidence reads.
        table: CSV of courses.
        known: evidence by pool, as far as an earlier task has collected it; the task's own is added.
    """
    task = task_of(kind)
    pool = task.pool or kind
    cases = task.find(Material(TextTask(kind=kind), folder, None, table, Radiation().gap_days)).cases
    taken = known[pool][known[pool]["case_id"].isin(set(cases["case_id"]))] if pool in known else None
    known[pool] = evidence = collected(tables, cases, collecting(Evidence()) | {"fields": frozenset(task.fields)}, taken)
    prompts, _ = rendered(task, cases, evidence, TextTask().token_budget)
    audit(task, prompts)
    return len(prompts)


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("cases", type=Path)
    given = parser.parse_args()
    tables, cases = read_tables(given.tables), read_cases(given.cases)
    frames = [pd.read_parquet(given.tables / f"{name}.parquet") for name in ("timeline_radiation", "timeline_diagnosis")]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "courses.csv"
        courses(frames[0], frames[1], Radiation().gap_days, Radiation().seed)[0].to_csv(table, index=False)
        counts, seconds, known = {}, {}, {}
        for kind in TASKS:
            counts[kind], seconds[kind] = timed(lambda kind=kind: of_task(kind, given.tables, tables, table, known))
    evidence, evidence_seconds = timed(lambda: collect(tables, cases, **collecting(Evidence())))
    _, wrote = timed(lambda: render(evidence, renderer_of(Prompts()), Prompts().token_budget, estimated_tokens))
    response = evidence_seconds + wrote
    figures = {"cases": len(cases), "response_seconds": round(response, 2), "prompts": counts}
    figures |= {
        "task_seconds": {kind: round(value, 2) for kind, value in seconds.items()},
        "added": round(sum(seconds.values()) / response, 3),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
