"""How each design holds patients out: one row a patient in, a fold a patient out. Fold -1 marks patients who only ever train, `ABSENT`
those who are in no part of the design.

`kfold`: a stable hash of the seed and the patient, so that new patients move nobody; in a cohort so small that it leaves a fold empty,
a patient of the fullest fold fills it. `kfold_stratified`: patients of a cancer type
and of a kind of answer (a response, none, not evaluable) are dealt out evenly; folds differ by one patient at most, in every such
stratum and in total, and an earlier assignment can be kept frozen. `leave_cancer_out`: a cancer type is held out at a time.
`panel_era`: patients first sequenced with the newest gene panel are held out, those with older panels train; the others are in no part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import Folds

Frozen = dict[str, int]  # patient_id -> fold
TRAINS = -1
BATCH = 10_000  # names
ABSENT = np.iinfo(np.int16).min


def draws(patients: pd.DataFrame, *parts: object) -> np.ndarray:
    """A number in [0, 1) of each patient, by a stable hash of `parts` and the patient's name."""
    names = pa.array(patients["patient_id"])
    # A batch at a time: Arrow gives many names sooner than one after another, and a cohort's take memory as objects.
    batches = (names.slice(start, BATCH).to_pylist() for start in range(0, len(names), BATCH))
    found = (stable_fraction(*parts, patient) for batch in batches for patient in batch)
    return np.fromiter(found, dtype=np.float64, count=len(names))


def kfold(patients: pd.DataFrame, settings: Folds, frozen: Frozen) -> np.ndarray:
    """A fold by stable hash; none is left empty where there are as many patients as folds."""
    draw = draws(patients, settings.seed, "kfold")
    fold = (draw * settings.folds).astype(np.int16)
    for empty in sorted(set(range(settings.folds)) - set(fold.tolist())):
        fullest = np.bincount(fold).argmax()  # of equals the first
        people = np.flatnonzero(fold == fullest)
        fold[people[draw[people].argmin()]] = empty
    return fold


def kfold_stratified(patients: pd.DataFrame, settings: Folds, frozen: Frozen) -> np.ndarray:
    """Patients of each stratum dealt out to the fold that has the fewest of it; ties to the fold with fewer patients, then fewer cases.

    Those with many cases are dealt first, so that cases even out too. Patients in `frozen` stay where they were.
    """
    order = patients.assign(place=np.arange(len(patients)), draw=draws(patients, settings.seed, "kfold_stratified"))
    order = order.sort_values(["stratum", "cases", "draw"], ascending=[True, False, True], kind="stable")
    fold = np.full(len(patients), ABSENT, dtype=np.int16)
    of_stratum: Counter[tuple[str, int]] = Counter()
    people: Counter[int] = Counter()
    cases: Counter[int] = Counter()
    # The frozen first, so that the others even out what these leave.
    for keep in (True, False):
        for place, patient, stratum, count in zip(order["place"], order["patient_id"], order["stratum"], order["cases"]):
            if (patient in frozen) is keep:
                own = (
                    frozen[patient] if keep else min(range(settings.folds), key=lambda k: (of_stratum[stratum, k], people[k], cases[k], k))
                )
                fold[place] = own
                of_stratum[stratum, own] += 1
                people[own] += 1
                cases[own] += count
    return fold


def leave_cancer_out(patients: pd.DataFrame, settings: Folds, frozen: Frozen) -> np.ndarray:
    """Fold k holds the k-th configured cancer type out; patients of other types are in no part.

    Raises:
        InputError: nobody has a configured type.
    """
    there = set(patients["cancer_type"].dropna())
    for name in settings.cancer_types:
        if name not in there:
            raise InputError(f"expected cancer types of the cohort: {', '.join(sorted(there))}", column="folds.cancer_types", found=name)
    number = {name: place for place, name in enumerate(settings.cancer_types)}
    return np.array([number.get(name, ABSENT) for name in patients["cancer_type"]], dtype=np.int16)


def panel_era(patients: pd.DataFrame, settings: Folds, frozen: Frozen) -> np.ndarray:
    """Fold 0: first sequenced with a newest panel; -1: with an older one; patients of other panels are in no part.

    Raises:
        InputError: nobody to hold out, or nobody to train on.
    """
    fold = dict.fromkeys(settings.older_panels, TRAINS) | dict.fromkeys(settings.newest_panels, 0)
    there = set(patients["gene_panel"].dropna())
    for key in ("older_panels", "newest_panels"):
        if not there & set(wanted := getattr(settings, key)):
            raise InputError(f"expected a panel of the cohort: {', '.join(sorted(there))}", column=f"folds.{key}", found=", ".join(wanted))
    return np.array([fold.get(panel, ABSENT) for panel in patients["gene_panel"]], dtype=np.int16)


DESIGNS: dict[str, Callable[[pd.DataFrame, Folds, Frozen], np.ndarray]] = {
    "kfold": kfold,
    "kfold_stratified": kfold_stratified,
    "leave_cancer_out": leave_cancer_out,
    "panel_era": panel_era,
}
