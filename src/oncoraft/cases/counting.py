"""What is asked of a whole cohort before regimens are made of a part of its patients, and what is counted over all parts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from oncoraft.cases import diagnoses
from oncoraft.cases.tables import distinct
from oncoraft.cases.treatment_rows import FILE, check_agents, rows_of_unknown_agents, unknown_agents
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.ranges import RangedTable
from oncoraft.knowledge.drug_names import WAYS
from oncoraft.planning.config import Regimens

log = logging.getLogger("oncoraft")
SPECIMENS, SAMPLES = "data_timeline_specimen.txt", "data_clinical_sample.txt"
COUNTED = (
    "rows", "rows_without_agent", "rows_of_one_agent", "resolved", "supportive_rows", "tracer_rows", "other_indication_rows",
    "investigational_rows_set_aside", "rows_of_unknown_agents", "unknown_agents", "patients_without_anticancer_agent",
    "patients_without_clinical_row", "rows_without_specimen", "patients_without_specimen", "no_cancer_rows",
    "patients_with_no_cancer_rows_only", "before_diagnosis_rows", "patients_with_before_diagnosis_rows_only", "other_cancer_rows",
    "patients_with_other_cancer_rows_only", "patients_with_rows_before_diagnosis", "regimens", "regimens_without_registered_diagnosis",
    "protocol_continuations", "chemoradiation", "settings",
)  # fmt: skip


class Cohort(NamedTuple):
    """What is asked of the whole cohort, whichever patients are looked at: the cancer types of which cases are made, rows of each
    agent that the drug table lacks, and the class that the source gives these."""

    cancers: frozenset[str]
    unknown: dict[str, int]
    classes: dict[str, str]


def cohort_of(samples: pd.DataFrame, unknown: pd.DataFrame, patients: Collection[str], rules: Regimens) -> Cohort:
    """What is asked of the whole cohort.

    Args:
        samples: clinical_sample: cancer_type.
        unknown: from `rows_of_unknown_agents`.
        patients: those of `unknown` that have a clinical row, at least.
        rules: what is done with unknown agents.

    Raises:
        InputError: an agent that may not be there, or one that the configuration names and the drug table lacks.
    """
    check_agents(rules)
    counts = unknown_agents(unknown, rules)
    rows = unknown[unknown["patient_id"].isin(list(patients))].dropna(subset=["subtype"]).sort_values("source_line")
    first = rows.drop_duplicates("agent")
    classes = {str(agent): str(kind) for agent, kind in zip(first["agent"], first["subtype"])}
    return Cohort(diagnoses.cohort_cancers({"clinical_sample": samples}), counts, classes)


def whole_cohort(tables: dict[str, RangedTable], rules: Regimens) -> Cohort:
    """`cohort_of` open tables, of which little is read."""
    treatment = tables["timeline_treatment"]
    columns = ["patient_id", "subtype", "agent", "source_line"]
    groups = (treatment.file.read_row_group(number, columns=columns, use_threads=False) for number in range(treatment.file.num_row_groups))
    parts = [rows_of_unknown_agents(group.to_pandas()) for group in groups]
    unknown = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    patients = tables["clinical_patient"].table(pa.array(unknown["patient_id"].unique(), pa.string()))["patient_id"].to_pylist()
    return cohort_of(distinct(tables["clinical_sample"], ["cancer_type"]), unknown, patients, rules)


class Counted:
    """What was counted, of one part of the patients after another."""

    def __init__(self, cohort: Cohort) -> None:
        self.cohort = cohort
        self.total: Counter[str] = Counter()
        self.of: dict[str, Counter[str]] = {"resolved": Counter(), "settings": Counter()}

    def add(self, counts: dict[str, Any]) -> None:
        """Take in what `cases_of` counted."""
        for name, value in counts.items():
            self.of.get(name, self.total).update(value if name in self.of else {name: value})

    def told(self) -> dict[str, Any]:
        """Counts as the manifest has them.

        Raises:
            InputError: there is no case at all.
        """
        total = self.total
        if strangers := total["patients_without_clinical_row"]:
            log.warning("%d treated patients have no clinical row; they are left out", strangers)
        if not total["regimens"]:
            raise self._none()
        more: dict[str, Any] = {
            "resolved": {way: self.of["resolved"][way] for way in WAYS if self.of["resolved"][way]},
            "rows_of_unknown_agents": sum(self.cohort.unknown.values()),
            "unknown_agents": self.cohort.unknown,
            "settings": dict(sorted(self.of["settings"].items())),
        }
        return {name: more[name] if name in more else total[name] for name in COUNTED}

    def _none(self) -> InputError:
        """Why there is no case: no anticancer agent, nobody with a dated specimen or with a cancer type, or nothing after a diagnosis."""
        total, found = self.total, f"none of {self.total['patients_treated']} treated patients"
        if not total["rows_kept"]:
            missing = None if total["rows"] else "no treatment timeline, or an empty one: without it there are no cases"
            return InputError("expected at least one row of an anticancer agent", file=FILE, found=missing)
        if total["rows_sequenced"]:
            return InputError(
                "expected a treatment that begins after its cancer's diagnosis, of a patient with a sequenced specimen", file=FILE
            )
        if total["rows_dated"]:
            wanted = "expected the cancer type of a sequenced specimen, by this column or by ONCOTREE_CODE, of at least one treated patient"
            return InputError(wanted, file=SAMPLES, column="CANCER_TYPE", found=found)
        return InputError("expected at least one treated patient with a sequenced specimen", file=SPECIMENS, found=found)
