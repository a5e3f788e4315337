"""Made-up courses of a twin's radiation: `oncoraft task-courses TABLES --out courses.csv --truth courses_truth.parquet`.

The released study, and so the twin, holds the days on which radiation began and nothing else. Dose, fractions and modality are drawn here by
a stated law of what is registered by then (cancer, site, histology, stage), with other usual plans by chance, into a table of its own
that a task reads as it reads a group's: nothing of it enters the study's files. The truth says which plan the law makes likeliest,
and how likely: what an answer from the same evidence could reach.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.knowledge.cancers import cancer_of
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
Plan = tuple[tuple[tuple[float, int], ...], str, str]  # phases of dose in Gy and fractions, schedule, modality
TABLES = {
    "timeline_radiation": ("patient_id", "start_day"),
    "timeline_diagnosis": ("patient_id", "start_day", "dx_description", "stage_cdm_derived"),
}


class Law(NamedTuple):
    """One row of the law: where it holds, and its plans with their probabilities, the likeliest first."""

    cancer: str
    words: tuple[str, ...]  # one of which stands in histology or site; empty: any
    plans: tuple[tuple[Plan, float], ...]


def _plan(phases: Sequence[tuple[float, int]], modality: str = "photon", schedule: str = "") -> Plan:
    return tuple(phases), schedule, modality


PALLIATIVE = ((_plan([(30, 10)]), 0.86), (_plan([(20, 5)]), 0.09), (_plan([(8, 1)]), 0.05))
# Made up: usual plans of textbooks, none taken from a patient; the first row that fits holds.
LAWS = (
    Law(
        "Non-Small Cell Lung Cancer",
        ("SMALL CELL", "NEUROENDOCRINE"),
        ((_plan([(45, 30)], "photon", "twice daily"), 0.9), (_plan([(60, 30)]), 0.1)),
    ),
    Law("Non-Small Cell Lung Cancer", ("LOWER LOBE",), ((_plan([(66, 33)], "proton"), 0.88), (_plan([(60, 30)]), 0.12))),
    Law("Non-Small Cell Lung Cancer", (), ((_plan([(60, 30)]), 0.9), (_plan([(54, 3)]), 0.1))),
    Law("Breast Cancer", ("OVERLAPPING",), ((_plan([(50, 25), (10, 5)]), 0.9), (_plan([(50, 25)]), 0.1))),
    Law("Breast Cancer", ("LOBULAR",), ((_plan([(50, 25)], "electron"), 0.88), (_plan([(50, 25)]), 0.12))),
    Law("Breast Cancer", (), ((_plan([(40.05, 15)]), 0.9), (_plan([(26, 5)]), 0.1))),
    Law("Colorectal Cancer", ("RECTUM", "RECTOSIGMOID"), ((_plan([(50.4, 28)]), 0.88), (_plan([(25, 5)]), 0.12))),
    Law("Colorectal Cancer", (), ((_plan([(45, 25)]), 0.9), (_plan([(50.4, 28)]), 0.1))),
    Law("Prostate Cancer", ("SMALL CELL",), ((_plan([(60, 20)]), 0.9), (_plan([(78, 39)]), 0.1))),
    Law("Prostate Cancer", (), ((_plan([(145, 1)], "brachytherapy"), 0.88), (_plan([(60, 20)]), 0.12))),
    Law("Pancreatic Cancer", ("NEUROENDOCRINE",), ((_plan([(50.4, 28)]), 0.9), (_plan([(45, 25)]), 0.1))),
    Law("Pancreatic Cancer", ("HEAD",), ((_plan([(33, 5)]), 0.9), (_plan([(40, 5)]), 0.1))),
    Law("Pancreatic Cancer", (), ((_plan([(58.8, 28)], "proton"), 0.88), (_plan([(50.4, 28)]), 0.12))),
)


def plans_of(cancer: str, description: str, is_distant: bool) -> tuple[tuple[Plan, float], ...]:
    """The plans of a diagnosis with their probabilities; none for a cancer that the law knows nothing of."""
    if cancer not in {law.cancer for law in LAWS}:
        return ()
    if is_distant:
        return PALLIATIVE
    return next(
        law.plans for law in LAWS if law.cancer == cancer and (not law.words or any(word in description.upper() for word in law.words))
    )


def drawn(plans: Sequence[tuple[Plan, float]], draw: float) -> Plan:
    """The plan that a number in [0, 1) falls on."""
    total = 0.0
    for plan, chance in plans:
        total += chance
        if draw < total:
            return plan
    return plans[-1][0]


def courses(radiation: pd.DataFrame, diagnoses: pd.DataFrame, gap_days: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of courses, a row a phase, and the truth, a row a course.

    Args:
        radiation: patient_id, start_day.
        diagnoses: patient_id, start_day, dx_description, stage_cdm_derived.
        gap_days: starts within this many days are one course.
        seed: of the draws; each course has its own, so that other patients change nothing.
    """
    names = {words: cancer_of(words) for words in diagnoses["dx_description"].fillna("").unique()}
    known = diagnoses.assign(dx_description=diagnoses["dx_description"].fillna(""))
    known = (
        known.assign(cancer=known["dx_description"].map(names).astype(object))
        .dropna(subset=["cancer"])
        .sort_values("start_day", kind="stable")
    )
    of_patient: dict[str, list[tuple[int, str, str, str]]] = {}
    columns = ("patient_id", "start_day", "cancer", "dx_description", "stage_cdm_derived")
    for patient, *diagnosis in zip(*(known[name].tolist() for name in columns)):
        of_patient.setdefault(patient, []).append((diagnosis[0], diagnosis[1], diagnosis[2], str(diagnosis[3])))
    days = radiation[["patient_id", "start_day"]].drop_duplicates().sort_values(["patient_id", "start_day"])
    rows, truth = [], []
    before: tuple[str, int] = ("", 0)
    for patient, day in zip(days["patient_id"], days["start_day"].astype(int)):
        is_same, before = patient == before[0] and day - before[1] <= gap_days, (patient, day)
        told = [one for one in of_patient.get(patient, []) if one[0] <= day]
        if is_same or not told:
            continue
        _, cancer, description, stage = told[-1]
        if not (plans := plans_of(cancer, description, stage == "Stage 4")):
            continue
        phases, schedule, modality = drawn(plans, stable_fraction(seed, patient, day))
        for number, (dose, fractions) in enumerate(phases):
            course = {"patient_id": patient, "start_day": day, "course": f"{day}", "phase": number + 1, "dose": dose, "unit": "Gy"}
            rows.append(course | {"fractions": fractions, "modality": modality, "schedule": schedule})
        by_modality: dict[str, float] = {}
        for (_, _, kind), chance in plans:
            by_modality[kind] = by_modality.get(kind, 0.0) + chance
        truth.append(
            {
                "patient_id": patient,
                "start_day": day,
                "radiation_regimen": text_of(plans[0][0]),
                "modality": max(by_modality, key=by_modality.__getitem__),
            }
        )
    return pd.DataFrame(rows), pd.DataFrame(truth)


