"""Prompts of one text task: `oncoraft task-prompts FOLDER --evidence evidence.parquet --out prompts.jsonl --audit audit.json`.

Only statements of the fields that the task declares enter, in the task's order; codes are taken out where the task says so.
Then every prompt is searched for its own answer in every form that the task knows. One that holds it ends the step: nothing is written.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.answers import full_prompt
from oncoraft.evidence.brief import brief
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.planning.edge import run, settings_record
from oncoraft.tasks.declaration import Task, read_columns
from oncoraft.tasks.edge import task_parser, task_settings
from oncoraft.tasks.icd10 import without_codes

log = logging.getLogger("oncoraft")
CHARACTERS_PER_TOKEN = 3  # on the safe side for clinical English, as elsewhere where no tokenizer is at hand
NEVER_CUT = 90  # of the declared priorities: cancer type, stage, sites
SITE = ("primary_site", "histology")  # what "the most frequent answer by site" goes by
EVIDENCE = ("case_id", "order", "section", "field", "value", "text", "priority")


def statements_of(task: Task, evidence: pd.DataFrame, layout: str) -> pd.DataFrame:
    """Statements of the task's fields that say something in words, in the task's order; codes out where the task says so.

    Args:
        task: its declaration.
        evidence: columns of `evidence.parquet`.
        layout: statements, or compact: their brief forms, as a tiny model has read them, and the words of the site.
    """
    place = {name: number for number, name in enumerate(task.fields)}
    rows = evidence[evidence["field"].isin(place)]
    if layout == "compact":
        words = [
            brief(field, value, text) or (value if field in SITE else "")
            for field, value, text in zip(rows["field"], rows["value"], rows["text"])
        ]
        rows = rows.assign(text=words)
    rows = rows[rows["text"] != ""]
    rows = rows.assign(place=rows["field"].map(place)).sort_values(["case_id", "place", "order"], kind="stable")
    if task.scrub:
        clean = {text: without_codes(text) for text in rows["text"].unique()}
        rows = rows.assign(is_scrubbed=rows["text"].map(clean) != rows["text"], text=rows["text"].map(clean))
    return rows


def fitted(lines: Sequence[str], priorities: Sequence[int], instruction: str, budget: int) -> list[int]:
    """Places of the lines that stay, the lowest priority cut first (the last among equals) until the whole prompt fits."""
    size = len(full_prompt(instruction, "")) + sum(map(len, lines)) + len(lines)
    if math.ceil(size / CHARACTERS_PER_TOKEN) <= budget:
        return list(range(len(lines)))
    gone = set()
    for number in sorted((n for n in range(len(lines)) if priorities[n] < NEVER_CUT), key=lambda n: (priorities[n], -n)):
        gone.add(number)
        size -= len(lines[number]) + 1
        if math.ceil(size / CHARACTERS_PER_TOKEN) <= budget:
            break
    return [number for number in range(len(lines)) if number not in gone]


def laid_out(lines: Sequence[str], sections: Sequence[str], layout: str) -> str:
    """A line a statement; compact: a line a section, under its name."""
    if layout != "compact":
        return "\n".join(line[:1].upper() + line[1:] for line in lines)
    told: dict[str, list[str]] = {}
    for section, line in zip(sections, lines, strict=True):
        told.setdefault(section, []).append(line)
    return "\n".join(f"{section.replace('_', ' ').capitalize()}: {'; '.join(words)}" for section, words in told.items())


def rendered(
    task: Task, cases: pd.DataFrame, evidence: pd.DataFrame, budget: int, layout: str = "statements"
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """A prompt of every case about which something is known; what was cut and who was left out.

    Args:
        task: its declaration.
        cases: case_id, patient_id, answer.
        evidence: columns of `evidence.parquet`.
        budget: longest prompt in tokens, estimated.
        layout: see `statements_of`.
    """
    rows = statements_of(task, evidence[evidence["case_id"].isin(set(cases["case_id"]))], layout)
    names = rows["case_id"].to_numpy(object)
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]) if len(rows) else np.array([], dtype=int)
    stops = np.r_[starts[1:], len(names)]
    texts, priorities, fields, values, sections = (rows[name].tolist() for name in ("text", "priority", "field", "value", "section"))
    by_case = {names[start]: (int(start), int(stop)) for start, stop in zip(starts, stops)}
    needed = set(SITE) if task.scrub else set(task.fields)
    prompts, cut, silent = [], 0, 0
    for case_id, patient, answer in zip(cases["case_id"], cases["patient_id"], cases["answer"]):
        start, stop = by_case.get(case_id, (0, 0))
        if not needed & set(fields[start:stop]):
            silent += 1
            continue
        kept = [start + place for place in fitted(texts[start:stop], priorities[start:stop], task.instruction, budget)]
        cut += stop - start - len(kept)
        told = dict(zip(reversed(fields[start:stop]), reversed(values[start:stop])))
        prompts.append(
            {
                "case_id": case_id,
                "patient_id": patient,
                "instruction": task.instruction,
                "input": laid_out([texts[place] for place in kept], [sections[place] for place in kept], layout),
                "output": answer,
                "site": next((told[name] for name in ("primary_site", "cancer_type") if name in told), ""),
            }
        )
    counts = {"prompts": len(prompts), "statements_cut": cut, "cases_without_evidence": silent}
    return prompts, counts | ({"statements_scrubbed": int(rows["is_scrubbed"].sum())} if task.scrub else {})


def of_file(cases: pd.DataFrame) -> list[dict[str, Any]]:
    """Prompts of a file's cases, as they stand there."""
    return [
        {
            "case_id": row["case_id"],
            "patient_id": row["patient_id"],
            "instruction": row["instruction"],
            "input": row["input"],
            "output": row["answer"],
            "site": "",
            "choices": list(row["choices"]),
            "part": row["part"],
        }
        for row in cases.to_dict("records")
    ]


