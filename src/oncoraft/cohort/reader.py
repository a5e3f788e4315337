"""One delimited file into text columns: every line accounted for, nothing interpreted.

Columns come back dictionary-encoded, so that the typing that follows looks at each distinct text once and
not at each cell. Line numbers are those of the file, 1-based, comment and header lines counted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from oncoraft.foundation.errors import InputError

BLOCK = 16 << 20  # bytes that one thread reads at a time
PART = 8 << 20  # bytes that are looked at in one piece
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LFS_POINTER = b"version https://git-lfs"
PACKED = {
    b"\x1f\x8b": "a gzip archive (unpack it first)",
    b"BZh": "a bzip2 archive (unpack it first)",
    b"PK\x03\x04": "a zip archive (unpack it first)",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


class Refusal(NamedTuple):
    """Why a row is set aside: its line, the column (empty where the whole row is meant), what was expected and found."""

    line: int
    column: str
    expected: str
    found: str | None


@dataclass(frozen=True)
class Header:
    """The header row: names as they stand in the file, its line, and where the rows begin (byte offset)."""

    names: tuple[str, ...]
    line: int
    end: int

    def position(self, *sources: str) -> int | None:
        """Where a column stands, by the first of its headers that is there, without regard to case; None if none is."""
        return next((self._places[source.casefold()] for source in sources if source.casefold() in self._places), None)

    @cached_property
    def _places(self) -> dict[str, int]:
        places: dict[str, int] = {}
        for place, name in enumerate(self.names):
            places.setdefault(name.casefold(), place)
        return places


@dataclass(frozen=True)
class RawTable:
    """A file's well-formed rows as text (`columns[i]` is the i-th of the header), their lines, and the malformed rows.

    In columns `direct` each cell has a code of its own, whether its text stands in another or not.
    """

    header: Header
    columns: list[pa.DictionaryArray]
    source_line: np.ndarray
    malformed: list[Refusal]
    direct: frozenset[int] = frozenset()


def read_header(path: Path) -> Header:
    """Find the header: the first line that does not begin with `#`.

    Raises:
        InputError: the file is empty, packed or only a pointer to the data, or is not UTF-8 text in lines.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            if number == 1:
                _check_kind(path, text)
            if not text.startswith(b"#") and text.strip():
                return Header(_names(path, number, text), number, stream.tell())
    raise InputError("expected a header row", file=path, found="none" if path.stat().st_size else "an empty file")


def _check_kind(path: Path, start: bytes) -> None:
    """Refuse what is no table at all: a Git LFS pointer, a packed file, text in UTF-16."""
    if start.startswith(LFS_POINTER):
        raise InputError("expected the table itself", file=path, found="a Git LFS pointer to it (`git lfs pull` fetches the data)")
    for magic, kind in PACKED.items():
        if start.startswith(magic):
            raise InputError("expected text in UTF-8", file=path, line=1, found=kind)


def _names(path: Path, line: int, text: bytes) -> tuple[str, ...]:
    """Names of the columns; cells without a name (a trailing tab) are allowed and stay unused."""
    body = text.rstrip(b"\r\n")
    if b"\r" in body:
        raise InputError("expected lines that end in LF or CR LF", file=path, line=line, found="a carriage return inside the line")
    try:
        cells = [name.strip() for name in body.decode("utf-8").split("\t")]
    except UnicodeDecodeError:
        raise InputError("expected text in UTF-8", file=path, line=line) from None
    names = tuple(map(unquoted, cells)) if b'"' in body else tuple(cells)
    if len(names) == 1 and ("," in names[0] or ";" in names[0]):
        raise InputError("expected columns separated by tabs", file=path, line=line, found=names[0][:60])
    return names


def unquoted(text: str) -> str:
    """A cell without the double quotes that a spreadsheet may have put around it; a doubled quote inside is one."""
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].replace('""', '"').strip() if is_quoted else text


def read_rows(path: Path, header: Header | None = None) -> RawTable:
    """Read every row of a tab-separated file as text.

    Quotes do not bind: a tab inside them ends the cell. A row with too few or too many fields goes to `malformed`, unless all that it
    has too many are empty; an empty line is a row of empty fields. Lines of malformed rows are known only to a single-threaded read,
    so a file that has any is read again in that way.

    Raises:
        InputError: no header, bytes that are not UTF-8, or a carriage return inside a line.
    """
    header = header or read_header(path)
    if path.stat().st_size <= header.end:
        empty = pa.array([], pa.dictionary(pa.int32(), pa.string()))
        return RawTable(header, [empty] * len(header.names), np.empty(0, np.int32), [])
    _check_text(path)
    table, malformed = read_text(path, header, use_threads=True, file=path)
    if malformed:
        table, malformed = read_text(without_padding(path.read_bytes(), header), header, use_threads=False, file=path)
    # Each block has a dictionary of its own; only from here on do equal codes mean equal texts.
    table = table.unify_dictionaries()
    columns = [one_chunk(column) for column in table.columns]
    lines = np.arange(header.line + 1, header.line + 1 + table.num_rows + len(malformed), dtype=np.int32)
    good = ~np.isin(lines, np.array([refusal.line for refusal in malformed], dtype=np.int32))
    return RawTable(header, columns, lines[good], malformed)


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def without_padding(data: bytes, header: Header) -> bytes:
    """A file's text without the empty cells that stand behind the last column of rows."""
    tabs = len(header.names) - 1
    padding = re.compile(rb"(?m)^((?:[^\t\n]*\t){%d}[^\t\r\n]*)\t+(?=\r?$)" % tabs)
    return data[: header.end] + padding.sub(rb"\1", data[header.end :])


