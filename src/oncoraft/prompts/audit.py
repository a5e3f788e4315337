"""The look-ahead audit: whatever is dated after the index date is deleted, replaced or invented, and evidence must not move.

For every audited case its own index date is the border, so cases are audited patient by patient: all records of the patient
dated on or after the index date are perturbed and the evidence of that case is collected again. Training depends on it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.prompts.evidence import TABLES_READ, collect, read_cases, read_tables
from oncoraft.prompts.facts import Tables
from oncoraft.provenance import manifest, publishing, write_json
from oncoraft.stable import stable_fraction, stable_seed

log = logging.getLogger("oncoraft")
SAME_DAY_COUNTS = {"timeline_specimen", "timeline_specimen_surgery", "timeline_diagnosis"}
FORBIDDEN = (
    (re.compile(r"P-\d{7}"), "a patient or specimen identifier"),
    (re.compile(r"\b(19|20)\d\d-\d\d-\d\d\b"), "a calendar date"),
    (re.compile(r"\b(responder|complete response|partial response|stable disease|not evaluable)\b", re.I), "a label word"),
)


def own_space(tables: Tables, cases: pd.DataFrame) -> tuple[Tables, pd.DataFrame]:
    """Each audited case with a copy of its patient's records under an id of its own, so that borders do not mix."""
    names = cases[["case_id", "patient_id", "index_day"]].rename(columns={"index_day": "border_day"})
    copies = {}
    for name, rows in tables.items():
        if "patient_id" in rows:
            joined = names.merge(rows, on="patient_id", how="inner")
            joined["patient_id"] = joined["case_id"]
            if "sample_id" in joined:
                joined["sample_id"] = joined["case_id"] + "|" + joined["sample_id"]
            copies[name] = joined.drop(columns="case_id")
    owners = names.merge(tables["clinical_sample"][["patient_id", "sample_id"]], on="patient_id")
    for name in ("mutations", "cna", "sv"):
        key = "tumor_sample_barcode" if name == "mutations" else "sample_id"
        joined = owners[["case_id", "sample_id"]].merge(tables[name], left_on="sample_id", right_on=key, suffixes=("", "_own"))
        joined[key] = joined["case_id"] + "|" + joined["sample_id"]
        copies[name] = joined[list(tables[name].columns)]
    return copies, cases.assign(patient_id=cases["case_id"])


def after_index(name: str, rows: pd.DataFrame) -> pd.Series:
    """Which records of a timeline lie beyond the border of their case."""
    if name in SAME_DAY_COUNTS:
        return rows["start_day"] > rows["border_day"]
    return rows["start_day"] >= rows["border_day"]


def delete_future(name: str, rows: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """Without anything after the border."""
    return rows[~after_index(name, rows)]


def replace_future(name: str, rows: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    """Values after the border shuffled among those records."""
    late = after_index(name, rows).to_numpy()
    changed = rows.copy()
    fixed = {"patient_id", "border_day", "start_day", "source_line"}
    for column in [column for column in rows.columns if column not in fixed]:
        values = changed[column].to_numpy(copy=True)
        values[late] = draw.permutation(values[late])
        changed[column] = values
    return changed


def inject_future(name: str, rows: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    """Earlier records repeated at days after the border, with values of other records."""
    copies = rows.copy()
    copies["start_day"] = copies["border_day"] + draw.integers(1, 400, len(copies))
    return pd.concat([rows, copies], ignore_index=True)


PERTURBATIONS = {"deleted": delete_future, "shuffled": replace_future, "injected": inject_future}


def perturb(tables: Tables, how: str, seed: int) -> Tables:
    """All timelines perturbed after the border of each case, and what looks back from the end of follow-up too."""
    draw = np.random.default_rng(stable_seed(seed, how))
    changed = {}
    for name, rows in tables.items():
        changed[name] = PERTURBATIONS[how](name, rows, draw) if "start_day" in rows else rows
    whole_history = changed["clinical_patient"].copy()
    for column in ("stage_highest_recorded", "gleason_highest_reported", "history_of_pdl1", "os_status", "smoking_predictions_3_classes"):
        whole_history[column] = draw.permutation(whole_history[column].to_numpy())
    changed["clinical_patient"] = whole_history
    return changed


def first_difference(expected: pd.DataFrame, found: pd.DataFrame) -> tuple[str, str] | None:
    """Case and field of the first statement that moved, or None."""
    columns = ["case_id", "field", "value", "text", "days_before_index"]
    marked = expected[columns].astype(str).merge(found[columns].astype(str), how="outer", indicator=True)
    moved = marked[marked["_merge"] != "both"].sort_values(["case_id", "field"])
    return None if moved.empty else (moved["case_id"].iloc[0], moved["field"].iloc[0])


def audit(tables: Tables, cases: pd.DataFrame, genomics_known: str, records_per_kind: int, seed: int) -> dict[str, Any]:
    """Perturb, collect again, compare; check the text for what must not stand in it.

    Raises:
        InputError: a statement moved, or a text names a person, a date or a label; field and case are named.
    """
    copies, own = own_space(tables, cases)
    expected = collect(copies, own, genomics_known, records_per_kind)
    for pattern, what in FORBIDDEN:
        hits = expected[[bool(pattern.search(text)) for text in expected["text"]]]
        if not hits.empty:
            raise InputError(f"expected no {what.removeprefix('a ')} in field {hits['field'].iloc[0]} of case {hits['case_id'].iloc[0]}")
    report: dict[str, Any] = {"cases": len(cases), "statements": len(expected), "perturbations": {}}
    for how in PERTURBATIONS:
        changed = perturb(copies, how, seed)
        moved = first_difference(expected, collect(changed, own, genomics_known, records_per_kind))
        if moved is not None:
            raise InputError(f"look-ahead: with records after the index date {how}, field {moved[1]} of case {moved[0]} changed")
        late = {name: int(after_index(name, rows).sum()) for name, rows in copies.items() if "start_day" in rows}
        report["perturbations"][how] = {"records_after_index": sum(late.values()), "by_table": late, "changed_statements": 0}
    return report | {"passed": True}


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit a sample of cases; status 2 when anything leaks."""
    parser = step_parser("audit", "example:\n  oncoraft audit tables cases --out audit.json")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds cases.parquet")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="audit.json to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("audit", given)
    sample, block = read_cases(given.cases), blocks["audit"]
    if block.cases is not None and len(sample) > block.cases:
        place = sample["case_id"].map(lambda case_id: stable_fraction(block.seed, case_id))
        sample = sample[place.rank(method="first") <= block.cases]
    evidence = blocks["evidence"]
    report = audit(read_tables(given.tables), sample, evidence.genomics_known, evidence.records_per_kind, block.seed)
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record) as (out, note):
        write_json(out, report)
        inputs = [given.cases / "cases.parquet", *(given.tables / f"{name}.parquet" for name in TABLES_READ)]
        settings = settings_record(given, blocks)
        counts = {"cases": report["cases"], "statements": report["statements"]}
        write_json(note, manifest("audit", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("audit: passed on %d cases, %d statements", report["cases"], report["statements"])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
