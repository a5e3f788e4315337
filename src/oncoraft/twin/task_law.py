"""What the twin's law makes likeliest of the text tasks: `oncoraft task-law TABLES --truth truth.parquet --out law.parquet`.

An answer from the same evidence can at best be the likeliest by the law that the answers were drawn from; how often that is right is the
ceiling of a task, which chance keeps below 1. The systemic regimen: the heaviest of the very weights that it was drawn by, which know
the tumour's states, the lines on record and whether a protocol goes on. The start of radiation: by the share of the regimen that is given with
radiation and the days on which that begins. The code: of the site's words, by the twin's own table of words.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drugs import drugs
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.twin.blocks import BLOCK, patient_ids
from oncoraft.twin.cohort import Cohort, make_cohort
from oncoraft.twin.course import COURSES, FIRST, LATER, SECOND
from oncoraft.twin.draws import Integers
from oncoraft.twin.parameters import CANCERS
from oncoraft.twin.people import STATES
from oncoraft.twin.regimens import LOCAL_TREATMENT, OPTIONS
from oncoraft.twin.response import NEED, RADIATED
from oncoraft.twin.traps import EARLIER_AGENTS, earlier_cancers

log = logging.getLogger("oncoraft")
MASKED = np.array([option.agents == ("INVESTIGATIONAL",) for option in OPTIONS])  # an answer nowhere, since the source masks it
CHEMORADIATION_DAYS = (-1, 4)  # from the first dose, when radiation that is given with drugs begins (`procedures.radiation`)
LOCAL_RADIATION = 0.4  # of local treatments between the first day and the first scan (`response.add_regimen`)
WHOLE_CODES = frozenset({"C19", "C20", "C33", "C61"})  # which the WHO does not divide


def written(agents: Sequence[str]) -> str:
    """Agents as the answers of the task are written, without what supports them alone (folinic acid)."""
    known = drugs()
    names = sorted({name for agent in agents for name in resolve(agent).agents})
    return "Drugs: " + "; ".join(f"{name.lower()} ({known[name].drug_class})" for name in names if not known[name].supportive)


def likeliest_options(cohort: Cohort) -> Integers:
    """The option that the law makes likeliest for each regimen on record, given cancer, states, line and what is on record before.

    Returns:
        (regimens,), positions in `OPTIONS`; the second part of a protocol is certain.
    """
    regimens, people = cohort.regimens, cohort.people
    person, cancer = regimens.person, people.cancer[regimens.person]
    states = np.stack([people.states[name] for name in STATES], axis=1)[person]
    weights = np.where((regimens.setting_line == 1)[:, None], FIRST[cancer], LATER[cancer])
    for place, table in enumerate(COURSES):
        mine = regimens.is_early & (np.minimum(regimens.line, len(COURSES)) == place + 1)
        weights[mine] = table[cancer[mine]]
    is_allowed = np.where(NEED < 0, True, states[:, np.maximum(NEED, 0)])
    weights = np.where(is_allowed & ~MASKED, weights, 0.0)
    given: set[tuple[int, int]] = set()
    for row in np.flatnonzero(~regimens.is_early):  # by patient and day
        # No option of metastatic disease is given twice.
        weights[row, [option for who, option in given if who == person[row]]] = 0.0
        given = {(who, option) for who, option in given if who == person[row]} | {(int(person[row]), int(regimens.option[row]))}
    is_second = (regimens.protocol >= 0) & (regimens.option == SECOND[regimens.protocol])
    return np.where(is_second, regimens.option, weights.argmax(axis=1))


def radiation_soon(cohort: Cohort, begun: np.ndarray) -> np.ndarray:
    """(regimens,), whether radiation within a month is likelier than none.

    Args:
        begun: whether it began on the last days before the first dose, so that none is to come with the drugs.
    """
    share = RADIATED[cohort.regimens.option]
    low, high = CHEMORADIATION_DAYS
    after = (high + 1) / (high - low + 1)  # of the days on which it may begin, those from the first dose on
    coming = np.where(begun, 0.0, share * after / (1 - share * (1 - after)))
    elsewhere = LOCAL_RADIATION * float(np.mean(LOCAL_TREATMENT[:4]))
    return np.asarray(coming + (1 - coming) * elsewhere > 0.5)


def of_regimens(seed: int, patients: int, radiation: pd.DataFrame) -> pd.DataFrame:
    """Likeliest regimen and start of radiation at the first day of every regimen on record: patient_id, start_day, and a column a task.

    Args:
        seed, patients: of the twin.
        radiation: patient_id, start_day of its table.
    """
    parts = []
    starts = set(zip(radiation["patient_id"].astype(str), radiation["start_day"].astype(int)))
    for first in range(1, patients + 1, BLOCK):
        numbers = np.arange(first, min(first + BLOCK - 1, patients) + 1)
        cohort = make_cohort(seed, numbers)
        ids, days = patient_ids(numbers)[cohort.regimens.person], cohort.regimens.start
        begun = np.array([any((name, day + late) in starts for late in range(CHEMORADIATION_DAYS[0], 0)) for name, day in zip(ids, days)])
        options = likeliest_options(cohort)
        found = {
            "patient_id": ids,
            "start_day": days.astype(np.int32),
            "drug_regimen": [written(OPTIONS[option].agents) for option in options],
            "radiation_start": np.where(radiation_soon(cohort, begun), "Soon", "No").astype(object),
        }
        parts += [pd.DataFrame(found), of_earlier_cancers(cohort, patient_ids(numbers))]
    return pd.concat(parts, ignore_index=True).drop_duplicates(["patient_id", "start_day"])


def of_earlier_cancers(cohort: Cohort, ids: np.ndarray) -> pd.DataFrame:
    """The same at the first day of each treatment of an earlier cancer: any of its agents is as likely, and no radiation is drawn for it."""
    earlier = earlier_cancers(cohort)
    agents = [EARLIER_AGENTS[int(kind)][0] for kind in earlier.is_prostate]
    found = {
        "patient_id": ids[earlier.person],
        "start_day": earlier.start.astype(np.int32),
        "drug_regimen": [written([one]) for one in agents],
    }
    return pd.DataFrame(found).assign(radiation_start="No")


def code_of(words: str) -> str:
    """The code of a diagnosis by the words of its site; of a solid tumour that is malignant it is the topography.

    Raises:
        KeyError: words that the twin does not write.
    """
    codes = {site: topography for cancer in CANCERS for site, topography, *_ in cancer.primary_sites}
    code = codes[words.partition(" | ")[2].partition(" (")[0]]
    return code[:3] if code[:3] in WHOLE_CODES else f"{code[:3]}.{code[3:]}"


def of_diagnoses(diagnoses: pd.DataFrame) -> pd.DataFrame:
    """Code of every diagnosis that the twin has words for: patient_id, start_day, icd10."""
    rows = diagnoses.dropna(subset=["dx_description"])
    words = {text: code_of(text) for text in rows["dx_description"].astype(str).unique() if " | " in text}
    found = rows.assign(icd10=rows["dx_description"].astype(str).map(words), patient_id=rows["patient_id"].astype(str))
    return found[["patient_id", "start_day", "icd10"]].dropna().drop_duplicates(["patient_id", "start_day"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the likeliest answers of a twin."""
    parser = step_parser(
        "task-law",
        "in:  tables of a twin (timeline_radiation, timeline_diagnosis) and its settings\n"
        "out: patient_id, start_day and a column a task (drug_regimen, radiation_start, icd10): the likeliest answer by the law, null where the\n"
        "     task asks nothing on that day\n\n"
        "example:\n  oncoraft task-law tables --out law.parquet --config config/config.yaml",
    )
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest` of the twin")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet of the likeliest answers to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("task-law", given)
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="task-law")
    paths = [given.tables / f"{name}.parquet" for name in ("timeline_radiation", "timeline_diagnosis")]
    if absent := [path for path in paths if not path.is_file()]:
        raise InputError("expected a table written by `oncoraft ingest`", file=absent[0])
    radiation = pd.read_parquet(paths[0], columns=["patient_id", "start_day"])
    diagnoses = pd.read_parquet(paths[1], columns=["patient_id", "start_day", "dx_description"])
    twin = blocks["twin"]
    try:
        codes = of_diagnoses(diagnoses)
    except KeyError as error:
        raise InputError("expected diagnoses of a twin; it does not write this site", file=paths[1], found=error.args[0]) from None
    law = of_regimens(twin.seed, twin.patients, radiation).merge(codes, on=["patient_id", "start_day"], how="outer")
    with publishing(given.out, record, step="task-law") as (out, note):
        law.to_parquet(out, index=False)
        counts = {"days": len(law)} | {name: int(law[name].notna().sum()) for name in ("drug_regimen", "radiation_start", "icd10")}
        settings = settings_record(given, blocks)
        write_json(note, manifest("task-law", inputs=paths, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("task-law: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
