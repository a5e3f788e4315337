"""What a run needs from outside and does not find: study tables, base models, modules of the user's own; told before anything runs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.study_files import find_file
from oncoraft.knowledge.tables import TABLES

INDEX = "model.safetensors.index.json"
# Ingestion does without them; a workflow, whose every target rests on cases, does not.
NEEDED_FOR_CASES = ("timeline_treatment", "timeline_specimen")


def module_on_path(name: str) -> Path | None:
    """The file of a module as a job finds it: in the folder of the run first, then where packages are installed; a job gets no other PYTHONPATH."""
    given = {Path(place).absolute() for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place}
    places = [Path(), *(Path(place) for place in sys.path if Path(place).absolute() not in given)]
    for place in places:
        base = place.joinpath(*name.split("."))
        for candidate in (base / "__init__.py", base.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


def missing_of_study(study: str, key: str = "study") -> list[str]:
    """What a study folder lacks: the folder, or a table without which it cannot be read."""
    folder = Path(study)
    if not folder.is_dir():
        return [f"{study}: no such study folder (configuration key `{key}`)"]
    lines = []
    for table in TABLES:
        try:
            if find_file(folder, table) is None and (table.required or table.name in NEEDED_FOR_CASES):
                why = f"without it: {table.without}" if table.without else f"a study cannot be read without its {table.name} table"
                lines.append(f"{folder / table.file}: missing; {why}")
        except InputError as error:
            lines.append(str(error))
    return lines


def missing_of_model(name: str, path: str | None) -> list[str]:
    """What a base-model folder lacks: the folder, its configuration, weights or tokenizer."""
    if path is None:
        return []
    folder, key = Path(path), f"models.{name}.path"
    if not folder.is_dir():
        return [f"{path}: no such base-model folder (configuration key `{key}`)"]
    wanted = {
        "config.json": ("config.json",),
        "weights (*.safetensors)": ("*.safetensors",),
        "a tokenizer (tokenizer.json or tokenizer.model)": ("tokenizer.json", "tokenizer.model", "vocab.json"),
    }
    lacking = [what for what, patterns in wanted.items() if not any(any(folder.glob(pattern)) for pattern in patterns)]
    lacking += [f"{name}, which {INDEX} names" for name in _indexed_weights(folder / INDEX) if not (folder / name).is_file()]
    return [f"{path}: lacks {what} (configuration key `{key}`)" for what in lacking]


def _indexed_weights(index: Path) -> list[str]:
    """Weight files that an index names; none where there is no index, or one that cannot be read, of which loading tells more."""
    try:
        named: list[str] = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return []
    return named
