"""What is said where rows of a file cannot be kept, and too many of them."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from oncoraft.cohort.rows import TypedTable
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.tables import Table


def shown(text: str | None, limit: int = 120) -> str | None:
    """A cell as a message shows it; `rejects.parquet` has the row in full."""
    return text if text is None or len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def nothing_left(table: Table, path: Path, typed: TypedTable) -> NoReturn:
    """A table that needs rows and has no good one ends the run, naming the first refusal if there is one."""
    if not typed.refusals:
        why = (
            f"a study cannot be read without its {table.name} table"
            if table.required
            else "take the file away if the study has no such table"
        )
        raise InputError(f"expected at least one row; {why}", file=path, found="none")
    raise first_refusal(typed, "every row is refused, the first since it must hold", "", path)


def first_refusal(typed: TypedTable, before: str, after: str, path: Path) -> InputError:
    """The first refusal as the error that ends the run, in words before and after what was expected."""
    first = typed.refusals[0]
    return InputError(
        f"{before} {first.expected}{after}", file=path, line=first.line, column=first.column or None, found=shown(first.found)
    )
