"""JSON Lines, read and written in one way by every step (https://jsonlines.org).

A line ends at "\\n" alone. `str.splitlines` also ends one at U+2028, U+2029, U+0085 and the form feed, which JSON allows inside a text,
so that it tears rows which were written whole. What the standard library takes silently and another program would not is refused with
its line: a key given twice (the last would win), NaN and infinities (RFC 8259 has none), half of a surrogate pair (UTF-8 has no code for it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file

IDS = ("case_id", "patient_id")  # text wherever they stand: 0071 and 71 are two patients
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One row of a JSONL file: its 1-based line, its text as it stands there, and what that says."""

    number: int
    text: str
    row: dict[str, Any]


def parse_json(text: str) -> Any:
    """A JSON value, strictly.

    Raises:
        ValueError: no JSON, a key given twice, NaN or an infinity, an integer of thousands of digits, half of a surrogate pair, or
            values nested too deep; the message says which.
    """
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("values nested too deep") from None
    if SURROGATE.search(text):
        _encodable(json.dumps(value, ensure_ascii=False))
    return value


def json_line(row: object) -> str:
    """A value as one line of JSON, its "\\n" included.

    Raises:
        ValueError: NaN or an infinity, or half of a surrogate pair.
    """
    return _encodable(json.dumps(row, ensure_ascii=False, allow_nan=False)) + "\n"


def iterate_jsonl(path: Path, expected: str = "a JSONL file") -> Iterator[Line]:
    """Rows of a JSONL file, one after the other; lines that hold nothing are passed over.

    Args:
        path: the file.
        expected: what it is, in words.

    Raises:
        InputError: no regular file, bytes that are not UTF-8, a line that is no JSON object, or an id that is no text.
    """
    with require_file(path, expected).open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                text = (raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw).decode("utf-8").rstrip("\r\n")
                if not text.strip(" \t"):
                    continue
                row = parse_json(text)
            except UnicodeDecodeError:
                raise InputError("expected UTF-8", file=path, line=number) from None
            except ValueError as error:
                raise InputError(f"expected a JSON object ({error})", file=path, line=number) from None
            yield Line(number, text, _checked(row, path, number))


def read_jsonl(path: Path, keys: Sequence[str] = (), *, once: str | None = None, expected: str = "a JSONL file") -> list[dict[str, Any]]:
    """Rows of a JSONL file.

    Args:
        path: the file.
        keys: what every row must have.
        once: a key of which no two rows have the same value.
        expected: what the file is, in words.

    Raises:
        InputError: as `iterate_jsonl`; a row lacks a key, or repeats the value of `once`.
    """
    rows: list[dict[str, Any]] = []
    lines: dict[Any, int] = {}
    for number, _, row in iterate_jsonl(path, expected):
        for key in keys:
            if key not in row:
                raise InputError("expected this key", file=path, line=number, column=key)
        if once and (first := lines.setdefault(row[once], number)) != number:
            raise InputError(f"expected each {once} once, the first time was line {first}", file=path, line=number, found=row[once])
        rows.append(row)
    return rows


def write_jsonl(path: Path, rows: Iterable[object]) -> None:
    """Write one JSON value a line.

    Raises:
        InputError: a row that cannot be written as JSON in UTF-8; its number is named.
    """
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for number, row in enumerate(rows, 1):
            try:
                stream.write(json_line(row))
            except ValueError as error:
                case = row.get("case_id") if isinstance(row, dict) else None
                place = f"row {number}" + (f", case {case}" if case else "")
                raise InputError(f"{place}: expected what JSON can hold, found {error}") from None


def _checked(row: Any, path: Path, number: int) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise InputError("expected a JSON object", file=path, line=number, found=type(row).__name__)
    for key in IDS:
        if key in row and not isinstance(row[key], str):
            raise InputError("expected text", file=path, line=number, column=key, found=type(row[key]).__name__)
    return row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} is given twice")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _encodable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"half of a surrogate pair, \\u{ord(text[error.start]):04x}") from None
    return text
