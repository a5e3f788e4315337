"""Facts into statements: how each reads by its field's declaration, in the order of cases and declarations; in Arrow, so that no text is
an object of its own."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.evidence.declaration import Field
from oncoraft.evidence.fields import FIELDS
from oncoraft.evidence.known import days_before

SCHEMA = pa.schema(
    [
        ("case_id", pa.string()),
        ("order", pa.int32()),
        *((name, pa.string()) for name in ("section", "field", "value", "text")),
        ("days_before_index", pa.int32()),
        ("priority", pa.int16()),
        ("kind", pa.string()),
    ]
)
EVIDENCE_COLUMNS = SCHEMA.names


def worded(field: Field, frame: pd.DataFrame, value: pa.Array) -> pa.Array:
    """How the facts of one field read, by its declaration.

    Args:
        field: whose facts they are.
        frame: with days_before_index and whatever else the wording names.
        value: of the same facts.
    """
    parts: list[pa.Array | str] = []
    for literal, name, _, _ in string.Formatter().parse(field.text):
        parts += [literal] if literal else []
        if name is not None:
            parts.append(
                value if name == "value" else _ago(frame["days_before_index"]) if name == "ago" else _texts(frame[name].astype(str))
            )
    if parts == [field.text]:  # words alone
        return pa.repeat(field.text, len(frame))
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "")


def _texts(words: pd.Series) -> pa.Array:
    return pa.array(words.to_numpy(object), pa.string())


def _ago(days: pd.Series) -> pa.Array:
    """Days before treatment in words; empty where there are none."""
    told = days.notna().to_numpy()
    numbers = days.fillna(0).to_numpy().astype(np.int64)
    earliest = int(numbers.min(initial=0))  # below 0 only where a rule is broken, which the audit has to see
    words = _ago_words(earliest, 1 << int(numbers.max(initial=1)).bit_length())
    return words.take(pa.array(np.where(told, numbers - earliest + 1, 0)))


@cache
def _ago_words(earliest: int, behind: int) -> pa.Array:
    """No days, and every number of days from the earliest to that before the last."""
    return pa.array(["", *map(days_before, range(earliest, behind))], pa.string())


def in_order(found: Sequence[pd.DataFrame | None], case_ids: pd.Series) -> pa.Table:
    """Statements as `evidence.parquet` has them, sorted by case and, within one, by the order of the declarations.

    Args:
        found: facts of each of `FIELDS`: case (number), value, days_before_index, and what the wording names; None: not wanted.
        case_ids: by number.

    Returns:
        columns of `SCHEMA`; what repeats is a dictionary.
    """
    cases, places, days = [np.array([], dtype=np.int64)], [np.array([], dtype=np.int64)], [np.array([])]
    values, texts = [pa.array([], pa.string())], [pa.array([], pa.string())]
    for number, (field, frame) in enumerate(zip(FIELDS, found, strict=True)):
        if frame is None or frame.empty:
            continue
        cases.append(frame["case"].to_numpy(np.int64))
        places.append(np.full(len(frame), number))
        days.append(frame["days_before_index"].to_numpy(float))
        values.append(_texts(frame["value"]))
        texts.append(worded(field, frame, values[-1]))
    # Stable: within a field the order of its own function stays, the closest first.
    case, place = np.concatenate(cases), np.concatenate(places)
    order = np.argsort(case * len(FIELDS) + place, kind="stable")
    case, place, age = case[order], place[order], np.concatenate(days)[order]
    taken = pa.array(order)
    columns = {
        "case_id": _coded(case, case_ids.to_numpy(object)),
        "order": pa.array((np.arange(len(case)) - np.searchsorted(case, case)).astype(np.int32)),
        "section": _coded(place, [field.section for field in FIELDS]),
        "field": _coded(place, [field.name for field in FIELDS]),
        "value": pa.concat_arrays(values).take(taken),
        "text": pa.concat_arrays(texts).take(taken),
        "days_before_index": pa.array(np.nan_to_num(age).astype(np.int32), mask=np.isnan(age)),
        "priority": pa.array(np.array([field.priority for field in FIELDS], dtype=np.int16)[place]),
        "kind": _coded(place, [field.kind for field in FIELDS]),
    }
    return pa.table({name: columns[name] for name in EVIDENCE_COLUMNS})


def _coded(numbers: np.ndarray, words: Sequence[str] | np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), pa.array(words, pa.string()))


def in_pandas(statements: pa.Table) -> pd.DataFrame:
    """Statements with the types that frames of evidence have: text as objects, days as integers that may be missing."""
    frame: pd.DataFrame = statements.cast(SCHEMA).to_pandas()
    return frame.assign(days_before_index=frame["days_before_index"].astype("Int32"))


# As a file written from a frame has it, so that whoever reads it in pandas has these types again.
WRITTEN = pa.Table.from_pandas(in_pandas(in_order([None] * len(FIELDS), pd.Series(dtype=object))), SCHEMA, preserve_index=False).schema
