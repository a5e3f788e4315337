"""What a field of the allow-list declares, and the one rule by which a record counts as known at an index date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

Known = Literal["before_index", "before_treatment", "by_index", "specimen", "from_diagnosis", "fixed", "planned", "derived"]
IndexDay = Literal["before_treatment", "excluded"]
KNOWN_IN_WORDS: dict[str, str] = {
    "before_index": "from the day after the record; a record of the index day itself does not count",
    "before_treatment": "from the day of the record: on the index day it is taken before the first dose (setting `evidence.index_day`: "
    "or from the day after)",
    "by_index": "from the day of the record",
    "specimen": "from the day on which the specimen was sequenced (setting: or acquired)",
    "from_diagnosis": "undated in the source; shown from the first diagnosis on (setting: or never)",
    "fixed": "fixed for life",
    "planned": "part of the decision itself: agents started within the configured days of the index date",
    "derived": "only a difference of two undated values enters, in bands",
}
Kind = Literal["number", "category", "days", "agents", "genes", "text", "count"]
KINDS_IN_WORDS: dict[str, str] = {
    "number": "a decimal number, the unit fixed by the field",
    "count": "a whole number of things",
    "days": "a whole number of days before treatment",
    "category": "a word of a small vocabulary, in lower case",
    "agents": "one agent in lower case, or several joined by ` + `",
    "genes": "an altered gene: its symbol (two, joined by `-`, of a fusion), then what happened to it",
    "text": "free words of the source",
}
COUNT_ON_INDEX_DAY = frozenset({"before_treatment", "by_index", "specimen", "from_diagnosis"})
NEVER_CUT = 100
LIFETIME_DAYS = 36_525  # a record "known" for more than a hundred years is a date error of the source (one Gleason score is)


@dataclass(frozen=True)
class Field:
    """One kind of fact.

    Args:
        name: the field's name in `evidence.parquet`.
        section: the heading under which it reads.
        priority: higher is kept longer when the token budget is short; 100 is never cut.
        sources: `table.column` of what is read; `cases.…` is the case list itself.
        known: when a record becomes known; see `KNOWN_IN_WORDS`.
        text: how a statement reads; `{value}` is the machine-readable value, `{ago}` the days before treatment in words, other
            names are given by the field's function.
        brief: how it reads in the compact template; empty: not there.
        stale_after_days: an older record is not shown; None: it keeps its meaning for life.
        listed: title under which all statements of a case read as one line; empty: a line each.
        layout_only: shown by the published layout alone, because other fields say the same in words.
        note: what a reader should know.
        kind: what `value` holds, see `KINDS_IN_WORDS`; models on evidence are built by it.
    """

    name: str
    section: str
    priority: int
    sources: tuple[str, ...]
    known: Known
    text: str
    brief: str = "{value}"
    stale_after_days: int | None = None
    listed: str = ""
    layout_only: bool = False
    note: str = ""
    kind: Kind = "category"

    @property
    def table(self) -> str:
        """Name of the first source table."""
        return self.sources[0].split(".")[0]


def of_index_day(field: Field, index_day: IndexDay) -> Field:
    """The field under the rule that a run has for records of the day on which treatment starts."""
    return replace(field, known="before_index") if field.known == "before_treatment" and index_day == "excluded" else field


def is_known(field: Field, days_before_index: pd.Series) -> pd.Series:
    """Which records of a field may be shown, by their age at the index date in days (negative: later)."""
    earliest = 0 if field.known in COUNT_ON_INDEX_DAY else 1
    longest = LIFETIME_DAYS if field.stale_after_days is None else field.stale_after_days
    return (days_before_index >= earliest) & (days_before_index <= longest)
