"""The truth of a block of patients: one row a regimen, what is true of it and which traps touch its records.

Columns `true_*` say what a reader of the tables should find, `trap_*` why that is hard; sizes and sources are on the page docs/twin.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from oncoraft.twin import traps
from oncoraft.twin.cohort import Cohort
from oncoraft.twin.draws import Booleans, Integers
from oncoraft.twin.parameters import NAMES
from oncoraft.twin.records import Columns, ecog_on_first_day
from oncoraft.twin.regimens import NULL_RATE, OPTIONS, PROTOCOLS, RESPONSES
from oncoraft.twin.response import ADJUVANT, LOCAL_KINDS, NEOADJUVANT, SETTINGS

LAG, WINDOW = 14, 120  # days after the first dose in which a scan decides (the strict label)
OF_NOBODY_HERE: dict[str, Any] = {
    "probability": NULL_RATE,
    "response": "NED",
    "is_early": True,
    "is_null": False,
    "hazard_per_month": 0.001,
}
NO_DAY = -100_000  # `true_deciding_day` where no scan decides
UNSTAGED = ("Unknown/Unstaged", "Unstaged unknown")


def truth_table(cohort: Cohort, tables: dict[str, Columns], ids: np.ndarray, clean: bool) -> pd.DataFrame:
    """One row a regimen on record, those of an earlier cancer included, by patient and day.

    Args:
        tables: columns of the timelines: what the reports of a deciding day said, and spellings, are read from them.
        ids: patient id of each person.
    """
    regimens = cohort.regimens
    option = regimens.option
    agents = np.empty(len(OPTIONS), dtype=object)
    agents[:] = [list(one.agents) for one in OPTIONS]
    null = np.array([one.is_null for one in OPTIONS])[option] & ~regimens.is_early
    own = pd.DataFrame(
        {
            "patient_id": ids[regimens.person], "start_day": regimens.start.astype(np.int32), "agents": agents[option],
            "probability": regimens.probability, "response": np.array(RESPONSES, dtype=object)[regimens.response],
            "cancer_type": np.array(NAMES, dtype=object)[cohort.people.cancer[regimens.person]], "is_early": regimens.is_early, "is_null": null,
            "hazard_per_month": regimens.hazard,
        }
    )  # fmt: skip
    own = own.assign(**true_values(cohort, tables, clean), **touched_by(cohort, tables, clean))
    own["trap_contradiction"] = own["true_contradicted"]
    both = pd.concat([own, earlier_table(cohort, ids, own)], ignore_index=True)
    return both.sort_values(["patient_id", "start_day"], kind="stable", ignore_index=True)


def true_values(cohort: Cohort, tables: dict[str, Columns], clean: bool) -> dict[str, np.ndarray]:
    """What is right of each regimen: setting, line within it, protocol, chemoradiation, cancer type, local treatment, contradiction."""
    regimens = cohort.regimens
    local, day = np.where(traps.local_treatment(cohort), regimens.local, 0), deciding_day(cohort, tables, clean)
    local = np.where(regimens.is_chemoradiation, LOCAL_KINDS.index("radiation"), local)
    return {
        "true_setting": np.array(SETTINGS, dtype=object)[regimens.setting],
        "true_line": regimens.setting_line.astype(np.int16),
        "true_protocol": np.array([*(one.name for one in PROTOCOLS), ""], dtype=object)[
            np.where(in_protocol(cohort), regimens.protocol, -1)
        ],
        "true_is_chemoradiation": regimens.is_chemoradiation,
        "true_cancer_type": np.array(NAMES, dtype=object)[cohort.people.cancer[regimens.person]],
        "true_local_treatment": np.array(LOCAL_KINDS, dtype=object)[local],
        "true_contradicted": contradicted(cohort, tables, clean),
        "true_deciding_day": np.where(day >= 0, day - keys(regimens.person, np.zeros(len(day), dtype=np.int64)), NO_DAY).astype(np.int32),
    }


def touched_by(cohort: Cohort, tables: dict[str, Columns], clean: bool) -> dict[str, Booleans]:
    """Which traps touch each regimen."""
    regimens, person = cohort.regimens, cohort.regimens.person
    treatment, registry = tables["timeline_treatment"], tables["timeline_diagnosis"]
    spelt = np.isin(treatment["agent"].astype(str), [name for names in traps.SPELLINGS.values() for name in names])
    unstaged = np.isin(registry["summary"].astype(str), UNSTAGED)
    recorded = np.isin(person, np.flatnonzero(cohort.on_record(np.arange(len(cohort)), cohort.operation)))
    around = [np.isin(person, person[regimens.setting == phase]) for phase in (NEOADJUVANT, ADJUVANT)]
    return {
        "trap_dependent_entry": cohort.waits[person] & regimens.is_early,
        "trap_treated_elsewhere": (cohort.arrival > cohort.diagnosis)[person],
        "trap_protocol": in_protocol(cohort),
        "trap_perioperative": recorded & around[0] & around[1] & np.isin(regimens.setting, (NEOADJUVANT, ADJUVANT)),
        "trap_chemoradiation": regimens.is_chemoradiation,
        "trap_other_cancer": np.zeros(len(person), dtype=bool),
        "trap_local_treatment": traps.local_treatment(cohort),
        "trap_minor_procedure": traps.minor_procedure(cohort)[0],
        "trap_head_only": traps.head_only(cohort, clean)[0],
        "trap_index_day": ecog_on_first_day(cohort),
        "trap_early_oral": traps.early_oral(cohort),
        "trap_tracer": traps.tracer(cohort) & (not clean),
        "trap_spelling": _follows(person, regimens.start, keys(treatment["person"][spelt], treatment["start_day"][spelt]), 16),
        "trap_missing_word": np.isin(person, registry["person"][unstaged]),
    }


def in_protocol(cohort: Cohort) -> Booleans:
    """Regimens of a protocol of which both parts are on record."""
    regimens = cohort.regimens
    name = np.where(regimens.protocol < 0, -1 - np.arange(len(regimens.person)), regimens.person * len(PROTOCOLS) + regimens.protocol)
    _, place, counts = np.unique(name, return_inverse=True, return_counts=True)
    return counts[place] > 1


def keys(person: Integers, day: Integers) -> Integers:
    """One sortable number a person and day."""
    return person * 400_000 + day + 200_000


def _follows(person: Integers, day: Integers, others: Integers, within: int) -> Booleans:
    """Whether an event of the same person lies on each day or up to `within` days after it."""
    others = np.sort(others)
    first = keys(person, day)
    place = np.searchsorted(others, first)
    return (place < len(others)) & (np.append(others, np.iinfo(np.int64).max)[place] <= first + within)


def deciding_day(cohort: Cohort, tables: dict[str, Columns], clean: bool) -> Integers:
    """Key of the first day on which imaging of the body gave a verdict in the window of each regimen, -1 for none."""
    regimens, read = cohort.regimens, tables["timeline_progression"]
    informative = np.isin(read["progression"].astype(str), ("Y", "N"))
    has, head_day = traps.head_only(cohort, clean)
    days = np.setdiff1d(keys(read["person"][informative], read["start_day"][informative]), keys(regimens.person[has], head_day[has]))
    last = np.minimum(regimens.start + WINDOW, cohort.following)
    first = keys(regimens.person, regimens.start + LAG + 1)
    found = np.append(days, np.iinfo(np.int64).max)[np.searchsorted(days, first)]
    return np.where(found <= keys(regimens.person, last), found, -1)


def contradicted(cohort: Cohort, tables: dict[str, Columns], clean: bool) -> Booleans:
    """Regimens whose deciding day says that there is no cancer and names a site of it."""
    day, seen, sites = deciding_day(cohort, tables, clean), tables["timeline_cancer_presence"], tables["timeline_tumor_sites"]
    said = {word: keys(seen["person"], seen["start_day"])[seen["has_cancer"] == word] for word in "YN"}
    return np.isin(day, said["N"]) & ~np.isin(day, said["Y"]) & np.isin(day, keys(sites["person"], sites["start_day"]))


def earlier_table(cohort: Cohort, ids: np.ndarray, own: pd.DataFrame) -> pd.DataFrame:
    """Treatment of an earlier cancer: nothing that a case of this one should be made of, unless the registry tells that cancer.

    Args:
        own: the other rows, whose columns these take; no trap but their own touches them.
    """
    earlier = traps.earlier_cancers(cohort)
    kind = np.where(earlier.is_prostate, NAMES[3], NAMES[1]).astype(object)
    rows = pd.DataFrame({"patient_id": ids[earlier.person], "start_day": earlier.start.astype(np.int32), "cancer_type": kind})
    rows["agents"] = [[name] for name in earlier.agent]
    rows = rows.assign(
        **OF_NOBODY_HERE,
        true_setting="unknown",
        true_protocol="",
        true_local_treatment="",
        true_deciding_day=NO_DAY,
        true_cancer_type=earlier.cancer_type(),
    )
    rows = rows.assign(
        **{name: False for name in own.columns if name.startswith("trap_") or name in ("true_is_chemoradiation", "true_contradicted")}
    )
    return rows.assign(true_line=np.int16(1), trap_other_cancer=True)[own.columns].astype(own.dtypes.to_dict())
