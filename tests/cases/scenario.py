"""Scenario files: one patient's timeline in words, and what is expected of it. `scenarios/README.md` has the format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from oncoraft.cases.diagnoses import COLUMNS as DIAGNOSIS
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
    "cancer": r"cancer (?P<name>[A-Za-z -]+)",
    "sequenced": r"day (?P<day>-?\d+) sequenced (?P<name>[A-Za-z -]+?)(?P<metastasis> from (?P<site>[A-Za-z /-]+), taken on day (?P<taken>-?\d+))?",
    "diagnosis": r"day (?P<day>-?\d+) diagnosis (?P<code>M?\d{4} C\d{3}|without codes)(?P<stage> stage (?P<group>[1-4])| distant| regional)?",
    "operation": r"day (?P<day>-?\d+) (?P<kind>procedure|specimen taken|radiation)",
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
    cancer: str = "Non-Small Cell Lung Cancer"
    specimens: list[dict[str, Any]] = field(default_factory=list)
    diagnoses: list[dict[str, Any]] = field(default_factory=list)
    surgery: list[dict[str, Any]] = field(default_factory=list)
    radiation: list[dict[str, Any]] = field(default_factory=list)
    treatment: list[dict[str, Any]] = field(default_factory=list)
    progression: list[dict[str, Any]] = field(default_factory=list)
    presence: list[dict[str, Any]] = field(default_factory=list)
    sites: list[dict[str, Any]] = field(default_factory=list)
    expected: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)


# A cohort without a single case is refused: this patient has one, whatever the rules.
BYSTANDER = Scenario("bystander", treatment=[{"start_day": 0, "stop_day": 9, "agent": "CARBOPLATIN", "subtype": "Chemo"}])


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
    elif kind == "cancer":
        scenario.cancer = values["name"]
    elif kind == "sequenced":
        taken = int(values["taken"]) if values["metastasis"] else None
        of = {"sample_type": "Metastasis" if values["metastasis"] else "Primary", "metastatic_site": values["site"], "taken": taken}
        scenario.specimens.append({"start_day": int(values["day"]), "cancer_type": values["name"], **of})
    elif kind == "diagnosis":
        scenario.diagnoses.append(diagnosis(values))
    elif kind == "operation":
        if values["kind"] == "radiation":
            scenario.radiation.append({"start_day": int(values["day"])})
        else:
            subtype = {"procedure": "PROCEDURE", "specimen taken": "SAMPLE"}[values["kind"]]
            scenario.surgery.append({"start_day": int(values["day"]), "subtype": subtype})
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


def diagnosis(values: dict[str, str]) -> dict[str, Any]:
    """A row of the registry; without a stage it has the groups of an unknown one, which the source calls "Stage 1-3"."""
    morphology, _, topography = values["code"].removeprefix("M").partition(" ")
    text = "CARCINOMA, NOS | SOMEWHERE" + ("" if values["code"] == "without codes" else f" (M{morphology}/3 | {topography})")
    group, word = values["group"] or "99", (values["stage"] or "").strip()
    summary = {"distant": "Distant metastases/systemic disease", "regional": "Regional to lymph nodes"}.get(word)
    stage = "Stage 4" if group == "4" else "Stage 1-3"
    row = {"start_day": int(values["day"]), "dx_description": text, "clinical_group": group, "path_group": "99"}
    return row | {"ajcc": None, "stage_cdm_derived": stage, "summary": summary}


def sequencing(one: Scenario) -> list[dict[str, Any]]:
    """Specimens of a patient: of the scenario's cancer on day 0, or those that it lists."""
    primary = {"start_day": 0, "cancer_type": one.cancer, "sample_type": "Primary", "metastatic_site": None, "taken": None}
    rows = enumerate(one.specimens or [primary], 1)
    return [
        {"patient_id": one.name, "sample_id": f"{one.name}-T{number:02d}-IM6", "gene_panel": "IMPACT468", **row} for number, row in rows
    ]


def tables_of(scenarios: list[Scenario]) -> dict[str, pd.DataFrame]:
    """Tables as ingestion leaves them, as far as cases need them; the patient has the scenario's name."""

    def table(attribute: str, **columns: str) -> pd.DataFrame:
        rows = [{"patient_id": one.name, **row} for one in scenarios for row in getattr(one, attribute)]
        frame = pd.DataFrame(rows, columns=["patient_id", *columns]).astype(columns)
        return frame.assign(source_line=range(2, len(frame) + 2))

    people = [one.name for one in scenarios]
    samples = pd.DataFrame([row for one in scenarios for row in sequencing(one)])
    taken = samples.dropna(subset=["taken"]).astype({"taken": "int32"})
    patient = pd.DataFrame(
        {"patient_id": people, "os_days": [one.os_days for one in scenarios], "is_deceased": [one.died for one in scenarios]}
    )
    patient["prior_med_to_msk"] = ["Prior medications to MSK" if one.prior else "No prior medications" for one in scenarios]
    return {
        "clinical_patient": patient,
        "clinical_sample": samples[["sample_id", "cancer_type", "gene_panel", "sample_type", "metastatic_site"]],
        "timeline_specimen": samples[["patient_id", "start_day", "sample_id"]],
        "timeline_specimen_surgery": taken[["patient_id", "sample_id"]].assign(start_day=taken["taken"]),
        "timeline_diagnosis": table("diagnoses", start_day="int32", **dict.fromkeys(DIAGNOSIS["timeline_diagnosis"][2:], "object")),
        "timeline_surgery": table("surgery", start_day="int32", subtype="object"),
        "timeline_radiation": table("radiation", start_day="int32"),
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
        tables, config = tables_of([*group, BYSTANDER]), group[0].config
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
