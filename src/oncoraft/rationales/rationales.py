"""Rationales: a teacher proposes, verifiers judge, what is rejected is asked for again or falls back to the template; all of it counted.

`oncoraft rationales evidence.parquet CASES --out rationales.jsonl`. Teachers: `template` (offline), `endpoint` (a language model behind
an OpenAI-compatible chat API), `file`. Every case with an evaluable label of the configured definition gets one rationale; which of them
may be learned from is decided per fold by `oncoraft split`. No case or patient id is ever shown to a teacher.
"""

from __future__ import annotations

import argparse
import json
import logging
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.artefacts import read_table
from oncoraft.evidence.shown import shown_fields
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.ranges import RangedTable, patient_ranges
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
    """What happened on the way to one rationale a case, and what the rationales are."""

    proposed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    status: Counter[str] = field(default_factory=Counter)
    attempts: Counter[int] = field(default_factory=Counter)
    below: int = 0  # fallbacks that the rule would not have accepted
    scores: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in NAMES})

    def see(self, row: dict[str, Any], minimum: Mapping[str, float]) -> None:
        """Count one line of `rationales.jsonl`."""
        self.status[row["status"]] += 1
        self.attempts[row["attempts"]] += 1
        told = row["verifiers"]
        self.below += row["status"] == "fallback" and any(told.get(name, 1) < least for name, least in minimum.items())
        for name, score in told.items():
            self.scores[name].append(score)

    def record(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "rationales": self.status.total(),
            "accepted": self.status["accepted"],
            "fallback": self.status["fallback"],
            "fallback_missing": self.missing,
            "fallback_below_the_rule": self.below,
            "proposed": self.proposed,
            "rejected_by": {name: self.rejected[name] for name in (*NAMES, "mean") if self.rejected[name]},
            "attempts": {str(number): count for number, count in sorted(self.attempts.items())},
            "mean_score": {name: round(fmean(scores), 4) for name, scores in self.scores.items() if scores},
        }


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
    refuse_absent(set(evaluable.index) - set(by_case))
    return [
        Lesson(
            case_id, tuple(by_case[case_id]), Record.from_statements(by_case[case_id]), float(evaluable[case_id]) if sees_label else None
        )
        for case_id in sorted(by_case)
    ]


def write(
    lessons: Sequence[Lesson], teacher: Teacher, template: TemplateTeacher, rule: Rule, samples: int, tally: Tally
) -> list[dict[str, Any]]:
    """A rationale of every case, sorted by case.

    The teacher is asked up to `samples` times for a rationale that the verifiers accept. What it cannot give, the template gives.

    Args:
        lessons: cases, sorted.
        teacher: who writes.
        template: who writes where the teacher cannot.
        rule: when a rationale is accepted.
        samples: tries of a case.
        tally: counts on.
    """
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
            tally.missing += len(waiting) - len(judged)
        for lesson, text, verification in judged:
            tally.rejected.update(verification.failed)
            if verification.accepted:
                rows[lesson.case_id] = row(lesson, text, teacher.name, verification, "accepted", attempt + 1)
        waiting = [lesson for lesson in waiting if lesson.case_id not in rows]
        log.info("rationales: attempt %d, %d of %d cases accepted", attempt + 1, len(rows), len(lessons))
    for lesson in waiting:
        text, verification = last_resort(lesson, template, rule)
        rows[lesson.case_id] = row(lesson, text, template.name, verification, "fallback", samples)
    found = [rows[lesson.case_id] for lesson in lessons]
    for one in found:
        tally.see(one, rule.minimum)
    return found


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


def counts_of(tally: Tally, block: Rationales, teacher: Teacher) -> dict[str, Any]:
    """What the manifest tells: who wrote, what was rejected and why, how sure the verifiers are."""
    counts: dict[str, Any] = {"teacher": block.teacher, "teacher_sees_label": block.sees_label, **tally.record()}
    if isinstance(teacher, FileTeacher):
        counts["cases_of_the_file_not_needed"] = len(teacher.texts) - len(teacher.asked)
    if isinstance(teacher, EndpointTeacher):
        counts["endpoint"] = teacher.counts()
    return counts


