"""TRIPOD+AI and TRIPOD-LLM, filled item by item from what the run left behind; what it cannot know it says it does not report.

The items are those of Collins et al., BMJ 2024;385:e078378 (Table 2: 27 items in 52 rows) and Gallifant et al., Nat Med 2025;31:60-69
(Table 2: 19 items in 49 rows). Their topics stand in `tripod_items.csv` in our own words; a table that is filled here does not replace
the wording of the published ones. Which function answers an item stands beside it; an item without one asks for what only authors know.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from oncoraft.report import tripod_data, tripod_methods, tripod_results, tripod_text
from oncoraft.report.facts import Facts
from oncoraft.report.tripod_answer import Answer

DATA_FILES = ("tripod_items.csv",)
ITEMS = Path(__file__).parent / DATA_FILES[0]
NOT_REPORTED = "not reported by this run"
FOR_AUTHORS = Answer(None)

ANSWERS: dict[str, Callable[[Facts], Answer]] = tripod_data.ANSWERS | tripod_methods.ANSWERS | tripod_text.ANSWERS | tripod_results.ANSWERS


def items() -> list[dict[str, str]]:
    """Every item of both checklists: checklist, item, section, topic, answer (the name of what answers it, or nothing)."""
    with ITEMS.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def filled(facts: Facts) -> list[dict[str, str]]:
    """Both checklists, an item a row: checklist, item, section, topic, reported, answer, page (a link within it), file (below the results)."""
    given = {name: answer(facts) for name, answer in ANSWERS.items()}
    rows = []
    for item in items():
        answer = given[item["answer"]] if item["answer"] else FOR_AUTHORS
        rows.append(
            {name: item[name] for name in ("checklist", "item", "section", "topic")}
            | {
                "reported": NOT_REPORTED if answer.is_absent else "partly" if answer.is_partial else "yes",
                "answer": answer.text or "",
                "page": answer.page if answer.text else "",
                "file": answer.file if answer.text else "",
            }
        )
    return rows
