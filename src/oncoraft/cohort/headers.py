"""A file's header against the specification: what must be there once, what is not used, what is absent."""

from __future__ import annotations

from pathlib import Path

from oncoraft.cohort.reader import Header
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.tables import Column, Table


def check_header(table: Table, header: Header, path: Path) -> tuple[list[str], list[str]]:
    """Columns of the file that the specification does not know, and columns of the specification that the file lacks.

    Raises:
        InputError: a required column is missing, none of a group is there, or a column that is read stands twice.
    """
    used: set[int] = set()
    absent = []
    for column in table.columns:
        position = header.position(column.source, *column.other_headers)
        if position is None and column.required:
            raise InputError("this column is required", file=path, line=header.line, column=column.source, found="no such header")
        if position is None:
            absent.append(column.source)
            continue
        check_once(header, header.names[position], path)
        used.add(position)
    if table.any_of and set(table.any_of) <= set(absent):
        raise _none_of(table.any_of, header, path)
    return [name for position, name in enumerate(header.names) if position not in used], absent


def check_once(header: Header, name: str, path: Path) -> None:
    """A column that is read may stand only once, in whatever case; others may do as they like.

    Raises:
        InputError: it stands twice.
    """
    same = [other for other in header.names if other.casefold() == name.casefold()]
    if len(same) > 1:
        raise InputError("expected each column once", file=path, line=header.line, column=same[1], found="twice")


def _none_of(names: tuple[str, ...], header: Header, path: Path) -> InputError:
    return InputError(f"at least one of {' and '.join(names)} is required", file=path, line=header.line, column=names[0], found="neither")


def lost_with(columns: tuple[Column, ...], absent: list[str]) -> str:
    """What becomes impossible for want of columns, in words; empty where nothing that a person would miss does."""
    return "; ".join(f"without {column.source} {column.without}" for column in columns if column.without and column.source in absent)
