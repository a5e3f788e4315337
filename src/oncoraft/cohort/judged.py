"""Cells judged at less cost than by `cells.type_distinct`, with its result: plain numbers, and texts that an earlier part had too."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cohort.cells import ARROW_TYPES, LIMIT, type_distinct
from oncoraft.knowledge.tables import Column

FEW = 4_096  # distinct texts of a column that are kept in mind: more are not likely to come again, and would take memory
# Spellings of a missing number that are as frequent as numbers; each is one by `knowledge.missing`.
MISSING = pa.array(["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "Unknown", "Not Available"])
NINE = 57


def is_plain(column: Column) -> bool:
    """Whether a column holds numbers about whose words and bounds nothing is specified."""
    is_number = column.kind in ("day", "integer", "number")
    return is_number and not (column.bounded or column.vocabulary or column.literal or column.refers or column.normal)


def plain_numbers(column: Column, texts: pa.StringArray) -> pa.Array | None:
    """The values of cells that are all good, and numbers as a machine writes them, or missing; None: some must be judged one by one.

    Args:
        column: one of `is_plain`.
        texts: a cell each.
    """
    empty = pc.equal(texts, "")
    values = _parsed(column, pc.if_else(empty, pa.scalar(None, pa.string()), texts) if pc.any(empty).as_py() else texts)
    if values is None:
        values = _parsed(column, pc.if_else(pc.is_in(texts, value_set=MISSING), pa.scalar(None, pa.string()), texts))
    if values is None or (values.null_count and not column.nullable):
        return None
    if column.kind == "number" and pc.all(pc.is_finite(values)).as_py() is False:
        return None
    least, most = pc.min_max(values).as_py().values()
    if least is None:
        return values
    if column.kind != "number" and least < -LIMIT:  # one whole number that its type holds is refused
        return None
    fits = (column.minimum is None or least >= column.minimum) and (column.maximum is None or most <= column.maximum)
    return values if fits else None


def _parsed(column: Column, texts: pa.StringArray) -> pa.Array | None:
    # Arrow reads hexadecimal whole numbers, too.
    if column.kind != "number" and _has_letters(texts) and pc.any(pc.match_substring_regex(texts, "[xX]")).as_py():
        return None
    try:
        return texts.cast(ARROW_TYPES[column.kind])
    except pa.ArrowInvalid:
        return None


def _has_letters(texts: pa.StringArray) -> bool:
    data = texts.buffers()[2]
    return data is not None and data.size > 0 and int(np.frombuffer(data, np.uint8).max()) > NINE


class Judged:
    """What was found of the texts of one column; `type_distinct` part after part, which asks only of new ones."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.texts, self.values, self.bad = pa.array([], pa.string()), *type_distinct(column, pa.array([], pa.string()))

    def of(self, texts: pa.StringArray) -> tuple[pa.Array, np.ndarray]:
        """As `type_distinct`."""
        if len(texts) > FEW:
            return type_distinct(self.column, texts)
        place = pc.index_in(texts, value_set=self.texts)
        if place.null_count:
            new = texts.filter(pc.is_null(place))
            values, bad = type_distinct(self.column, new)
            if len(self.texts) + len(new) > FEW:
                if len(new) == len(texts):
                    return values, bad
                return type_distinct(self.column, texts)
            self.texts = pa.concat_arrays([self.texts, new])
            self.values, self.bad = pa.concat_arrays([self.values, values]), np.concatenate([self.bad, bad])
            place = pc.index_in(texts, value_set=self.texts)
        return self.values.take(place), self.bad[place.to_numpy()]
