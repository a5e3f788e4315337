"""Operations, samplings and radiation of the twin, and events scattered over a patient's time."""

from __future__ import annotations

from typing import Any

import numpy as np

from oncoraft.twin import traps
from oncoraft.twin.cohort import Cohort
from oncoraft.twin.draws import Floats, Integers, expand
from oncoraft.twin.response import NEOADJUVANT

Columns = dict[str, Any]


def scatter(cohort: Cohort, name: str, share: Floats, mean: Floats, low: Integers, high: Integers, power: float = 1.0) -> Columns:
    """Events of `share` of the patients, `mean` each on average, between two days, earlier ones likelier with `power` above 1."""
    draws = cohort.draws
    has = draws.chance(f"{name} has", share)
    counts = np.where(has, 1 + np.floor(draws.exponential(f"{name} count", np.maximum(mean - 0.55, 0.1))), 0).astype(np.int64)
    person, place = expand(np.minimum(counts, 25))
    mine = draws.repeat(person, place, name)
    day = low[person] + (mine.uniform("day") ** power * np.maximum(high - low, 0)[person]).astype(np.int64)
    keep = cohort.on_record(person, day)
    return {"person": person[keep], "start_day": day[keep], "draws": mine[keep]}


def share_of(values: tuple[float, ...], cohort: Cohort) -> Floats:
    """A number of each patient's cancer type."""
    return np.array(values)[cohort.people.cancer]


def surgery(cohort: Cohort, acquired: Integers) -> Columns:
    """Procedures and samplings; the specimen's own among them in four of ten."""
    found = scatter(
        cohort,
        "surgery",
        share_of((0.66, 0.70, 0.58, 0.60, 0.60), cohort),
        share_of((2.7, 2.5, 3.6, 2.1, 2.7), cohort),
        cohort.diagnosis,
        cohort.end,
        1.9,
    )
    is_sample = found["draws"].chance("sample", share_of((0.48, 0.33, 0.10, 0.30, 0.22), cohort)[found["person"]])
    before = np.isin(found["person"], cohort.regimens.person[cohort.regimens.setting == NEOADJUVANT])
    is_sample |= before & (found["start_day"] < cohort.operation[found["person"]])  # biopsies, while the operation is still to come
    own = np.flatnonzero(cohort.draws.chance("own surgery", 0.375))
    operated = np.flatnonzero(cohort.on_record(np.arange(len(cohort)), cohort.operation))
    regimens = cohort.regimens
    local = np.flatnonzero(traps.local_treatment(cohort) & (regimens.local == 1))
    has, minor_day, is_sampling = traps.minor_procedure(cohort)
    minor = np.flatnonzero(has)
    sampling = np.where(
        np.concatenate([is_sample, np.ones(len(own), dtype=bool), np.zeros(len(operated) + len(local), dtype=bool), is_sampling[minor]]),
        "SAMPLE",
        "PROCEDURE",
    )
    return {
        "person": np.concatenate([found["person"], own, operated, regimens.person[local], regimens.person[minor]]),
        "start_day": np.concatenate(
            [found["start_day"], acquired[own], cohort.operation[operated], regimens.local_day[local], minor_day[minor]]
        ),
        "subtype": sampling.astype(object),
    }


def radiation(cohort: Cohort) -> Columns:
    """Radiation courses."""
    found = scatter(
        cohort,
        "radiation",
        share_of((0.44, 0.57, 0.09, 0.59, 0.15), cohort),
        share_of((2.3, 2.3, 2.6, 2.2, 1.9), cohort),
        cohort.diagnosis + 15,
        cohort.end,
    )
    regimens = cohort.regimens
    local = np.flatnonzero(traps.local_treatment(cohort) & (regimens.local == 2))
    with_drugs = np.flatnonzero(regimens.is_chemoradiation)
    begins = regimens.start + traps.of_regimens(cohort).whole("radiation", -1, 4)
    return {
        "person": np.concatenate([found["person"], regimens.person[local], regimens.person[with_drugs]]),
        "start_day": np.concatenate(
            [found["start_day"], regimens.local_day[local], np.minimum(begins, cohort.end[regimens.person])[with_drugs]]
        ),
    }
