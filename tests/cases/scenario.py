"""Scenario files: one patient's timeline in words, and what is expected of it. `scenarios/README.md` has the format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from oncoraft.cases.followup import follow
from oncoraft.cases.labels import label
from oncoraft.cases.regimens import build
from oncoraft.cases.regions import REGIONS
from oncoraft.knowledge.drugs import agent_names, drugs
from oncoraft.planning.config import Config
from oncoraft.planning.config_files import check_config

LINES = {
    "followed": r"followed to day (?P<day>-?\d+), (?P<state>alive|died)",
    "prior": r"prior treatment elsewhere",
    "set": r"set (?P<key>[a-z_.]+) = (?P<value>.+)",
    "drug": r"day (?P<day>-?\d+)(\.\.(?P<stop>-?\d+))? drug (?P<agents>.+)",
    "scan": r"day (?P<day>-?\d+) scan (?P<verdict>Y|N|Indeterminate|without verdict)( at (?P<chance>0\.\d+))?"
    r"(, cancer (?P<cancer>Y|N|Indeterminate))?(, covers (?P<covers>PET|[a-z ]+))?(, sites (?P<sites>.+))?",
    "regimen": r"expect regimen day (?P<day>-?\d+): (?P<agents>[^;]+)(?P<more>(;.+)?)",
    "label": r"expect label day (?P<day>-?\d+) (?P<definition>\w+) (?P<category>CR|PR|SD|PD|NED|NE)(?P<more>(;.+)?)",
    "followup": r"expect follow-up day (?P<day>-?\d+) (?P<endpoint>os|rwpfs|ttnt) "
    r"(?P<span>none|(?P<entry>\d+)\.\.(?P<exit>\d+) (?P<event>event|censored))",
}


@dataclass
class Scenario:
    """What a file says: settings, records per table, expectations by kind with their line numbers."""

    name: str
    config: Config = field(default_factory=Config)
    os_days: int = 1000
    died: bool = False
    prior: bool = False
    treatment: list[dict[str, Any]] = field(default_factory=list)
    progression: list[dict[str, Any]] = field(default_factory=list)
    presence: list[dict[str, Any]] = field(default_factory=list)
    sites: list[dict[str, Any]] = field(default_factory=list)
    expected: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)


def names(text: str, joint: str) -> list[str]:
    """Agents or sites of a list in words."""
    return [part.strip() for part in text.split(joint)]


def read_scenario(path: Path) -> Scenario:
    """Read a file; a line that is none of the known kinds is an error that names it."""
    scenario, settings = Scenario(path.stem), {}
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.split("#")[0].strip()
        if not line:
            continue
        kind, found = next(((kind, hit) for kind, pattern in LINES.items() if (hit := re.fullmatch(pattern, line))), (None, None))
        assert kind is not None, f"{path.name}, line {number}: not a line of a scenario: {line}"
        values = found.groupdict()
        if kind == "set":
            block, key = values["key"].split(".")
            settings.setdefault(block, {})[key] = yaml.safe_load(values["value"])
        elif kind in {"regimen", "label", "followup"}:
            scenario.expected.append((number, kind, values))
        else:
            record(scenario, kind, values)
    scenario.config = check_config(settings)
    return scenario


def record(scenario: Scenario, kind: str, values: dict[str, str]) -> None:
    """Take in one line of the timeline."""
    if kind == "followed":
        scenario.os_days, scenario.died = int(values["day"]), values["state"] == "died"
    elif kind == "prior":
        scenario.prior = True
    elif kind == "drug":
        for agent in names(values["agents"], ","):
            drug = drugs().get(agent_names().get(agent.upper(), ""))
            stop = int(values["stop"] or values["day"])
            subtype = drug.subtype if drug else "Chemo"
            scenario.treatment.append({"start_day": int(values["day"]), "stop_day": stop, "agent": agent.upper(), "subtype": subtype})
    else:
        day, verdict = int(values["day"]), values["verdict"]
        chance = float(values["chance"] or {"Y": 0.9, "N": 0.1}.get(verdict, 0.5))
        if verdict != "without verdict":
            scenario.progression.append({"start_day": day, "progression": verdict, "nlp_progression_probability": chance})
        if values["cancer"]:
            covers = values["covers"] or ""
            regions = {name: name in covers.split() for name in REGIONS} if covers not in {"", "PET"} else {}
            procedure = "PET" if covers == "PET" else "CT"
            scenario.presence.append({"start_day": day, "has_cancer": values["cancer"], "procedure_type": procedure, **regions})
        scenario.sites += [{"start_day": day, "tumor_site": site} for site in names(values["sites"] or "", ",") if site]


def tables_of(scenarios: list[Scenario]) -> dict[str, pd.DataFrame]:
    """Tables as ingestion leaves them, as far as cases need them; the patient has the scenario's name."""

    def table(attribute: str, **columns: str) -> pd.DataFrame:
        rows = [{"patient_id": one.name, **row} for one in scenarios for row in getattr(one, attribute)]
        frame = pd.DataFrame(rows, columns=["patient_id", *columns]).astype(columns)
        return frame.assign(source_line=range(2, len(frame) + 2))

    people = [one.name for one in scenarios]
    samples = [f"{name}-T01-IM6" for name in people]
    patient = pd.DataFrame(
        {"patient_id": people, "os_days": [one.os_days for one in scenarios], "is_deceased": [one.died for one in scenarios]}
    )
    patient["prior_med_to_msk"] = ["Prior medications to MSK" if one.prior else "No prior medications" for one in scenarios]
    return {
        "clinical_patient": patient,
        "clinical_sample": pd.DataFrame({"sample_id": samples, "cancer_type": "Non-Small Cell Lung Cancer", "gene_panel": "IMPACT468"}),
        "timeline_specimen": pd.DataFrame({"patient_id": people, "start_day": 0, "sample_id": samples}),
        "timeline_treatment": table("treatment", start_day="int32", stop_day="int32", agent="object", subtype="object"),
        "timeline_progression": table("progression", start_day="int32", progression="object", nlp_progression_probability="float64"),
        "timeline_cancer_presence": table(
            "presence", start_day="int32", has_cancer="object", procedure_type="object", **dict.fromkeys(REGIONS, "object")
        ),
        "timeline_tumor_sites": table("sites", start_day="int32", tumor_site="object"),
    }


def outcomes(scenarios: list[Scenario]) -> dict[str, tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """Cases, labels and follow-up of each scenario by name; those of one configuration are one cohort, which is faster."""
    found = {}
    groups: dict[str, list[Scenario]] = {}
    for one in scenarios:
        groups.setdefault(one.config.model_dump_json(), []).append(one)
    for group in groups.values():
        tables, config = tables_of(group), group[0].config
        cases, _ = build(tables, config.regimens)
        labels = label(cases, tables, config.labels).to_pandas()
        followed, _ = follow(cases, tables["clinical_patient"], tables["timeline_progression"], config.followup)
        keys = cases.set_index("case_id")[["patient_id", "index_day"]].rename(columns={"index_day": "day"})
        labels, followed = labels.join(keys, on="case_id"), followed.join(keys, on="case_id")
        for one in group:
            mine = tuple(frame[frame["patient_id"] == one.name] for frame in (cases, labels, followed))
            found[one.name] = (mine[0], mine[1], mine[2])
    return found


def extras(text: str) -> Iterator[tuple[str, str]]:
    """The `; key value` parts at the end of an expectation."""
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        key, _, value = part.rpartition(" ")
        yield key, value
