"""What a section of the page is: a heading in the rail, a part of the template, and a function from what was read to what it shows.

A section is added by one line in `contents.py`. Its function returns values for its template; every `Table`, `Figure` and `Data` among
them, however deep, is written beside the page without more ado (`data/<name>.csv`, `data/<name>.svg`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report.case_records import courses
from oncoraft.report.collect import Run
from oncoraft.report.small_cells import Guard


@dataclass(frozen=True)
class Sources:
    """What every section may read: the results folder of a cohort and its experiments, metrics guarded already."""

    results: Path
    runs: Sequence[Run]
    guard: Guard
    flow: dict[str, Any]
    shows_rationales: bool = False
    shows_individuals: bool = False
    external: tuple[Path, ...] = ()

    @property
    def designs(self) -> list[str]:
        """The designs of the experiments, each once."""
        return list(dict.fromkeys(one.design for one in self.runs))

    @cached_property
    def courses(self) -> pd.DataFrame | None:
        """Every case with what came of it, read once; None where the cases are not at hand."""
        return courses(self.results, self.flow["definition"])

    @property
    def is_twin(self) -> bool:
        """Whether the cohort is synthetic: it alone knows an oracle."""
        return any(row["predictor"] == "oracle" for one in self.runs for row in one.metrics)


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        anchor: its id, what links name.
        title: its heading.
        group: heading in the rail that it stands under.
        template: file in `templates/`, which finds what `make` returns under the name `it`.
        make: what it shows; the value `brief`, where there is one, is the sentence beside its heading. None: it is left out.
    """

    anchor: str
    title: str
    group: str
    template: str
    make: Callable[[Sources], dict[str, Any] | None]


@dataclass(frozen=True)
class Shown:
    """A section with what it shows."""

    section: Section
    it: dict[str, Any] = field(default_factory=dict)


def suffix(number: int) -> str:
    """What the anchors of an experiment end with: nothing for the first."""
    return "" if number == 1 else f"-{number}"
