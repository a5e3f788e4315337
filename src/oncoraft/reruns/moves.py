"""Whether the code of all steps moved to other folders: then one sentence says more than the same reason at every job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from oncoraft.planning.sources import ROOT
from oncoraft.reruns.planning import Job
from oncoraft.reruns.reasons import job_manifest, listed
from oncoraft.reruns.source_record import FOLDER, modules_of


def moved_files(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Old path -> new path of the files that stand elsewhere now under the same name, of several that of equal content.

    Content alone does not tell: a moved module's import lines change with it. A room's name may have stood in front of the old name
    (`cohort/twin_genes.py` -> `twin/genes.py`).

    Args:
        before: file -> digest, on record.
        now: file -> digest, of this checkout.
    """
    gone, fresh = sorted(before.keys() - now.keys()), sorted(now.keys() - before.keys())
    found: dict[str, str] = {}
    for old in gone:
        name = PurePosixPath(old).name
        alike = [new for new in fresh if name == PurePosixPath(new).name or name.endswith(f"_{PurePosixPath(new).name}")]
        if alike:
            found[old] = min(alike, key=lambda new: (now[new] != before[old], new))
    return found


def moved_code(jobs: list[Job], directory: Path) -> dict[str, str]:
    """Old path -> new path, where every step that left a record has files that stand elsewhere now; empty otherwise."""
    results = directory / "results"
    moves: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for job in jobs:
        left = job_manifest(job, directory)
        digest = None if left is None or isinstance(left, str) else left.settings.get("code")
        if digest is None or (job.step, digest) in seen:
            continue
        seen.add((job.step, digest))
        file = results / FOLDER / f"{job.step}-{digest}.json"
        before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        # Records of earlier builds name a package by its folder (`cohort.py`), which is no file that could have moved.
        here = moved_files(
            {name: code for name, code in before.items() if not (ROOT / name).with_suffix("").is_dir()}, modules_of(job.step)
        )
        if not here:
            return {}
        moves |= here
    return moves


def sentence(moves: Mapping[str, str], price: str) -> str:
    """The one sentence of a move, with what a rerun of everything costs."""
    shown = listed([f"{old} -> {new}" for old, new in sorted(moves.items())])
    return (
        f"the code of all steps moved ({len(moves)} files: {shown}), so every job would run again, {price}; "
        "a build that only moved code gives the same numbers, and the build that made these results keeps them current"
    )
