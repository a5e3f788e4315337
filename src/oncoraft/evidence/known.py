"""How every fact is found: dated records joined with index dates, by the rule that the field's declaration states.

Cases and people are numbered once (`prepare`), so that joins and sorts run on integers; a fact is a row of case number,
value and days before the index date, with whatever else the field's wording names.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from oncoraft.evidence.declaration import IndexDay, is_known, of_index_day
from oncoraft.evidence.fields import BY_NAME
from oncoraft.knowledge.drug_rows import one_agent_a_row

Tables = dict[str, pd.DataFrame]


def numbered(cases: pd.DataFrame) -> pd.DataFrame:
    """Cases sorted by case_id, each with its number `case` and its patient's number `person` (int32)."""
    ordered = cases.sort_values("case_id", kind="stable").reset_index(drop=True)
    people = pd.Index(ordered["patient_id"].unique())
    return ordered.assign(
        case=np.arange(len(ordered), dtype=np.int32), person=people.get_indexer(pd.Index(ordered["patient_id"])).astype(np.int32)
    )


class Prepared(dict[str, pd.DataFrame]):
    """Tables of some people, each made when it is first asked for: a few fields need a few tables."""

    def __init__(self, people: pd.Index, tables: Tables) -> None:
        super().__init__()
        self.people, self.source = people, tables

    def __missing__(self, name: str) -> pd.DataFrame:
        rows = self.source[name]
        if "patient_id" in rows:
            person = self.people.get_indexer(pd.Index(rows["patient_id"])).astype(np.int32)
            rows = rows.drop(columns="patient_id").assign(person=person)[person >= 0]
        self[name] = one_agent_a_row(rows)[0] if name == "timeline_treatment" else rows
        return self[name]


def prepare(cases: pd.DataFrame, tables: Tables) -> Tables:
    """Tables with `person` in place of `patient_id`, the rows of other people left out, treatment by agents of the drug table.

    Args:
        cases: from `numbered`.
        tables: by name, with the declared columns at least.
    """
    return Prepared(pd.Index(cases["patient_id"].unique()), tables)


def known_records(
    cases: pd.DataFrame, rows: pd.DataFrame, field: str, ties: str | None = None, index_day: IndexDay = "before_treatment"
) -> pd.DataFrame:
    """Records of a field that were known at each case's index date, the closest first.

    Args:
        cases: from `numbered`.
        rows: of a prepared table; `start_day` dates them.
        field: whose rule and staleness limit hold.
        ties: column that orders records of one day, so that the order of rows in the source does not matter.
        index_day: whether records of the index day count, for fields that leave it to the setting.

    Returns:
        the rows' columns with case (int32), index_day and days_before_index, sorted by case and age of the record.
    """
    # Which record belongs to which case is settled by numbers alone; only what is shown is copied.
    person, day = rows["person"].to_numpy(), rows["start_day"].to_numpy()
    # The records of a person stand together, the latest first; lexsort takes its last key first.
    order = np.lexsort([*([] if ties is None else [pd.factorize(rows[ties], sort=True)[0]]), -day, person])
    first, behind = (np.searchsorted(person, cases["person"].to_numpy(), side, sorter=order) for side in ("left", "right"))
    number = behind - first
    of_case = np.repeat(np.arange(len(cases)), number)
    record = order[np.arange(len(of_case)) + np.repeat(first - (np.cumsum(number) - number), number)]
    days = pd.Series(cases["index_day"].to_numpy()[of_case] - day[record])
    known = is_known(of_index_day(BY_NAME[field], index_day), days).to_numpy(dtype=bool)
    found, of_case = rows.take(record[known]).reset_index(drop=True), of_case[known]
    own = {name: cases[name].to_numpy()[of_case] for name in ("case", "person", "index_day")}
    return found.assign(**own, days_before_index=days.to_numpy()[known])


