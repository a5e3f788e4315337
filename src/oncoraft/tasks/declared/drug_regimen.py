"""The systemic regimen that is about to start."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drugs import MASKED, drugs
from oncoraft.tasks.declaration import Found, Material, Task

COLUMNS = ("case_id", "patient_id", "index_day", "cancer_type", "diagnosis_day", "gene_panel", "agents_at_index")
AROUND = re.compile(r"^\s*(?:drugs|answer)\s*:|\([^)]*\)", re.IGNORECASE)
JOINED = re.compile(r"\s*(?:\+|/|,|;|&|\band\b|\bwith\b|\bplus\b)\s*", re.IGNORECASE)


def written(agents: Sequence[str]) -> str | None:
    """Agents as the line of a treatment reads in the prompts of response: `Drugs: carboplatin (platinum); pemetrexed (antifolate)`.

    A model that has learned from such prompts has the words for it; names strung together otherwise are spelled from pieces that it has never
    read. None where the drug table lacks one of them.
    """
    known = drugs()
    if not set(agents) <= set(known):
        return None
    return "Drugs: " + "; ".join(f"{agent.lower()} ({known[agent].drug_class})" for agent in sorted(agents))


def names_of(answer: str) -> list[str]:
    """Names in an answer, without the words around them."""
    return [name for name in JOINED.split(AROUND.sub("", answer).strip(" .")) if name]


def find(material: Material) -> Found:
    """The cohort's treatment cases, with the agents that were known at the index date."""
    cases = material.treatment_cases(COLUMNS)
    agents = [list(given) for given in cases["agents_at_index"]]
    masked = [MASKED in given for given in agents]
    answers = [None if not given or hidden else written(given) for given, hidden in zip(agents, masked)]
    told = cases.drop(columns="agents_at_index").assign(answer=pd.Series(answers, index=cases.index, dtype=object))
    left_out = {"an agent under trial, masked in the source": sum(masked), "no agent known at the index date": agents.count([])}
    left_out["an agent that the drug table lacks"] = answers.count(None) - sum(left_out.values())
    return Found(told.dropna(subset=["answer"]).sort_values("case_id", ignore_index=True), left_out)


def read(answer: str) -> frozenset[str] | None:
    """Agents of an answer by their names in the drug table; None where a word is no agent."""
    found: set[str] = set()
    for part in names_of(answer):
        agents = resolve(part).agents
        if not set(agents) <= set(drugs()):
            return None
        found |= set(agents)
    return frozenset(found) or None


def forms(answer: str) -> list[re.Pattern[str]]:
    """What the evidence says of the regimen itself; agents of the past may be told."""
    names = [re.escape(name) for name in names_of(answer)]
    about = rf"(?:treatment about to start|starts?|planned|mechanism of)\W+(?:\w+\W+){{0,3}}(?:{'|'.join(names)})\b"
    # As the evidence writes a drug that starts: with its class; with a number of days it is a drug of the past.
    starts = rf"(?:^|[:;,] )(?:{'|'.join(names)}) \((?!\d)[^)]*\)"
    return [re.compile(about, re.IGNORECASE), re.compile(starts, re.IGNORECASE | re.MULTILINE)]


def overlap(truth: Any, answer: Any) -> float:
    """Agents in both over agents in either."""
    return len(truth & answer) / len(truth | answer)


TASK = Task(
    kind="drug_regimen",
    title="Systemic regimen",
    instruction="Which systemic treatment is started now? Answer with its agents and their classes, like Drugs: docetaxel (taxane).",
    source="cohort",
    find=find,
    fields=(
        "cancer_type",
        "histology",
        "primary_site",
        "stage",
        "extent",
        "sex",
        "age_at_index",
        "ecog",
        "hormone_receptor",
        "her2",
        "pdl1",
        "mmr",
        "msi",
        "gleason",
        "mutation",
        "structural_variant",
        "copy_number",
        "tumor_sites",
        "progression",
        "diagnosed",
        "prior_regimen",
        "prior_agents",
        "outside_treatment",
        "radiation",
        "surgery",
    ),
    read=read,
    measures={"all agents": lambda truth, answer: float(truth == answer), "overlap of agents": overlap},
    category=lambda agents: " + ".join(sorted(agents)).lower(),
    forms=forms,
    has_law=True,
    note="Agents started within the days in which an agent counts as planned; what was given before stands in the prompt.",
)