class Lessons:
    """Every evaluable case with its evidence, sorted by case; read a range at a time, as often as it is asked for."""

    def __init__(self, given: argparse.Namespace, definition: str, sees_label: bool, fields: Collection[str] | None = None) -> None:
        """Open evidence and labels; `definition` is whose labels count, the rest as for `lessons_of`.

        Raises:
            InputError: a file is absent, no case has a label of that definition, or an evaluable one has no evidence.
        """
        path = given.cases / "labels.parquet"
        for file, made_by in ((given.evidence, "evidence"), (path, "labels")):
            if not file.is_file():
                raise InputError(f"expected a file written by `oncoraft {made_by}`", file=file)
        self.evidence = RangedTable(given.evidence, "case_id", ["case_id", "section", "field", "text"])
        columns = ["case_id", "definition", "category", "score"]
        labels = pa.Table.from_pandas(read_table(path, columns, filters=[("definition", "=", definition)]), preserve_index=False)
        if not labels.num_rows:
            raise InputError("expected labels of the configured definition", file=path, column="definition", found=definition)
        judged = pc.and_(pc.is_in(labels["category"], pa.array(EVALUABLE)), pc.is_valid(labels["score"]))
        self.labels, self.sees_label, self.fields = labels.filter(judged).combine_chunks(), sees_label, fields
        case_ids = self.labels["case_id"].combine_chunks()
        refuse_absent(set(case_ids.filter(pc.invert(pc.is_in(case_ids, self.evidence.ids()))).to_pylist()))
        # Labels do not say whose a case is, and a rationale tells of its case alone.
        self.ranges = patient_ranges(case_ids)

    def __iter__(self) -> Iterator[list[Lesson]]:
        for one in self.ranges:
            own = self.labels.filter(pc.is_in(self.labels["case_id"], one.case_ids))
            yield lessons_of(self.evidence.rows(one.case_ids), own.to_pandas(), self.sees_label, self.fields)


def refuse_absent(absent: Collection[str]) -> None:
    """Every evaluable case must have evidence."""
    if absent:
        raise InputError(f"expected evidence of every labelled case; {len(absent)} have none, the first {min(absent)}")


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
    lessons = Lessons(given, blocks["labels"].definition, block.sees_label, shown_fields(block.fields_of or "full"))
    cache = Path(block.endpoint_cache) if block.endpoint_cache else given.out.parent / "teacher-cache"
    if given.dry_run:
        every = (lesson for part in lessons for lesson in part)
        costs = Plan.of(block, cache, every).record() if block.teacher == "endpoint" else {"requests": 0, "cases": len(list(every))}
        print(json.dumps(costs, indent=1))
        return 0
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="rationales")
    template, tally = TemplateTeacher(block.seed), Tally()
    teacher = make_teacher(block, template, cache)
    rule = Rule(named(block.weights), named(block.minimum), block.threshold)
    own = {"file": block.file, "endpoint": block.endpoint_instruction}.get(block.teacher)
    inputs = [given.evidence, given.cases / "labels.parquet", *([Path(own)] if own else [])]
    with publishing(given.out, record, step="rationales") as (out, note):
        write_jsonl(out, (row for part in lessons for row in write(part, teacher, template, rule, block.samples, tally)))
        if tally.missing and block.missing == "refuse":
            raise InputError(f"rationales.missing: refuse; expected a rationale of every case, the teacher has none of {tally.missing}")
        settings, counts = settings_record(given, blocks), counts_of(tally, block, teacher)
        write_json(note, manifest("rationales", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info(
        "rationales: %d by %s (label %s), %d fell back, rejected by %s",
        counts["rationales"],
        block.teacher,
        "seen" if block.sees_label else "not seen",
        counts["fallback"],
        counts["rejected_by"] or "nobody",
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
