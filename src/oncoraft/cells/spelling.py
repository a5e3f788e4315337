"""One spelling of what files write in several: drugs by the agents that they name, tissues and cancers whatever their capitals.

Otherwise `Cisplatin` would train a fold that leaves `cisplatin` out, and each would be a level of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

import pandas as pd

from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drugs import MASKED

DRUGS = ("drug", "regimen")  # a drug alone is its own regimen: both are spelled alike
TOGETHER = (DRUGS, ("therapy_class",), ("tissue",), ("cancer",))


def meaning(name: str, is_drug: bool) -> Hashable:
    """What two names of one level have in common: the agents of a drug, where the table knows them, else the words."""
    if is_drug:
        found = resolve(name)
        # All radiopharmaceuticals are one agent of the table, and so are all that a study masks.
        if found.way not in ("unknown", "isotope") and MASKED not in found.agents:
            return tuple(sorted(found.agents))
    return " ".join(name.casefold().split())


def one_spelling(cells: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, dict[str, str]]]:
    """Cells with the most frequent spelling of each level (of equals the first by the alphabet), and what was spelled otherwise.

    Args:
        cells: the columns of `TOGETHER`, text.
    """
    changed: dict[str, dict[str, str]] = {}
    new: dict[str, pd.Series] = {}
    for columns in TOGETHER:
        counts = Counter[str](one for name in columns for one in cells[name].tolist())
        best: dict[Hashable, str] = {}
        for name in sorted(counts, key=lambda one: (-counts[one], one)):
            best.setdefault(meaning(name, columns is DRUGS), name)
        spelled = {name: best[meaning(name, columns is DRUGS)] for name in counts}
        for column in columns:
            new[column] = cells[column].map(spelled)
            there = set(cells[column].unique())
            if told := {name: other for name, other in sorted(spelled.items()) if name != other and name in there}:
                changed[column] = told
    return cells.assign(**new), changed
