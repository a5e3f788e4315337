"""What was entered as source rows of one patient, and from them evidence and prompt by the workflow's own code.

So a case that is typed reads as the same case would in a held-out file: the same words, the same rules of what counts as known, the same
cuts. Day 0 is the index date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.evidence.declaration import Field
from oncoraft.evidence.evidence import TABLES_READ, collect, collecting
from oncoraft.evidence.fields import FIELDS, MARKERS
from oncoraft.evidence.known import Tables
from oncoraft.knowledge.tables import Column, table
from oncoraft.page.form import CALLS, Entry
from oncoraft.page.inputs import OF_SPECIMEN, column_of, inputs, unit_of_marker
from oncoraft.planning.config import Evidence
from oncoraft.prompts.budget import Count, Statement
from oncoraft.prompts.render import Renderer, render, statements_by_case

PERSON, SPECIMEN, CASE = "case", "case-T01", "case"
CASES_HELD = 16  # in memory, never on disk
TRUE = frozenset(("positive", "yes", "deficient"))
# ICD-O-3 topography of another cancer's organ.
ORGANS = {
    "Non-Small Cell Lung Cancer": "LUNG, NOS (M8140/3 | C349)",
    "Breast Cancer": "BREAST, NOS (M8500/3 | C509)",
    "Colorectal Cancer": "COLON, NOS (M8140/3 | C189)",
    "Prostate Cancer": "PROSTATE GLAND (M8140/3 | C619)",
    "Pancreatic Cancer": "PANCREAS, NOS (M8140/3 | C259)",
}
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Told:
    """A case as the model reads it.

    Attributes:
        statements: what is known of it, in reading order.
        cut: fields of statements that the token budget left out, in the order of cutting.
    """

    instruction: str
    text: str
    statements: tuple[Statement, ...]
    cut: tuple[str, ...] = ()


def _kept(column: Column, values: Sequence[Any]) -> pd.Series:
    """Values in the kind that the table specification states."""
    kinds = {"integer": "float64", "number": "float64", "day": "float64"}
    return pd.Series(values, dtype="int32" if column.name == "start_day" else kinds.get(column.kind, "object"))


def frame(name: str, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rows of one table with every column that it has; what a row does not say is missing."""
    columns = [*table(name).columns, *table(name).derived]
    return pd.DataFrame({column.name: _kept(column, [row.get(column.name) for row in rows]) for column in columns})


def cell(entry: Entry) -> Any:
    """An entry as its column holds it."""
    column = column_of(inputs()[entry.field].field)
    kind = column.kind if column else "text"
    if kind == "boolean":
        return entry.value in TRUE
    return float(entry.value) if kind in {"integer", "number"} else entry.value


def rows_of(entries: Sequence[Entry]) -> Rows:
    """Source rows by table."""
    rows: Rows = {name: [] for name in TABLES_READ}
    one = {entry.field: entry for entry in entries}
    person: dict[str, Any] = {"patient_id": PERSON, "os_days": 0}
    for name, column in (("sex", "gender"), ("age_at_index", "current_age_deid"), *((n, n) for n in ("race", "ethnicity", "her2"))):
        if name in one:
            person[column] = cell(one[name])
    if "hormone_receptor" in one:
        person["hr"] = cell(one["hormone_receptor"])
    rows["clinical_patient"].append(person)
    for entry in entries:
        _add_record(rows, entry)
    _add_diagnosis(rows, one)
    _add_specimen(rows, entries, one)
    return rows


def _add_record(rows: Rows, entry: Entry) -> None:
    """A dated record of its own."""
    at = {"patient_id": PERSON, "start_day": -(entry.days or 0)}
    if entry.field == "prior_regimen":
        rows["timeline_treatment"] += [at | {"agent": agent} for agent in entry.value.split(" + ")]
    elif entry.field == "tumor_marker":
        name = MARKERS[entry.detail]
        rows[name].append(at | {"result": float(entry.value), "lr_unit_measure": unit_of_marker(entry.detail)})
    elif entry.field == "other_cancer":
        rows["timeline_diagnosis"].append(at | {"dx_description": f"CARCINOMA | {ORGANS[entry.value]}"})
    elif entry.field in {"radiation", "surgery"}:
        rows[f"timeline_{entry.field}"].append(at)
    elif entry.days is not None and entry.field not in {"diagnosed", "specimen_type"}:
        field = inputs()[entry.field].field
        column = column_of(field)
        assert column is not None
        rows[field.table].append(at | {column.name: cell(entry)})


def _add_diagnosis(rows: Rows, one: dict[str, Entry]) -> None:
    if "diagnosed" not in one:
        return
    histology, site = (one[name].value if name in one else "" for name in ("histology", "primary_site"))
    row: dict[str, Any] = {"patient_id": PERSON, "start_day": -(one["diagnosed"].days or 0), "dx_description": f"{histology} | {site}"}
    columns = {"stage": "stage_cdm_derived", "clinical_group": "clinical_group", "pathological_group": "path_group", "extent": "summary"}
    rows["timeline_diagnosis"].append(row | {column: one[name].value for name, column in columns.items() if name in one})


