"""Small cells: counts of fewer people than `report.smallest_cell` are marked, on the page and in its data, and cannot be computed from what stands beside them.

The rule, for every table whose counts add up:
1. a count from 1 to smallest - 1 is hidden ("<10"); zero says of nobody what he has, and is shown;
2. where counts add up to a total, and that total with the marks leaves a hidden small count one value, or those hidden add up to fewer
   than the smallest cell, the smallest count left of them is hidden as well ("hidden"), along rows and columns, over and over, until
   neither one total nor all of a table's totals together compute a cell;
3. a column's total counts as shown whether or not it stands in the table: on the page it stands in another, or in the flow;
4. what is computed from a hidden count (a share, a median) is hidden with it.
With a smallest cell of 1 nothing is hidden. Complementary suppression as in Cox, J Am Stat Assoc 1980;75:377-385. Of counts that two
tables share the same are hidden, since both take the smallest beside; a cell that two tables of other counts narrow down together, and
what is read off an estimate (a survival curve, an area, an interval), are outside the rule.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from oncoraft.report.tables import records

Key = TypeVar("Key", bound=Hashable)
COMPLEMENT = "hidden"
VALUED = re.compile(r"(?:the )?\d+ of \d+ resamples")


def hidden(
    counts: dict[Key, int], sums: Iterable[Sequence[Key]], smallest: int, fixed: Collection[Key] = (), unseen: Collection[Key] = ()
) -> set[Key]:
    """Which counts must not be shown.

    Args:
        counts: every count of the table.
        sums: the totals that can be formed: first the total, then what adds up to it; keys that have no count are passed over.
        smallest: the smallest count that may be shown.
        fixed: counts that are known from elsewhere, so that hiding them protects nothing.
        unseen: counts that stand nowhere, and can only be computed; they are among the hidden.
    """
    gone = {key for key, count in counts.items() if 0 < count < smallest} - set(fixed) | set(unseen)
    equations = [found for one in sums if len(found := [key for key in one if key in counts]) > 1]
    for part in _connected(equations):
        # Totals of several predictors and measures are often the same: counts by place, so that they are solved once.
        keys = list(dict.fromkeys(key for one in part for key in one))
        place = {key: number for number, key in enumerate(keys)}
        known, nowhere = (frozenset(place[key] for key in some if key in place) for some in (fixed, unseen))
        solved = _solved(
            tuple(counts[key] for key in keys), tuple(tuple(place[key] for key in one) for one in part), smallest, known, nowhere
        )
        gone |= {keys[number] for number in solved}
    return gone


def _connected(equations: Sequence[Sequence[Key]]) -> list[list[Sequence[Key]]]:
    """Equations that share a key, together."""
    of: dict[Key, int] = {}
    parts: dict[int, list[Sequence[Key]]] = {}
    for place, equation in enumerate(equations):
        found = sorted({of[key] for key in equation if key in of})
        parts[place] = [one for number in found for one in parts.pop(number)] + [equation]
        of |= {key: place for one in parts[place] for key in one}
    return list(parts.values())


@cache
def _solved(
    counts: tuple[int, ...], equations: tuple[tuple[int, ...], ...], smallest: int, fixed: frozenset[int], unseen: frozenset[int]
) -> frozenset[int]:
    """`hidden` of one connected part; keys are places in `counts`."""
    gone = {key for key, count in enumerate(counts) if 0 < count < smallest} - fixed | unseen
    open_to: set[int] = set()
    changed = bool(gone)
    while changed:
        changed = False
        for equation in equations:
            while _gives_away(equation, counts, gone, smallest, unseen) and (left := _candidates([equation], counts, gone | fixed)):
                gone.add(left[0])
                changed = True
        if not changed:
            left = []
            # Beside the first of them, in its own totals; where nothing is left there, anywhere.
            for key in _computed(equations, counts, gone, smallest, open_to):
                left = _candidates(equations, counts, gone | fixed)
                if near := _candidates([one for one in equations if key in one], counts, gone | fixed):
                    left = near
                    break
            gone.update(left[:1])
            changed = bool(left)
    return frozenset(gone)


def _candidates(equations: Iterable[Sequence[int]], counts: Sequence[int], barred: Collection[int]) -> list[int]:
    """What may be hidden beside: the smallest first, the earlier of equals."""
    keys = dict.fromkeys(key for one in equations for key in one if key not in barred and counts[key])
    return sorted(keys, key=lambda key: counts[key])


def _bounds(count: int, smallest: int) -> tuple[float, float]:
    """What the mark of a hidden count says of it."""
    return (1, smallest - 1) if count < smallest else (smallest, math.inf)


def _gives_away(equation: Sequence[int], counts: Sequence[int], gone: Collection[int], smallest: int, unseen: Collection[int]) -> bool:
    """Whether one total tells a hidden count, or that all that is hidden of it is a small count."""
    lost = [key for key in equation if key in gone]
    small = [key for key in lost if counts[key] < smallest]
    # A large count that is hidden beside a small one hides nothing if another total tells it.
    if len(lost) == 1 and lost[0] not in unseen:
        return True
    if not small:
        return False
    if equation[0] not in gone and sum(counts[key] for key in lost) < smallest:
        return True
    # The hidden parts less the hidden total are known; the others' marks then bound each.
    sign = {key: -1 if key == equation[0] else 1 for key in lost}
    known = sum(sign[key] * counts[key] for key in lost)
    ends = {key: sorted(sign[key] * end for end in _bounds(counts[key], smallest)) for key in lost}
    for key in small:
        low = known - sum(ends[other][1] for other in lost if other != key)
        high = known - sum(ends[other][0] for other in lost if other != key)
        low, high = (low, high) if sign[key] > 0 else (-high, -low)
        if min(high, smallest - 1) - max(low, 1) < 1:
            return True
    return False


def _computed(equations: Sequence[Sequence[int]], counts: Sequence[int], gone: set[int], smallest: int, open_to: set[int]) -> Iterator[int]:
    """Hidden small counts to which all totals together, with the marks, leave one value (linear programming); in order.

    `open_to` are those that were found to have several; they are not asked again, since every count hidden beside leaves them as many.
    """
    lost = sorted(gone)
    at = {key: place for place, key in enumerate(lost)}
    matrix = np.array([[(-1 if key == one[0] else 1) if key in one else 0 for key in lost] for one in equations if gone & set(one)])
    true = np.array([counts[key] for key in lost])
    bounds = [_bounds(counts[key], smallest) for key in lost]
    small = np.array([counts[key] < smallest for key in lost], dtype=float)

    def look(goal: np.ndarray) -> None:
        """The true counts are one solution: a count that another solution has otherwise is not computed. Few solutions settle most counts."""
        found = linprog(goal, A_eq=matrix, b_eq=matrix @ true, bounds=bounds)
        if found.status == 0:
            open_to.update(key for key in lost if abs(found.x[at[key]] - true[at[key]]) >= 1 - 1e-6)

    for goal in (small, -small, small * np.where(np.arange(len(lost)) % 2, 1, -1)):
        if any(small[at[key]] and key not in open_to for key in lost):
            look(goal)
    for key in lost:
        for sign in (1, -1):
            if small[at[key]] and key not in open_to:
                look(sign * np.eye(len(lost))[at[key]])
        if small[at[key]] and key not in open_to:
            yield key


def discreet(row: dict[str, Any], counts: Collection[str]) -> dict[str, Any]:
    """A row whose `flags` do not say how many resamples have a value where one of these counts is hidden.

    How often a draw misses a class tells how few it has.
    """
    if not isinstance(row.get("flags"), str) or not any(isinstance(row.get(name), str) for name in counts):
        return row
    return row | {"flags": VALUED.sub("some of the resamples", row["flags"])}


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

    def marks(
        self, counts: dict[Key, int], sums: Iterable[Sequence[Key]], fixed: Collection[Key] = (), unseen: Collection[Key] = ()
    ) -> dict[Key, str]:
        """The mark of every hidden count; `fixed` are known from elsewhere, `unseen` stand nowhere."""
        gone = hidden(counts, sums, self.smallest, fixed, unseen)
        return {key: self.mark if 0 < counts[key] < self.smallest else COMPLEMENT for key in gone}

    def rows(
        self, rows: Sequence[dict[str, Any]], sums: Sequence[Sequence[str]], *, total: int | None = None, of: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Rows with their hidden counts replaced by a mark.

        Args:
            rows: records of counts; what is no count is kept.
            sums: in a row: the column of the total, then those that are parts of it; what they leave is a count that stands nowhere.
            total: the row that the others add up to, by its place; none: no such row is shown, and the sum of each column counts as known.
            of: derived column -> the column of counts that it is hidden with.
        """
        columns = list(dict.fromkeys(name for one in sums for name in one))
        counts = {
            (place, name): int(row[name])
            for place, row in enumerate(rows)
            for name in columns
            if row.get(name) is not None and row[name] == row[name]
        }
        equations: list[list[Any]] = []
        rests: dict[Any, int] = {}
        for place, one in ((place, one) for place in range(len(rows)) for one in sums):
            keys: list[Any] = [(place, name) for name in one if (place, name) in counts or name == one[0]]
            whole, *parts = keys
            if whole not in counts:
                continue
            if parts and (rest := counts[whole] - sum(counts[key] for key in parts)) > 0:
                rests[place, *one, "rest"] = rest
                keys.append((place, *one, "rest"))
            equations.append(keys)
        if total is not None:
            others = [place for place in range(len(rows)) if place != total]
            equations += [[(total, name), *((place, name) for place in others)] for name in columns]
        told: dict[Any, int] = {}
        if total is None:
            alike: dict[Any, list[int]] = {}  # the rows of one predictor add up, those of several do not
            for place, row in enumerate(rows):
                alike.setdefault(row.get("predictor"), []).append(place)
            for kind, places in ((kind, places) for kind, places in alike.items() if len(places) > 1):
                told |= {(kind, name): sum(counts.get((place, name), 0) for place in places) for name in columns}
                equations += [[(kind, name), *((place, name) for place in places)] for name in columns]
        marks = self.marks(counts | told | rests, equations, told, rests)
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
        """Survival curves as far as enough are at risk, without the number of deaths at each step, which is small by nature."""
        shown = curves[curves["at_risk"] >= self.smallest] if not curves.empty else curves
        return shown.drop(columns="event_count", errors="ignore") if self.smallest > 1 else shown
