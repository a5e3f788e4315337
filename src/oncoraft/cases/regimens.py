"""Dated agents into regimens and lines of therapy: `oncoraft regimens TABLES --out CASES`.

Deterministic rules, each with its configuration key: agents started within `combination_window_days` of a regimen's first day
belong to it; an agent that starts later opens a new regimen, unless it substitutes one of the same kind or was already part of
it; `gap_days` without any agent ends a regimen, oral targeted and endocrine agents excepted. Supportive agents are set aside.
Sources: the Merck line-of-therapy algorithm for window, substitution and exemption; 90 days as the gap is our choice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.config import Regimens
from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.knowledge.drugs import drugs
from oncoraft.provenance import manifest, publishing, write_json

log = logging.getLogger("oncoraft")
TABLES = ("clinical_patient", "clinical_sample", "timeline_treatment", "timeline_specimen")
INVESTIGATIONAL = "INVESTIGATIONAL"
SUBSTITUTES = (
    {"CISPLATIN", "CARBOPLATIN"},
    {"PACLITAXEL", "PACLITAXEL PROTEIN-BOUND"},
    {"DOXORUBICIN", "DOXORUBICIN LIPOSOMAL"},
    {"TRASTUZUMAB", "HYALURONIDASE-TRASTUZUMAB"},
    {"LEUPROLIDE", "GOSERELIN", "DEGARELIX"},
)
KIND = {agent: number for number, group in enumerate(SUBSTITUTES) for agent in group}


@dataclass
class Regimen:
    """One regimen of one patient while it is being built: agents with their first and last days."""

    index_day: int
    first: dict[str, int] = field(default_factory=dict)
    last_day: int = -(10**9)
    is_maintenance: bool = False

    def add(self, agent: str, start: int, stop: int) -> None:
        """Take in an interval of an agent."""
        self.first.setdefault(agent, start)
        self.last_day = max(self.last_day, stop)


def slug(agents: Iterable[str]) -> str:
    """A path-safe name."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-") for agent in sorted(agents))


def display_name(agents: Iterable[str]) -> str:
    """A name for people."""
    return " + ".join(agent.capitalize() for agent in sorted(agents))


def continues(regimen: Regimen, agent: str, start: int, rules: Regimens, exempt: set[str]) -> bool:
    """Whether an interval belongs to the running regimen rather than opening the next."""
    if start - regimen.last_day > rules.gap_days and agent not in exempt:
        return False
    if start - regimen.index_day <= rules.combination_window_days or agent in regimen.first:
        return True
    return agent in KIND and any(KIND.get(known) == KIND[agent] for known in regimen.first)


def group_patient(intervals: Iterable[tuple[int, int, str]], rules: Regimens, exempt: set[str]) -> list[Regimen]:
    """Regimens of one patient from (start, stop, agent) sorted by start."""
    regimens: list[Regimen] = []
    for start, stop, agent in intervals:
        if regimens and continues(regimens[-1], agent, start, rules, exempt):
            regimens[-1].add(agent, start, stop)
        else:
            regimens.append(Regimen(start))
            regimens[-1].add(agent, start, stop)
    for before, after in pairwise(regimens):
        inside = set(after.first) < set(before.first)
        after.is_maintenance = inside and after.index_day - before.last_day <= rules.gap_days
    return regimens


