"""Where the numbers come from: settings, versions and the files that stand beside the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oncoraft.report.collect import read_json
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Data, Rows, plain


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Settings as (dotted name, value); a list of plain values is told with commas."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        yield name, ", ".join(str(one) for one in value)
    else:
        yield name, value


def setting_rows(sources: Sources) -> Rows:
    """Settings of labels and of every training, a setting a row."""
    recorded = {"labels": read_json(sources.results / "cases" / "labels.parquet.manifest.json")}
    for run in sources.runs:
        paths = sorted((sources.results / run.model / run.strategy / run.design).glob("fold-*/manifest.json"))
        recorded[f"training, {run.name}"] = read_json(paths[0]) if paths else None
    return [
        {"step": step, "setting": name, "value": value}
        for step, note in recorded.items()
        for name, value in leaves((note or {}).get("settings") or {})
    ]


def section(sources: Sources) -> dict[str, Any]:
    """Provenance."""
    note = read_json(sources.results / "cases" / "labels.parquet.manifest.json") or {}
    versions = [{"package": name, "version": value} for name, value in (note.get("versions") or {}).items()]
    return {
        "brief": f"oncoraft {note['versions']['oncoraft']}" if note.get("versions", {}).get("oncoraft") else None,
        "is_twin": sources.is_twin,
        "definition": sources.flow["definition"],
        "small_cells": sources.guard.rule(),
        "settings": plain(Data("settings", setting_rows(sources)), "Settings as recorded by the steps"),
        "versions": plain(Data("versions", versions), "Versions"),
    }
