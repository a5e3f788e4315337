"""Dose and fractions of the radiation that begins."""

from __future__ import annotations

import re

from oncoraft.tasks.declaration import Found, Material, Task
from oncoraft.tasks.planned_courses import FIELDS, cases_of
from oncoraft.tasks.regimen_text import Regimen, parse_regimen, same_dose, same_record


def find(material: Material) -> Found:
    """Courses whose regimen is told."""
    return cases_of(material, lambda course: course["regimen"].text())


def forms(answer: str) -> list[re.Pattern[str]]:
    """A dose, however it is written, and a number of fractions: no field of the evidence holds either."""
    return [
        re.compile(r"\d\s*(?:c?gy|cge|gray)\b", re.IGNORECASE),
        re.compile(r"\d\s*(?:[a-z]+\s+)?(?:fractions?|fx|#)(?!\w)", re.IGNORECASE),
    ]


def effective_dose(truth: Regimen, answer: Regimen) -> float:
    """1 less the relative error of the biologically effective dose (alpha/beta 10 Gy), not below 0."""
    right = truth.biologically_effective_dose()
    return max(0.0, 1 - abs(answer.biologically_effective_dose() - right) / right)


TASK = Task(
    kind="radiation_regimen",
    title="Radiation regimen",
    instruction="Which dose in how many fractions is planned for the radiation course that begins? Answer like: 50 Gy in 25 fractions.",
    source="tables",
    find=find,
    fields=FIELDS,
    read=parse_regimen,
    measures={
        "regimen record": lambda truth, answer: float(same_record(truth, answer)),
        "total dose and fractions": lambda truth, answer: float(same_dose(truth, answer)),
        "closeness of effective dose": effective_dose,
    },
    category=lambda regimen: regimen.text(),
    forms=forms,
    needs_courses=True,
    pool="courses",
    note="The record compares doses within 0.1 Gy, fractions and schedule, phase by phase; the words of an answer do not count in it.",
)
