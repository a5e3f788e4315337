"""Evidence at the index date: tables and cases in, one statement a row out, by the allow-list of `fields`.

`oncoraft evidence TABLES CASES --out evidence.parquet`
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from oncoraft.evidence import disease, facts, genomics, treatment
from oncoraft.evidence.allow_list import declared_columns
from oncoraft.evidence.declaration import KNOWN_IN_WORDS, IndexDay
from oncoraft.evidence.fields import BY_NAME, FIELDS
from oncoraft.evidence.known import Tables, numbered, prepare
from oncoraft.evidence.known import facts as as_facts
from oncoraft.evidence.reading import Taken, of_patients, open_cases, open_tables, ranges_of, read_fields
from oncoraft.evidence.statements import SCHEMA, WRITTEN, in_order, in_pandas
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.ranges import RangedTable, write_ranges
from oncoraft.planning.config import Evidence
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
TABLES_READ = tuple(declared_columns())
# Fields whose facts one function finds.
FOUND_TOGETHER: dict[str, tuple[str, ...]] = {
    "planned": ("drug", "drug_mechanism", "concurrent_radiation", "setting", "line", "line_overall"),
    "patient": ("sex", "race", "ethnicity", "age_at_index"),
    "diagnosis": (
        *("diagnosis", "diagnosed", "stage", "histology", "primary_site", "clinical_group", "pathological_group", "extent"),
        *("other_cancer", "hormone_receptor", "her2"),
    ),
    "imaging": ("progression", "imaging_days", "imaging_history", "cancer_presence"),
    "received": ("prior_agents", "agents_of_other_cancer", "outside_treatment"),
    "local": ("radiation", "surgery"),
    "pathology": ("pdl1", "mmr", "gleason"),
    "genomic": tuple(field.name for field in FIELDS if field.section in {"specimen", "genomics"}),
}


def find(
    cases: pd.DataFrame,
    tables: Tables,
    genomics_known: str,
    count: int,
    receptors: bool,
    shown: int,
    index_day: IndexDay,
    fields: Collection[str] | None = None,
) -> dict[str, pd.DataFrame]:
    """Facts of every field: numbered cases and prepared tables in, frames of case, value and age out.

    With `fields`, facts of these alone, and of those that come with them.
    """
    notes, reports, specimens = (
        cache(lambda: treatment.outside(cases, tables)),
        cache(lambda: disease.reports(tables)),
        cache(lambda: genomics.known_specimens(cases, tables, genomics_known)),
    )
    groups: tuple[tuple[tuple[str, ...], Callable[[], dict[str, pd.DataFrame]]], ...] = (
        (FOUND_TOGETHER["planned"], lambda: treatment.planned(cases, notes())),
        (("cancer_type",), lambda: {"cancer_type": as_facts(cases, cases["cancer_type"].str.lower())}),
        (FOUND_TOGETHER["patient"], lambda: facts.patient(cases, tables)),
        (FOUND_TOGETHER["diagnosis"], lambda: facts.diagnosis(cases, tables, receptors)),
        (("ecog",), lambda: {"ecog": disease.performance(cases, tables, count, index_day)}),
        (FOUND_TOGETHER["imaging"], lambda: disease.imaging(cases, reports(), count, index_day)),
        (("tumor_sites",), lambda: {"tumor_sites": disease.sites(cases, tables, index_day)}),
        (("tumor_marker",), lambda: {"tumor_marker": disease.markers(cases, tables, count, index_day)}),
        (FOUND_TOGETHER["received"], lambda: treatment.received(cases, tables, notes(), count)),
        (FOUND_TOGETHER["local"], lambda: treatment.local(cases, tables, count)),
        (("prior_regimen",), lambda: {"prior_regimen": treatment.prior_regimens(cases, tables, reports(), notes(), count)}),
        (FOUND_TOGETHER["pathology"], lambda: facts.pathology(cases, tables, count)),
        (
            FOUND_TOGETHER["genomic"],
            lambda: {**genomics.specimen(specimens(), genomics_known), **genomics.alterations(specimens(), tables, shown)},
        ),
    )
    found: dict[str, pd.DataFrame] = {}
    for names, make in groups:
        if fields is None or set(names) & set(fields):
            found |= make()
    return found


def collecting(block: Evidence) -> dict[str, Any]:
    """The settings of `collect`, from the configuration."""
    return {
        "genomics_known": block.genomics_known,
        "records_per_kind": block.records_per_kind,
        "receptor_status": block.receptor_status,
        "alterations_shown": block.alterations_shown,
        "index_day": block.index_day,
    }


def collect(
    tables: Tables,
    cases: pd.DataFrame,
    genomics_known: str,
    records_per_kind: int,
    receptor_status: str = "from_diagnosis",
    alterations_shown: int = 30,
    index_day: IndexDay = "before_treatment",
    fields: Collection[str] | None = None,
) -> pd.DataFrame:
    """Every statement that may be shown of each case.

    Args:
        tables: by name, as `read_tables` gives them; `regimens` (from `treatment.regimens_table`) where earlier lines are of
            other cases than those given.
        cases: columns as in `cases.parquet`.
        genomics_known: "sequenced" or "acquired".
        records_per_kind: closest earlier records shown of repeated kinds.
        receptor_status: "from_diagnosis" or "never".
        alterations_shown: most mutations, copy-number calls and structural variants listed, each.
        index_day: whether performance status, markers and what scans show count on the day on which treatment starts.
        fields: the only ones wanted; None: all.

    Returns:
        columns of `evidence.parquet`, sorted by case_id and order.
    """
    how = (genomics_known, records_per_kind, receptor_status, alterations_shown, index_day, fields)
    return in_pandas(statements(tables, cases, *how))


def statements(
    tables: Tables,
    cases: pd.DataFrame,
    genomics_known: str,
    records_per_kind: int,
    receptor_status: str = "from_diagnosis",
    alterations_shown: int = 30,
    index_day: IndexDay = "before_treatment",
    fields: Collection[str] | None = None,
) -> pa.Table:
    """As `collect`, in Arrow; what repeats (case, section, field, kind) is a dictionary."""
    if treatment.REGIMENS not in tables:
        tables = tables | {treatment.REGIMENS: treatment.regimens_table(cases)}
    cases = numbered(cases)
    receptors = receptor_status != "never"
    found = find(cases, prepare(cases, tables), genomics_known, records_per_kind, receptors, alterations_shown, index_day, fields)
    wanted = [field.name for field in FIELDS if fields is None or field.name in fields]
    return in_order([found.pop(name, None) if name in wanted else None for name in BY_NAME], cases["case_id"])


def collected(tables: Tables, cases: pd.DataFrame, how: dict[str, Any], taken: pd.DataFrame | None) -> pd.DataFrame:
    """What `collect` gives, as far as it was not collected before.

    Args:
        tables, cases: see `collect`.
        how: its settings and fields.
        taken: statements of some of the cases; None: of none.
    """
    if taken is None:
        return collect(tables, cases, **how)
    rest = cases[~cases["case_id"].isin(set(taken["case_id"]))]
    if rest.empty:
        return taken
    found = collect(tables, rest, **how)
    return pd.concat([taken, found], ignore_index=True).sort_values(["case_id", "order"], kind="stable", ignore_index=True)


def in_ranges(
    tables: Mapping[str, RangedTable], cases: RangedTable, how: dict[str, Any], taken: Taken | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """What `collect` gives, in Arrow and a patient range at a time: how many cases, and their statements.

    Args:
        tables: from `open_tables`.
        cases: from `open_cases`.
        how: settings and fields of `collect`.
        taken: whose statements of a case are taken where it has them.
    """
    for one in ranges_of(cases):
        own, known = cases.rows(one.case_ids), of_patients(tables, one.patient_ids)
        if taken is None:
            yield len(own), statements(known, own, **how)
        else:
            yield len(own), pa.Table.from_pandas(collected(known, own, how, taken.of(own)), SCHEMA, preserve_index=False)
        del known


def main(arguments: Sequence[str] | None = None) -> int:
    """Read tables and cases, write evidence."""
    fields = "\n".join(f"  {field.name:<20} {KNOWN_IN_WORDS[field.known]}" for field in FIELDS)
    example = "example:\n  oncoraft evidence tables cases --out prompts/evidence.parquet"
    parser = step_parser("evidence", f"fields, and when a record becomes known (all about them: docs/evidence.md):\n{fields}\n\n{example}")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds cases.parquet")
    parser.add_argument("--fields", type=Path, metavar="FILE", help="only the fields that this file names, one a line")
    parser.add_argument(
        "--taken",
        type=Path,
        metavar="FOLDER",
        help="folder with cases.parquet, fields.txt and evidence.parquet; cases that stand there are taken",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="evidence.parquet to write")
    given: argparse.Namespace = parser.parse_args(arguments)
    blocks = read_settings("evidence", given)
    wanted = read_fields(given.fields)
    how = collecting(blocks["evidence"]) | {"fields": wanted}
    taken = Taken(given.taken, wanted) if given.taken else None
    parts = in_ranges(open_tables(given.tables), open_cases(given.cases), how, taken)
    by_field: Counter[str] = Counter()
    cases = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal cases
        for number, evidence in parts:
            cases += number
            by_field.update({one["values"]: one["counts"] for one in evidence["field"].value_counts().to_pylist()})
            table = evidence.cast(WRITTEN)
            del evidence  # or it would be held while the next range is collected
            yield table
            del table

    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step="evidence") as (out, note):
        statements = write_ranges(out, counted())
        inputs = [
            given.cases / "cases.parquet",
            *([given.fields] if given.fields else []),
            *([given.taken / "evidence.parquet"] if given.taken else []),
            *(given.tables / f"{name}.parquet" for name in TABLES_READ),
        ]
        settings = settings_record(given, blocks)
        counts = {"cases": cases, "statements": statements, "by_field": dict(sorted(by_field.items()))}
        write_json(note, manifest("evidence", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("evidence: %d statements of %d cases", statements, cases)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