def treatment_intervals(treatment: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Agent intervals that count towards a regimen, sorted; and how many rows were set aside, by reason."""
    known = drugs()
    supportive = treatment["agent"].map(lambda agent: agent in known and known[agent].supportive)
    kept = treatment[~supportive & treatment["agent"].notna()].copy()
    kept["stop_day"] = kept["stop_day"].fillna(kept["start_day"])
    unknown = kept.loc[~kept["agent"].isin(list(known)), "agent"]
    counts = {"rows": len(treatment), "supportive_rows": int(supportive.sum()), "rows_of_unknown_agents": len(unknown)}
    return kept.sort_values(["patient_id", "start_day", "agent", "stop_day"], kind="stable"), counts


def build(tables: dict[str, pd.DataFrame], rules: Regimens) -> tuple[pd.DataFrame, dict[str, int]]:
    """Treatment cases of a cohort, sorted by patient and index day, and what was counted on the way.

    Args:
        tables: clinical_patient, clinical_sample, timeline_treatment, timeline_specimen.
        rules: windows in days.
    """
    known = drugs()
    kept, counts = treatment_intervals(tables["timeline_treatment"])
    subtype = kept.dropna(subset=["subtype"]).drop_duplicates("agent").set_index("agent")["subtype"].to_dict()
    subtype |= {name: drug.subtype for name, drug in known.items()}
    exempt = {name for name, drug in known.items() if (drug.oral and drug.subtype == "Targeted") or drug.subtype == "Hormone"}
    rows: list[dict[str, Any]] = []
    for patient_id, part in kept.groupby("patient_id", sort=True):
        intervals = zip(part["start_day"].astype(int), part["stop_day"].astype(int), part["agent"])
        regimens = group_patient(intervals, rules, exempt)
        line = 0
        for number, regimen in enumerate(regimens):
            line += not regimen.is_maintenance or line == 0
            early = [agent for agent, day in regimen.first.items() if day - regimen.index_day <= rules.combination_window_days]
            at_index = [agent for agent, day in regimen.first.items() if day - regimen.index_day <= rules.known_at_index_days]
            rows.append(
                {
                    "case_id": f"{patient_id}_{regimen.index_day:+d}",
                    "patient_id": patient_id,
                    "index_day": regimen.index_day,
                    "stop_day": regimen.last_day,
                    "next_index_day": regimens[number + 1].index_day if number + 1 < len(regimens) else None,
                    "regimen": slug(early),
                    "regimen_name": display_name(early),
                    "agents": sorted(early),
                    "agents_at_index": sorted(at_index),
                    "drug_class": " + ".join(sorted({subtype.get(agent, "Other") for agent in early})),
                    "line_of_therapy": line,
                    "is_maintenance": regimen.is_maintenance,
                    "is_investigational": INVESTIGATIONAL in early,
                    "is_before_sequencing": regimen.index_day < 0,
                }
            )
    cases = pd.DataFrame(rows)
    if cases.empty:
        raise InputError("expected at least one anticancer treatment in timeline_treatment")
    return describe(cases, tables), counts | {"regimens": len(cases)}


def describe(cases: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Add the first sequenced specimen, its cancer type and prior treatment elsewhere; fix types and order of columns."""
    specimens = tables["timeline_specimen"].sort_values(["patient_id", "start_day", "sample_id"]).drop_duplicates("patient_id")
    specimens = specimens[["patient_id", "sample_id"]].merge(tables["clinical_sample"][["sample_id", "cancer_type"]], on="sample_id")
    cases = cases.merge(specimens.rename(columns={"sample_id": "specimen_id"}), on="patient_id")
    prior = tables["clinical_patient"].set_index("patient_id")["prior_med_to_msk"].eq("Prior medications to MSK")
    cases["is_prior_outside"] = cases["patient_id"].map(prior).fillna(False).astype(bool)
    types: dict[str, Any] = {"index_day": np.int32, "stop_day": np.int32, "next_index_day": "Int32", "line_of_therapy": np.int16}
    return cases.astype(types).sort_values(["patient_id", "index_day"], ignore_index=True)


def read_tables(folder: Path, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Tables by name.

    Raises:
        InputError: one is not there.
    """
    found = {}
    for name in names:
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise InputError("expected a table written by `oncoraft ingest`", file=path)
        found[name] = pd.read_parquet(path)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Read treatment, write cases."""
    parser = step_parser("regimens", "example:\n  oncoraft regimens tables --out cases")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("--out", type=Path, required=True, metavar="CASES", help="folder for cases.parquet")
    given = parser.parse_args(arguments)
    blocks = read_settings("regimens", given)
    cases, counts = build(read_tables(given.tables, TABLES), blocks["regimens"])
    final, record = given.out / "cases.parquet", given.out / "cases.parquet.manifest.json"
    with publishing(final, record) as (out, note):
        cases.to_parquet(out, index=False)
        inputs = [given.tables / f"{name}.parquet" for name in TABLES]
        settings = settings_record(given, blocks)
        write_json(note, manifest("regimens", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("regimens: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
