"""Whether the files of a group's own tables have the columns that its mapping file asks for: headers alone, before anything is run."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.planning.yaml_file import read_yaml

SEPARATORS = {".tsv": "\t", ".txt": "\t", ".tab": "\t"}


def separator_of(path: Path) -> str:
    """What parts the cells of a file, by its ending."""
    return SEPARATORS.get(path.suffix.lower(), ",")


def header_of(path: Path) -> list[str]:
    """The first row that is neither empty nor a comment.

    Raises:
        InputError: no such file, not UTF-8, or no header.
    """
    separator = separator_of(require_file(path, "a table of the source"))
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, delimiter=separator, quoting=csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL)
            found = next((cells for cells in rows if cells and not cells[0].startswith("#")), None)
    except UnicodeDecodeError:
        raise InputError("expected text in UTF-8", file=path) from None
    except csv.Error as error:
        raise InputError(f"expected a table of cells parted by {separator!r} ({error})", file=path) from None
    if found is None:
        raise InputError("expected a header row", file=path, found="none")
    return [cell.strip() for cell in found]


def asked_for(told: Any) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Where a mapping file asks for headers, of which file, and each header with its key there; what has another shape is passed over."""
    blocks = told if isinstance(told, dict) else {}
    for name, clock in _entries(blocks.get("clocks")):
        yield f"clocks.{name}", clock["file"], {str(clock[key]): key for key in ("patient", "first_sequencing") if key in clock}
    for name, table in _entries(blocks.get("tables")):
        columns = table.get("columns")
        pairs = [
            (one.get("column") if isinstance(one, dict) else one, header)
            for header, one in (columns.items() if isinstance(columns, dict) else ())
        ]
        yield f"tables.{name}", table["file"], {one: f"columns.{header}" for one, header in pairs if isinstance(one, str)}


def _entries(block: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, one in block.items() if isinstance(block, dict) else ():
        if isinstance(one, dict) and isinstance(one.get("file"), str):
            yield str(name), one


def refuse_absent(source: Path, mapping: Path) -> None:
    """Whether every file has every column that it is asked for.

    Args:
        source: folder of the files.
        mapping: mapping file (docs/external.md); its other rules are checked by the reader.

    Raises:
        InputError: the first that has not: who asks for which, and what there is; or as `read_yaml` and `header_of`.
    """
    for key, file, headers in asked_for(read_yaml(mapping)):
        path = source / file
        there = header_of(path)
        for name, where in headers.items():
            if name not in there:
                near = get_close_matches(name.lower(), [one.lower() for one in there], n=1)
                hint = (
                    f"did you mean {next(one for one in there if one.lower() == near[0])!r}?" if near else f"it has {', '.join(there[:12])}"
                )
                expected = f"this column is required by {mapping} ({key}.{where}); {hint}"
                raise InputError(expected, file=path, column=name, found="no such header")
