"""A group's own cases: instruction, input, output and patient of each, as JSONL or CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.foundation.csv_file import iterate_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import iterate_jsonl
from oncoraft.tasks.declaration import NOTHING_STARTS, Found, Material, Task
from oncoraft.tasks.measures import normalised

NEEDED = ("instruction", "input", "output", "patient")
PARTS = ("train", "heldout")


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Lines of the file with what they hold.

    Raises:
        InputError: no such file, another kind of file, no UTF-8, or a column that is missing.
    """
    if path.suffix == ".jsonl":
        for number, _, row in iterate_jsonl(path, "a JSONL of cases"):
            if absent := [name for name in NEEDED if name not in row]:
                raise InputError("expected this key", file=path, line=number, column=absent[0])
            yield number, row
        return
    if path.suffix != ".csv":
        raise InputError("expected a name that ends in .jsonl or .csv", file=path)
    yield from iterate_csv(path, NEEDED, "a CSV of cases")


def checked(row: dict[str, Any], place: dict[str, Any], parts: str) -> dict[str, Any]:
    """One case.

    Raises:
        InputError: a value that is no text or empty, an answer outside its choices, or a part that is none.
    """
    found: dict[str, Any] = {}
    for name in NEEDED:
        value = row[name]
        if not isinstance(value, str):
            raise InputError("expected text", column=name, found=type(value).__name__, **place)
        if not (normalised(value) if name == "output" else value.strip()):
            raise InputError("expected an answer" if name == "output" else "expected text, found nothing", column=name, **place)
        found[name] = value.strip()
    choices = row.get("choices") or []
    if isinstance(choices, str):
        choices = [one.strip() for one in choices.split("|")]
    if not isinstance(choices, list) or not all(isinstance(one, str) and one.strip() for one in choices):
        raise InputError("expected a list of texts, or one text with | between them", column="choices", **place)
    if len(choices) == 1:
        raise InputError("expected at least two choices, in a text with | between them", column="choices", found=choices[0], **place)
    if choices and normalised(found["output"]) not in map(normalised, choices):
        raise InputError(f"expected one of its choices: {', '.join(choices)}", column="output", found=found["output"], **place)
    if parts == "from_file" and row.get("part") not in PARTS:
        raise InputError(f"expected one of {', '.join(PARTS)}", column="part", found=str(row.get("part")), **place)
    return found | {"choices": choices, "part": row.get("part") if parts == "from_file" else None}


def find(material: Material) -> Found:
    """Every case of the file.

    Raises:
        InputError: see `rows_of` and `checked`; a patient on both sides, or no case at all.
    """
    assert material.settings.file is not None
    path = Path(material.settings.file)
    rows: list[dict[str, Any]] = []
    side: dict[str, tuple[Any, int]] = {}
    known, again = set[tuple[str, ...]](), 0
    for line, row in rows_of(path):
        case = checked(row, {"file": path, "line": line}, material.settings.parts)
        part, before = side.setdefault(case["patient"], (case["part"], line))
        if part != case["part"]:
            raise InputError(
                f"expected every patient on one side, in line {before} this one is in {part}",
                file=path,
                line=line,
                column="part",
                found=str(case["part"]),
            )
        told = tuple(case[name] for name in NEEDED)
        if told in known:
            again += 1
            continue
        known.add(told)
        rows.append(case | {"case_id": f"{case['patient']}_{line}"})
    if not rows:
        raise InputError("expected at least one case", file=path)
    cases = pd.DataFrame(rows).rename(columns={"patient": "patient_id", "output": "answer"})
    return Found(cases.assign(index_day=0, cancer_type="", diagnosis_day=0, **NOTHING_STARTS), {"the same case again": again})


def read(answer: str) -> str | None:
    """The answer's words; None where there are none."""
    return normalised(answer) or None


TASK = Task(
    kind="file",
    title="Task of a file",
    instruction="",
    source="file",
    find=find,
    fields=(),
    read=read,
    measures={"answer": lambda truth, answer: float(truth == answer)},
    category=str,
    # What stands in a group's inputs is for the group to say; an answer that is copied there is counted, not refused.
    forms=lambda answer: [re.compile(rf"(?<!\w){re.escape(answer)}(?!\w)", re.IGNORECASE)],
)
