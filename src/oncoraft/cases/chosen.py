"""Which cases a cohort is limited to: by cancer type, by sequencing panel, by a list of patients (`cohort_filter`).

Cases are chosen after lines of therapy are counted, so that a case says the same whatever cohort it stands in.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import CohortFilter

log = logging.getLogger("oncoraft")
ID_HEADER = "PATIENT_ID"
REASONS = {"patient_id": "not in the list of patients", "cancer_type": "another cancer type", "gene_panel": "another sequencing panel"}


class Choice:
    """The cases that the limits let through, taken as they come: all of a patient at once."""

    def __init__(self, tables: dict[str, pd.DataFrame], limits: CohortFilter) -> None:
        """What the limits mean in this study.

        Args:
            tables: clinical_patient with patient_id, clinical_sample with cancer_type and gene_panel.
            limits: what the cohort is limited to; an empty limit lets everything through.

        Raises:
            InputError: a limit names what the study does not have, or no listed patient is in it.
        """
        self.limits, self.before, self.left = limits, np.zeros(2, dtype=int), Counter[tuple[str, str]]()
        listed = set() if limits.patients is None else read_patients(Path(limits.patients))
        spelt = {
            column: _as_the_study_spells(asked, tables["clinical_sample"][column], column)
            for column, asked in (("cancer_type", limits.cancer_types), ("gene_panel", limits.gene_panels))
            if asked
        }
        self.wanted: dict[str, Collection[str]] = {**({"patient_id": listed} if listed else {}), **spelt}
        unknown = sorted(listed - set(tables["clinical_patient"]["patient_id"])) if listed else []
        if unknown and len(unknown) == len(listed):
            raise InputError(
                "expected ids of patients as the study has them, one a line, without quotes", file=limits.patients, found=unknown[0]
            )
        if unknown:
            log.warning("%s: %d of %d patients are not in the study, e.g. %s", limits.patients, len(unknown), len(listed), unknown[0])
        self.unknown = len(unknown)

    def of(self, cases: pd.DataFrame) -> pd.DataFrame:
        """Those of some cases (patient_id, cancer_type, gene_panel at least) that the limits let through, in their order."""
        reasons = pd.Series("", index=cases.index)
        for column, wanted in self.wanted.items():
            reasons = reasons.where((reasons != "") | cases[column].isin(list(wanted)), REASONS[column])
        self.before += (cases["patient_id"].nunique(), len(cases))
        for reason, part in cases.groupby(reasons):
            self.left.update({(str(reason), "patients"): part["patient_id"].nunique(), (str(reason), "cases"): len(part)})
        return cases[reasons == ""].reset_index(drop=True)

    def counts(self) -> dict[str, Any]:
        """`cohort_filter` (empty without limits): patients and cases before, `left_out` with reason, patients and cases,
        `patients_unknown` (ids of the list that the study does not have).

        Raises:
            InputError: nothing is left.
        """
        if not self.limits.is_set:
            return {"cohort_filter": {}}
        patients, cases = map(int, self.before)
        if not self.left["", "cases"]:
            raise InputError("expected at least one case within cohort_filter", column="cohort_filter", found=f"none of {cases} cases")
        left = [{"reason": reason, **{unit: self.left[reason, unit] for unit in ("patients", "cases")}} for reason in self._reasons()]
        told = {"patients_before": patients, "cases_before": cases, "left_out": left, "patients_unknown": self.unknown}
        return {"cohort_filter": told}

    def _reasons(self) -> list[str]:
        return sorted({reason for reason, _ in self.left} - {""})


def choose(cases: pd.DataFrame, tables: dict[str, pd.DataFrame], limits: CohortFilter) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The cases that the limits let through, in their order, and what was left out; arguments and errors as of `Choice`."""
    choice = Choice(tables, limits)
    kept = choice.of(cases)
    return kept, choice.counts()


def _as_the_study_spells(asked: Iterable[str], found: pd.Series, column: str) -> list[str]:
    """Words of the configuration in the study's spelling; a word that the study does not have would empty the cohort in silence."""
    spelt = {word.casefold(): word for word in found.dropna().unique()}
    key = {"cancer_type": "cancer_types", "gene_panel": "gene_panels"}[column]
    for word in asked:
        if word.casefold() not in spelt:
            near = get_close_matches(word.casefold(), spelt, n=1, cutoff=0.6)
            hint = f"; did you mean {spelt[near[0]]!r}?" if near else f"; it has {', '.join(sorted(spelt.values())[:8]) or 'none'}"
            raise InputError(f"expected what the study has as {column}{hint}", column=f"cohort_filter.{key}", found=word)
    return [spelt[word.casefold()] for word in asked]


def read_patients(path: Path) -> set[str]:
    """The ids of a list: one a line, the first cell where a line has several; empty lines, comments and a header are passed over.

    Raises:
        InputError: no such file, no text, or no id in it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InputError("expected a list of patients, an id a line", file=path, found=error.strerror) from None
    except UnicodeDecodeError:
        raise InputError("expected a list of patients in UTF-8, an id a line", file=path) from None
    ids = {line.split("\t")[0].strip() for line in lines if not line.startswith("#")} - {"", ID_HEADER}
    if not ids:
        raise InputError("expected a list of patients, an id a line", file=path, found="none")
    return ids
