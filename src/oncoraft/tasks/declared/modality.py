"""Photon, proton, electron or brachytherapy."""

from __future__ import annotations

import re

from oncoraft.tasks.declaration import Found, Material, Task
from oncoraft.tasks.planned_courses import FIELDS, cases_of
from oncoraft.tasks.regimen_text import MODALITIES, modality_of


def find(material: Material) -> Found:
    """Courses of one modality."""
    return cases_of(material, lambda course: course["modality"])


def forms(answer: str) -> list[re.Pattern[str]]:
    """The words of any modality: no field of the evidence holds one."""
    return [re.compile(pattern.pattern, re.IGNORECASE) for pattern in MODALITIES.values()]


TASK = Task(
    kind="modality",
    title="Radiation modality",
    instruction="Which modality is planned for the radiation course that begins? Answer photon, proton, electron or brachytherapy.",
    source="tables",
    find=find,
    fields=FIELDS,
    read=modality_of,
    measures={"modality": lambda truth, answer: float(truth == answer)},
    category=str,
    forms=forms,
    needs_courses=True,
)