def daily(records: pd.DataFrame, column: str, *also: str) -> pd.DataFrame:
    """One record a case and day: the highest value of `column` (for booleans: true), of equal ones the last; the closest day first.

    Args:
        records: sorted by case and age, as `known_records` gives them.
        column: never missing.
        also: other columns wanted.
    """
    keys = ["case", "days_before_index"]
    case, days = (records[name].to_numpy() for name in keys)
    begun = np.flatnonzero(np.r_[True, (case[1:] != case[:-1]) | (days[1:] != days[:-1])][: len(records)])
    value = records[column].to_numpy(float)
    if len(begun) == len(value):  # also of none, which reduceat refuses
        return records[[*keys, column, *also]]
    highest = np.repeat(np.maximum.reduceat(value, begun), np.diff(begun, append=len(value)))
    last = np.maximum.reduceat(np.where(value == highest, np.arange(len(value)), -1), begun)
    return records[[*keys, column, *also]].take(last)


def closest(records: pd.DataFrame, count: int = 1) -> pd.DataFrame:
    """The closest records of each case, of records that are sorted by age."""
    return records.groupby("case", sort=False).head(count)


def facts(frame: pd.DataFrame, value: pd.Series, **more: pd.Series | str) -> pd.DataFrame:
    """Case, value (text) and age of facts, and whatever else their wording names; facts without a value are left out."""
    days = frame["days_before_index"] if "days_before_index" in frame else pd.Series(np.nan, index=frame.index)
    found = pd.DataFrame({"case": frame["case"], "value": value, "days_before_index": days.astype("float64"), **more}, index=frame.index)
    found = found[found["value"].notna()]
    return found.assign(value=found["value"].astype(str))


def ago(days: pd.Series) -> pd.Series:
    """Days before treatment in words, the one way in which a prompt tells them."""
    distinct, place = np.unique(days.to_numpy("float64"), return_inverse=True)
    # NaN is not equal to itself.
    words = [days_before(int(day)) if day == day else "" for day in distinct.tolist()]
    return pd.Series(np.array(words, dtype=object)[place], index=days.index, dtype=object)


def days_before(day: int) -> str:
    """One number of days in words."""
    return "on the day treatment starts" if day == 0 else "1 day before treatment" if day == 1 else f"{day} days before treatment"


def with_earlier(records: pd.DataFrame, reading: pd.Series, count: int) -> tuple[pd.DataFrame, pd.Series]:
    """The closest record of each case, and what the next ones said: `, earlier negative (300 days before treatment)`.

    Args:
        records: sorted by case and age, one a day.
        reading: what each record says.
        count: records told of in all.
    """
    place = records.groupby("case", sort=False).cumcount().to_numpy()
    first = records[place == 0]
    phrases = (reading.astype(str) + " (" + ago(records["days_before_index"]) + ")").to_numpy(object)
    cases = records["case"].to_numpy()
    told = pd.Series("", index=first["case"].to_numpy(), dtype=object)
    for number in range(1, count):
        here = place == number
        told[cases[here]] = told[cases[here]] + (", earlier " if number == 1 else ", ") + phrases[here]
    return first, pd.Series(told.to_numpy(), index=first.index)


def of_distinct(words: pd.Series, read: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """What a function reads from each of some words, found once for each distinct one."""
    codes, distinct = pd.factorize(words, use_na_sentinel=False)
    found = read(pd.Series(distinct, dtype=object)).to_numpy(object)
    return pd.Series(found[codes], index=words.index, dtype=object)


def in_one(keys: pd.Series, words: pd.Series, separator: str) -> pd.Series:
    """Words of equal keys joined in their order; indexed by key."""
    found: dict[int, str] = {}
    for key, word in zip(keys.tolist(), words.tolist()):
        found[key] = found[key] + separator + word if key in found else word
    return pd.Series(found, dtype=object)


def in_figures(numbers: pd.Series) -> pd.Series:
    """Measured numbers as a report prints them: whole from 100 on, else up to two decimals."""
    rounded = numbers.astype(float).round(2).mask(numbers >= 100, numbers.round(0))
    words = {value: f"{value:.2f}".rstrip("0").rstrip(".") for value in rounded.dropna().unique()}
    return rounded.map(words)
