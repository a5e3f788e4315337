"""Dated agents into regimens and lines of therapy: `oncoraft regimens TABLES --out CASES`.

The rules are in `regimen_rules`, which rows count in `treatment_rows`, what agents are in the drug table. Here patients are walked
through and cases described.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from oncoraft.cases import diagnoses, local_treatment
from oncoraft.cases.case_table import CASES, PANDAS_TYPES, case_table
from oncoraft.cases.chosen import Choice
from oncoraft.cases.counting import Cohort, Counted, cohort_of, whole_cohort
from oncoraft.cases.courses import Events, Step, course, next_treatment_days
from oncoraft.cases.local_treatment import days_by_patient, operations
from oncoraft.cases.regimen_rules import Interval, Regimen, Traits, agents_known, continuation_day, early_agents, group_patient, traits
from oncoraft.cases.scans import firsts, numbered
from oncoraft.cases.tables import completed, distinct, of_patients, open_tables
from oncoraft.cases.treatment_rows import INVESTIGATIONAL, for_a_cancer, rows_of_unknown_agents, treatment_intervals
from oncoraft.cases.treatment_setting import progression_days, settings_at_index
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.ranges import RangedTable, patient_ranges, without_cycle_search, write_ranges
from oncoraft.knowledge.drugs import drugs
from oncoraft.planning.config import Regimens
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
COLUMNS = {
    "clinical_patient": ["patient_id", "prior_med_to_msk"],
    "clinical_sample": ["sample_id", "cancer_type", "gene_panel", "sample_type", "metastatic_site"],
    "timeline_treatment": ["patient_id", "start_day", "stop_day", "subtype", "agent", "source_line"],
    "timeline_specimen": ["patient_id", "start_day", "sample_id"],
    "timeline_progression": ["patient_id", "start_day", "progression"],
    "timeline_diagnosis": diagnoses.COLUMNS["timeline_diagnosis"],
    "timeline_surgery": local_treatment.COLUMNS["timeline_surgery"],
    "timeline_radiation": local_treatment.COLUMNS["timeline_radiation"],
    "timeline_specimen_surgery": local_treatment.COLUMNS["timeline_specimen_surgery"],
    "timeline_tumor_sites": ["patient_id", "start_day", "tumor_site"],
    "timeline_cancer_presence": ["patient_id", "start_day", "has_cancer"],
}


COURSE_COLUMNS = CASES.names[: CASES.names.index("is_before_sequencing") + 1]


class Course(NamedTuple):
    """One patient's regimens of one cancer, and its agents' traits."""

    patient: int  # place among the patients at hand
    regimens: list[Regimen]
    of: Traits


@cache
def path_safe(agent: str) -> str:
    """An agent's name in a path: small letters and figures, joined by hyphens. Kept: a cohort has thousands of regimens of a few hundred agents."""
    return re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-")


def slug(agents: Iterable[str]) -> str:
    """A path-safe name."""
    return "-".join(path_safe(agent) for agent in sorted(agents))


def display_name(agents: Iterable[str]) -> str:
    """A name for people."""
    return " + ".join(agent.capitalize() for agent in sorted(agents))


@cache
def named(agents: tuple[str, ...]) -> tuple[str, str]:
    """A path-safe name and one for people."""
    return slug(agents), display_name(agents)


def rows_of(one: Course, patient_id: str, steps: list[Step], rules: Regimens) -> Iterator[tuple[Any, ...]]:
    """Rows of `cases.parquet` of one course, but for what comes from other tables; as `COURSE_COLUMNS` names them, with the patient's place."""
    following = [*(regimen.index_day for regimen in one.regimens[1:]), None]
    for regimen, step, after, ends in zip(one.regimens, steps, following, next_treatment_days(one.regimens, steps)):
        agents, known = early_agents(regimen, rules, one.of), agents_known(regimen, rules, one.of)
        index, first, name = regimen.index_day, regimen.first, named(tuple(agents))
        # In the order of COURSE_COLUMNS.
        yield (
            f"{patient_id}_{index:+d}", one.patient, one.of.cancer_type, index, regimen.last_day, after, ends,
            *name, named(tuple(known))[0], agents, known,
            [agent for agent in agents if first[agent] < index], sorted(first.keys() - set(agents)),
            step.setting, step.line, step.line_overall, step.protocol, step.protocol_part, regimen.opened_by,
            step.is_maintenance, step.is_chemoradiation, step.is_chemoradiation_at_index, continuation_day(regimen, rules, one.of),
            INVESTIGATIONAL in agents, index < 0,
        )  # fmt: skip


