"""Covariates of one's own beside those of the evidence: columns of the clinical tables, and of a CSV with a row a patient.

Columns of the clinical tables are not dated: some tell of a later time than the index date (`docs/tables.md`). Adjusted for, they take from the score rather
than give to it; each is named with its source in the results. A case without a value counts as unknown; a value that is none is refused.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.covariates import UNKNOWN
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.planning.config import Survival
from oncoraft.survival.comparators import PREFIX
from oncoraft.survival.cross_fitting import TARGET
from oncoraft.survival.inputs import read_table

KEY = "patient_id"
MISSING = {"", "na", "nan", "n/a", "null", "none", UNKNOWN}
MOST_WORDS = 20  # more are no levels of a model but names
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
JOINED_LATER = {"entry_days", "exit_days", "event", "endpoint", "responder", "label_day", TARGET, "code", "low_score", "low_group"}
TABLE_KEYS = {
    "clinical_patient": ("patient_id", "patient_id"),
    "clinical_sample": ("sample_id", "specimen_id"),
}  # of the table, of the case


def with_chosen(frame: pd.DataFrame, settings: Survival, tables: Path | None) -> tuple[pd.DataFrame, dict[str, int], list[Path]]:
    """Cases with the covariates that the settings name beside those of the evidence; counts; the files read.

    Args:
        frame: cases with patient_id, and specimen_id where a column of clinical_sample is named.
        settings: what is named.
        tables: folder of the clinical tables; None: none was given.

    Raises:
        InputError: a table or file that is absent, a column that it lacks or that has the name of another, a value that is none, rows of none of the patients.
    """
    counts: dict[str, int] = {}
    files: list[Path] = []
    for table, (key, case_key) in TABLE_KEYS.items():
        if not (columns := settings.table_columns(table)):
            continue
        if tables is None:
            raise InputError(
                f"expected --tables, the folder of {table}.parquet", column="survival.covariates", found=f"{table}.{columns[0]}"
            )
        files.append(tables / f"{table}.parquet")
        read = read_table(files[-1], [key, *columns], [key]).set_index(key)
        for name in columns:
            values = as_covariate(read[name], files[-1])
            frame = frame.assign(**{f"{table}.{name}": frame[case_key].map(values)})
    if settings.covariate_file is not None:
        files.append(Path(settings.covariate_file))
        given = read_covariates(files[-1], settings.file_columns)
        for name in settings.file_columns:
            # It would take the place of the model's own score, or of a death.
            if name in frame or name in JOINED_LATER or name.startswith(PREFIX):
                raise InputError("expected another name, which no column of the cases has", file=files[-1], column=name)
        if len(frame) and not given.index.isin(frame[KEY]).any():
            # As of ids that a spreadsheet has taken for numbers: 0071 is 71 there, and every covariate would be unknown.
            found = str(given.index[0]) if len(given) else "none"
            raise InputError(f"expected rows of these patients, as {frame[KEY].iloc[0]!r}", file=files[-1], column=KEY, found=found)
        counts["patients_without_covariate_row"] = int((~frame[KEY].drop_duplicates().isin(given.index)).sum())
        counts["covariate_rows_of_others"] = int((~given.index.isin(frame[KEY])).sum())
        frame = frame.assign(**{name: frame[KEY].map(given[name]) for name in settings.file_columns})
    return frame, counts, files


def as_covariate(values: pd.Series, path: Path) -> pd.Series:
    """A column of a table as numbers, or as words with what stands for none as missing.

    Raises:
        InputError: more different words than levels of a model can be.
    """
    if pd.api.types.is_numeric_dtype(values) or values.dropna().map(lambda value: isinstance(value, bool)).all():
        return values.astype(float)
    words = values.where(~values.astype(str).str.casefold().isin(MISSING))
    if words.nunique() > MOST_WORDS:
        raise InputError(f"expected at most {MOST_WORDS} different words", file=path, column=str(values.name), found=words.nunique())
    return words


def read_covariates(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a CSV by patient: numbers where every value is one, else words; what stands for none is missing.

    Raises:
        InputError: no such file, no UTF-8, a header or a row that is none, a patient twice or without a name, a number beside words, too many words.
    """
    require_file(path, f"a CSV with {', '.join((KEY, *columns))}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError:
        raise InputError("expected text in UTF-8", file=path) from None
    except csv.Error as error:
        raise InputError(f"expected CSV ({error})", file=path, line=reader.line_num) from None
    if not rows:
        raise InputError(f"expected a header with {', '.join((KEY, *columns))}", file=path, found="nothing")
    (first, header), body = rows[0], rows[1:]
    for name in (KEY, *columns):
        if header.count(name) != 1:
            raise InputError("expected this column once", file=path, line=first, column=name, found=f"{header.count(name)} times")
    lines: dict[str, int] = {}
    for line, row in body:
        if len(row) != len(header):
            raise InputError(f"expected {len(header)} cells, as in the header", file=path, line=line, found=len(row))
        patient = row[header.index(KEY)]
        if not patient:
            raise InputError("expected the id of a patient", file=path, line=line, column=KEY)
        if (seen := lines.setdefault(patient, line)) != line:
            raise InputError(f"expected each patient once, the first was line {seen}", file=path, line=line, column=KEY, found=patient)
    table = {name: _values([(line, row[header.index(name)]) for line, row in body], path, name) for name in columns}
    return pd.DataFrame(table, index=pd.Index(list(lines), name=KEY))


def _values(cells: list[tuple[int, str]], path: Path, name: str) -> list[float] | list[str | None]:
    """One column, numbers or words."""
    known = [(line, cell) for line, cell in cells if cell.casefold() not in MISSING]
    for line, cell in known:
        if DECIMAL_COMMA.fullmatch(cell):  # as words, each number would be a level of its own
            raise InputError("expected a point in a number", file=path, line=line, column=name, found=cell)
    numbers = [(line, cell) for line, cell in known if _number(cell) is not None]
    if len(numbers) == len(known):
        return [math.nan if cell.casefold() in MISSING else float(cell) for _, cell in cells]
    if numbers:
        # The rarer kind is the mistake.
        few = 2 * len(numbers) < len(known)
        line, cell = next((line, cell) for line, cell in known if (_number(cell) is not None) == few)
        expected = "a word" if few else "a number"
        raise InputError(f"expected {expected}, as in the other rows", file=path, line=line, column=name, found=cell)
    if (several := len({cell for _, cell in known})) > MOST_WORDS:
        raise InputError(f"expected numbers, or at most {MOST_WORDS} different words", file=path, column=name, found=several)
    return [None if cell.casefold() in MISSING else cell for _, cell in cells]


def _number(cell: str) -> float | None:
    """The number that a cell holds; None where it holds none, an infinite one among it."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) and "_" not in cell else None
