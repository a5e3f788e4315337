"""TRIPOD+AI and TRIPOD-LLM, filled item by item from what the run left behind; what it cannot know it says it does not report.

The items are those of Collins et al., BMJ 2024;385:e078378 (Table 2: 27 items in 52 rows) and Gallifant et al., Nat Med 2025;31:60-69
(Table 2: 19 items in 49 rows). Their topics stand in `tripod_items.csv` in our own words; a table that is filled here does not replace
the wording of the published ones. Which function answers an item stands beside it; an item without one asks for what only authors know.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from oncoraft.report import tripod_data, tripod_methods, tripod_results, tripod_text
from oncoraft.report.facts import Facts
from oncoraft.report.plot import tag
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Column, Data, Row, tabulate, text
from oncoraft.report.tripod_answer import Answer

DATA_FILES = ("tripod_items.csv",)
ITEMS = Path(__file__).parent / DATA_FILES[0]
YES, PARTLY, NOT_REPORTED = "reported", "in part", "not reported by this run"
STATEMENTS = {"TRIPOD+AI": "BMJ 2024;385:e078378", "TRIPOD-LLM": "Nature Medicine 2025;31:60-69"}
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
                "reported": NOT_REPORTED if answer.is_absent else PARTLY if answer.is_partial else YES,
                "answer": answer.text or "",
                "page": answer.page if answer.text else "",
                "file": answer.file if answer.text else "",
            }
        )
    return rows


def place(row: Row) -> Markup | str:
    """Where an answer stands: a link within the page."""
    return tag("a", str(row["page"]).removeprefix("#").replace("-", " "), href=row["page"]) if row["page"] else ""


COLUMNS = [
    text("item", "item"),
    text("topic", "topic"),
    text("reported", "reported"),
    text("by this run", "answer"),
    Column("on the page", place, "page", is_text=True),
    text("file, below the results", "file"),
]


def section(sources: Sources) -> dict[str, Any]:
    """Both checklists."""
    rows = filled(Facts(sources))
    tables, told = [], []
    for name, where in STATEMENTS.items():
        mine = [row for row in rows if row["checklist"] == name]
        counts = [sum(row["reported"] == state for row in mine) for state in (YES, PARTLY)]
        told.append(f"{name}: {counts[0]} of {len(mine)} reported, {counts[1]} in part")
        data = Data(name.lower().replace("+", "-"), mine)
        tables.append(tabulate(data, COLUMNS, f"{name} ({where}), an item a row, its topic in our words"))
    return {"brief": "; ".join(told), "tables": tables}