def read_text(
    source: Path | bytes,
    header: Header,
    *,
    use_threads: bool,
    block: int = BLOCK,
    asked: Sequence[int] | None = None,
    direct: Collection[int] = (),
    file: Path | None = None,
) -> tuple[pa.Table, list[Refusal]]:
    """One pass over the rows, of which the columns `asked` are read; `line` of a malformed row is 0 where the pass was threaded.

    Columns `direct` come as plain texts, the others dictionary-encoded.

    A row longer than a block makes it start again with the file as one block.
    """
    malformed: list[Refusal] = []
    width = len(header.names)
    size = len(source) if isinstance(source, bytes) else source.stat().st_size

    def keep(row: Any) -> str:
        malformed.append(Refusal(row.number or 0, "", f"{width} fields", f"{row.actual_columns} fields"))
        return "skip"

    names = [str(position) for position in range(width)]
    read = names if asked is None else [names[position] for position in asked]
    types = dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())) | {names[position]: pa.string() for position in direct}
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(source) if isinstance(source, bytes) else source,
            read_options=arrow_csv.ReadOptions(use_threads=use_threads, skip_rows=header.line, column_names=names, block_size=block),
            # pyarrow would leave empty lines out by itself, and every later line number would be wrong.
            parse_options=arrow_csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False, invalid_row_handler=keep),
            # Which words mean missing depends on the column: that is for the typing to say, so that here nothing is null.
            # Bytes were looked at before, by `check_part`.
            convert_options=arrow_csv.ConvertOptions(column_types=types, strings_can_be_null=False, include_columns=read, check_utf8=False),
        )
    except pa.ArrowInvalid as error:
        if block < size:
            return read_text(source, header, use_threads=False, block=size + 1, asked=asked, direct=direct, file=file)
        raise InputError("expected rows separated by line ends and cells by tabs", file=file, found=str(error)[:80]) from None
    return table, malformed


def _check_text(path: Path) -> None:
    """`check_part` of a whole file."""
    before = 0
    with path.open("rb") as stream:
        # A part ends behind a line, so that neither a character nor a line's end is cut.
        while data := stream.read(PART) + stream.readline():
            check_part(path, data, before)
            before += data.count(b"\n")


def check_part(path: Path, data: bytes, before: int) -> None:
    """Refuse bytes that are not UTF-8, and a carriage return that ends no line.

    pyarrow hands a malformed row over only as text, and prints what it meets in one that is none; readers disagree on carriage
    returns, and every later line number would be wrong.

    Args:
        path: for the message.
        data: whole lines.
        before: lines of the file before these.
    """
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = before + data.count(b"\n", 0, error.start) + 1
            raise InputError("expected text in UTF-8", file=path, line=line) from None
    returns = data.count(b"\r") if b"\r" in data else 0
    if returns and returns != data.count(b"\r\n"):
        at = re.search(rb"\r(?!\n)", data)
        place = before + data.count(b"\n", 0, at.start()) + 1 if at else None
        raise InputError("expected lines that end in LF or CR LF", file=path, line=place, found="a carriage return inside the line")


def raw_lines(path: Path, lines: set[int]) -> dict[int, str]:
    """The verbatim text of some lines, without their line ends."""
    if not lines:
        return {}
    with path.open("rb") as stream:
        texts = some_lines(stream, np.fromiter(lines, np.int64, len(lines)))
        # Fewer where the file has become shorter since: `Ingestion.read` says so.
        return {number: text.decode("utf-8", "replace").rstrip("\r\n") for number, text in zip(sorted(lines), texts, strict=False)}


def some_lines(stream: BinaryIO, lines: np.ndarray) -> Iterator[bytes]:
    """Some lines, by their numbers in any order, as they follow one another; what is behind the last is not looked at."""
    is_asked = np.zeros(int(lines.max(initial=0)), dtype=bool)
    is_asked[lines - 1] = True
    return compress(stream, is_asked.tobytes())
