"""A teacher that is a file: rationales written elsewhere, one JSON object a line with `case_id` and `rationale`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.rationales.teacher import Lesson

KEYS = ("case_id", "rationale")


class FileTeacher:
    """Hands out the rationales of a file; a rejected one has no successor."""

    name = "file"
    instruction = ""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.asked: set[str] = set()  # cases of the file that were asked for

    @classmethod
    def read(cls, path: Path) -> FileTeacher:
        """The teacher that a file is; errors as `read_texts`."""
        return cls(read_texts(path))

    def share(self, case_ids: Iterable[str]) -> FileTeacher:
        """The teacher of some cases, who may be sent to another process; they count as asked for."""
        own = {case_id: self.texts[case_id] for case_id in case_ids if case_id in self.texts}
        self.asked.update(own)
        return FileTeacher(own)

    def propose(self, lessons: Sequence[Lesson], attempt: int) -> dict[str, str | None]:
        """The file's rationale of each case at the first attempt, None where it has none."""
        return {lesson.case_id: self.texts.get(lesson.case_id) if attempt == 0 else None for lesson in lessons}


def read_texts(path: Path) -> dict[str, str]:
    """Rationales by case.

    Raises:
        InputError: no such file; a line that is not a JSON object with text under both keys; a case twice.
    """
    rows = read_jsonl(path, KEYS, once="case_id", texts=KEYS, expected="a JSONL file of case_id and rationale")
    return {row["case_id"]: row["rationale"] for row in rows}
