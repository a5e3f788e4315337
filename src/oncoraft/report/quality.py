"""What the report shows of the data: how the source rows were read, and what was asserted of the evidence and the rationales."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report.collect import Run, read_json
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import Data, Rows, count, decimals, interval, portion, records, tabulate, text

LEDGER = ["table", "status", "rows_read", "rows_kept", "rows_refused", "rows_duplicate"]
SCOPES = {"all": "all", "sequenced_by_index": "sequenced by their index date"}


def leakage_rows(results: Path, runs: Sequence[Run], guard: Guard) -> Rows:
    """What a text model reads of the label in rationales and in prompts, for every model and design that has a run."""
    rows = []
    for model, design in sorted({(run.model, run.design) for run in runs}):
        found = read_json(results / model / "prompts" / design / "leakage.json")
        if not found:
            continue
        why = found.get("not_estimated")
        row = {name: None if why else found[name] for name in ("auroc_rationale", "auroc_prompt")}
        row["cases"] = None if why else guard.count(found["cases"])
        telling = f"not estimated: {why}" if why else ", ".join(found["words_for_response"][:5] + found["words_against_response"][:5])
        rows.append({"model": model, "design": design, **row, "telling_words": telling})
    return rows


def selection_rows(results: Path, designs: Sequence[str]) -> Rows:
    """What presence of evidence and sequencing time alone tell of response and survival, by design and scope."""
    keep = ("model", "scope", "auroc", "auroc_lower", "auroc_upper", "hazard_ratio", "lower", "upper", "is_flagged", "reason")
    return [
        {"design": design} | {name: row[name] for name in keep} | {"is_flagged": bool(row["is_flagged"])}
        for design in designs
        for row in (read_json(results / "selection" / design / "selection.json") or {}).get("models", [])
    ]


LEAKAGE = [
    text("model", "model"),
    text("design", "design"),
    decimals("AUROC of a text model on rationales", "auroc_rationale"),
    decimals("on prompts", "auroc_prompt"),
    count("cases", "cases"),
    text("telling words", "telling_words"),
]
SELECTION = [
    text("design", "design"),
    text("a model that sees", "model"),
    text("cases", "scope", lambda scope: SCOPES.get(scope, scope)),
    interval("AUROC for response (95 % interval)", "auroc", "auroc_lower", "auroc_upper"),
    interval("HR a standard deviation", "hazard_ratio", digits=2),
    text("flagged", "is_flagged"),
    text("why", "reason"),
]
SOURCES = [
    text("table", "table"),
    text("status", "status"),
    count("rows read", "rows_read"),
    portion("kept", "rows_kept", "rows_read"),
    portion("refused", "rows_refused", "rows_read"),
    portion("duplicate", "rows_duplicate", "rows_read"),
]


def section(sources: Sources) -> dict[str, Any]:
    """Data quality."""
    ledger = records(pd.read_parquet(sources.results / "tables" / "ledger.parquet")[LEDGER])
    refused = sum(int(row["rows_refused"] or 0) for row in ledger if row["rows_refused"] == row["rows_refused"])
    read = sum(int(row["rows_read"] or 0) for row in ledger if row["rows_read"] == row["rows_read"])
    audit = read_json(sources.results / "prompts" / "audit.json")
    return {
        "brief": f"{refused:,} of {read:,} source rows refused",
        "total": Data("ledger-total", [{"rows_read": read, "rows_refused": refused}]),
        "ledger": tabulate(Data("ledger", ledger), SOURCES, "Source tables and how their rows were read"),
        "audit": audit,
        "audit_told": f"{audit['cases']:,} cases, {audit['statements']:,} statements." if audit else "",
        "leakage": tabulate(
            Data("leakage", leakage_rows(sources.results, sources.runs, sources.guard)),
            LEAKAGE,
            "AUROC of a text model that reads rationales, or prompts",
        ),
        "selection": tabulate(
            Data("selection", selection_rows(sources.results, sources.designs)),
            SELECTION,
            "What being in the cohort, or the time of sequencing, tells by itself",
        ),
    }
