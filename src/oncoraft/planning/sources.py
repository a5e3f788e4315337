"""Which source files a step really imports, and their digest.

The workflow keys every rule by this digest, so that an edit reruns exactly the steps whose code changed:
the closure is found by walking the imports in the syntax tree, and comments, docstrings and layout do not
count. A module that reads data files of the package (drug table, templates) names them in a top-level
constant `DATA_FILES`, relative to its folder; a folder stands for all that is in it. They count byte by byte.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from oncoraft.planning.readings import readings
from oncoraft.planning.steps import STEPS

PACKAGE = "oncoraft"
ROOT = Path(__file__).parents[1]
# These join the steps and hold no result's logic: a change in the table of steps or in the help must rerun nothing.
UNCOUNTED = {
    "oncoraft",
    "oncoraft.cli",
    "oncoraft.planning.edge",
    "oncoraft.planning.steps",
    "oncoraft.planning.config",
    "oncoraft.planning.config_files",
    "oncoraft.planning.readings",
    "oncoraft.planning.sources",
    "oncoraft.planning.yaml_file",
    "oncoraft.planning.settings",
    "oncoraft.planning.settings.alignment",
    "oncoraft.planning.settings.analysis",
    "oncoraft.planning.settings.base",
    "oncoraft.planning.settings.cells",
    "oncoraft.planning.settings.cohort",
    "oncoraft.planning.settings.cohorts",
    "oncoraft.planning.settings.models",
    "oncoraft.planning.settings.tasks",
    "oncoraft.planning.settings.text",
    "oncoraft.foundation.errors",
    "oncoraft.foundation.attempts",
    "oncoraft.foundation.lease",
    "oncoraft.foundation.provenance",
    "oncoraft.foundation.publishing",
    "oncoraft.foundation.ownership",
    "oncoraft.foundation.storage",
    "oncoraft.foundation.input_file",
}


def module_file(name: str) -> Path | None:
    """The file of a dotted module of this package, or None if there is no such module."""
    base = os.path.join(ROOT, *name.split(".")[1:])
    # As Python does: a package goes before a module of the same name. Texts, since thousands of names that are no modules are asked for.
    for candidate in (os.path.join(base, "__init__.py"), f"{base}.py"):
        if os.path.isfile(candidate):
            return Path(candidate)
    return None


class Source(NamedTuple):
    """What matters of one module: the modules it imports, the data files it reads, its code's digest."""

    imports: frozenset[str]
    data: tuple[Path, ...]
    digest: bytes


@cache
def source(name: str) -> Source:
    """What counts of a module: see `oncoraft.planning.readings`."""
    file = module_file(name)
    assert file is not None, name
    reading = readings().of(file.read_bytes(), PACKAGE)
    modules = frozenset(module for module in reading.imported if module_file(module))
    return Source(modules, _data_paths(reading.data, file.parent), bytes.fromhex(reading.digest))


def _data_paths(names: tuple[str, ...], folder: Path) -> tuple[Path, ...]:
    """The files that a module's `DATA_FILES` stand for."""
    paths = [folder / name for name in names]
    found = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
    # Compiled modules come and go with the interpreter that reads a folder of modules.
    return tuple(sorted(file for file in found if file.parent.name != "__pycache__"))


def closure(module: str) -> list[str]:
    """Every module of this package that importing `module` brings in, itself included, sorted."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(source(name).imports)
    return sorted(found)


@cache
def code_digest(step: str) -> str:
    """A short digest of what a step's result depends on in this package."""
    modules = [name for name in closure(STEPS[step].module) if name not in UNCOUNTED]
    total = hashlib.sha256()
    for name in modules:
        total.update(name.encode() + source(name).digest)
    for file in sorted({file for name in modules for file in source(name).data}):
        total.update(file.relative_to(ROOT).as_posix().encode() + hashlib.sha256(file.read_bytes()).digest())
    readings().keep()
    return total.hexdigest()[:16]
