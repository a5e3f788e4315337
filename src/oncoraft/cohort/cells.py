"""Text into typed values, by the column's specification: each distinct text is judged once."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.foundation.ranges import Kinds
from oncoraft.knowledge.missing import ASCII_CANDIDATES, CANDIDATES, is_missing_word
from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES, Column, Table

ARROW_TYPES = {"text": pa.string(), "integer": pa.int32(), "number": pa.float64(), "day": pa.int32(), "boolean": pa.bool_()}
DAY = r"^[+-]?[0-9]+(\.0*)?$"
_OVER = r"over|above|older than|more than|greater than"
_UNDER = r"under|below|younger than|less than"
BOUND = (
    rf"^(?:(>|>=|≥|<|<=|≤|{_OVER}|{_UNDER})\s*([0-9]{{1,9}})(?:\.0*)?"
    r"|([0-9]{1,9})(?:\.0*)?\s*(\+|(?:years? )?(?:or|and) (?:over|older|above|more|under|younger|below|less)))"
    r"\s*(?:years?|yrs?|yo|y)?\.?(?: (?:of age|old))?$"
)
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
QUOTED = r'^".*"$'
MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
# As spreadsheets write one: 1-Mar, Mar-01, 2-Sep-2024, 2024-03-01, 3/1/2024. Without a joint it may be a symbol (SEPT9, MARCH1).
DATE = rf"(?i)^(?:\d{{1,2}}[-/. ]{MONTH}(?:[-/. ]\d{{2,4}})?|{MONTH}[-/. ]\d{{1,4}}|\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[ T].*)?|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}})$"
CONTROL = r"[\x00-\x1f\x7f]"
LIMIT = 2**31 - 1
FEW = 32  # texts, for which it costs more to make a pattern ready than to look at each
SPACE, NINE, DELETE, NOT_ASCII = 0x20, 0x39, 0x7F, 0x80  # bytes
PATTERNS = {"day": DAY, "integer": NUMBER, "number": NUMBER}  # whole numbers may stand as 1e+05 where they are no days
HOMES = {"patient": "data_clinical_patient.txt", "sample": "data_clinical_sample.txt"}


def schema(table: Table) -> pa.Schema:
    """The Parquet schema of a table: its columns, what the reader adds, the source line."""
    columns = [pa.field(column.name, ARROW_TYPES[column.kind]) for column in (*table.columns, *table.derived)]
    line = [] if table.layout == "derived" else [pa.field("source_line", pa.int32())]
    return pa.schema([*columns, *line])


def kinds(name: str) -> Kinds:
    """Of the columns of a table, by its name: in which a few different words or numbers stand, and which hold ids."""
    every = (*TABLES, *DERIVED_TABLES)
    columns = [column for table in every if table.name == name for column in (*table.columns, *table.derived)]
    ids = [column.name for column in columns if column.refers or column.name.endswith("_id")]
    return Kinds([column.name for column in columns if column.vocabulary], ids)


def expectation(column: Column, *, is_checked: bool = False) -> str:
    """What a cell of a column must hold, in words.

    Args:
        is_checked: the id that the column refers to was looked up in the clinical tables.
    """
    words = {
        "day": "an integer number of days",
        "integer": "an integer",
        "number": "one of " + ", ".join(column.vocabulary) if column.closed else "a number",
        "boolean": " or ".join(f"{true}/{false}" for true, false in zip(column.true, column.false, strict=True)),
        "text": "one of " + ", ".join(column.vocabulary) if column.closed else f"text of at most {column.longest:,} characters",
    }[column.kind]
    words += ", no date" * column.no_date
    if column.minimum is not None:
        words += f" from {column.minimum:g}" + (f" to {column.maximum:g}" if column.maximum is not None else "")
    if is_checked and column.refers:
        words = f"a {column.refers} of {HOMES[column.refers]}"
    return words if column.nullable else f"{words}, not empty"


def type_distinct(column: Column, texts: pa.StringArray) -> tuple[pa.Array, np.ndarray]:
    """Judge distinct texts: their values (null where missing or bad), and which are bad.

    Padding and a pair of double quotes around the whole cell are taken off first.

    Args:
        column: the specification.
        texts: distinct texts, verbatim.
    """
    least, most = _range(texts)
    is_ascii = most < NOT_ASCII
    # Without a byte up to a space or beyond ASCII there is neither padding nor a control character, as in most columns.
    is_clean = is_ascii and least > SPACE and most != DELETE
    trimmed = _bare(texts, is_padded=not is_clean)
    missing = _is_missing(column, trimmed, is_ascii=is_ascii)
    present = pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)
    if column.kind == "boolean":
        values = _booleans(column, present)
    elif column.kind == "text":
        values = _words(column, present, has_control=not is_clean)
    else:
        values = _numbers(column, within_bounds(present) if column.bounded else present)
    bad = pc.and_(pc.invert(missing), pc.is_null(values))
    if not column.nullable:
        bad = pc.or_(bad, missing)
    if column.normal is not None:
        values = _normal(column, column.normal, values)
    return values, bad.to_numpy(zero_copy_only=False).astype(bool)


def _normal(column: Column, normal: Callable[[str], str | None], values: pa.StringArray) -> pa.StringArray:
    """Texts in their normal form; those that it leaves as they are, or nearly, are told by a pattern."""
    settled = pc.fill_null(pc.match_substring_regex(values, column.settled), False) if column.settled else pa.repeat(False, len(values))
    others = pc.invert(settled)
    found = pa.array([None if text is None else normal(text) for text in values.filter(others).to_pylist()], pa.string())
    return pc.replace_with_mask(pc.replace_substring_regex(values, column.settled, r"\1") if column.settled else values, others, found)


def _range(texts: pa.StringArray) -> tuple[int, int]:
    """The least and the greatest byte of texts, perhaps with others that stand beside them in memory."""
    data = texts.buffers()[2]
    bytes_ = np.frombuffer(data, np.uint8) if data is not None and data.size else np.array([NINE], np.uint8)
    return int(bytes_.min()), int(bytes_.max())


def _is_missing(column: Column, trimmed: pa.StringArray, *, is_ascii: bool) -> pa.BooleanArray:
    """Which texts say that there is no value, words that the column itself lists excepted."""
    own = {word.casefold() for word in (*column.vocabulary, *(word for word, _ in column.aliases), *column.literal)}
    maybe = trimmed
    if len(trimmed) > FEW:
        # Text beyond ASCII can stand anywhere in a cell; without any, most cells are done with at their first letter.
        pattern = ASCII_CANDIDATES if is_ascii else CANDIDATES
        maybe = trimmed.filter(pc.match_substring_regex(trimmed, pattern, ignore_case=True))
    # Cells of a column whose texts seldom repeat have a code each: of these the empty ones are many.
    found = {text for text in maybe.to_pylist() if text is not None}
    words = [text for text in found if text.casefold() not in own and is_missing_word(text)]
    return pc.is_in(trimmed, value_set=pa.array(words, pa.string()))


def is_quoted(texts: pa.StringArray) -> np.ndarray:
    """Which texts stand in double quotes as a whole."""
    if not _has_quotes(texts):
        return np.zeros(len(texts), dtype=bool)
    found = pc.match_substring_regex(pc.utf8_trim_whitespace(texts), QUOTED)
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=bool)


def is_bound(column: Column, texts: pa.StringArray) -> np.ndarray:
    """Which texts give a number by a bound, in a column that allows it."""
    if not column.bounded:
        return np.zeros(len(texts), dtype=bool)
    return np.asarray(pc.match_substring_regex(_bare(texts), BOUND, ignore_case=True).to_numpy(zero_copy_only=False), dtype=bool)


def is_unknown_word(column: Column, values: pa.Array) -> np.ndarray:
    """Which values are words that an open vocabulary does not list (accepted, but worth telling)."""
    if not column.vocabulary or column.closed:
        return np.zeros(len(values), dtype=bool)
    known = pc.or_(pc.is_null(values), pc.is_in(values, value_set=pa.array(column.vocabulary)))
    return np.asarray(pc.invert(known).to_numpy(zero_copy_only=False), dtype=bool)


def _bare(texts: pa.StringArray, *, is_padded: bool = True) -> pa.StringArray:
    """Texts without padding, and without quotes where they stand around the whole cell.

    Args:
        is_padded: whether there may be padding.
    """
    trimmed = pc.utf8_trim_whitespace(texts) if is_padded else texts
    if not _has_quotes(texts):
        return trimmed
    quoted = pc.match_substring_regex(trimmed, QUOTED)
    inner = pc.utf8_trim_whitespace(pc.replace_substring(pc.replace_substring_regex(trimmed, r'^"|"$', ""), '""', '"'))
    return pc.if_else(quoted, inner, trimmed)


def _has_quotes(texts: pa.StringArray) -> bool:
    data = texts.buffers()[2]
    if data is None or b'"' not in memoryview(data).tobytes():
        return False
    return bool(pc.any(pc.match_substring(texts, '"')).as_py())


def _words(column: Column, present: pa.StringArray, *, has_control: bool) -> pa.Array:
    """Text without control characters and of a cell's length; words of the vocabulary as it spells them."""
    odd = pc.greater(pc.utf8_length(present), column.longest)
    if has_control:
        odd = pc.or_(odd, pc.match_substring_regex(present, CONTROL))
    if column.no_date:
        odd = pc.or_(odd, pc.match_substring_regex(present, DATE))
    clean = pc.if_else(odd, pa.scalar(None, pa.string()), present)
    if not column.vocabulary:
        return clean
    spellings = [*((word, word) for word in column.vocabulary), *column.aliases]
    known = pa.array([spelling.lower() for spelling, _ in spellings], pa.string())
    words = pa.array([word for _, word in spellings], pa.string())
    spelt = words.take(pc.index_in(pc.utf8_lower(clean), value_set=known, skip_nulls=True))
    return spelt if column.closed else pc.coalesce(spelt, clean)


