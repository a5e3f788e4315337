"""A teacher that is a file: rationales written elsewhere, one JSON object a line with `case_id` and `rationale`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from oncoraft.foundation.errors import InputError
from oncoraft.rationales.teacher import Lesson


class FileTeacher:
    """Hands out the rationales of a file; a rejected one has no successor."""

    name = "file"
    instruction = ""

    def __init__(self, path: Path) -> None:
        self.texts = read_texts(path)

    def propose(self, lessons: Sequence[Lesson], attempt: int) -> dict[str, str | None]:
        """The file's rationale of each case at the first attempt, None where it has none."""
        return {lesson.case_id: self.texts.get(lesson.case_id) if attempt == 0 else None for lesson in lessons}


def read_texts(path: Path) -> dict[str, str]:
    """Rationales by case.

    Raises:
        InputError: no such file; a line that is not a JSON object with text under both keys; a case twice.
    """
    if not path.is_file():
        raise InputError("expected a JSONL file of case_id and rationale", file=path)
    texts: dict[str, str] = {}
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"expected a JSON object ({error.msg})", file=path, line=number) from None
            for key in ("case_id", "rationale"):
                if not isinstance(row, dict) or not isinstance(row.get(key), str):
                    raise InputError("expected text", file=path, line=number, column=key)
            if row["case_id"] in texts:
                raise InputError("expected each case once", file=path, line=number, column="case_id", found=row["case_id"])
            texts[row["case_id"]] = row["rationale"]
    return texts
