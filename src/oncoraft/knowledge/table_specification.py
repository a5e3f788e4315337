"""What a table of a study is: the types in which `oncoraft.knowledge.tables` is written.

Nothing here reads a file, so that the workflow can be parsed without pandas or pyarrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "integer", "number", "day", "boolean"]
Known = Literal["at_row_day", "always", "never"]
Reference = Literal["", "patient", "sample"]
Layout = Literal["rows", "gene_by_sample", "derived"]

# A day further from the first sequencing than this is no date of a life (the released files hold one at -43,624).
DAY_LIMIT = 60_000
# The portal's clinical attributes hold 255 characters. Ids and agents become file names, which hold 255 bytes.
LONGEST_TEXT, LONGEST_NAME, LONGEST_ALLELE = 1_000, 200, 10_000
DAY_NAMES = {"START_DATE": "start_day", "STOP_DATE": "stop_day", "SEQ_DATE": "sequencing_day"}


@dataclass(frozen=True)
class Column:
    """One column: its header in the source (matched without regard to case) and its name in Parquet.

    Attributes:
        source, name: header in the file; name in Parquet.
        kind: `day` is an integer count of days from the patient's first sequencing, possibly negative.
        required: without this header the file cannot be read; otherwise the column becomes null.
        nullable: an empty cell is allowed and means "missing".
        vocabulary: known words, matched without regard to case and stored as spelt here. With `closed`
            any other word is refused, because the meaning depends on it; otherwise it is kept as it stands.
        true, false: the source's spellings of a boolean; the first of each is the released one.
        known: when the value becomes known: "at_row_day" (the row's own start day), "always" (fixed for
            life), or "never" (undated or looking ahead: it may not enter a prompt).
        refers: whether the value names a patient or a specimen of the clinical tables.
        minimum, maximum: a number outside this closed range is refused; None: no bound.
        aliases: other spellings of words of the vocabulary, each with the word that it stands for.
        literal: words that elsewhere mean "missing" (`knowledge.missing`) and are values here; words of the vocabulary always are.
        bounded: a number may be given by a bound: `>89`, `90+`, `<18`; it is read as the nearest whole number that keeps it.
        longest: characters of a text; a longer one is no value but a paste or a broken quote, and would fill a prompt on its own.
        without: what becomes impossible for want of this column, told where a file lacks it.
        other_headers: headers that other studies use for the same column.
        normal: brings a text to its one normal form, None where it says nothing.
        settled: a pattern (RE2) of whole texts whose normal form is its first group, so that `normal` need not be asked.
        no_date: spreadsheets turn some of its values into dates (`MARCH1` into `1-Mar`); what reads as a date is refused.
    """

    source: str
    name: str
    kind: Kind
    required: bool = True
    nullable: bool = True
    vocabulary: tuple[str, ...] = ()
    closed: bool = False
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    known: Known = "at_row_day"
    refers: Reference = ""
    unit: str = ""
    note: str = ""
    minimum: float | None = None
    maximum: float | None = None
    aliases: tuple[tuple[str, str], ...] = ()
    other_headers: tuple[str, ...] = ()
    literal: tuple[str, ...] = ()
    bounded: bool = False
    without: str = ""
    longest: int = LONGEST_TEXT
    normal: Callable[[str], str | None] | None = None
    settled: str = ""
    no_date: bool = False


@dataclass(frozen=True)
class Table:
    """One data file: `name` is its stem in Parquet, `file` its name in the study folder.

    Attributes:
        required: without this file the study cannot be read.
        needs_rows: a study may lack this file, but where it is there, it must hold at least one good row.
        without: what becomes impossible for want of this file, told where a study lacks it.
        any_of: headers of which at least one must be there.
        first_of: id column of which only the row with the earliest start day counts; later rows are set aside.
        header_rows: lines that begin with `#` before the header in the released file (any number is read).
        layout: `rows` (a row is a record), `gene_by_sample` (a matrix; stored long), `derived` (made by the reader).
        key: Parquet names of the columns that no two rows may share.
        ordered: pairs of day columns; a row whose second day is before its first is refused.
        derived: columns that the reader adds.
        crlf: the released file ends its lines with CR LF.
    """

    name: str
    file: str
    columns: tuple[Column, ...]
    required: bool = False
    header_rows: int = 0
    layout: Layout = "rows"
    key: tuple[str, ...] = ()
    ordered: tuple[tuple[str, str], ...] = ()
    derived: tuple[Column, ...] = ()
    crlf: bool = False
    note: str = ""
    without: str = ""
    needs_rows: bool = False
    any_of: tuple[str, ...] = ()
    first_of: str = ""


def column(source: str, kind: Kind = "text", **more: Any) -> Column:
    """A column whose Parquet name follows the rule: the header in lower case, `.` as `_`, dates as days."""
    name = DAY_NAMES.get(source.upper(), source.lower().replace(".", "_"))
    if kind == "day":
        more = {"minimum": -DAY_LIMIT, "maximum": DAY_LIMIT, "unit": "days"} | more
    return Column(source, more.pop("name", name), kind, **more)


def flag(source: str, true: str, false: str, **more: Any) -> Column:
    """A boolean in one of the four released spellings: TRUE/FALSE, 1/0, Yes/No, Y/N.

    All four are understood in every boolean column, since releases differ; the given one is the released one.
    """
    spellings = (("TRUE", "FALSE"), ("1", "0"), ("Yes", "No"), ("Y", "N"))
    ordered = [(true, false), *(pair for pair in spellings if pair != (true, false))]
    return column(source, "boolean", true=tuple(t for t, _ in ordered), false=tuple(f for _, f in ordered), **more)


def patient(**more: Any) -> Column:
    """The patient's id."""
    return column("PATIENT_ID", nullable=False, longest=LONGEST_NAME, refers="patient", known="always", **more)


def sample(source: str = "SAMPLE_ID", **more: Any) -> Column:
    """The id of a sequenced specimen."""
    return column(source, nullable=False, longest=LONGEST_NAME, refers="sample", **more)