def courses_of(kept: pd.DataFrame, progressions: dict[int, list[int]], rules: Regimens) -> Iterator[Course]:
    """Regimens of each patient and cancer.

    Args:
        kept: intervals from `treatment_rows.for_a_cancer`, which has sorted them.
        progressions: by patient, days on which imaging said progression, sorted.
        rules: windows in days.
    """
    known = drugs()
    of = {name: traits(rules, known, name) for name in kept["cancer_type"].unique()}
    intervals = list(map(Interval, *(kept[name].tolist() for name in ("start_day", "stop_day", "agent"))))
    people, cancers = kept["patient_id"].to_numpy(), kept["cancer_type"].to_numpy()
    begin = firsts(people, cancers)
    for start, stop, patient in zip(begin.tolist(), [*begin[1:].tolist(), len(kept)], people[begin].tolist()):
        mine = of[cancers[start]]
        yield Course(patient, group_patient(intervals[start:stop], progressions.get(patient, []), rules, mine), mine)


def case_rows(
    kept: pd.DataFrame, cancers: pd.DataFrame, tables: dict[str, pd.DataFrame], people: Sequence[str], rules: Regimens
) -> pd.DataFrame:
    """Cases before what describes the patient, with the diagnosis and setting of each; `people`: ids of patients by place."""
    progressed = progression_days(tables)
    progressions = days_by_patient(progressed)
    operated, radiated = days_by_patient(operations(tables)), days_by_patient(tables["timeline_radiation"])
    courses = list(courses_of(kept, progressions, rules))
    starts = [(one.patient, one.of.cancer_type, regimen.index_day) for one in courses for regimen in one.regimens]
    frame = pd.DataFrame(starts, columns=["patient_id", "cancer_type", "index_day"])
    diagnosis = diagnoses.at_index(frame, cancers, rules.diagnosis_grace_days)
    told = settings_at_index(frame, diagnosis, progressed, tables, rules)
    settings = iter(zip(told["setting"].tolist(), told["last_operation"].tolist()))
    rows: list[tuple[Any, ...]] = []
    for one in courses:
        who = one.patient
        events = Events(progressions.get(who), operated.get(who), radiated.get(who))
        # Settings stand in the order of `starts`, which is that of this loop.
        steps = course(one.regimens, list(islice(settings, len(one.regimens))), events, rules, one.of)
        rows.extend(rows_of(one, people[who], steps, rules))
    described = ["diagnosis_day", "is_diagnosis_unknown", "has_other_cancer"]
    return pd.DataFrame(rows, columns=COURSE_COLUMNS).join(diagnosis[described])


def cases_of(tables: dict[str, pd.DataFrame], rules: Regimens, cohort: Cohort) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """Treatment cases of some patients, sorted by patient and index day (None: there are none), and what was counted on the way.

    Args:
        tables: those of `COLUMNS`, all rows of these patients.
        rules: windows in days.
        cohort: from `cohort_of`.
    """
    people, tables = numbered(tables["timeline_treatment"]["patient_id"], completed(tables, COLUMNS))
    kept, counts = treatment_intervals(tables["timeline_treatment"], rules)
    known = kept["patient_id"].isin(tables["clinical_patient"]["patient_id"])
    counts["patients_without_clinical_row"] = kept.loc[~known, "patient_id"].nunique()
    counts["rows_kept"] = len(kept)
    kept = kept[known]
    cancers = diagnoses.known_cancers(tables)
    sequenced = kept["patient_id"].isin(with_specimen(tables)["patient_id"])
    counts |= {"rows_without_specimen": int((~sequenced).sum()), "patients_without_specimen": kept.loc[~sequenced, "patient_id"].nunique()}
    dated = kept["patient_id"].isin(tables["timeline_specimen"]["patient_id"])
    counts |= {"rows_sequenced": int(sequenced.sum()), "rows_dated": int(dated.sum()), "patients_treated": kept["patient_id"].nunique()}
    if not sequenced.any():
        return None, counts
    intervals, aside = for_a_cancer(kept[sequenced], cancers, rules, cohort.cancers)
    counts |= aside
    if intervals.empty:
        return None, counts
    with without_cycle_search():
        rows = case_rows(intervals, cancers, tables, people.tolist(), rules)
    cases = describe(rows, cohort.classes, tables)
    cases["patient_id"] = people.to_numpy()[cases["patient_id"]]
    counts |= {
        "regimens": len(cases),
        "regimens_without_registered_diagnosis": int(cases["is_diagnosis_unknown"].sum()),
        "protocol_continuations": int((cases["protocol_part"] > 1).sum()),
        "chemoradiation": int(cases["is_chemoradiation"].sum()),
        "settings": {str(name): int(number) for name, number in cases["setting"].value_counts().items()},
    }
    return cases, counts


