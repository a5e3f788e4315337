"""Files of a fold in both of their forms: with the prompts' texts, as published, or referring to them (`split.texts`).

A line that refers has a digest of what the model reads in place of `instruction` and `input`. The first line says where the texts lie:
in the file that `render` wrote, once for all folds of a model, by a path relative to the fold's file, so that a folder of results can be
moved as a whole. The bytes of such a file change when, and only when, one of its cases does, its prompt included.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from oncoraft.answers import content_digest, full_prompt
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import BadJSON, iterate_jsonl, parse_json, read_jsonl, write_jsonl

Row = dict[str, Any]
TEXTS = ("instruction", "input")
DIGEST, PROMPTS = "prompt_digest", "prompts"
# How `write_jsonl` begins a row of a case.
CASE = re.compile(rb'\{"case_id": ("(?:[^"\\]|\\.)*")[,}]')


def referring(rows: Iterable[Row], prompts: Path, path: Path, *, begins: bool = True) -> Iterator[Row]:
    """Rows that refer to their texts.

    Args:
        rows: in the published format.
        prompts: the file that the texts lie in.
        path: where the rows are written to.
        begins: whether the first of them is the first line of the file.
    """
    for number, row in enumerate(rows):
        kept = {key: value for key, value in row.items() if key not in TEXTS}
        kept[DIGEST] = content_digest(full_prompt(*(row[key] for key in TEXTS)))
        if begins and number == 0:
            kept[PROMPTS] = Path(os.path.relpath(prompts.resolve(), path.resolve().parent)).as_posix()
        yield kept


def refers(row: Row) -> bool:
    """Whether a row refers to its texts."""
    return DIGEST in row and not any(key in row for key in TEXTS)


def prompts_behind(path: Path, expected: str = "a JSONL file") -> Path | None:
    """The file that a fold's file refers to; None where it holds its texts itself, or nothing at all.

    Raises:
        InputError: as `iterate_jsonl`, of the first line; it refers to a text and does not say where it lies.
    """
    first = next(iterate_jsonl(path, expected), None)
    if first is None or not refers(first.row):
        return None
    if not isinstance(place := first.row.get(PROMPTS), str):
        wanted = "expected the first line to name the file of the prompts that the lines refer to, as `oncoraft split` writes it"
        raise InputError(wanted, file=path, line=first.number, column=PROMPTS)
    return (path.resolve().parent / place).resolve()


def read_fold_file(
    path: Path, keys: Sequence[str], *, once: str | None = None, texts: Sequence[str] = (), expected: str = "a JSONL file"
) -> list[Row]:
    """Rows of a fold's file in the published format, whichever form it has; arguments as `read_jsonl`.

    Raises:
        InputError: as `read_jsonl`, `prompts_behind` and `with_texts`.
    """
    prompts = prompts_behind(path, expected)
    if prompts is None:
        return read_jsonl(path, keys, once=once, texts=texts, expected=expected)
    own, told = ([key for key in names if key not in TEXTS] for names in (keys, texts))
    rows = read_jsonl(path, [*own, "case_id", DIGEST], once=once, texts=[*told, DIGEST], expected=expected)
    return list(with_texts(rows, [row["case_id"] for row in rows], path, prompts))


def with_texts(rows: Iterable[Row], case_ids: Collection[str], path: Path, prompts: Path) -> Iterator[Row]:
    """Rows that refer to their texts, with them, in the published format.

    What is held of the prompts is two numbers a case: where its line begins. One pass over the file tells that; the texts are then read
    one by one.

    Args:
        rows: of a fold's file.
        case_ids: of these rows.
        path: the fold's file, for messages.
        prompts: the file that it refers to.

    Raises:
        InputError: no such file, no line of a case, one that cannot be read, a text whose digest is another, or a row with a text of its own.
    """
    if not prompts.is_file():
        raise InputError("expected the file of the prompts that the lines refer to", file=path, line=1, column=PROMPTS, found=str(prompts))
    with prompts.open("rb") as stream:
        places = _places(stream, frozenset(case_ids), prompts)
        for line, row in enumerate(rows, 1):
            case_id = row["case_id"]
            if not refers(row):  # its own text would stand for the one whose digest was compared
                wanted = "expected no text in a line of a file that refers to its prompts"
                raise InputError(wanted, file=path, line=line, column=next(key for key in TEXTS if key in row))
            if case_id not in places:
                raise InputError(f"expected a case of {prompts}", file=path, line=line, column="case_id", found=case_id)
            start, number = places[case_id]
            stream.seek(start)
            told = _parsed(stream.readline(), prompts, number)
            for key in TEXTS:
                if not isinstance(told.get(key), str):
                    raise InputError(f"case {case_id}: expected text", file=prompts, line=number, column=key)
            found = content_digest(full_prompt(*(told[key] for key in TEXTS)))
            if found != row[DIGEST]:
                wanted = (
                    f"case {case_id}: expected {found}, as its prompt in {prompts} is now; write the fold's files again (`oncoraft split`)"
                )
                raise InputError(wanted, file=path, line=line, column=DIGEST, found=row[DIGEST])
            yield {key: told[key] for key in TEXTS} | {key: value for key, value in row.items() if key not in (DIGEST, PROMPTS)}


def write_fold_file(path: Path, rows: Iterable[Row], prompts: Path | None) -> None:
    """Write rows of the published format as they are, or, where a file of prompts is given, so that they refer to it."""
    write_jsonl(path, rows if prompts is None else referring(rows, prompts, path))


def _places(stream: BinaryIO, case_ids: frozenset[str], prompts: Path) -> dict[str, tuple[int, int]]:
    """Byte offset and 1-based number of each case's line."""
    places: dict[str, tuple[int, int]] = {}
    start = 0
    for number, line in enumerate(stream, 1):
        if line.strip():
            case_id = case_of(line) or _parsed(line, prompts, number).get("case_id")
            if isinstance(case_id, str) and case_id in case_ids:
                if case_id in places:
                    wanted = f"expected each case once, the first time was line {places[case_id][1]}"
                    raise InputError(wanted, file=prompts, line=number, found=case_id)
                places[case_id] = start, number
        start += len(line)
    return places


def case_of(line: bytes) -> str | None:
    """The case that a line begins with; None where it does not: another program may put the keys of a row in another order.

    Of the line nothing is kept, as a match would.
    """
    begun = CASE.match(line)
    try:
        return None if begun is None else str(json.loads(begun[1]))
    except ValueError:  # who parses the line says what is wrong with it
        return None


def _parsed(line: bytes, prompts: Path, number: int) -> Row:
    try:
        row = parse_json(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError("expected UTF-8", file=prompts, line=number) from None
    except BadJSON as error:
        raise InputError(f"expected a JSON object ({error})", file=prompts, line=number) from None
    if not isinstance(row, dict):
        raise InputError("expected a JSON object", file=prompts, line=number, found=type(row).__name__)
    return row
