"""Rationales: a teacher proposes, verifiers judge, what is rejected is asked for again or falls back to the template; all of it counted.

`oncoraft rationales evidence.parquet CASES --out rationales.jsonl`. Teachers: `template` (offline), `endpoint` (a language model behind
an OpenAI-compatible chat API), `file`. Every case with an evaluable label of the configured definition gets one rationale; which of them
may be learned from is decided per fold by `oncoraft split`. No case or patient id is ever shown to a teacher.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from oncoraft.evidence.shown import shown_fields
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import Writer
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.range_work import worked
from oncoraft.planning.config import Rationales
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.rationales.lessons import Lessons, lessons_of
from oncoraft.rationales.teacher import Teacher
from oncoraft.rationales.teacher_file import FileTeacher
from oncoraft.rationales.teacher_template import TemplateTeacher
from oncoraft.rationales.writing import Part, Tally, writer_of_ranges
from oncoraft.verifiers.combine import Rule

if TYPE_CHECKING:
    from oncoraft.rationales.teacher_endpoint import EndpointTeacher

__all__ = ["Lessons", "TemplateTeacher", "lessons_of", "main"]
log = logging.getLogger("oncoraft")
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


def make_teacher(block: Rationales, cache: Path) -> Teacher:
    """The configured teacher."""
    if block.teacher == "file":
        return FileTeacher.read(Path(block.file or ""))
    if block.teacher == "endpoint":
        from oncoraft.rationales.teacher_endpoint import EndpointTeacher  # here: it brings a client of HTTP, which no other teacher needs

        return EndpointTeacher(block, cache)
    return TemplateTeacher(block.seed)


def costs_of(lessons: Lessons, block: Rationales, cache: Path) -> dict[str, Any]:
    """What the teacher would cost."""
    every = (lesson for part in lessons for lesson in part)
    if block.teacher != "endpoint":
        return {"requests": 0, "cases": len(list(every))}
    from oncoraft.rationales.teacher_endpoint import Plan

    return Plan.of(block, cache, every).record()


def counts_of(tally: Tally, block: Rationales, teacher: Teacher) -> dict[str, Any]:
    """What the manifest tells: who wrote, what was rejected and why, how sure the verifiers are."""
    counts: dict[str, Any] = {"teacher": block.teacher, "teacher_sees_label": block.sees_label, **tally.record()}
    if isinstance(teacher, FileTeacher):
        counts["cases_of_the_file_not_needed"] = len(teacher.texts) - len(teacher.asked)
    if block.teacher == "endpoint":
        counts["endpoint"] = cast("EndpointTeacher", teacher).counts()
    return counts


def write_parts(path: Path, lessons: Lessons, teacher: Teacher, block: Rationales, processes: int) -> Tally:
    """Write the rationales of all ranges, in the order of the cases; what is written does not depend on the processes."""
    template, rule = TemplateTeacher(block.seed), Rule(named(block.weights), named(block.minimum), block.threshold)
    if block.teacher == "endpoint":  # it waits for a server, and keeps what it has paid for in one place
        processes = 1
    parts = [
        Part(own, teacher.share(own["case_id"].to_pylist()) if isinstance(teacher, FileTeacher) else teacher)
        for own in lessons.labels_of_ranges(processes)
    ]
    arguments = (lessons.evidence.path, lessons.sees_label, lessons.fields, template, rule, block.samples)
    tally = Tally()
    with Writer(path) as writer, worked(writer_of_ranges, arguments, parts, processes) as results:
        for found in results:
            tally.join(found.tally)
            writer.stream.write(found.text)
            writer.number += found.tally.status.total() - len(found.rows)
            writer.write(found.rows)
            log.info("rationales: %d of %d cases", tally.status.total(), lessons.labels.num_rows)
    return tally


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
    parser.add_argument("--processes", type=int, default=1, help="the file does not depend on it (default: %(default)s)")
    given = parser.parse_args(arguments)
    if given.processes < 1:
        raise InputError("--processes: expected 1 or more", found=given.processes)
    blocks = read_settings("rationales", given)
    block: Rationales = blocks["rationales"]
    lessons = Lessons(given, blocks["labels"].definition, block.sees_label, shown_fields(block.fields_of or "full"))
    cache = Path(block.endpoint_cache) if block.endpoint_cache else given.out.parent / "teacher-cache"
    if given.dry_run:
        print(json.dumps(costs_of(lessons, block, cache), indent=1))
        return 0
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="rationales")
    teacher = make_teacher(block, cache)
    own = {"file": block.file, "endpoint": block.endpoint_instruction}.get(block.teacher)
    inputs = [given.evidence, given.cases / "labels.parquet", *([Path(own)] if own else [])]
    with publishing(given.out, record, step="rationales") as (out, note):
        tally = write_parts(out, lessons, teacher, block, given.processes)
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