def build(tables: dict[str, pd.DataFrame], rules: Regimens) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Treatment cases of a cohort that is at hand as a whole, sorted by patient and index day, and what was counted on the way.

    Args:
        tables: those of `COLUMNS`.
        rules: windows in days.

    Raises:
        InputError: no anticancer treatment, or an agent that may not be there.
    """
    unknown = rows_of_unknown_agents(tables["timeline_treatment"])
    counted = Counted(cohort_of(tables["clinical_sample"], unknown, set(tables["clinical_patient"]["patient_id"]), rules))
    cases, counts = cases_of(tables, rules, counted.cohort)
    counted.add(counts)
    told = counted.told()
    assert cases is not None  # or `told` had said why
    return cases, told


def with_specimen(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The first sequenced specimen of each patient that has a cancer type: patient_id, specimen_id, gene_panel."""
    specimens = tables["timeline_specimen"].sort_values(["patient_id", "start_day", "sample_id"])
    samples = tables["clinical_sample"].dropna(subset=["cancer_type"])[["sample_id", "gene_panel"]]
    found = specimens[["patient_id", "sample_id"]].merge(samples, on="sample_id", validate="many_to_one").drop_duplicates("patient_id")
    return found.reset_index(drop=True).rename(columns={"sample_id": "specimen_id"})


def describe(cases: pd.DataFrame, classes: dict[str, str], tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Add the drug class of the agents known at index, the first sequenced specimen with its panel, and prior treatment elsewhere; fix
    types and order, and tell apart the cases of two cancers that start on one day."""
    subtype = classes | {name: drug.subtype for name, drug in drugs().items()}
    joined = {tuple(agents): " + ".join(sorted({subtype.get(agent, "Other") for agent in agents})) for agents in cases["agents_at_index"]}
    cases["drug_class"] = [joined[tuple(agents)] for agents in cases["agents_at_index"]]
    cases = cases.merge(with_specimen(tables), on="patient_id", validate="many_to_one")
    outside = tables["clinical_patient"].loc[tables["clinical_patient"]["prior_med_to_msk"] == "Prior medications to MSK", "patient_id"]
    cases["is_prior_outside"] = cases["patient_id"].isin(outside)
    cases = cases.astype(PANDAS_TYPES).sort_values(["patient_id", "index_day", "cancer_type"], ignore_index=True)
    again = cases.groupby(["patient_id", "index_day"]).cumcount()
    cases["case_id"] = cases["case_id"].where(again == 0, cases["case_id"] + "_" + (again + 1).astype(str))
    return cases


def parts_of(tables: dict[str, RangedTable], rules: Regimens, counted: Counted, choice: Choice) -> Iterator[pa.Table]:
    """Rows of `cases.parquet`, one range of treated patients after another."""
    yield case_table(CASES.empty_table().to_pandas())
    for one in patient_ranges(tables["timeline_treatment"].ids()):
        cases, counts = cases_of(of_patients(tables, one.patient_ids), rules, counted.cohort)
        counted.add(counts)
        if cases is not None:
            yield case_table(choice.of(cases))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read treatment, write cases."""
    parser = step_parser(
        "regimens",
        "in:  clinical_patient, clinical_sample; timeline_treatment, _specimen, _specimen_surgery, _diagnosis, _progression,\n"
        "     _tumor_sites, _cancer_presence, _surgery, _radiation\n"
        "out: cases.parquet, one row a patient starting a regimen (docs/artefacts.md); rules and sources in docs/regimens.md\n\n"
        "example:\n  oncoraft regimens tables --out cases --config config/config.yaml",
    )
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("--out", type=Path, required=True, metavar="CASES", help="folder for cases.parquet")
    given = parser.parse_args(arguments)
    blocks = read_settings("regimens", given)
    tables, rules, limits = open_tables(given.tables, COLUMNS, COLUMNS), blocks["regimens"], blocks["cohort_filter"]
    counted = Counted(whole_cohort(tables, rules))
    people = tables["clinical_patient"].ids() if limits.patients else []
    words = distinct(tables["clinical_sample"], ["cancer_type", "gene_panel"])
    choice = Choice({"clinical_patient": pd.DataFrame({"patient_id": people}), "clinical_sample": words}, limits)
    final, record = given.out / "cases.parquet", given.out / "cases.parquet.manifest.json"
    with publishing(final, record, step="regimens", home=given.out) as (out, note):
        write_ranges(out, parts_of(tables, rules, counted, choice))
        counts = counted.told() | choice.counts()
        inputs = [table.path for table in tables.values()] + ([] if limits.patients is None else [Path(limits.patients)])
        settings = settings_record(given, blocks)
        write_json(note, manifest("regimens", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("regimens: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
