"""A group's own tables, by a mapping file that says for every column where it comes from, in which unit, words and clock.

Nothing is guessed: a column that the file does not name is absent, a word that it does not translate is refused, and a day is shifted
only by a clock that says where each patient's first sequencing stands on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BeforeValidator, Field, model_validator

from oncoraft.cohort.conversion import BY_NAME, Converted, Origin, is_required
from oncoraft.cohort.source_tables import LINE, days, read_source, text, written
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.curated import READINGS
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.knowledge.table_specification import DAY_LIMIT
from oncoraft.planning.config_files import read_model
from oncoraft.planning.mapped_headers import refuse_absent, separator_of
from oncoraft.planning.settings.base import Block

SEQUENCING, FOLLOW_UP = "sequencing", "OS_MONTHS"
CURATED_TABLE, READING_HEADERS = (
    "curated_readings",
    ("PATIENT_ID", "START_DATE", "READING"),
)  # no table of the layout: what people said of scans
Unit = Literal["days", "weeks", "months", "years"]
DAYS_IN: dict[str, float] = {"days": 1.0, "weeks": 7.0, "months": 365 / 12, "years": 365.25}


class MappedColumn(Block):
    """Where a column of the layout comes from."""

    column: str | None = Field(None, description="Header in the source's file.")
    value: str | None = Field(None, description="The same value in every row, instead of a column.")
    unit: Unit = Field("days", description="Unit of a time: of days (rounded to whole ones), and of OS_MONTHS, which must have one.")
    words: dict[str, str] | None = Field(None, description="The source's words and what each is here; another word is refused.")
    approximated: str | None = Field(None, description="How the value differs from what the layout means, for the mapping report.")

    @model_validator(mode="after")
    def _one_source(self) -> MappedColumn:
        if (self.column is None) == (self.value is None):
            raise ValueError("expected either `column` or `value`")
        return self


def _named(value: Any) -> Any:
    """A header alone is short for a column of that header."""
    return {"column": value} if isinstance(value, str) else value


class MappedTable(Block):
    """A table of the layout: the file that it comes from, the clock of its days, its columns by their headers in the layout."""

    file: str = Field(description="The source's file, in its folder.")
    clock: str = Field(SEQUENCING, description="What its days, and OS_MONTHS, count from: `sequencing`, or a name in `clocks`.")
    columns: dict[str, Annotated[MappedColumn, BeforeValidator(_named)]] = Field(
        min_length=1, description="Header in the layout -> the source's header, or more about it."
    )


class Clock(Block):
    """A clock: the file and column that say on which of its days a patient was first sequenced; of several rows the earliest counts."""

    file: str
    patient: str = Field(description="Header of the patient's id.")
    first_sequencing: str = Field(description="Header of the day of sequencing on this clock.")
    unit: Unit = "days"


class Mapping(Block):
    """A mapping file."""

    clocks: dict[str, Clock] = Field(default_factory=dict)
    tables: dict[str, MappedTable] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> Mapping:
        for name, one in self.tables.items():
            if one.clock != SEQUENCING and one.clock not in self.clocks:
                raise ValueError(f"tables.{name}.clock: expected {SEQUENCING} or a name in clocks, found {one.clock!r}")
        if SEQUENCING in self.clocks:
            raise ValueError(f"clocks: {SEQUENCING!r} is the clock of the layout itself; nothing is to be told of it")
        return self


def read_csv(source: Path, mapping: Path | None = None) -> Converted:
    """The tables that a mapping file tells of.

    Raises:
        InputError: no mapping file; a table or column that the layout does not have, or a required one that is not mapped; a file, column
            or word of the source that is not as the mapping says; a day that is none.
    """
    if mapping is None:
        raise InputError("--mapping: expected the file that says which column is which")
    told = read_model(Mapping, mapping)
    made = Converted()
    for name, one in told.tables.items():
        _check(name, one, mapping)
    # The plan of a run asks the same before anything is run; here it stands for who calls the step.
    refuse_absent(source, mapping)
    curated = told.tables.pop(CURATED_TABLE, None)
    zeros = {name: _zero(source, clock) for name, clock in told.clocks.items()}
    for name, one in told.tables.items():
        _table(name, one, source, zeros.get(one.clock), made)
    if curated is not None:
        made.readings = _readings(curated, source, zeros.get(curated.clock), made)
    made.clock = {"clock": "by table, from the mapping file", "clocks": {name: one.clock for name, one in told.tables.items()}}
    return made


def _check(name: str, one: MappedTable, mapping: Path) -> None:
    """Headers of the layout alone, every required one among them."""
    if name == CURATED_TABLE:
        if set(one.columns) != set(READING_HEADERS):
            raise InputError(f"tables.{name}.columns: expected {', '.join(READING_HEADERS)}", file=mapping, found=", ".join(one.columns))
        return
    try:
        for header in one.columns:
            is_required(name, header)
        needed = [column.source for column in BY_NAME[name].columns if column.required and column.source not in one.columns]
    except InputError as error:
        raise InputError(f"tables.{name}: {error}", file=mapping) from None
    _check_times(name, one, mapping)
    if needed and BY_NAME[name].layout == "rows":
        raise InputError(f"tables.{name}.columns: expected a source of {needed[0]}, without which the table cannot be read", file=mapping)


def _check_times(name: str, one: MappedTable, mapping: Path) -> None:
    """Times have a unit and no words, other columns no unit: what would not be applied is not taken."""
    kinds = {column.source: column.kind for column in BY_NAME[name].columns}
    for header, spec in one.columns.items():
        is_time, has_unit = kinds[header] == "day" or header == FOLLOW_UP, "unit" in spec.model_fields_set
        place = f"tables.{name}.columns.{header}"
        if has_unit and not is_time:
            raise InputError(f"{place}.unit: expected a unit of days and of {FOLLOW_UP} alone", file=mapping, found=spec.unit)
        if is_time and spec.words is not None:
            raise InputError(f"{place}.words: expected no words of a time", file=mapping)
        if header == FOLLOW_UP and not has_unit:
            # Its name tells months, the other times of a mapping file are days.
            raise InputError(f"{place}: expected its `unit`, one of {', '.join(DAYS_IN)}", file=mapping)


def _with_constants(rows: pd.DataFrame, given: dict[str, MappedColumn]) -> tuple[pd.DataFrame, dict[str, MappedColumn]]:
    """Constants as columns of the source, so that a day that is the same for all is shifted like any other."""
    constants = {f"({header})": spec.value for header, spec in given.items() if spec.column is None}
    return rows.assign(**constants), {
        header: spec if spec.column is not None else spec.model_copy(update={"column": f"({header})"}) for header, spec in given.items()
    }


def _zero(source: Path, clock: Clock) -> pd.Series:
    """Day of the first sequencing by patient, on one clock."""
    path = source / clock.file
    rows = read_source(path, (clock.patient, clock.first_sequencing), separator_of(path))
    return _days(rows, clock.first_sequencing, path, clock.unit).groupby(rows[clock.patient]).min().dropna()


def _days(rows: pd.DataFrame, name: str, path: Path, unit: str) -> pd.Series:
    """Days of a column in some unit, rounded to whole ones.

    Raises:
        InputError: a cell that is no number.
    """
    if unit == "days":
        return days(rows, name, path)
    cells = text(rows, name)
    numbers = pd.to_numeric(cells.where(cells != ""), errors="coerce").astype(float)
    wrong = (cells != "") & ~((numbers * DAYS_IN[unit]).abs() <= DAY_LIMIT)
    if wrong.any():
        row = rows[wrong].iloc[0]
        raise InputError(
            f"expected a number of {unit}, of at most {DAY_LIMIT:,} days", file=path, line=int(row[LINE]), column=name, found=row[name]
        )
    return (numbers * DAYS_IN[unit]).round()


def _columns(one: MappedTable) -> list[str]:
    return [spec.column for spec in one.columns.values() if spec.column is not None]


def _table(name: str, one: MappedTable, source: Path, zero: pd.Series | None, made: Converted) -> None:
    specification, path = BY_NAME[name], source / one.file
    rows, given = _with_constants(read_source(path, _columns(one), separator_of(path)), one.columns)
    made.inputs += [] if path in made.inputs else [path]
    kinds = {column.source: column.kind for column in specification.columns}
    shift = _shift(rows, given, zero, path)
    out, origins = pd.DataFrame(index=rows.index), {}
    for header, spec in given.items():
        how = f"{one.file}: {spec.column}" if spec.value is None else f"always {spec.value!r}"
        origins[header] = Origin("approximated", f"{how}; {spec.approximated}") if spec.approximated else Origin("mapped", how)
        if kinds[header] == "day":
            out[header] = written(_days(rows, str(spec.column), path, spec.unit) - shift)
        elif header == FOLLOW_UP:
            out[header] = _months(rows, spec, path, shift)
            lost = (text(rows, str(spec.column)) != "") & shift.isna()
            made.count(path, "follow-up of patients whose first sequencing the clock does not tell; left empty", int(lost.sum()))
        else:
            out[header] = _words(rows, spec, path)
    if zero is not None and "START_DATE" in out:
        made.count(path, "set aside: events of patients whose first sequencing the clock does not tell", int(shift.isna().sum()))
        out = out[shift.notna()]
    made.count(path, f"taken for {name}", len(out))
    made.put(name, out, origins)


def _readings(one: MappedTable, source: Path, zero: pd.Series | None, made: Converted) -> pd.DataFrame:
    """What people said of each scan: patient_id, start_day from the first sequencing, reading.

    Raises:
        InputError: a column that is not there, a day that is none, or a reading of another name.
    """
    path = source / one.file
    rows, given = _with_constants(read_source(path, _columns(one), separator_of(path)), one.columns)
    made.inputs += [] if path in made.inputs else [path]
    who, when, what = (given[header] for header in READING_HEADERS)
    reading = _words(rows, what, path)
    # `not stated` is a reading, and a word for "missing" elsewhere.
    reading = reading.where(reading.isin(READINGS) | ~reading.map(is_missing_word), "")
    strange = (reading != "") & ~reading.isin(READINGS)
    if strange.any():
        row, column = rows[strange].iloc[0], what.column
        raise InputError(
            f"expected one of {', '.join(READINGS)}", file=path, line=int(row[LINE]), column=column, found=str(row[str(column)])
        )
    day = _days(rows, str(when.column), path, when.unit) - _shift(rows, given, zero, path)
    told = (reading != "") & day.notna()
    made.count(path, "set aside: readings without a day or a word", int((~told).sum()))
    return pd.DataFrame({"patient_id": text(rows, str(who.column))[told], "start_day": day[told].astype(int), "reading": reading[told]})


def _shift(rows: pd.DataFrame, given: dict[str, MappedColumn], zero: pd.Series | None, path: Path) -> pd.Series:
    """Days by which each row's days are too late."""
    if zero is None:
        return pd.Series(0.0, index=rows.index)
    patient = given.get("PATIENT_ID")
    if patient is None or patient.column is None:
        raise InputError("expected a column for PATIENT_ID: a clock shifts each patient's days by their own", file=path)
    return rows[patient.column].map(zero).astype(float)


def _months(rows: pd.DataFrame, spec: MappedColumn, path: Path, shift: pd.Series) -> pd.Series:
    """Months of follow-up from sequencing, 365/12 days each."""
    follow_up = _days(rows, str(spec.column), path, spec.unit) - shift
    return follow_up.map(lambda value: "" if pd.isna(value) else f"{value * 12 / 365:.9f}")


def _words(rows: pd.DataFrame, spec: MappedColumn, path: Path) -> pd.Series:
    """Cells in the layout's words; where the mapping has none, as they stand: ingestion knows which columns have a level `Unknown`.

    Raises:
        InputError: a word that the mapping does not translate, and that does not mean "missing".
    """
    cells = rows[str(spec.column)]
    if spec.words is None:
        return cells
    strange = (text(rows, str(spec.column)) != "") & ~cells.isin(list(spec.words))
    if strange.any():
        row = rows[strange].iloc[0]
        raise InputError(
            f"expected one of {', '.join(map(repr, spec.words))}",
            file=path,
            line=int(row[LINE]),
            column=spec.column,
            found=str(row[str(spec.column)]),
        )
    return cells.map(lambda word: spec.words.get(word, "") if spec.words else word).astype(object)
