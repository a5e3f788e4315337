"""Check a results tree against its own manifests: `oncoraft verify results/<cohort>`.

The engine's records are not needed: they may be lost, or the tree may have come from elsewhere. One line a problem, and status 1:

    missing   a file that a manifest names is not there
    changed   a file is not the one that its step wrote (edited, truncated, swapped)
    stale     a file was made from another version of its input than the one that now stands there
    extra     a file that no manifest names
    broken    a manifest that cannot be read, or that was edited
    partial   a half-written file of a job that was killed, or is at work
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from oncoraft.foundation.errors import InputError
from oncoraft.planning.edge import run, step_parser
from oncoraft.planning.steps import STEPS
from oncoraft.reruns.manifests import Manifest, digests, is_manifest, manifest_files, plain, read_manifest

log = logging.getLogger("oncoraft")

# Folders whose files are no results, and files that stand beside them: they change with every run and no manifest names them.
ASIDE = {"logs", "benchmarks", "state", "_workflow", ".snakemake", ".sources"}
CRATE = "ro-crate-metadata.json"
BESIDE = {"README.md", CRATE, ".snakemake_timestamp"}  # the last is the engine's mark in a folder that a rule declares
WORKFLOW = "_workflow"  # covered by the crate's digests
# Commands that leave no manifest in a results tree, or are two others in one.
OTHER_STEPS = {"cases", "prompts", "export", "predict", "page", "rate", "headline", "why", "verify", "crate", "compare", "control"}
KINDS = ("broken", "missing", "changed", "stale", "extra", "partial")


class Finding(NamedTuple):
    """One problem: its kind, the file, and what is wrong with it in words."""

    kind: str
    path: Path
    text: str


def aside_files(root: Path) -> dict[str, int]:
    """How many files lie in folders that no manifest covers, by the folder's name: they are counted and told, not checked."""
    found = (path.relative_to(root).parts[:-1] for path in root.rglob("*") if path.is_file())
    folders = (next((part for part in parts if part in ASIDE - {WORKFLOW}), None) for parts in found)
    return dict(sorted(Counter(folder for folder in folders if folder is not None).items()))


def steps_without_manifest(manifests: Iterable[Manifest]) -> list[str]:
    """Steps of the workflow that left no manifest in the tree: never run, or removed whole, which nothing that is left can tell apart."""
    return [step for step in STEPS if step not in {one.step for one in manifests} and step not in OTHER_STEPS]


