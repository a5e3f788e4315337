"""Evidence at the index date: tables and cases in, one statement a row out, by the allow-list of `fields`.

`oncoraft evidence TABLES CASES --out evidence.parquet`
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.knowledge.drugs import drugs
from oncoraft.prompts import facts
from oncoraft.prompts.fields import BY_NAME, FIELDS
from oncoraft.provenance import manifest, publishing, write_json

log = logging.getLogger("oncoraft")
TABLES_READ = (
    "clinical_patient",
    "clinical_sample",
    "mutations",
    "cna",
    "sv",
    "timeline_treatment",
    "timeline_progression",
    "timeline_cancer_presence",
    "timeline_tumor_sites",
    "timeline_performance_status",
    "timeline_diagnosis",
    "timeline_specimen",
    "timeline_specimen_surgery",
    "timeline_surgery",
    "timeline_radiation",
    "timeline_gleason",
    "timeline_mmr",
    "timeline_pdl1",
    "timeline_ca_15_3_labs",
    "timeline_ca_19_9_labs",
    "timeline_cea_labs",
    "timeline_psa_labs",
)


def read_tables(folder: Path) -> facts.Tables:
    """The tables that evidence reads, by name.

    Raises:
        InputError: a table is not there.
    """
    tables = {}
    for name in TABLES_READ:
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise InputError("expected a table written by `oncoraft ingest`", file=path)
        tables[name] = pd.read_parquet(path)
    return tables


def read_cases(folder: Path) -> pd.DataFrame:
    """`cases.parquet` of a cases folder."""
    path = folder / "cases.parquet"
    if not path.is_file():
        raise InputError("expected cases written by `oncoraft regimens`", file=path)
    return pd.read_parquet(path)


def collect(tables: facts.Tables, cases: pd.DataFrame, genomics_known: str, records_per_kind: int) -> pd.DataFrame:
    """Every statement that may be shown of each case.

    Args:
        tables: by name, as `read_tables` gives them.
        cases: columns as in `cases.parquet`.
        genomics_known: "sequenced" or "acquired".
        records_per_kind: closest earlier records shown of repeated kinds.

    Returns:
        columns of `evidence.parquet`, sorted by case_id and order.
    """
    knowledge = drugs()
    supportive = {name for name, drug in knowledge.items() if drug.supportive}
    exploded = cases[["case_id", "agents_at_index"]].explode("agents_at_index").dropna()
    agent = exploded["agents_at_index"]
    classes = agent.map(lambda name: knowledge[name].drug_class if name in knowledge else "")
    found = {
        "drug": facts.facts(exploded, agent.str.lower() + classes.map(lambda text: f" ({text})" if text else "")),
        "drug_mechanism": facts.facts(exploded, agent.map(lambda name: knowledge[name].mechanism if name in knowledge else "")),
        "cancer_type": facts.facts(cases, cases["cancer_type"].str.lower()),
    }
    found |= facts.patient(cases, tables) | facts.diagnosis(cases, tables) | facts.disease(cases, tables, records_per_kind)
    found |= facts.treatment(cases, tables, records_per_kind, supportive) | facts.pathology(cases, tables)
    found |= facts.genomics(cases, tables, genomics_known)
    frames = []
    for place, field in enumerate(FIELDS):
        frame = found[field.name]
        frame = frame[frame["value"] != ""]
        before, after = field.text.split("{value}")
        frames.append(
            frame.assign(
                section=field.section, field=field.name, text=before + frame["value"] + after, priority=field.priority, place=place
            ).astype({"place": "int32"})
        )
    evidence = pd.concat(frames, ignore_index=True).sort_values(["case_id", "place"], kind="stable")
    evidence["order"] = evidence.groupby("case_id").cumcount().astype("int32")
    evidence["priority"] = evidence["priority"].astype("int16")
    columns = ["case_id", "order", "section", "field", "value", "text", "days_before_index", "priority"]
    return evidence[columns].reset_index(drop=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read tables and cases, write evidence."""
    parser = step_parser("evidence", "fields:\n" + "\n".join(f"  {field.name:<20} {field.known}" for field in BY_NAME.values()))
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds cases.parquet")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="evidence.parquet to write")
    given: argparse.Namespace = parser.parse_args(arguments)
    blocks = read_settings("evidence", given)
    cases = read_cases(given.cases)
    block = blocks["evidence"]
    evidence = collect(read_tables(given.tables), cases, block.genomics_known, block.records_per_kind)
    counts = {"cases": len(cases), "statements": len(evidence), "by_field": evidence["field"].value_counts().sort_index().to_dict()}
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record) as (out, note):
        evidence.to_parquet(out, index=False)
        inputs = [given.cases / "cases.parquet", *(given.tables / f"{name}.parquet" for name in TABLES_READ)]
        settings = settings_record(given, blocks)
        write_json(note, manifest("evidence", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("evidence: %d statements of %d cases", len(evidence), len(cases))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
