"""Photon, proton, electron or brachytherapy."""

from __future__ import annotations

import re

from oncoraft.tasks.declaration import Found, Material, Task
from oncoraft.tasks.planned_courses import FIELDS, cases_of
from oncoraft.tasks.regimen_text import modality_of


def find(material: Material) -> Found:
    """Courses of one modality."""
    return cases_of(material, lambda course: course["modality"])


WORDS = re.compile(
    r"\b(?:photons?|protons?|electrons?|brachy\w*|imrt|vmat|impt|sbrt|sabr|x-?rays?|(?:hdr|ldr) (?:brachy|implant)\w*)\b", re.IGNORECASE
)


def forms(answer: str) -> list[re.Pattern[str]]:
    """Words that stand for a modality alone: no field of the evidence holds one. Others (interstitial) are words of histology too."""
    return [WORDS]


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
    pool="courses",
)
