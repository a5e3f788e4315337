"""How each design holds patients out: one row a patient in, a fold a patient out. Fold -1 marks patients who only ever train.

`kfold`: a stable hash of the seed and the patient, so that new patients move nobody; in a cohort so small that it leaves a fold empty,
a patient of the fullest fold fills it. `kfold_stratified`: patients of a cancer type
and of a kind of answer (a response, none, not evaluable) are dealt out evenly; folds differ by one patient at most, in every such
stratum and in total, and an earlier assignment can be kept frozen. `leave_cancer_out`: a cancer type is held out at a time.
`panel_era`: patients first sequenced with the newest gene panel are held out, those with older panels train; the others are in no part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import Folds

Assigned = dict[str, int]  # patient_id -> fold
NO_FOLD = "no part of this design"


def kfold(patients: pd.DataFrame, settings: Folds, frozen: Assigned) -> Assigned:
    """A fold by stable hash; none is left empty where there are as many patients as folds."""
    draw = {patient: stable_fraction(settings.seed, "kfold", patient) for patient in sorted(patients["patient_id"])}
    fold = {patient: int(value * settings.folds) for patient, value in draw.items()}
    for empty in sorted(set(range(settings.folds)) - set(fold.values())):
        people = Counter(fold.values())
        fullest = min(people, key=lambda k: (-people[k], k))
        fold[min((patient for patient in fold if fold[patient] == fullest), key=lambda patient: (draw[patient], patient))] = empty
    return fold


def kfold_stratified(patients: pd.DataFrame, settings: Folds, frozen: Assigned) -> Assigned:
    """Patients of each stratum dealt out to the fold that has the fewest of it; ties to the fold with fewer patients, then fewer cases.

    Those with many cases are dealt first, so that cases even out too. Patients in `frozen` stay where they were.
    """
    order = patients.assign(draw=[stable_fraction(settings.seed, "kfold_stratified", patient) for patient in patients["patient_id"]])
    order = order.sort_values(["stratum", "cases", "draw"], ascending=[True, False, True], kind="stable")
    assigned: Assigned = {}
    of_stratum: Counter[tuple[str, int]] = Counter()
    people: Counter[int] = Counter()
    cases: Counter[int] = Counter()
    rows = list(zip(order["patient_id"], order["stratum"], order["cases"]))
    # The frozen first, so that the others even out what these leave.
    for keep in (True, False):
        for patient, stratum, count in rows:
            if (patient in frozen) is keep:
                fold = (
                    frozen[patient] if keep else min(range(settings.folds), key=lambda k: (of_stratum[stratum, k], people[k], cases[k], k))
                )
                assigned[patient] = fold
                of_stratum[stratum, fold] += 1
                people[fold] += 1
                cases[fold] += count
    return assigned


def leave_cancer_out(patients: pd.DataFrame, settings: Folds, frozen: Assigned) -> Assigned:
    """Fold k holds the k-th configured cancer type out; patients of other types are in no part.

    Raises:
        InputError: nobody has a configured type.
    """
    there = set(patients["cancer_type"])
    for name in settings.cancer_types:
        if name not in there:
            raise InputError(f"expected cancer types of the cohort: {', '.join(sorted(there))}", column="folds.cancer_types", found=name)
    number = {name: place for place, name in enumerate(settings.cancer_types)}
    return {patient: number[name] for patient, name in zip(patients["patient_id"], patients["cancer_type"]) if name in number}


def panel_era(patients: pd.DataFrame, settings: Folds, frozen: Assigned) -> Assigned:
    """Fold 0: first sequenced with a newest panel; -1: with an older one; patients of other panels are in no part.

    Raises:
        InputError: nobody to hold out, or nobody to train on.
    """
    fold = dict.fromkeys(settings.older_panels, -1) | dict.fromkeys(settings.newest_panels, 0)
    there = set(patients["gene_panel"].dropna())
    for key in ("older_panels", "newest_panels"):
        if not there & set(wanted := getattr(settings, key)):
            raise InputError(f"expected a panel of the cohort: {', '.join(sorted(there))}", column=f"folds.{key}", found=", ".join(wanted))
    return {patient: fold[panel] for patient, panel in zip(patients["patient_id"], patients["gene_panel"]) if panel in fold}


DESIGNS: dict[str, Callable[[pd.DataFrame, Folds, Assigned], Assigned]] = {
    "kfold": kfold,
    "kfold_stratified": kfold_stratified,
    "leave_cancer_out": leave_cancer_out,
    "panel_era": panel_era,
}
