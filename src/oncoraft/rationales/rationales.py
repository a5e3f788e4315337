"""Rationales: a teacher proposes, verifiers judge, what is rejected is asked for again or falls back to the template; all of it counted.

`oncoraft rationales evidence.parquet CASES --out rationales.jsonl`. Teachers: `template` (offline), `endpoint` (a language model behind
an OpenAI-compatible chat API), `file`. Every case with an evaluable label of the configured definition gets one rationale; which of them
may be learned from is decided per fold by `oncoraft split`. No case or patient id is ever shown to a teacher.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.artefacts import read_table
from oncoraft.evidence.shown import shown_fields
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.planning.config import Rationales
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.rationales.teacher import Lesson, Teacher
from oncoraft.rationales.teacher_endpoint import EndpointTeacher, Plan
from oncoraft.rationales.teacher_file import FileTeacher
from oncoraft.rationales.teacher_template import TemplateTeacher
from oncoraft.verifiers.combine import NAMES, Rule, Verification, verify
from oncoraft.verifiers.record import Record

log = logging.getLogger("oncoraft")
EVALUABLE = ("CR", "PR", "SD", "PD")
HELP = """in:
  EVIDENCE   evidence.parquet: one statement a row, known at the index date
  CASES      folder with labels.parquet
out:
  --out      one JSON object a case: case_id, rationale, teacher, verifiers {name: score}, status (accepted or fallback),
             attempts, spans {verifier: [[start, end, outcome, reason], ...]}
  and <out>.manifest.json with the counts of what was rejected, by verifier, and why cases fell back

examples:
  oncoraft rationales prompts/evidence.parquet cases --out prompts/rationales.jsonl
  ONCORAFT_TEACHER_KEY=... oncoraft rationales prompts/evidence.parquet cases --config mine.yaml --out prompts/rationales.jsonl
  oncoraft rationales prompts/evidence.parquet cases --config mine.yaml --out prompts/rationales.jsonl --dry-run   # what would it cost?"""


@dataclass
class Tally:
    """What happened on the way to one rationale a case."""

    proposed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    missing: int = 0

    def record(self) -> dict[str, Any]:
        """For the manifest."""
        return {"proposed": self.proposed, "rejected_by": {name: self.rejected[name] for name in (*NAMES, "mean") if self.rejected[name]}}


def lessons_of(evidence: pd.DataFrame, labels: pd.DataFrame, sees_label: bool, fields: Collection[str] | None = None) -> list[Lesson]:
    """Every evaluable case with its evidence, sorted by case.

    Args:
        evidence: columns of `evidence.parquet`.
        labels: rows of one definition.
        sees_label: whether the teacher is told the score.
        fields: fields that the prompt shows; None: all.

    Raises:
        InputError: an evaluable case has no evidence.
    """
    evaluable = labels[labels["category"].isin(EVALUABLE) & labels["score"].notna()].set_index("case_id")["score"]
    shown = evidence[evidence["case_id"].isin(evaluable.index)]
    if fields is not None:
        shown = shown[shown["field"].isin(fields)]
    by_case: dict[str, list[tuple[str, str]]] = {}
    for case_id, section, text in zip(shown["case_id"], shown["section"], shown["text"]):
        by_case.setdefault(case_id, []).append((section, text))
    if absent := set(evaluable.index) - set(by_case):
        raise InputError(f"expected evidence of every labelled case; {len(absent)} have none, the first {min(absent)}")
    return [
        Lesson(
            case_id, tuple(by_case[case_id]), Record.from_statements(by_case[case_id]), float(evaluable[case_id]) if sees_label else None
        )
        for case_id in sorted(by_case)
    ]


def write(
    lessons: Sequence[Lesson], teacher: Teacher, template: TemplateTeacher, rule: Rule, samples: int
) -> tuple[list[dict[str, Any]], Tally]:
    """A rationale of every case, sorted by case.

    The teacher is asked up to `samples` times for a rationale that the verifiers accept. What it cannot give, the template gives.

    Args:
        lessons: cases, sorted.
        teacher: who writes.
        template: who writes where the teacher cannot.
        rule: when a rationale is accepted.
        samples: tries of a case.
    """
    tally = Tally()
    rows: dict[str, dict[str, Any]] = {}
    waiting = list(lessons)
    for attempt in range(samples):
        if not waiting:
            break
        proposals = teacher.propose(waiting, attempt)
        judged = [
            (lesson, text, judge(lesson, text, rule, teacher.instruction))
            for lesson in waiting
            if (text := proposals.get(lesson.case_id)) is not None
        ]
        tally.proposed += len(judged)
        if attempt == 0:
            tally.missing = len(waiting) - len(judged)
        for lesson, text, verification in judged:
            tally.rejected.update(verification.failed)
            if verification.accepted:
                rows[lesson.case_id] = row(lesson, text, teacher.name, verification, "accepted", attempt + 1)
        waiting = [lesson for lesson in waiting if lesson.case_id not in rows]
        log.info("rationales: attempt %d, %d of %d cases accepted", attempt + 1, len(rows), len(lessons))
    for lesson in waiting:
        text, verification = last_resort(lesson, template, rule)
        rows[lesson.case_id] = row(lesson, text, template.name, verification, "fallback", samples)
    return [rows[lesson.case_id] for lesson in lessons], tally


def judge(lesson: Lesson, text: str, rule: Rule, instruction: str = "") -> Verification:
    """All verifiers on a rationale of a case."""
    return verify(text, lesson.record, lesson.score, rule, instruction)


