"""The look-ahead audit: whatever is dated after the index date is changed, and the prompt must stay byte-identical.

`oncoraft audit TABLES CASES --out audit.json`. Evidence and prompts of a sample of cases are made again in worlds that differ
only beyond each case's index date (`oncoraft.evidence.perturb`). The audit also looks for patient and specimen ids, calendar
dates and label words in the prompts. Training depends on it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from oncoraft.evidence.allow_list import UNDATED, undeclarable
from oncoraft.evidence.evidence import TABLES_READ, collect, collecting
from oncoraft.evidence.facts import cancers_registered
from oncoraft.evidence.known import Tables
from oncoraft.evidence.perturb import PERTURBATIONS, is_late, own_space, perturb
from oncoraft.evidence.reading import CASE_COLUMNS, of_patients, open_cases, open_tables, read_fields
from oncoraft.evidence.treatment import REGIMENS, REGISTRATION_DAYS, regimens_table
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.ranges import RangedTable
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.budget import estimated_tokens
from oncoraft.prompts.render import Renderer, render, renderer_of

log = logging.getLogger("oncoraft")
BATCH = 1000  # cases perturbed together: bounds the memory of their copied records
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
FORBIDDEN = (
    (re.compile(r"\bP-\d{7}"), "patient or specimen id"),
    (re.compile(rf"\b(?:19|20)\d\d-\d\d?-\d\d?\b|\b\d\d?[/.]\d\d?[/.](?:19|20)\d\d\b|\b(?:{MONTHS}) (?:19|20)\d\d\b"), "calendar date"),
    (
        re.compile(
            r"\b(?:(?:non-?)?responders?|(?:complete|partial) response|(?:stable|progressive) disease|not evaluable|deceased|died)\b"
            r"|\b(?-i:CR|PR|SD|PD)\b(?!-)",
            re.I,
        ),
        "label word",
    ),
)


class Audited:
    """What is audited and how: the way from tables to evidence and prompts of the configured kind."""

    def __init__(self, evidence: Any, renderer: Renderer, token_budget: int, seed: int, fields: frozenset[str] | None = None) -> None:
        """Take the `evidence` block, the renderer, its budget in tokens (estimated), the seed of the perturbations, and the only fields."""
        self.block, self.renderer, self.budget, self.seed, self.fields = evidence, renderer, token_budget, seed, fields

    def evidence(self, tables: Tables, cases: pd.DataFrame) -> pd.DataFrame:
        """Statements of the cases."""
        return collect(tables, cases, **collecting(self.block), fields=self.fields)

    def prompts(self, evidence: pd.DataFrame) -> dict[str, str]:
        """Case -> the patient's part of its prompt."""
        return {row["case_id"]: row["input"] for row in render(evidence, self.renderer, self.budget, estimated_tokens)}


def first_difference(expected: pd.DataFrame, found: pd.DataFrame) -> tuple[int, str, str, str] | None:
    """How many statements moved, and case, field and text of the first; None where none did."""
    if expected.equals(found):
        return None
    columns = ["case_id", "order", "field", "value", "text", "days_before_index"]
    marked = expected[columns].astype(str).merge(found[columns].astype(str), how="outer", indicator=True)
    moved = marked[marked["_merge"] != "both"]
    # A statement that comes or goes moves the place of those behind it, so the first place of a case tells the field.
    moved = moved.assign(place=moved["order"].astype(int)).sort_values(["case_id", "place", "_merge"])
    first = moved.iloc[0]
    return len(moved), first["case_id"], first["field"], first["text"]


def check_declarations(evidence: pd.DataFrame) -> None:
    """No field may declare a column that the table specification calls never known.

    Raises:
        InputError: one does; field and the first case that shows it are named.
    """
    for name, source in undeclarable().items():
        shown = evidence.loc[evidence["field"] == name, "case_id"]
        case = shown.iloc[0] if len(shown) else "none yet"
        raise InputError(f"look-ahead: field {name} of case {case} is read from {source}, which is never known at an index date")


