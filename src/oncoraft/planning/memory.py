"""Main memory that a job asks a cluster for, by the size of the study that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from oncoraft.planning.config import PRETRAINING
from oncoraft.planning.plan import Plan

FLOOR_MB = 4000
# Steps that hold a table of all patients peak at 0.5 to 1.4 GB on a study of 348 MB (24,950 patients; benchmarks/README.md) and grow with it:
# by at most 4 MB of memory a MB of study. The rest is margin.
MEMORY_OF_STUDY = 7.2
MB_OF_TWIN_PATIENT = 0.014


@cache
def study_megabytes(plan: Plan, cohort: str) -> float:
    """Size of the tables behind a cohort: of a study its files, of a twin what its patients will take, of a pool the sum of its parts."""
    if cohort in plan.pooled_cohort():
        return sum(study_megabytes(plan, one) for one in plan.pooled_from())
    if plan.has_truth(cohort):
        further = plan.config.cohorts.get(cohort)
        twin = plan.config.pretraining if cohort == PRETRAINING else plan.config.twin if further is None else further.twin
        return twin.patients * MB_OF_TWIN_PATIENT
    files = plan.source_files(cohort) if plan.is_converted(cohort) else plan.study_files(cohort)
    return sum(Path(file).stat().st_size for file in files if Path(file).is_file()) / 1e6


def memory_of_tables(plan: Plan, wildcards: Mapping[str, Any], attempt: int) -> int:
    """MB for a step that reads whole tables; a job that is tried again asks for as much more.

    Args:
        plan: of the workflow.
        wildcards: of the job; one without a cohort works for the pretraining twin.
        attempt: how many times it has been tried, this one included.
    """
    needed = study_megabytes(plan, wildcards.get("cohort", PRETRAINING)) * MEMORY_OF_STUDY
    return max(FLOOR_MB, 1000 * -int(-needed // 1000)) * attempt