def text_of(plan: Plan) -> str:
    """A plan in words, as answers read: `50 Gy in 25 fractions + 10 Gy in 5 fractions`."""
    words = " + ".join(f"{dose:g} Gy in {fractions} fraction" + ("" if fractions == 1 else "s") for dose, fractions in plan[0])
    return f"{words} {plan[1]}".strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the courses of a twin."""
    parser = step_parser(
        "task-courses",
        "in:  tables of a twin (timeline_radiation, timeline_diagnosis)\n"
        "out: courses.csv, a row a phase (patient_id, start_day, course, phase, dose, unit, fractions, modality, schedule), all made up,\n"
        "     and the likeliest answers by the law\n\n"
        "example:\n  oncoraft task-courses tables --out courses.csv --truth courses_truth.parquet",
    )
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV of courses to write")
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE", help="Parquet of the likeliest answers to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("task-courses", given)
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, given.truth, record, step="task-courses")
    paths = {name: given.tables / f"{name}.parquet" for name in TABLES}
    if absent := [path for path in paths.values() if not path.is_file()]:
        raise InputError("expected a table written by `oncoraft ingest`", file=absent[0])
    tables = {name: pd.read_parquet(path, columns=list(TABLES[name])) for name, path in paths.items()}
    block = blocks["radiation"]
    rows, truth = courses(tables["timeline_radiation"], tables["timeline_diagnosis"], block.gap_days, block.seed)
    if truth.empty:
        raise InputError("expected radiation after a diagnosis of the cohort's cancers", file=paths["timeline_radiation"])
    with publishing(given.out, given.truth, record, step="task-courses") as (out, out_truth, note):
        write_csv(out, rows)
        truth.to_parquet(out_truth, index=False)
        counts = {"courses": len(truth), "phases": len(rows), "patients": int(truth["patient_id"].nunique())}
        outputs = {given.out: out, given.truth: out_truth}
        write_json(
            note,
            manifest(
                "task-courses",
                inputs=paths.values(),
                outputs=outputs,
                settings=settings_record(given, blocks),
                counts=counts,
                beside=record,
            ),
        )
    log.info("task-courses: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
