"""What a run left behind about itself, as the checklists and the model card ask for it: manifests of every step, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report.collect import Run, read_json
from oncoraft.report.sections import Sources
from oncoraft.report.tables import words


def dig(record: Any, *keys: str) -> Any:
    """A value inside nested records; None where any part of the way is absent."""
    for key in keys:
        if not isinstance(record, dict):
            return None
        record = record.get(key)
    return record


@dataclass(frozen=True)
class Facts:
    """A cohort's results as far as the report may tell of them.

    Args:
        sources: what every section may read.
    """

    sources: Sources

    @property
    def results(self) -> Path:
        """Results folder of the cohort."""
        return self.sources.results

    @property
    def runs(self) -> Sequence[Run]:
        """The experiments that are shown, their metrics guarded already."""
        return self.sources.runs

    @property
    def flow(self) -> dict[str, Any]:
        """Counts of the cohort."""
        return self.sources.flow

    @property
    def is_twin(self) -> bool:
        """Whether the patients are synthetic."""
        return self.sources.is_twin

    @property
    def designs(self) -> list[str]:
        """Designs of the runs, each once."""
        return self.sources.designs

    def note(self, path: str, *keys: str) -> Any:
        """A JSON file of the results, or a value in it; None where either is absent."""
        if path not in self.notes:
            self.notes[path] = read_json(self.results / path)
        return dig(self.notes[path], *keys)

    @cached_property
    def notes(self) -> dict[str, Any]:
        """JSON files that were read already, by their path."""
        return {}

    def setting(self, path: str, block: str, name: str) -> Any:
        """A setting that the step of a manifest recorded."""
        return self.note(path, "settings", block, name)

    def count(self, value: Any) -> str:
        """A count for people, marked where it is small."""
        return words(self.sources.guard.count(value))

    def home(self, run: Run) -> str:
        """The folder of an experiment, from the results on."""
        return f"{run.model}/{run.strategy}/{run.design}"

    def fold(self, run: Run, *keys: str) -> Any:
        """The manifest of a run's first fold, or a value in it."""
        return self.note(f"{self.home(run)}/fold-0/manifest.json", *keys)

    def folds(self, run: Run) -> list[dict[str, Any]]:
        """The manifests of a run's trained folds."""
        found = (self.note(f"{self.home(run)}/fold-{fold}/manifest.json") for fold in range(run.folds))
        return [one for one in found if one]

    def inference(self, run: Run, name: str) -> Any:
        """A setting under which held-out cases were scored."""
        return self.setting(f"{self.home(run)}/fold-0/predictions/shard-0.jsonl.manifest.json", "inference", name)

    @cached_property
    def first(self) -> Run:
        """The run that stands for the others where they do not differ."""
        return self.runs[0]

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """What was read of the source tables."""
        return pd.read_parquet(self.results / "tables" / "ledger.parquet")

    def told(self, sentences: Sequence[str | None]) -> str | None:
        """What there is of a few sentences, each once; None where there is nothing."""
        return " ".join(dict.fromkeys(one for one in sentences if one)) or None
