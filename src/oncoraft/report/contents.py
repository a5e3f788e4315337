"""The sections of the page, in their order."""

from __future__ import annotations

from oncoraft.report import (
    aligned,
    calibration,
    cells,
    cohort,
    discrimination,
    external,
    grid,
    labels,
    model_cards,
    pictures,
    provenance,
    quality,
    rationales,
    runs,
    subgroups,
    summary,
    survival,
    tasks,
    tripod,
)
from oncoraft.report.sections import Section, Shown, Sources

SECTIONS = (
    Section("flow", "Cohort flow", "Cohort", "flow.jinja", cohort.flow),
    Section("table-one", "Table 1", "Cohort", "table_one.jinja", cohort.characteristics),
    Section("data", "Data quality", "Cohort", "data.jinja", quality.section),
    Section("sequences", "Sequences of regimens", "Cohort", "sequences.jinja", pictures.sequences),
    Section("courses", "Courses of cases", "Cohort", "courses.jinja", pictures.courses),
    Section("labels", "Labels", "Cohort", "labels.jinja", labels.section),
    Section("discrimination", "Discrimination", "Performance", "discrimination.jinja", discrimination.section),
    Section("calibration", "Calibration", "Performance", "calibration.jinja", calibration.section),
    Section("utility", "Decision curves", "Performance", "utility.jinja", calibration.utility),
    Section("waterfalls", "Scores by response", "Performance", "waterfalls.jinja", pictures.waterfalls),
    Section("subgroups", "Subgroups", "Performance", "subgroups.jinja", subgroups.section),
    Section("external", "External validation", "Performance", "external.jinja", external.section),
    Section("grid", "Models, cohorts and designs", "Performance", "grid.jinja", grid.section),
    Section("survival", "Survival by regimen", "Survival", "survival.jinja", survival.section),
    Section("curves", "Survival curves", "Survival", "curves.jinja", survival.curve_section),
    Section("assumptions", "Assumptions", "Survival", "assumptions.jinja", survival.assumption_section),
    Section("rationales", "Rationales", "Model", "rationales.jinja", rationales.section),
    Section("timelines", "Two cases in time", "Model", "timelines.jinja", pictures.timelines),
    Section("alignment", "Alignment", "Model", "aligned.jinja", aligned.section),
    Section("tasks", "Text tasks", "Model", "tasks.jinja", tasks.section),
    Section("cells", "Single cells", "Model", "cells.jinja", cells.section),
    Section("comparison", "Runs compared", "Model", "comparison.jinja", runs.comparison),
    Section("compute", "Compute and cost", "Model", "compute.jinja", runs.compute),
    Section("model-card", "Model card", "Record", "model_card.jinja", model_cards.section),
    Section("tripod", "TRIPOD+AI and TRIPOD-LLM", "Record", "tripod.jinja", tripod.section),
    Section("methods", "Provenance", "Record", "provenance.jinja", provenance.section),
)


def contents(sources: Sources) -> list[Shown]:
    """Every section with what it shows; the first screen first."""
    made = ((one, one.make(sources)) for one in (summary.SECTION, *SECTIONS))
    return [Shown(one, {"brief": None} | it) for one, it in made if it is not None]
