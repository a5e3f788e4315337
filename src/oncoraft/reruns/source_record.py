"""Which source files stand behind a code digest: written when a run starts, read by `oncoraft why` to name the module that changed.

A manifest holds one digest of all the code that its step imports. Beside the results, `.sources/<step>-<digest>.json` breaks it down by module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from oncoraft.foundation.provenance import file_digest, publishing, write_json
from oncoraft.planning.sources import ROOT, UNCOUNTED, closure, code_digest, module_file, source
from oncoraft.planning.steps import STEPS

FOLDER = ".sources"


def modules_of(step: str) -> dict[str, str]:
    """File of the package -> digest, for every module and data file that counts for a step's result; paths from the package's folder."""
    found: dict[str, str] = {}
    for name in closure(STEPS[step].module):
        if name not in UNCOUNTED:
            file = module_file(name)
            assert file is not None, name
            found[file.relative_to(ROOT).as_posix()] = source(name).digest.hex()
            found |= {data.relative_to(ROOT).as_posix(): file_digest(data) for data in source(name).data}
    return dict(sorted(found.items()))


def record_sources(results: Path, steps: Iterable[str]) -> None:
    """Keep the breakdown of these steps' present code digests below `results`; what is there stays."""
    for step in sorted(steps):
        file = results / FOLDER / f"{step}-{code_digest(step)}.json"
        if not file.exists():
            with publishing(file, step="why") as (out,):
                write_json(out, modules_of(step))


def changed_modules(results: Path, step: str, before: str) -> list[str] | None:
    """Files whose code differs between a recorded digest and now, sorted; None where the recorded digest has no breakdown."""
    file = results / FOLDER / f"{step}-{before}.json"
    if not file.is_file():
        return None
    old, new = json.loads(file.read_text(encoding="utf-8")), modules_of(step)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