def _booleans(column: Column, present: pa.StringArray) -> pa.Array:
    lower = pc.utf8_lower(present)
    true = pc.is_in(lower, value_set=pa.array([word.lower() for word in column.true]), skip_nulls=True)
    false = pc.is_in(lower, value_set=pa.array([word.lower() for word in column.false]), skip_nulls=True)
    return pc.if_else(pc.or_(true, false), true, pa.scalar(None, pa.bool_()))


def within_bounds(present: pa.StringArray) -> pa.StringArray:
    """Bounds as the nearest whole number that keeps them: `>89`, `over 89 years` and `90+` are 90, `<18` is 17."""
    steps = {">": 1, "<": -1} | dict.fromkeys(_OVER.split("|"), 1) | dict.fromkeys(_UNDER.split("|"), -1)
    read = []
    for text in present.to_pylist():
        match = re.match(BOUND, text or "", re.IGNORECASE)
        read.append(str(int(match[2] or match[3]) + steps.get((match[1] or "").lower(), 0)) if match else text)
    return pa.array(read, pa.string())


def _numbers(column: Column, present: pa.StringArray) -> pa.Array:
    whole = column.kind in ("integer", "day")
    shaped = pc.match_substring_regex(present, PATTERNS[column.kind])
    unsigned = pc.utf8_ltrim(pc.if_else(shaped, present, pa.scalar(None, pa.string())), "+")
    # By way of doubles, which hold every int32 exactly: whole numbers stand as `12.0` and `1e+05` too.
    values = pc.cast(unsigned, pa.float64())
    fits = pc.is_finite(values)
    if whole:
        fits = pc.and_(fits, pc.and_(pc.less_equal(pc.abs(values), LIMIT), pc.equal(pc.round(values), values)))
    if column.minimum is not None:
        fits = pc.and_(fits, pc.greater_equal(values, column.minimum))
    if column.maximum is not None:
        fits = pc.and_(fits, pc.less_equal(values, column.maximum))
    if column.closed:
        fits = pc.and_(fits, pc.is_in(values, value_set=pa.array([float(word) for word in column.vocabulary])))
    values = pc.if_else(fits, values, pa.scalar(None, pa.float64()))
    return pc.cast(values, ARROW_TYPES[column.kind])
