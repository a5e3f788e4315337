"""Dated agents into regimens and lines of therapy: `oncoraft regimens TABLES --out CASES`.

The rules are in `regimen_rules`, which rows count in `treatment_rows`, what agents are in the drug table. Here patients are walked
through and cases described.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.cases.regimen_rules import (
    Interval,
    Regimen,
    Traits,
    agents_known,
    continuation_day,
    early_agents,
    group_patient,
    is_switch_maintenance,
    traits,
)
from oncoraft.cases.tables import read_tables
from oncoraft.cases.treatment_rows import FILE, INVESTIGATIONAL, treatment_intervals
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.knowledge.drugs import drugs
from oncoraft.planning.config import Regimens
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
COLUMNS = {
    "clinical_patient": ["patient_id", "prior_med_to_msk"],
    "clinical_sample": ["sample_id", "cancer_type", "gene_panel"],
    "timeline_treatment": ["patient_id", "start_day", "stop_day", "subtype", "agent", "source_line"],
    "timeline_specimen": ["patient_id", "start_day", "sample_id"],
    "timeline_progression": ["patient_id", "start_day", "progression"],
}


def slug(agents: Iterable[str]) -> str:
    """A path-safe name."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-") for agent in sorted(agents))


def display_name(agents: Iterable[str]) -> str:
    """A name for people."""
    return " + ".join(agent.capitalize() for agent in sorted(agents))


def patient_cases(
    patient_id: str, regimens: list[Regimen], progressions: list[int], rules: Regimens, of: Traits
) -> Iterator[dict[str, Any]]:
    """Rows of `cases.parquet` for one patient, but for what comes from other tables; days on which a scan said progression."""
    line = 0
    for number, regimen in enumerate(regimens):
        agents = early_agents(regimen, rules, of)
        maintains = number > 0 and is_switch_maintenance(regimens[number - 1], regimen, progressions, rules, of)
        line += not maintains
        yield {
            "case_id": f"{patient_id}_{regimen.index_day:+d}",
            "patient_id": patient_id,
            "index_day": regimen.index_day,
            "stop_day": regimen.last_day,
            "next_index_day": regimens[number + 1].index_day if number + 1 < len(regimens) else None,
            "regimen": slug(agents),
            "regimen_name": display_name(agents),
            "agents": agents,
            "agents_at_index": agents_known(regimen, rules, of),
            "agents_carried_over": [agent for agent in agents if regimen.first[agent] < regimen.index_day],
            "agents_joined_later": sorted(set(regimen.first) - set(agents)),
            "line_of_therapy": line,
            "opened_by": regimen.opened_by,
            "is_maintenance": maintains,
            "maintenance_start_day": continuation_day(regimen, rules, of),
            "is_investigational": INVESTIGATIONAL in agents,
            "is_before_sequencing": regimen.index_day < 0,
        }


def build(tables: dict[str, pd.DataFrame], rules: Regimens) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Treatment cases of a cohort, sorted by patient and index day, and what was counted on the way.

    Args:
        tables: clinical_patient, clinical_sample, timeline_treatment, timeline_specimen, timeline_progression.
        rules: windows in days.

    Raises:
        InputError: no anticancer treatment, or an agent that may not be there.
    """
    known = drugs()
    cancers = tables["timeline_specimen"][["patient_id", "sample_id"]].merge(tables["clinical_sample"][["sample_id", "cancer_type"]])
    kept, counts = treatment_intervals(tables["timeline_treatment"], rules, cancers)
    of = traits(rules, known)
    said = tables["timeline_progression"][tables["timeline_progression"]["progression"] == "Y"]
    progressions = said.groupby("patient_id")["start_day"].agg(list).to_dict()
    rows: list[dict[str, Any]] = []
    intervals = zip(kept["patient_id"], kept["start_day"].tolist(), kept["stop_day"].tolist(), kept["agent"])
    for patient_id, part in groupby(intervals, key=lambda row: row[0]):
        regimens = group_patient([Interval(*row[1:]) for row in part], rules, of)
        rows.extend(patient_cases(patient_id, regimens, progressions.get(patient_id, []), rules, of))
    if not rows:
        raise InputError("expected at least one row of an anticancer agent", file=FILE)
    cases = pd.DataFrame(rows)
    subtype = kept.dropna(subset=["subtype"]).sort_values("source_line").drop_duplicates("agent").set_index("agent")["subtype"].to_dict()
    subtype |= {name: drug.subtype for name, drug in known.items()}
    names = {tuple(agents): " + ".join(sorted({subtype.get(agent, "Other") for agent in agents})) for agents in cases["agents"]}
    cases["drug_class"] = [names[tuple(agents)] for agents in cases["agents"]]
    described = describe(cases, tables)
    lost = cases.loc[~cases["case_id"].isin(described["case_id"]), "patient_id"]
    counts |= {"regimens": len(described), "regimens_without_specimen": len(lost), "patients_without_specimen": lost.nunique()}
    return described, counts


def describe(cases: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Add the first sequenced specimen, its cancer type and panel, and prior treatment elsewhere; fix types and order."""
    specimens = tables["timeline_specimen"].sort_values(["patient_id", "start_day", "sample_id"]).drop_duplicates("patient_id")
    samples = tables["clinical_sample"][["sample_id", "cancer_type", "gene_panel"]].dropna(subset=["cancer_type"])
    specimens = specimens[["patient_id", "sample_id"]].merge(samples, on="sample_id", validate="one_to_one")
    cases = cases.merge(specimens.rename(columns={"sample_id": "specimen_id"}), on="patient_id", validate="many_to_one")
    outside = tables["clinical_patient"].loc[tables["clinical_patient"]["prior_med_to_msk"] == "Prior medications to MSK", "patient_id"]
    cases["is_prior_outside"] = cases["patient_id"].isin(outside)
    types: dict[str, Any] = {"index_day": np.int32, "stop_day": np.int32, "line_of_therapy": np.int16}
    types |= {"next_index_day": "Int32", "maintenance_start_day": "Int32"}
    return cases.astype(types).sort_values(["patient_id", "index_day"], ignore_index=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read treatment, write cases."""
    parser = step_parser(
        "regimens",
        "in:  timeline_treatment, timeline_specimen, timeline_progression, clinical_sample, clinical_patient\n"
        "out: cases.parquet, one row a patient starting a regimen (docs/artefacts.md); rules and sources in docs/regimens.md\n\n"
        "example:\n  oncoraft regimens tables --out cases --config config/config.yaml",
    )
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("--out", type=Path, required=True, metavar="CASES", help="folder for cases.parquet")
    given = parser.parse_args(arguments)
    blocks = read_settings("regimens", given)
    cases, counts = build(read_tables(given.tables, COLUMNS, COLUMNS), blocks["regimens"])
    final, record = given.out / "cases.parquet", given.out / "cases.parquet.manifest.json"
    with publishing(final, record) as (out, note):
        cases.to_parquet(out, index=False)
        inputs = [given.tables / f"{name}.parquet" for name in COLUMNS]
        settings = settings_record(given, blocks)
        write_json(note, manifest("regimens", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("regimens: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
