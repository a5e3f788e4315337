"""Why a job would run again, in a user's words: its own manifest compared with the plan, its inputs, and the code of this checkout."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from oncoraft.foundation.errors import InputError
from oncoraft.reruns.manifests import Manifest, digests, is_manifest, plain, read_manifest
from oncoraft.reruns.planning import Job
from oncoraft.reruns.source_record import changed_modules

LISTED = 4  # files, rules or jobs that are named; the rest are counted


class Verdict(NamedTuple):
    """A job that would run again: why, and the seconds that it took last time (None: it never ran)."""

    job: Job
    reasons: tuple[str, ...]
    seconds: float | None


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys: `{"training.epochs": 3}`."""
    if isinstance(value, dict) and value:
        return {key: entry for name, inner in value.items() for key, entry in flat(inner, f"{prefix}.{name}" if prefix else name).items()}
    return {prefix: value}


def changed_settings(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One line for every configuration key whose value differs; the code digest is no setting."""
    lines = [f"{block}: the step reads this block now" for block in sorted(now.keys() - before.keys() - {"code"})]
    lines += [f"{block}: the step no longer reads this block" for block in sorted(before.keys() - now.keys() - {"code"})]
    both = (before.keys() & now.keys()) - {"code"}
    old, new = (flat({block: record[block] for block in both}) for record in (before, now))
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            lines.append(f"{key}: a new key, {_shown(new[key])}")
        elif key not in new:
            lines.append(f"{key}: {_shown(old[key])} -> no longer a key")
        elif old[key] != new[key]:
            lines.append(f"{key}: {_shown(old[key])} -> {_shown(new[key])}")
    return lines


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def listed(names: list[str]) -> str:
    """A few names, and how many more."""
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def code_reason(step: str, before: Any, now: Any, results: Path) -> list[str]:
    """The source files that changed, as far as they are on record; nothing where the step was run by hand and recorded no code."""
    if before is None or before == now:
        return []
    modules = changed_modules(results, step, before)
    return [f"code: {listed(modules)}" if modules else "code of the step (which file is not on record)"]


def job_manifest(job: Job, directory: Path) -> Manifest | str | None:
    """The manifest that a job left; a text where it cannot be read, None where there is none."""
    if job.manifest is None or not (directory / job.manifest).is_file():
        return None
    try:
        return read_manifest(plain(directory / job.manifest))
    except InputError as error:
        return str(error)


def own_reasons(job: Job, directory: Path) -> Iterator[str]:
    """Reasons that lie in the job itself: outputs gone or altered, settings, code, inputs of another content."""
    lost = [path for path in job.outputs if not (directory / path).exists()]
    if len(lost) == len(job.outputs):
        # The benchmark of a job stays where its results are removed.
        yield "never run" if not job.benchmark or not (directory / job.benchmark).exists() else "its results are gone"
        return
    if lost:
        yield f"missing: {listed(lost)}"
    left = job_manifest(job, directory)
    if left is None:
        return
    if isinstance(left, str):
        yield f"its manifest cannot be trusted: {left}"
        return
    yield from changed_settings(left.settings, job.settings)
    yield from code_reason(job.step, left.settings.get("code"), job.settings.get("code"), directory / "results")
    mine = {plain(directory / path) for path in job.outputs}
    now = digests({path for path in left.outputs if path in mine} | left.inputs.keys())
    altered = [path for path, digest in left.outputs.items() if path in mine and now[path] not in {None, digest}]
    if altered:
        yield f"altered since it was written: {listed([_from(directory, path) for path in altered])}"
    other = [path for path, digest in left.inputs.items() if now[path] not in {None, digest} and not is_manifest(path)]
    if other:
        yield f"input changed: {listed([_from(directory, path) for path in other])}"


def _from(directory: Path, path: Path) -> str:
    base = plain(directory)
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def judge(jobs: list[Job], engine: dict[str, str], directory: Path) -> list[Verdict]:
    """The jobs that would run again, in running order.

    Args:
        jobs: the whole plan, in running order.
        engine: name of a job that the engine would run -> its reason.
        directory: the working folder.
    """
    stale: dict[str, Job] = {}  # output -> the job that makes it again
    verdicts = []
    for job in jobs:
        reasons = list(dict.fromkeys(own_reasons(job, directory)))
        above = [stale[path] for path in job.inputs if path in stale]
        # An input whose age alone does not count (`ancient`): the engine runs what makes it, and leaves what reads it.
        if above and not reasons and job.name not in engine and all(one.name in engine for one in above):
            continue
        if above:
            # The job above makes that input again, and is named instead.
            reasons = [reason for reason in reasons if not reason.startswith("input changed")]
            reasons.append(f"after {listed(list(dict.fromkeys(one.rule for one in above)))}")
        if not reasons and job.name in engine:
            reasons = [f"the engine says: {engine[job.name]}"]
        if reasons:
            stale |= dict.fromkeys(job.outputs, job)
            verdicts.append(Verdict(job, tuple(reasons), seconds_of(job, directory)))
    return verdicts


def seconds_of(job: Job, directory: Path) -> float | None:
    """Wall seconds that the job took last time, from its benchmark file."""
    file = directory / (job.benchmark or "")
    if not job.benchmark or not file.is_file():
        return None
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    # `s` is the engine's column of wall seconds.
    return float(rows[-1]["s"]) if rows else None