def last_resort(lesson: Lesson, template: TemplateTeacher, rule: Rule) -> tuple[str, Verification]:
    """The template's rationale of a case, else its plainest; the latter is taken whatever the verifiers say, its scores beside it."""
    composed = template.propose([lesson], 0)[lesson.case_id] or ""
    verification = judge(lesson, composed, rule)
    if verification.accepted:
        return composed, verification
    text = template.plain(lesson)
    return text, judge(lesson, text, rule)


def row(lesson: Lesson, text: str, teacher: str, verification: Verification, status: str, attempts: int) -> dict[str, Any]:
    """One line of `rationales.jsonl`."""
    return {
        "case_id": lesson.case_id,
        "rationale": text,
        "teacher": teacher,
        "verifiers": verification.scores,
        "status": status,
        "attempts": attempts,
        "spans": verification.spans(),
    }


def make_teacher(block: Rationales, template: TemplateTeacher, cache: Path) -> Teacher:
    """The configured teacher."""
    if block.teacher == "file":
        return FileTeacher(Path(block.file or ""))
    if block.teacher == "endpoint":
        return EndpointTeacher(block, cache)
    return template


def counts_of(rows: Sequence[dict[str, Any]], tally: Tally, block: Rationales, teacher: Teacher) -> dict[str, Any]:
    """What the manifest tells: who wrote, what was rejected and why, how sure the verifiers are."""
    scores = pd.DataFrame([row["verifiers"] for row in rows], columns=list(NAMES))
    fallback = [row for row in rows if row["status"] == "fallback"]
    counts: dict[str, Any] = {
        "teacher": block.teacher,
        "teacher_sees_label": block.sees_label,
        "rationales": len(rows),
        "accepted": len(rows) - len(fallback),
        "fallback": len(fallback),
        "fallback_missing": tally.missing,
        "fallback_below_the_rule": sum(
            any(row["verifiers"].get(name, 1) < least for name, least in block.minimum.items()) for row in fallback
        ),
        **tally.record(),
        "attempts": {str(number): count for number, count in sorted(Counter(row["attempts"] for row in rows).items())},
        "mean_score": {name: round(float(scores[name].mean()), 4) for name in NAMES if scores[name].notna().any()},
    }
    if isinstance(teacher, FileTeacher):
        counts["cases_of_the_file_not_needed"] = len(set(teacher.texts) - {row["case_id"] for row in rows})
    if isinstance(teacher, EndpointTeacher):
        counts["endpoint"] = teacher.counts()
    return counts


def read_inputs(given: argparse.Namespace, definition: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evidence and the labels of one definition.

    Raises:
        InputError: a file is absent, or no case has a label of that definition.
    """
    path = given.cases / "labels.parquet"
    for file, made_by in ((given.evidence, "evidence"), (path, "labels")):
        if not file.is_file():
            raise InputError(f"expected a file written by `oncoraft {made_by}`", file=file)
    labels = read_table(path, ["case_id", "definition"], whole=True)
    labels = labels[labels["definition"] == definition]
    if labels.empty:
        raise InputError("expected labels of the configured definition", file=path, column="definition", found=definition)
    return read_table(given.evidence, ["case_id", "section", "field", "text"]), labels


def named(numbers: Mapping[Any, float]) -> dict[str, float]:
    """Numbers of verifiers by plain name."""
    return {str(name): number for name, number in numbers.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read evidence and labels, write rationales; or tell what they would cost."""
    parser = step_parser("rationales", HELP)
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds labels.parquet")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="rationales.jsonl to write")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what the teacher would cost in requests and tokens; ask and write nothing"
    )
    given = parser.parse_args(arguments)
    blocks = read_settings("rationales", given)
    block: Rationales = blocks["rationales"]
    evidence, labels = read_inputs(given, blocks["labels"].definition)
    lessons = lessons_of(evidence, labels, block.sees_label, shown_fields(block.fields_of or "full"))
    cache = Path(block.endpoint_cache) if block.endpoint_cache else given.out.parent / "teacher-cache"
    if given.dry_run:
        print(
            json.dumps(
                Plan.of(block, cache, lessons).record() if block.teacher == "endpoint" else {"requests": 0, "cases": len(lessons)}, indent=1
            )
        )
        return 0
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="rationales")
    template = TemplateTeacher(block.seed)
    teacher = make_teacher(block, template, cache)
    rule = Rule(named(block.weights), named(block.minimum), block.threshold)
    rows, tally = write(lessons, teacher, template, rule, block.samples)
    if tally.missing and block.missing == "refuse":
        raise InputError(f"rationales.missing: refuse; expected a rationale of every case, the teacher has none of {tally.missing}")
    counts = counts_of(rows, tally, block, teacher)
    own = {"file": block.file, "endpoint": block.endpoint_instruction}.get(block.teacher)
    inputs = [given.evidence, given.cases / "labels.parquet", *([Path(own)] if own else [])]
    with publishing(given.out, record, step="rationales") as (out, note):
        write_jsonl(out, rows)
        settings = settings_record(given, blocks)
        write_json(note, manifest("rationales", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info(
        "rationales: %d by %s (label %s), %d fell back, rejected by %s",
        len(rows),
        block.teacher,
        "seen" if block.sees_label else "not seen",
        counts["fallback"],
        counts["rejected_by"] or "nobody",
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
