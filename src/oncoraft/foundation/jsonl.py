"""JSON Lines, read and written in one way by every step (https://jsonlines.org).

A line ends at "\\n" alone. `str.splitlines` also ends one at U+2028, U+2029, U+0085 and the form feed, which JSON allows inside a text,
so that it tears rows which were written whole. What the standard library takes silently and another program would not is refused with
its line: a key given twice (the last would win), NaN and infinities (RFC 8259 has none), half of a surrogate pair (UTF-8 has no code for it).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file

IDS = ("case_id", "patient_id")  # text wherever they stand: 0071 and 71 are two patients
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # a half of a pair, or one of two halves
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One row of a JSONL file: its 1-based line, its text as it stands there, and what that says."""

    number: int
    text: str
    row: dict[str, Any]


class BadJSON(ValueError):
    """Text that is no JSON, or a value that JSON or UTF-8 cannot hold; the message says why.

    Attributes:
        line: 1-based, within the text.
        key: the outermost key of a value that cannot be held, if it has one.
    """

    def __init__(self, why: str, line: int = 1, key: str | None = None) -> None:
        super().__init__(why)
        self.line, self.key = line, key


def parse_json(text: str) -> Any:
    """A JSON value, strictly.

    Raises:
        BadJSON: no JSON, a key given twice, NaN or an infinity, an integer of thousands of digits, half of a surrogate pair, or values
            nested too deep.
    """
    odd: list[str] = []  # what the standard library takes for a number and JSON has none for

    def number(digits: str) -> float:
        found = float(digits)
        if not math.isfinite(found):
            odd.append(digits)
        return found

    def constant(name: str) -> float:
        odd.append(name)
        return float(name)

    try:
        value = json.loads(text, object_pairs_hook=_once, parse_float=number, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise BadJSON(f"{error.msg}, column {error.colno}", error.lineno) from None
    except RecursionError:
        raise BadJSON("values nested too deep") from None
    except BadJSON:
        raise
    except ValueError as error:  # Python's limit on the digits of an integer
        raise BadJSON(str(error).partition(";")[0]) from None
    # By the parts, not by a pattern over the whole text, which would take longer than reading it.
    if odd or ("\\u" in text and SURROGATE.search(text)):
        json_line(value)
    return value


def json_line(value: object) -> str:
    """A value as one line of JSON, its "\\n" included.

    Raises:
        BadJSON: NaN or an infinity, or half of a surrogate pair, with the key that it stands under.
    """
    try:
        return _dumped(value) + "\n"
    except BadJSON as error:
        if isinstance(value, dict):
            for key, part in value.items():
                try:
                    _dumped({key: part})
                except BadJSON as inner:
                    raise BadJSON(str(inner), key=str(key)) from None
        raise error from None


def _dumped(value: object) -> str:
    try:
        text = ENCODER.encode(value)
        if not text.isascii():
            text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadJSON(f"expected text in Unicode, found half of a surrogate pair, \\u{ord(text[error.start]):04x}") from None
    except ValueError:
        raise BadJSON(f"expected a finite number, found {_not_finite(value)!r}") from None
    return text


def _not_finite(value: object) -> str:
    """The first number of a value, however deep, that is none of JSON's."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else str(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return next(filter(None, map(_not_finite, inner)), "")


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
            except BadJSON as error:
                wrong = str(error) if error.key else f"expected a JSON object ({error})"
                raise InputError(wrong, file=path, line=number, column=error.key) from None
            yield Line(number, text, _checked(row, path, number))


def read_jsonl(
    path: Path, keys: Sequence[str] = (), *, once: str | None = None, texts: Sequence[str] = (), expected: str = "a JSONL file"
) -> list[dict[str, Any]]:
    """Rows of a JSONL file.

    Args:
        path: the file.
        keys: what every row must have.
        once: a key of which no two rows have the same value.
        texts: those of `keys` that must be text; ids must be anyway.
        expected: what the file is, in words.

    Raises:
        InputError: as `iterate_jsonl`; a row lacks a key, has no text under one of `texts`, or repeats the value of `once`.
    """
    rows: list[dict[str, Any]] = []
    lines: dict[Any, int] = {}
    for number, _, row in iterate_rows(path, keys, texts=texts, expected=expected):
        if once and (first := lines.setdefault(row[once], number)) != number:
            raise InputError(
                f"expected each {once.removesuffix('_id')} once, the first time was line {first}", file=path, line=number, found=row[once]
            )
        rows.append(row)
    return rows


def iterate_rows(path: Path, keys: Sequence[str], *, texts: Sequence[str] = (), expected: str = "a JSONL file") -> Iterator[Line]:
    """As `iterate_jsonl`, each row with some keys; arguments and errors as `read_jsonl`."""
    for line in iterate_jsonl(path, expected):
        for key in keys:
            if key not in line.row:
                raise InputError("expected this key", file=path, line=line.number, column=key)
            if key in texts:
                _require_text(line.row, key, path, line.number)
        yield line


def write_jsonl(path: Path, rows: Iterable[object]) -> None:
    """Write one JSON value a line; errors as `Writer`."""
    with Writer(path) as writer:
        writer.write(rows)


class Writer:
    """A JSONL file that rows are appended to.

    Raises:
        InputError: a row that cannot be written as JSON in UTF-8; its number is named.
    """

    def __init__(self, path: Path) -> None:
        """Begin the file."""
        self.stream, self.number = path.open("w", encoding="utf-8", newline="\n"), 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def write(self, rows: Iterable[object]) -> None:
        """Append one JSON value a line."""
        for row in rows:
            self.number += 1
            try:
                self.stream.write(json_line(row))
            except BadJSON as error:
                case = row.get("case_id") if isinstance(row, dict) else None
                place = f"row {self.number}" + (f", case {case}" if case else "") + (f", {error.key}" if error.key else "")
                raise InputError(f"{place}: {error}") from None


def _checked(row: Any, path: Path, number: int) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise InputError("expected a JSON object", file=path, line=number, found=type(row).__name__)
    for key in IDS:
        if key in row:
            _require_text(row, key, path, number)
    return row


def _require_text(row: dict[str, Any], key: str, path: Path, number: int) -> None:
    if not isinstance(row[key], str):
        raise InputError("expected text", file=path, line=number, column=key, found=type(row[key]).__name__)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise BadJSON(f"the key {twice!r} is given twice")
    return found
