"""How far two checkouts' numbers of the same name lie apart, by name: what a comparison of their cost has to say before it is one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SAME = 1e-6
KEYS = {"survival": ("cancer_type", "regimen"), "metrics": ("predictor", "reference", "metric", "scope", "group")}


def records_of(stage: str, folder: Path) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Records of a stage by what they are of."""
    told = json.loads((folder / f"{stage}.json").read_text(encoding="utf-8"))
    rows = told if stage == "metrics" else [*told["regimens"], *told["cancer_types"]]
    return {tuple(row[key] for key in KEYS[stage]): row for row in rows}


def leaves(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    """Every number or word of a record, with the names that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(name, inner)
    else:
        yield name, value


def distance(one: Any, other: Any) -> float:
    """Relative to the larger of 1 and the second; no end of it where one is no number."""
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    if are_numbers and not math.isnan(one):
        return abs(one - other) / max(1.0, abs(other))
    return 0.0 if one == other or (are_numbers and math.isnan(other)) else math.inf


def compared(stage: str, own: Path, other: Path) -> dict[str, list[float]]:
    """By the name of a number: its distance in each record of the other checkout; no end of it where this one does not tell it."""
    mine, theirs = records_of(stage, own), records_of(stage, other)
    found: dict[str, list[float]] = {}
    for key, row in theirs.items():
        told: dict[str, list[Any]] = {}
        for name, value in leaves("", mine.get(key, {})):
            told.setdefault(name, []).append(value)
        seen: dict[str, list[Any]] = {}
        for name, value in leaves("", row):
            seen.setdefault(name, []).append(value)
        for name, values in seen.items():
            label = f"{row['metric']} {name}" if stage == "metrics" and name in ("estimate", "lower", "upper") else name
            ours = told.get(name, [])
            apart = [distance(a, b) for a, b in zip(ours, values)] if len(ours) == len(values) else [math.inf]
            found.setdefault(label, []).append(max(apart, default=0.0))
    return found


def sentences(found: dict[str, list[float]]) -> list[str]:
    """Which names agree in every record, and how far the others lie apart."""
    same = [name for name, apart in found.items() if max(apart) <= SAME]
    lines = [f"the same to {SAME:g} in every record: {', '.join(same)}"]
    for name, apart in found.items():
        if name not in same:
            wide = [value for value in apart if value > SAME]
            known = [value for value in wide if math.isfinite(value)]
            largest = f", by {max(known):.1g} at most" if known else ""
            none = f", {len(wide) - len(known)} told by one side alone or as another word" if len(known) < len(wide) else ""
            lines.append(f"different: {name} in {len(wide)} of {len(apart)} records{largest}{none}")
    return lines
