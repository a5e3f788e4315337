"""A results folder as the page reads it: its patients at their index days, its evidence by the workflow's own code, and the runs in it.

Nothing is read that lies outside the folder; of the large tables only the rows of the patient who is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from oncoraft.cases import regimens
from oncoraft.evidence.allow_list import declared_columns
from oncoraft.evidence.evidence import collect, collecting
from oncoraft.evidence.known import Tables
from oncoraft.evidence.reading import CASE_COLUMNS, read_cases
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Evidence, Regimens
from oncoraft.report.collect import read_json
from oncoraft.report.small_cells import Guard

SHOWN = 40  # patients of a search
OF_SAMPLES = {"mutations": "tumor_sample_barcode", "cna": "sample_id", "sv": "sample_id", "profiled": "sample_id"}
LISTED = ("case_id", "patient_id", "index_day", "regimen", "regimen_name", "cancer_type", "stop_day")


def settings_of(path: Path, block: str) -> dict[str, Any]:
    """A block of settings as a manifest records it; empty where there is none."""
    found = read_json(path)
    told = found.get("settings", {}).get(block) if isinstance(found, dict) else None
    return told if isinstance(told, dict) else {}


@dataclass(frozen=True)
class Study:
    """A cohort's results folder.

    Args:
        root: folder with `tables/` and `cases/`.
        guard: of small counts.
    """

    root: Path
    guard: Guard

    @cached_property
    def cases(self) -> pd.DataFrame:
        """The case list.

        Raises:
            InputError: it is not there or not whole.
        """
        return read_cases(self.root / "cases", (*CASE_COLUMNS, *LISTED))

    @property
    def has_patients(self) -> bool:
        """Whether patients can be looked up."""
        return (self.root / "cases" / "cases.parquet").is_file() and (self.root / "tables" / "clinical_patient.parquet").is_file()

    @cached_property
    def evidence_settings(self) -> Evidence:
        """Those with which the folder's evidence was collected."""
        return Evidence(**settings_of(self.root / "prompts" / "evidence.parquet.manifest.json", "evidence"))

    @cached_property
    def usual_fields(self) -> frozenset[str]:
        """Fields of which nine in ten cases of the folder's evidence tell something; empty where there is none."""
        path = self.root / "prompts" / "evidence.parquet"
        if not path.is_file():
            return frozenset()
        table = pq.read_table(path, columns=["case_id", "field"]).to_pandas().drop_duplicates()
        shares = table["field"].value_counts() / max(1, table["case_id"].nunique())
        return frozenset(str(name) for name in shares.index[shares >= 0.9])

    def patients(self, text: str) -> list[str]:
        """Patients whose id holds a text, the first of them."""
        ids = self.cases["patient_id"].drop_duplicates().sort_values()
        return [str(one) for one in ids[ids.str.contains(text.strip(), case=False, regex=False)].head(SHOWN)]

    def cases_of(self, patient: str) -> pd.DataFrame:
        """A patient's cases in time.

        Raises:
            InputError: there is no such patient.
        """
        found = self.cases[self.cases["patient_id"] == patient].sort_values("index_day")
        if found.empty:
            raise InputError("expected a patient of this study's cases", found=patient)
        return found

    def tables_of(self, patient: str, columns: dict[str, Sequence[str]], whole: Sequence[str] = ()) -> Tables:
        """One patient's rows of some tables; of those in `whole` everybody's."""
        samples = pd.read_parquet(self._table("clinical_sample"), columns=["sample_id"], filters=[("patient_id", "=", patient)])
        found = {}
        for name, wanted in columns.items():
            path = self._table(name)
            if not path.is_file():
                continue
            there = [column for column in wanted if column in pq.read_schema(path).names]
            mine: Any = [(OF_SAMPLES[name], "in", list(samples["sample_id"]))] if name in OF_SAMPLES else [("patient_id", "=", patient)]
            if name in OF_SAMPLES and samples.empty:
                mine = [(OF_SAMPLES[name], "=", "")]
            found[name] = pd.read_parquet(path, columns=there, filters=None if name in whole else mine)
        return found

    def _table(self, name: str) -> Path:
        return self.root / "tables" / f"{name}.parquet"

    def evidence_of(self, patient: str, index_day: int, agents: Sequence[str] = ()) -> tuple[pd.DataFrame, pd.Series]:
        """Evidence of a patient on a day, and the case that it is of.

        Args:
            agents: to begin on that day; none: those that did.

        Raises:
            InputError: no treatment began that day and none is given, or it makes no case there.
        """
        cases = self.cases_of(patient)
        if agents:
            cases = self._supposed(patient, index_day, agents)
        own = cases[cases["index_day"] == index_day]
        if own.empty and agents:
            raise InputError(
                "expected drugs that make a regimen of their own on that day; by the rules they join the one begun before (docs/regimens.md)",
                found=index_day,
            )
        if own.empty:
            raise InputError("expected a day on which a treatment of this patient began, or the drugs that are to begin", found=index_day)
        # The whole line of regimens: earlier ones are told of, and how an index day is counted depends on all.
        found = collect(self.tables_of(patient, dict(declared_columns())), cases, **collecting(self.evidence_settings))
        case = own.iloc[0]
        return found[found["case_id"] == case["case_id"]], case

    def _supposed(self, patient: str, index_day: int, agents: Sequence[str]) -> pd.DataFrame:
        """The patient's cases as if these agents had begun on a day, and nothing after it.

        Raises:
            InputError: the rules make no regimen of it, such as one that begins before its cancer's diagnosis.
        """
        # The cancers of a cohort decide which agents are for whom: everybody's specimens.
        tables = self.tables_of(patient, dict(regimens.COLUMNS), whole=("clinical_sample",))
        given = tables["timeline_treatment"]
        before = given[given["start_day"] < index_day]
        row = {"patient_id": patient, "start_day": index_day, "stop_day": index_day, "subtype": None, "source_line": 0}
        supposed = pd.DataFrame([row | {"agent": agent} for agent in agents])
        tables["timeline_treatment"] = pd.concat([before, supposed.reindex(columns=given.columns)], ignore_index=True).astype(given.dtypes)
        rules = Regimens(**settings_of(self.root / "cases" / "cases.parquet.manifest.json", "regimens"))
        return regimens.build(tables, rules)[0]


def runs_of(root: Path) -> list[Path]:
    """Folders of the runs below a results folder."""
    return sorted(path.parents[1] for path in root.glob("*/*/*/metrics/metrics.json"))


def fold_of(model: Path, root: Path) -> Path | None:
    """The fold below a results folder from which a model folder was exported, known by the digest of its manifest; None: none."""
    record = read_json(model / "manifest.json")
    if not isinstance(record, dict):
        return None
    from oncoraft.foundation.provenance import file_digest

    wanted = {digest for name, digest in record.get("inputs", {}).items() if Path(name).name == "manifest.json"}
    found = (path for path in sorted(root.glob("*/*/*/fold-*/manifest.json")) if file_digest(path) in wanted)
    return next((path.parent for path in found), None)


def prompt_settings(fold: Path) -> dict[str, Any]:
    """Settings of the prompts that a fold was trained on."""
    for path in sorted(fold.parents[2].glob("prompts/**/*.manifest.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(told := record.get("settings", {}).get("prompts"), dict):
            return told
    return {}
