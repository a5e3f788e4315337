"""What the tasks on a planned course share: its cases, and what is known on the day on which it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.tasks.courses import read_courses
from oncoraft.tasks.declaration import Found, Material, case_frame
from oncoraft.tasks.diagnoses import COLUMNS, at_days, named

FIELDS = (
    "cancer_type",
    "histology",
    "primary_site",
    "stage",
    "extent",
    "clinical_group",
    "tumor_sites",
    "sex",
    "age_at_index",
    "hormone_receptor",
    "her2",
    "gleason",
    "surgery",
    "radiation",
)


def cases_of(material: Material, answer: Callable[[Any], str | None]) -> Found:
    """A case a course of the table whose answer is told.

    Args:
        material: with courses and tables.
        answer: of a row of `read_courses`; None where it is not told.

    Raises:
        InputError: no table of courses.
    """
    if material.courses is None:
        raise InputError("--courses: expected a CSV of radiation courses; the released tables hold no dose and no modality")
    courses = read_courses(material.courses)
    told, left_out = at_days(courses, named(material.table("timeline_diagnosis", COLUMNS)))
    told["answer"] = pd.Series([answer(row) for row in told.to_dict("records")], index=told.index, dtype=object)
    first = told.drop_duplicates(["patient_id", "index_day"])
    left_out |= {"another course on the same day": len(told) - len(first), "answer not told": int(first["answer"].isna().sum())}
    kept = first.dropna(subset=["answer"])[["patient_id", "index_day", "cancer_type", "diagnosis_day", "answer"]]
    return Found(case_frame(kept), left_out)
