"""Small cells: counts of fewer people than `report.smallest_cell` are marked, on the page and in its data, and cannot be computed from what stands beside them.

The rule, for every table whose counts add up:
1. a count from 1 to smallest - 1 is hidden ("<10"); zero says of nobody what he has, and is shown;
2. where counts add up to a total that is shown, and one alone is hidden, or those hidden add up to fewer than the smallest cell,
   the smallest count left of them is hidden as well ("hidden"), over and over, along rows and columns, until no total gives a cell away;
3. what is computed from a hidden count (a share, a median) is hidden with it.
With a smallest cell of 1 nothing is hidden. Complementary suppression as in Cox, J Am Stat Assoc 1980;75:377-385; totals are taken one
by one, so cells that several totals together would narrow down are outside the rule.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from oncoraft.report.tables import records

Key = TypeVar("Key", bound=Hashable)
COMPLEMENT = "hidden"


def hidden(counts: dict[Key, int], sums: Iterable[Sequence[Key]], smallest: int) -> set[Key]:
    """Which counts must not be shown.

    Args:
        counts: every count of the table.
        sums: the totals that can be formed: first the total, then what adds up to it; keys that have no count are passed over.
        smallest: the smallest count that may be shown.
    """
    gone = {key for key, count in counts.items() if 0 < count < smallest}
    equations = [[key for key in one if key in counts] for one in sums]
    changed = bool(gone)
    while changed:
        changed = False
        for equation in equations:
            lost = [key for key in equation if key in gone]
            left = [key for key in equation if key not in gone and counts[key]]
            parts_alone = bool(lost) and equation[0] not in gone and sum(counts[key] for key in lost) < smallest
            if left and (len(lost) == 1 or parts_alone):
                gone.add(min(left, key=lambda key: (counts[key], equation.index(key))))
                changed = True
    return gone


@dataclass(frozen=True)
class Guard:
    """The smallest count that may be shown, and how a hidden one is marked."""

    smallest: int

    @property
    def mark(self) -> str:
        """How a small count is marked."""
        return f"<{self.smallest}"

    def rule(self) -> str:
        """The rule in a sentence, for the page."""
        if self.smallest <= 1:
            return "No count is hidden (report.smallest_cell is 1)."
        return (
            f"Counts from 1 to {self.smallest - 1} are marked “{self.mark}”, on this page and in its data; where a total would give one away the "
            f"smallest count beside it is “{COMPLEMENT}” too, and so is what is computed from either. Curves end where fewer are at risk."
        )

    def count(self, count: Any) -> Any:
        """One count that no total stands beside."""
        return self.mark if count is not None and count == count and 0 < count < self.smallest else count

    def marks(self, counts: dict[Key, int], sums: Iterable[Sequence[Key]]) -> dict[Key, str]:
        """The mark of every hidden count."""
        gone = hidden(counts, sums, self.smallest)
        return {key: self.mark if 0 < counts[key] < self.smallest else COMPLEMENT for key in gone}

    def rows(
        self, rows: Sequence[dict[str, Any]], sums: Sequence[Sequence[str]], *, total: int | None = None, of: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Rows with their hidden counts replaced by a mark.

        Args:
            rows: records of counts; what is no count is kept.
            sums: in a row: the column of the total, then those that add up to it. A total that is no column is named by `of`.
            total: the row that the others add up to, by its place; none: no such row is shown.
            of: derived column -> the column of counts that it is hidden with.
        """
        columns = list(dict.fromkeys(name for one in sums for name in one))
        counts = {
            (place, name): int(row[name])
            for place, row in enumerate(rows)
            for name in columns
            if row.get(name) is not None and row[name] == row[name]
        }
        equations = [[(place, name) for name in one] for place in range(len(rows)) for one in sums]
        if total is not None:
            others = [place for place in range(len(rows)) if place != total]
            equations += [[(total, name), *((place, name) for place in others)] for name in columns]
        marks = self.marks(counts, equations)
        shown = [row | {name: marks[place, name] for name in columns if (place, name) in marks} for place, row in enumerate(rows)]
        for derived, source in (of or {}).items():
            for place, row in enumerate(shown):
                if (place, source) in marks and derived in row:
                    row[derived] = COMPLEMENT
        return shown

    def frame(self, frame: pd.DataFrame, sums: Sequence[Sequence[str]], **more: Any) -> pd.DataFrame:
        """`rows` of a frame."""
        if self.smallest <= 1 or frame.empty:
            return frame
        return pd.DataFrame(self.rows(records(frame), sums, **more), columns=frame.columns)

    def curves(self, curves: pd.DataFrame) -> pd.DataFrame:
        """Survival curves as far as enough are at risk; a step at which fewer are is left out, and so is its number of deaths."""
        return curves[curves["at_risk"] >= self.smallest] if not curves.empty else curves