def _add_specimen(rows: Rows, entries: Sequence[Entry], one: dict[str, Entry]) -> None:
    if "specimen_type" not in one:
        return
    at = {"patient_id": PERSON, "start_day": -(one["specimen_type"].days or 0), "sample_id": SPECIMEN}
    rows["timeline_specimen"].append(dict(at))
    rows["timeline_specimen_surgery"].append(dict(at))
    sample = {
        "patient_id": PERSON,
        "sample_id": SPECIMEN,
        "cancer_type": one["cancer_type"].value,
        "sample_type": one["specimen_type"].value,
    }
    names = {"specimen_histology": "cancer_type_detailed", "msi": "msi_type", "tmb": "tmb_nonsynonymous"}
    for name in OF_SPECIMEN & one.keys() - {"mutation", "copy_number", "structural_variant", "specimen_site"}:
        sample[names.get(name, name)] = cell(one[name])
    if "specimen_site" in one:
        sample |= {"metastatic_site": one["specimen_site"].value, "primary_site": one["specimen_site"].value}
    rows["clinical_sample"].append(sample)
    kinds = {"mutation": "mutations", "copy_number": "copy_number", "structural_variant": "structural_variants"}
    # Of what nobody entered nothing is known: not that it was looked for.
    rows["profiled"].append({"sample_id": SPECIMEN} | {column: name in one for name, column in kinds.items()})
    for entry in entries:
        if entry.field == "mutation":
            symbol, _, change = entry.value.partition(" ")
            rows["mutations"].append({"tumor_sample_barcode": SPECIMEN, "hugo_symbol": symbol, "hgvsp_short": change or None})
        elif entry.field == "copy_number":
            symbol, _, call = entry.value.partition(" ")
            rows["cna"].append({"sample_id": SPECIMEN, "gene": symbol, "call": CALLS[call]})
        elif entry.field == "structural_variant":
            first, second = entry.value.split("-")
            rows["sv"].append({"sample_id": SPECIMEN, "site1_hugo_symbol": first, "site2_hugo_symbol": second, "class": "FUSION"})


def case_list(entries: Sequence[Entry]) -> pd.DataFrame:
    """The case, and before it the regimens that were entered, as `cases.parquet` lists them."""
    one = {entry.field: entry for entry in entries}
    agents = sorted({agent for entry in entries if entry.field == "drug" for agent in entry.value.split(" + ")})
    before = sorted((entry for entry in entries if entry.field == "prior_regimen"), key=lambda entry: -(entry.days or 0))
    setting = one["setting"].value if "setting" in one else "unknown"
    overall = int(one["line_overall"].value) if "line_overall" in one else len(before) + 1
    line = int(one["line"].value) if "line" in one else overall
    described: dict[str, Any] = {"patient_id": PERSON, "cancer_type": one["cancer_type"].value, "setting": setting}
    described |= {"diagnosis_day": -(one["diagnosed"].days or 0) if "diagnosed" in one else None, "has_other_cancer": "other_cancer" in one}
    rows = [
        described | {"case_id": f"before-{place}", "index_day": -(entry.days or 0), "agents": entry.value.split(" + "), "line_overall": place}
        | {"line_of_therapy": place, "is_chemoradiation_at_index": False}
        for place, entry in enumerate(before, 1)
    ]  # fmt: skip
    with_radiation = "concurrent_radiation" in one and one["concurrent_radiation"].value == "yes"
    own = {"case_id": CASE, "index_day": 0, "agents": agents, "is_chemoradiation_at_index": with_radiation}
    rows.append(described | own | {"line_of_therapy": line, "line_overall": max(line, overall)})
    kinds: dict[str, Any] = {"index_day": np.int32, "line_of_therapy": np.int16, "line_overall": np.int16, "diagnosis_day": "Int32"}
    found = pd.DataFrame(rows).astype(kinds)
    return found.assign(agents_at_index=found["agents"])


@cache
def _nothing(name: str) -> pd.DataFrame:
    """A table without rows."""
    return frame(name, ())


def tables_of(entries: Sequence[Entry]) -> Tables:
    """Whole tables of one patient."""
    return {name: frame(name, rows) if rows else _nothing(name) for name, rows in rows_of(entries).items()}


def _tables_of_field(field: Field) -> set[str]:
    """Tables that a field declares; `cases` is none of them."""
    return {source.split(".")[0] for source in field.sources}


@lru_cache(maxsize=CASES_HELD)
def evidence_of(entries: tuple[Entry, ...], settings: str) -> pd.DataFrame:
    """Evidence of what was entered; held for a moment, so that a case is read while it is typed, and once for several models.

    Args:
        settings: block `evidence` as JSON.
    """
    tables = tables_of(entries)
    # A field of which no declared table has a row has nothing to say; finding that out costs as much as a thousand cases.
    asked = [field.name for field in FIELDS if any(name not in tables or len(tables[name]) for name in _tables_of_field(field))]
    return collect(tables, case_list(entries), **collecting(Evidence.model_validate_json(settings)), fields=asked)


def told(evidence: pd.DataFrame, case_id: str, renderer: Renderer, budget: int, count: Count) -> Told:
    """One case's evidence as a prompt within the budget.

    Raises:
        InputError: it cannot be brought within.
    """
    own = evidence[evidence["case_id"] == case_id]
    (prompt,) = render(own, renderer, budget, count)
    (statements,) = next(statements_by_case(own)).values()
    return Told(prompt["instruction"], prompt["input"], tuple(statements), tuple(prompt["cut"]))


def told_of(entries: Sequence[Entry], block: Evidence, renderer: Renderer, budget: int, count: Count) -> Told:
    """What was entered, as the model reads it.

    Raises:
        InputError: it cannot be brought within the budget.
    """
    return told(evidence_of(tuple(entries), block.model_dump_json()), CASE, renderer, budget, count)