def check_diagnoses(tables: Tables, cases: pd.DataFrame) -> None:
    """The cancer of a case must be known at its index date: what `cases.parquet` says of it is made before evidence is.

    Args:
        tables: from `own_space`; registered diagnoses and specimens are read.
        cases: from `own_space`.

    Raises:
        InputError: a case is of a cancer registered only later, or tells of another cancer that nothing had shown by then.
    """
    registered = cancers_registered(tables["timeline_diagnosis"])
    of_case = registered.merge(cases[["patient_id", "case_id", "index_day", "cancer_type", "diagnosis_day"]], on="patient_id")
    in_time = of_case["start_day"] <= of_case["index_day"] + REGISTRATION_DAYS
    is_own = of_case["cancer_type"] == of_case["known_cancer"]
    told = cases["diagnosis_day"].astype("float64")
    late = told > cases["index_day"] + REGISTRATION_DAYS
    only_later = set(of_case.loc[is_own & ~in_time, "case_id"]) - set(of_case.loc[is_own & in_time, "case_id"])
    if wrong := sorted({*cases.loc[late, "case_id"], *only_later}):
        raise InputError(
            f"look-ahead: field cancer_type of case {wrong[0]} is a cancer that was registered more than {REGISTRATION_DAYS} days after "
            f"the index date ({len(wrong)} cases in all)"
        )
    specimens = tables["clinical_sample"].rename(columns={"cancer_type": "known_cancer"})
    seen = specimens.merge(cases[["patient_id", "case_id", "index_day", "cancer_type"]], on="patient_id")
    known = pd.concat([of_case, seen.dropna(subset=["start_day", "known_cancer"])])
    others = known[(known["start_day"] <= known["index_day"]) & (known["known_cancer"] != known["cancer_type"])]
    if wrong := sorted(set(cases.loc[cases["has_other_cancer"].astype(bool), "case_id"]) - set(others["case_id"])):
        raise InputError(f"look-ahead: field other_cancer of case {wrong[0]} was not known at the index date ({len(wrong)} cases in all)")


def check_words(evidence: pd.DataFrame, prompts: dict[str, str], cases: pd.DataFrame, specimens: pd.DataFrame) -> None:
    """No prompt may hold an id, a date or a label word.

    Args:
        evidence: of the cases.
        prompts: case -> the patient's part.
        cases: with the real patient ids.
        specimens: patient_id and sample_id.

    Raises:
        InputError: one does; field and case are named.
    """
    own = dict(zip(cases["case_id"], cases["patient_id"]))
    ids = specimens.groupby("patient_id")["sample_id"].agg(list).to_dict()
    for case_id, text in prompts.items():
        names = [own[case_id], *ids.get(own[case_id], [])]
        # Most do not stand there at all, and a pattern takes long to compile.
        literal = [(re.compile(rf"(?<!\w){re.escape(name)}(?!\w)"), "patient or specimen id") for name in names if name in text]
        for pattern, what in (*FORBIDDEN, *literal):
            if hit := pattern.search(text):
                rows = evidence[evidence["case_id"] == case_id]
                holds = [bool(pattern.search(told) or pattern.search(value)) for told, value in zip(rows["text"], rows["value"])]
                field = rows["field"][holds].iloc[0] if any(holds) else "(template)"
                raise InputError(f"expected no {what} in a prompt, found {hit.group()!r} in field {field} of case {case_id}")


def audit_batch(audited: Audited, tables: Tables, cases: pd.DataFrame) -> dict[str, Any]:
    """Perturb, collect and render again, compare.

    Raises:
        InputError: a statement or a prompt moved; field and case are named.
    """
    copies, own = own_space(tables, cases, audited.block.genomics_known, audited.block.index_day)
    expected = audited.evidence(copies, own)
    check_declarations(expected)
    check_diagnoses(copies, own)
    prompts = audited.prompts(expected)
    check_words(expected, prompts, cases, tables["clinical_sample"][["patient_id", "sample_id"]])
    dated = {name: rows for name, rows in copies.items() if "start_day" in rows}
    late = {name: int(is_late(rows).sum()) for name, rows in dated.items()}
    added = {name: len(rows) for name, rows in dated.items()}
    for how in PERTURBATIONS:
        found = audited.evidence(perturb(copies, how, audited.seed), own)
        moved = first_difference(expected, found)
        if moved is not None:
            number, case_id, field, text = moved
            raise InputError(
                f"look-ahead: with what lies after the index date {how}, field {field} of case {case_id} changed ({text!r}; "
                f"{number} statements in all)"
            )
        again = audited.prompts(found)
        if changed := sorted(case_id for case_id in prompts if prompts[case_id] != again.get(case_id)):
            raise InputError(f"look-ahead: with what lies after the index date {how}, field (template) of case {changed[0]} changed")
    return {"cases": len(cases), "statements": len(expected), "prompts": len(prompts), "late": late, "added": added}


