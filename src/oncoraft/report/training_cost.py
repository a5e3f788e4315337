"""What training cost, run by run: tokens, hours, memory, over the folds."""

from __future__ import annotations

from typing import Any

from oncoraft.model_card.card import cost
from oncoraft.report.collect import Run
from oncoraft.report.facts import Facts


def of_run(facts: Facts, run: Run) -> dict[str, Any]:
    """Cost of one run over its folds; zero of all where nothing was trained."""
    folds = [facts.results / facts.home(run) / f"fold-{fold}" for fold in range(run.folds)]
    tokens, hours, memory = cost(folds, [])
    processes = facts.fold(run, "counts", "processes") or 0
    return {"run": run.name, "folds": len(facts.folds(run)), "tokens": tokens, "hours": hours, "processes": processes, "memory_gib": memory}


def costs(facts: Facts) -> list[dict[str, Any]]:
    """Cost of every run."""
    return [of_run(facts, run) for run in facts.runs]
