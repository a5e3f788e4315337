"""The sections that people look at first: sequences of regimens, courses of cases, scores by response, single cases on a line of time.

Sequences show counts, and obey the smallest cell. The others show single patients: they are drawn, and their data written, only where
`report.individuals` says so, and for regimens of no fewer evaluable cases than the smallest cell.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from oncoraft.report import sequences as icicle
from oncoraft.report import swimmer, timeline, waterfall
from oncoraft.report.case_records import pictured
from oncoraft.report.collect import Run
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Data, Figure, records

NO_CASES = "The tables of cases are not at hand."
NOT_SHOWN = "Not drawn: pictures in which one patient can be told from another are off (report.individuals)."


def hidden(sources: Sources) -> str:
    """Why single patients are not shown; empty where they are."""
    return NOT_SHOWN if not sources.shows_individuals else NO_CASES if sources.courses is None else ""


def sequences(sources: Sources) -> dict[str, Any]:
    """Regimen sequences."""
    if sources.courses is None:
        return {"figure": None, "why": NO_CASES}
    nodes = icicle.forest(sources.courses, sources.guard.smallest)
    rows = records(icicle.table(nodes))
    drawn = icicle.draw(nodes)
    caption = (
        "First, second and third regimen of each patient, a column each, heights by patients, colours by drug class; grey: all regimens too rare "
        "to be drawn alone. The share is of the cancer type."
    )
    figure = Figure(drawn, "sequences", caption, Data("sequences", rows)) if drawn else None
    return {"figure": figure, "why": "", "brief": f"{sum(node.patients for node in nodes):,} patients" if nodes else None}


def regimens_of(sources: Sources) -> list[pd.DataFrame]:
    """Cases of the regimens that are pictured."""
    cases = sources.courses
    if cases is None:
        return []
    chosen = pictured(cases, sources.guard.smallest)
    return [cases[(cases["cancer_type"] == kind) & (cases["regimen"] == regimen)] for kind, regimen in chosen]


def courses(sources: Sources) -> dict[str, Any]:
    """Courses of cases: a swimmer plot of each pictured regimen."""
    why = hidden(sources)
    figures = []
    for place, cases in enumerate([] if why else regimens_of(sources), 1):
        rows = swimmer.lanes(cases)
        drawn, first = swimmer.draw(rows, len(cases)), cases.iloc[0]
        caption = f"{first['regimen_name']}, {first['cancer_type']}: {len(rows)} of {len(cases):,} cases, at equal steps from the longest time on the regimen down. Bar: on the regimen; line: followed; ›: beyond the axis."
        if drawn:
            figures.append(Figure(drawn, f"swimmer-{place}", caption, Data(f"swimmer-{place}", records(rows))))
    return {"figures": figures, "why": why, "brief": f"{len(figures)} regimens" if figures else None}


def waterfalls_of(sources: Sources, run: Run, number: int) -> list[Figure]:
    """Waterfalls of one experiment."""
    figures = []
    for place, cases in enumerate(regimens_of(sources), 1):
        rows = waterfall.bars(cases, run.scores)
        judged = int(cases["responder"].notna().sum())
        drawn, first = waterfall.draw(rows, judged), cases.iloc[0]
        if drawn:
            name = f"waterfall-{number}-{place}"
            caption = f"{first['regimen_name']}, {first['cancer_type']}: {len(rows)} of {judged:,} evaluable cases. A score that sorts by response has blue on the left, orange on the right."
            figures.append(Figure(drawn, name, caption, Data(name, records(rows))))
    return figures


def waterfalls(sources: Sources) -> dict[str, Any]:
    """Scores by response."""
    why = hidden(sources)
    runs = [
        {"name": run.name, "number": place, "figures": [] if why else waterfalls_of(sources, run, place)}
        for place, run in enumerate(sources.runs, 1)
    ]
    return {"runs": runs, "why": why}


def prompt_of(sources: Sources, run: Run, case: str) -> str:
    """What the model of a run was shown of a case; empty where its prompts are not at hand."""
    path = sources.results / run.model / "prompts" / "prompts.jsonl"
    if not path.is_file():
        return ""
    wanted = f'"case_id": {json.dumps(case, ensure_ascii=False)}'
    with path.open(encoding="utf-8") as stream:
        # Parsing every prompt of a cohort to show two would cost more than all pictures.
        row = next((json.loads(line) for line in stream if wanted in line or wanted.replace(": ", ":") in line), None)
    return str(row["input"]) if row else ""


def timeline_of(sources: Sources, run: Run, case: str) -> timeline.Timeline:
    """One case of a run."""
    cases = sources.courses
    assert cases is not None
    row = cases[cases["case_id"] == case].iloc[0]
    own = cases[cases["patient_id"] == row["patient_id"]].sort_values("index_day")
    told = next((one["rationale"] for one in run.examples if one["case_id"] == case), "")
    return timeline.Timeline(
        events=timeline.events_of(sources.results, row["patient_id"], int(row["index_day"]), own),
        title=f"{row['regimen_name']}, {row['cancer_type']}",
        category=row["category"],
        window=(int(row["window_start_days"]), int(row["window_end_days"])),
        score=run.scores[case],
        prompt=prompt_of(sources, run, case),
        rationale=told,
    )


def timelines(sources: Sources) -> dict[str, Any]:
    """Two cases on a line of time, as the first run scored them."""
    why = hidden(sources)
    shown = []
    if not why and sources.courses is not None:
        run = sources.runs[0]
        told = {row["case_id"] for row in run.examples if "case_id" in row}
        for place, case in enumerate(timeline.typical(sources.courses, run.scores, told), 1):
            one = timeline_of(sources, run, case)
            drawn = timeline.draw(one)
            caption = f"{one.title}; scored {one.score:.2f}, the middle of its kind; what was seen in the window: {one.category}. The model was shown what lies left of the index date."
            if drawn:
                name = f"timeline-{place}"
                shown.append(
                    {
                        "figure": Figure(drawn, name, caption, Data(name, records(one.events))),
                        "prompt": one.prompt,
                        "rationale": one.rationale,
                    }
                )
    return {"cases": shown, "why": why}