def audit(tables: Tables, cases: pd.DataFrame, audited: Audited, everyone: pd.DataFrame | None = None) -> dict[str, Any]:
    """Audit cases in batches.

    Args:
        tables: whole tables.
        cases: to audit.
        audited: what is made of them.
        everyone: all cases of the cohort, so that earlier lines are there; `cases` where not given.

    Returns:
        counts of cases, statements, prompts, and of records beyond the index date by table, for each perturbation.

    Raises:
        InputError: something moved, or a prompt holds what it must not.
    """
    tables = tables | {REGIMENS: regimens_table(cases if everyone is None else everyone)}
    parts = []
    for start in range(0, len(cases), BATCH):
        parts.append(audit_batch(audited, tables, cases.iloc[start : start + BATCH]))
        if len(cases) > BATCH:
            log.info("audit: %d of %d cases passed", min(start + BATCH, len(cases)), len(cases))
    touched = {kind: pd.DataFrame([part[kind] for part in parts]).sum().astype(int).to_dict() for kind in ("late", "added")}
    by_table = {how: touched["added" if how == "injected" else "late"] for how in PERTURBATIONS}
    return {
        **{key: sum(part[key] for part in parts) for key in ("cases", "statements", "prompts")},
        "perturbations": {
            how: {"records_after_index": sum(found.values()), "by_table": found, "changed_statements": 0, "changed_prompts": 0}
            for how, found in by_table.items()
        },
        "undated_fields": UNDATED,
        "forbidden_in_prompts": {what: 0 for _, what in FORBIDDEN},
        "passed": True,
    }


def sample(cases: pd.DataFrame, number: int | None, seed: int) -> pd.DataFrame:
    """Cases to audit, by stable hash; all of them where no number is given."""
    if number is None or len(cases) <= number:
        return cases
    place = np.array([stable_fraction(seed, case_id) for case_id in cases["case_id"]])
    # Ranks by a double argsort: the sample keeps the order of the cases.
    return cases[np.argsort(np.argsort(place, kind="stable"), kind="stable") < number]


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit a sample of cases; status 2 when anything leaks."""
    parser = step_parser("audit", "example:\n  oncoraft audit tables cases --out audit.json")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds cases.parquet")
    parser.add_argument("--fields", type=Path, metavar="FILE", help="only evidence of the fields that this file names, one a line")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="audit.json to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("audit", given)
    cases, block = open_cases(given.cases), blocks["audit"]
    budget, fields = blocks["prompts"].token_budget, read_fields(given.fields)
    audited = Audited(blocks["evidence"], renderer_of(blocks["prompts"]), budget, block.seed, fields)
    case_ids = sample(pd.DataFrame({"case_id": cases.ids().to_pandas()}), block.cases, block.seed)["case_id"]
    # Nobody else's records are read: they say nothing of the chosen.
    patient_ids = pa.array(cases.rows(pa.array(case_ids, pa.string()))["patient_id"].unique(), pa.string())
    everyone = RangedTable(cases.path, "patient_id", CASE_COLUMNS).rows(patient_ids)
    tables = of_patients(open_tables(given.tables, whole=True), patient_ids)
    report = audit(tables, everyone[everyone["case_id"].isin(case_ids)], audited, everyone)
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step="audit") as (out, note):
        write_json(out, report)
        inputs = [
            given.cases / "cases.parquet",
            *([given.fields] if given.fields else []),
            *(given.tables / f"{name}.parquet" for name in TABLES_READ),
        ]
        settings = settings_record(given, blocks)
        counts = {"cases": report["cases"], "statements": report["statements"]}
        write_json(note, manifest("audit", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("audit: passed on %d cases, %d statements", report["cases"], report["statements"])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
