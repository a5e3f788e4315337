"""Which rows of the treatment timeline make regimens: supportive agents, tracers, other indications and cancers, each counted."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from typing import Any

import pandas as pd

from oncoraft.cases.diagnoses import attribute
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drug_rows import one_agent_a_row
from oncoraft.knowledge.drugs import agent_names, drugs
from oncoraft.planning.config import SUBTYPES, Regimens

log = logging.getLogger("oncoraft")
FILE = "data_timeline_treatment.txt"
INVESTIGATIONAL = "INVESTIGATIONAL"


def check_agents(rules: Regimens) -> None:
    """Agents and drug classes that the configuration names have to be in the drug table.

    Raises:
        InputError: one is not; the nearest name is told.
    """
    agents = agent_names()
    classes = {drug.drug_class: drug.drug_class for drug in drugs().values()}
    for key, known, what in (
        ("regimen_agents", agents, "agents"),
        ("set_aside_agents", agents, "agents"),
        ("backbone_classes", classes, "drug classes"),
    ):
        for name in getattr(rules, key):
            if name not in known.values():
                near = get_close_matches(name.upper() if known is agents else name, known, n=1, cutoff=0.6)
                hint = f"; did you mean {known[near[0]]!r}?" if near else ""
                raise InputError(f"expected {what} of the drug table{hint}", column=f"regimens.{key}", found=name)


def aside_reason(agent: str, rules: Regimens) -> str:
    """Why an agent makes no regimen: "supportive", "tracer", "other_indication", "investigational", or "" where it does."""
    drug = drugs().get(agent)
    if agent in rules.set_aside_agents:
        return "supportive"
    if agent in rules.regimen_agents or drug is None:
        return ""
    if agent == INVESTIGATIONAL:
        return "investigational" if rules.investigational == "set_aside" else ""
    if not drug.supportive:
        return ""
    return "tracer" if drug.is_tracer else "other_indication" if drug.is_unrelated else "supportive"


def rows_of_unknown_agents(treatment: pd.DataFrame) -> pd.DataFrame:
    """Rows of agents that the drug table lacks, one agent a row: patient_id, subtype, agent, source_line."""
    texts = treatment["agent"].dropna().unique()
    lacking = [text for text in texts if not drugs().keys() >= set(resolve(str(text)).agents)]
    rows = treatment.loc[treatment["agent"].isin(lacking), ["patient_id", "subtype", "agent", "source_line"]]
    named, _ = one_agent_a_row(rows)
    return named[~named["agent"].isin(list(drugs()))]


def unknown_agents(found: pd.DataFrame, rules: Regimens) -> dict[str, int]:
    """Rows of each agent that the drug table lacks, most frequent first; told in one line.

    Args:
        found: from `rows_of_unknown_agents`.
        rules: what is done with them.

    Raises:
        InputError: `unknown_agents` is `refuse`, or an unknown agent's rows have no class of the source either.
    """
    bad = found if rules.unknown_agents == "refuse" else found[~found["subtype"].isin(SUBTYPES)]
    if len(bad):
        row = bad.sort_values("source_line").iloc[0]
        near = get_close_matches(row["agent"], agent_names(), n=1, cutoff=0.75)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        wanted = "expected an agent of the drug table" + ("" if rules.unknown_agents == "refuse" else f", or a SUBTYPE among {SUBTYPES}")
        raise InputError(wanted + hint, file=FILE, line=int(row["source_line"]), column="AGENT", found=row["agent"])
    counts = {
        str(name): int(number) for name, number in sorted(found["agent"].value_counts().items(), key=lambda item: (-item[1], item[0]))
    }
    if counts:
        first = int(found["source_line"].min())
        listed = ", ".join(f"{name} ({number})" for name, number in list(counts.items())[:5]) + (", …" if len(counts) > 5 else "")
        log.warning(
            "%s: %d rows of %d agents that the drug table lacks, first on line %d, take the class of their rows: %s",
            FILE, len(found), len(counts), first, listed,
        )  # fmt: skip
    return counts


def treatment_intervals(treatment: pd.DataFrame, rules: Regimens) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Agent intervals that count towards a regimen, sorted by patient, day and agent; and how many rows were set aside, by reason.

    Names are resolved to agents of the drug table, several in one cell to a row each; a missing stop day is the start day.
    """
    rows = treatment[["patient_id", "start_day", "stop_day", "agent"]]
    named, resolved = one_agent_a_row(rows.dropna(subset=["agent"]))
    reason = named["agent"].map({agent: aside_reason(agent, rules) for agent in named["agent"].unique()})
    kept = named[reason == ""].copy()
    kept["stop_day"] = kept["stop_day"].fillna(kept["start_day"]).clip(lower=kept["start_day"]).astype(int)
    counts = {
        "rows": len(treatment),
        "rows_without_agent": int(treatment["agent"].isna().sum()),
        "rows_of_one_agent": len(named),
        "resolved": resolved,
        "supportive_rows": int((reason == "supportive").sum()),
        "tracer_rows": int((reason == "tracer").sum()),
        "other_indication_rows": int((reason == "other_indication").sum()),
        "investigational_rows_set_aside": int((reason == "investigational").sum()),
        "patients_without_anticancer_agent": int(treatment["patient_id"].nunique() - kept["patient_id"].nunique()),
    }
    return kept.sort_values(["patient_id", "start_day", "agent", "stop_day"], kind="stable"), counts


def for_a_cancer(
    kept: pd.DataFrame, cancers: pd.DataFrame, rules: Regimens, of_cohort: frozenset[str]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Intervals with the cancer that they are for (`cancer_type`), sorted by patient, cancer, day and agent; and what was set aside.

    Counted by reason: rows, and patients who have no interval left for it alone (of several reasons the first of `attribute`).
    """
    kept = kept.reset_index(drop=True)
    cancer, reason = attribute(kept, cancers, rules.diagnosis_grace_days, of_cohort, rules.regimen_agents)
    stays = reason == ""
    left = ~kept["patient_id"].isin(kept.loc[stays, "patient_id"])
    counts: dict[str, int] = {}
    told = pd.Series(False, index=kept.index)
    for name in ("no_cancer", "before_diagnosis", "other_cancer"):
        mine = reason == name
        lost = left & mine & ~kept["patient_id"].isin(kept.loc[told, "patient_id"])
        counts |= {f"{name}_rows": int(mine.sum()), f"patients_with_{name}_rows_only": int(kept.loc[lost, "patient_id"].nunique())}
        told |= left & mine
    counts["patients_with_rows_before_diagnosis"] = int(kept.loc[reason == "before_diagnosis", "patient_id"].nunique())
    kept = kept.assign(cancer_type=cancer)[stays]
    return kept.sort_values(["patient_id", "cancer_type", "start_day", "agent", "stop_day"], kind="stable"), counts