def audit(task: Task, prompts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Search every prompt for its own answer.

    Raises:
        InputError: one holds it, of a task on the tables; the case and what was found are named.
    """
    patterns = {answer: task.forms(answer) for answer in {row["output"] for row in prompts}}
    found = 0
    for row in prompts:
        for pattern in patterns[row["output"]]:
            if (hit := pattern.search(row["input"])) is None:
                continue
            if task.source != "file":
                raise InputError(
                    f"task {task.kind}, case {row['case_id']}: expected nothing of the answer in the prompt", found=hit.group().strip()
                )
            found += 1
            break
    return {
        "task": task.kind,
        "prompts": len(prompts),
        "answers": len(patterns),
        "prompts_that_hold_their_answer": found,
        "passed": found == 0,
        "note": "a file's inputs are its group's own: counted, not refused" if task.source == "file" else "one would have ended the run",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Render and audit the prompts of one task."""
    parser = task_parser(
        "task-prompts",
        "in:  cases.parquet written by `oncoraft task-cases`, and evidence of these cases (a file task brings its own text)\n"
        "out: prompts.jsonl with answers, and audit.json: how many prompts were searched for their own answer\n\n"
        "example:\n  oncoraft task-prompts tasks/icd10 --evidence tasks/icd10/evidence.parquet --out tasks/icd10/prompts.jsonl"
        " --audit tasks/icd10/audit.json --config config/tasks.yaml --task icd10",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder that holds the task's cases.parquet")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="evidence.parquet of these cases")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="prompts.jsonl to write")
    parser.add_argument("--audit", type=Path, required=True, metavar="FILE", help="audit.json to write")
    given: argparse.Namespace = parser.parse_args(arguments)
    task, blocks = task_settings("task-prompts", given)
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, given.audit, record, step="task-prompts")
    block = blocks["task"]
    own = ("case_id", "patient_id", "answer", *(("instruction", "input", "choices", "part") if task.source == "file" else ()))
    cases = read_columns(given.folder / "cases.parquet", own, "task-cases")
    if task.source == "file":
        prompts = of_file(cases)
        counts = {"prompts": len(prompts)}
    else:
        if given.evidence is None:
            raise InputError("--evidence: expected the evidence of this task's cases")
        prompts, counts = rendered(task, cases, read_columns(given.evidence, EVIDENCE, "evidence"), block.token_budget, block.layout)
    if not prompts:
        raise InputError(f"task {task.kind}: expected evidence of at least one case", file=given.evidence)
    report = audit(task, prompts)
    inputs = [given.folder / "cases.parquet", *([given.evidence] if given.evidence else [])]
    with publishing(given.out, given.audit, record, step="task-prompts") as (out, audited, note):
        write_jsonl(out, prompts)
        write_json(audited, report)
        outputs = {given.out: out, given.audit: audited}
        write_json(
            note,
            manifest("task-prompts", inputs=inputs, outputs=outputs, settings=settings_record(given, blocks), counts=counts, beside=record),
        )
    log.info("task-prompts: %s: %s", task.kind, counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