def result_files(root: Path) -> list[Path]:
    """Every file of the tree that ought to be named by a manifest, or is one; sorted."""
    # A link that leads nowhere is no file, but stands in the tree all the same.
    found = (plain(path) for path in root.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(path for path in found if not ASIDE & set(path.relative_to(plain(root)).parts[:-1]) and path.name not in BESIDE)


def read_all(files: Iterable[Path]) -> tuple[list[Manifest], list[Finding]]:
    """Every manifest that can be read, and a finding for each that cannot."""
    manifests, broken = [], []
    for file in files:
        try:
            manifests.append(read_manifest(file))
        except InputError as error:
            broken.append(Finding("broken", file, str(error).removeprefix(f"{file}").lstrip(":, ")))
    return manifests, broken


def check(manifests: list[Manifest], now: dict[Path, str | None]) -> list[Finding]:
    """Compare what the manifests record with the digests of the files as they are now.

    A consumer is `stale` only where its input is in order, or has no manifest of its own: a damaged file is told once, as `changed`.
    """
    recorded: dict[Path, str] = {}
    findings: list[Finding] = []
    for one in manifests:
        for path, digest in one.outputs.items():
            if path in recorded and recorded[path] != digest:
                findings.append(Finding("changed", one.path, f"names {path.name} with another digest than a second manifest does"))
            recorded[path] = digest
            if now[path] is None:
                findings.append(Finding("missing", path, f"written by {one.step}"))
            elif now[path] != digest:
                findings.append(Finding("changed", path, f"not the file that {one.step} wrote"))
    for one in manifests:
        odd = [
            path
            for path, digest in one.inputs.items()
            if now[path] is not None and now[path] != digest and recorded.get(path, now[path]) == now[path]
        ]
        if odd:
            more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
            findings.append(Finding("stale", one.path, f"{one.step} ran on another version of {relative(odd[0], one.path.parent)}{more}"))
    return findings


def lost_inputs(manifests: list[Manifest], now: dict[Path, str | None], root: Path) -> tuple[list[Finding], int]:
    """Inputs that are gone: a finding inside the tree, a count outside it (a study or a base model need not travel with results)."""
    outputs = {path for one in manifests for path in one.outputs}
    findings: dict[Path, Finding] = {}
    outside: set[Path] = set()
    for one in manifests:
        for path in one.inputs:
            if now[path] is None and path not in outputs:
                if path.is_relative_to(root):
                    findings.setdefault(path, Finding("missing", path, f"read by {one.step}"))
                else:
                    outside.add(path)
    return list(findings.values()), len(outside)


def unnamed(files: list[Path], manifests: list[Manifest]) -> list[Finding]:
    """Files that no manifest names, half-written ones apart."""
    named = {path for one in manifests for path in one.outputs}
    findings = []
    for path in files:
        if any(part.startswith((".partial-", ".previous-", ".progress-")) for part in path.parts):
            findings.append(Finding("partial", path, "left by a job that was killed, or is at work"))
        elif path not in named and not is_manifest(path):
            findings.append(Finding("extra", path, "no manifest names it"))
    return findings


def check_crate(root: Path) -> list[Finding]:
    """Files that differ from the digests in the tree's RO-Crate, where it has one: it covers the manifests too."""
    findings = []
    for file in sorted({*root.glob(CRATE), *root.glob(f"*/{CRATE}")}):
        try:
            graph = json.loads(file.read_text(encoding="utf-8"))["@graph"]
            wanted = {
                plain(file.parent / entry["@id"]): entry["sha256"] for entry in graph if "sha256" in entry and "File" in entry["@type"]
            }
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            findings.append(Finding("broken", file, f"not an RO-Crate ({error})"))
            continue
        now = digests(wanted)
        findings += [Finding("changed", path, "not the file of the RO-Crate") for path in wanted if now[path] not in {None, wanted[path]}]
        findings += [Finding("missing", path, "named in the RO-Crate") for path in wanted if now[path] is None]
    return findings


def relative(path: Path, start: Path) -> str:
    """A path as seen from a folder."""
    return Path(os.path.relpath(path, start)).as_posix()


def verify(root: Path) -> tuple[list[Finding], dict[str, int]]:
    """All that is wrong with a results tree, and what was looked at.

    Raises:
        InputError: no such folder, or no manifest in it.
    """
    root = plain(root)
    if not root.is_dir():
        raise InputError("expected a results folder", file=root)
    found = manifest_files(root)
    if not found:
        raise InputError("expected results with manifests, found none", file=root)
    manifests, findings = read_all(found)
    now = digests(path for one in manifests for path in (*one.inputs, *one.outputs))
    files = result_files(root)
    lost, outside = lost_inputs(manifests, now, root)
    findings += check(manifests, now) + lost + unnamed(files, manifests)
    # What a manifest has told of a file the crate would only tell again.
    seen = {(finding.kind, finding.path) for finding in findings}
    findings += [finding for finding in check_crate(root) if (finding.kind, finding.path) not in seen]
    findings.sort(key=lambda finding: (KINDS.index(finding.kind), finding.path, finding.text))
    return findings, {"files": len(files), "manifests": len(found), "outside": outside}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a tree; status 0 where it is whole, 1 with one line a problem where it is not."""
    parser = step_parser("verify", f"{__doc__.split(chr(10), 1)[1]}\nexample:\n  oncoraft verify results/demo")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="results/<cohort>, or results with every cohort in it")
    given = parser.parse_args(arguments)
    findings, counts = verify(given.results)
    for finding in findings:
        print(f"{finding.kind:<8} {relative(finding.path, Path.cwd())}: {finding.text}")
    aside = ", ".join(f"{number} in {name}/" for name, number in aside_files(plain(given.results)).items())
    if aside:
        print(f"not covered: {aside}")
    absent = steps_without_manifest(read_all(manifest_files(plain(given.results)))[0])
    if absent:
        print(f"no manifest of: {', '.join(absent)} (not run here, or removed whole)")
    if counts["outside"]:
        log.info("verify: %d inputs outside %s are not here and were not checked", counts["outside"], given.results)
    problems = f"{len(findings)} problem{'s' * (len(findings) != 1)}" if findings else "whole"
    print(f"{given.results}: {counts['files']} files, {counts['manifests']} manifests: {problems}")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
