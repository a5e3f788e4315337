"""One range of cases: asked for, judged, asked for again or written by the template, and counted.

A range is a piece of work of its own, which several processes may do side by side (`foundation.range_work`).
"""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import pyarrow as pa

from oncoraft.foundation.jsonl import BadJSON, json_line
from oncoraft.foundation.ranges import without_cycle_search
from oncoraft.rationales.lessons import lessons_of_range, open_evidence
from oncoraft.rationales.teacher import Lesson, Teacher
from oncoraft.rationales.teacher_template import TemplateTeacher
from oncoraft.verifiers.combine import NAMES, Rule, Verification, verify

log = logging.getLogger("oncoraft")


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

    def join(self, other: Tally) -> None:
        """Count on from what happened in another range, which comes behind."""
        for name in ("rejected", "status", "attempts"):
            getattr(self, name).update(getattr(other, name))
        self.proposed, self.missing, self.below = self.proposed + other.proposed, self.missing + other.missing, self.below + other.below
        for name, scores in other.scores.items():
            self.scores[name].extend(scores)

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


class Part(NamedTuple):
    """What there is to do of one range: labels of its cases, and who teaches them."""

    labels: pa.Table
    teacher: Teacher


class Written(NamedTuple):
    """Lines of `rationales.jsonl` of one range, as text, and what happened on the way; rows that are no JSON stay rows."""

    text: str
    rows: list[dict[str, Any]]
    tally: Tally


def writer_of_ranges(
    evidence: Path, sees_label: bool, fields: Collection[str] | None, template: TemplateTeacher, rule: Rule, samples: int
) -> Callable[[Part], Written]:
    """Opens the evidence, and returns what writes a range.

    Args:
        evidence: `evidence.parquet`.
        sees_label: whether the teacher is told the score.
        fields: fields that the prompt shows; None: all.
        template: who writes where the teacher cannot.
        rule: when a rationale is accepted.
        samples: tries of a case.
    """
    table = open_evidence(evidence)

    def written(part: Part) -> Written:
        tally = Tally()
        with without_cycle_search():
            rows = write(lessons_of_range(table, part.labels, sees_label, fields), part.teacher, template, rule, samples, tally)
            try:
                return Written("".join(map(json_line, rows)), [], tally)
            except BadJSON:  # told by the writer of the file, which knows the row's number
                return Written("", rows, tally)

    return written
