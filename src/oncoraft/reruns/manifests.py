"""Manifests of a results tree, and digests of the files that they name.

A manifest (`manifest.json`, or `<name>.manifest.json` in a shared folder) names what a step read and wrote, each with its SHA-256,
by paths relative to the manifest's own folder; so a results tree may be moved whole.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import canonical_json, file_digest, text_digest
from oncoraft.planning.steps import STEPS

log = logging.getLogger("oncoraft")

SUFFIX = "manifest.json"
SEAL = "digest"  # SHA-256 of the canonical JSON of everything else in a manifest
DIGEST = re.compile(r"[0-9a-f]{64}")
PROGRESS_SECONDS = 10.0


class Manifest(NamedTuple):
    """One manifest, its paths made plain.

    Attributes:
        path: of the manifest.
        step: the command that wrote it.
        inputs, outputs: normalised path -> recorded digest.
        settings: configuration blocks and `code`.
    """

    path: Path
    step: str
    inputs: dict[Path, str]
    outputs: dict[Path, str]
    settings: dict[str, Any]


def plain(path: Path) -> Path:
    """A path with its `..` resolved as text: links are left alone, so that a linked results folder stays one tree."""
    return Path(os.path.normpath(path))


def is_manifest(path: Path) -> bool:
    """Whether a file is a manifest, by its name."""
    return path.name == SUFFIX or path.name.endswith("." + SUFFIX)


def read_manifest(path: Path) -> Manifest:
    """Read and check one manifest.

    Raises:
        InputError: not JSON, a part missing, an unknown step, something that is no digest, or a seal that does not fit.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"expected a manifest in JSON ({error})", file=path) from None
    if not isinstance(record, dict):
        raise InputError("expected a JSON object", file=path, found=type(record).__name__)
    for part in ("step", "inputs", "outputs", "settings"):
        if part not in record:
            raise InputError("expected this part of a manifest, found none", file=path, column=part)
    if record["step"] not in STEPS:
        raise InputError("expected the name of a step", file=path, column="step", found=str(record["step"]))
    for part in ("inputs", "outputs"):
        for name, digest in record[part].items():
            if not (isinstance(digest, str) and DIGEST.fullmatch(digest)):
                raise InputError(f"expected a SHA-256 of {name}", file=path, column=part, found=str(digest))
    if SEAL not in record:
        raise InputError("expected the seal that its step set; it was edited since", file=path, column=SEAL)
    if record[SEAL] != seal(record):
        raise InputError("expected a manifest as its step wrote it; it was edited since", file=path)
    inputs, outputs = ({plain(path.parent / name): digest for name, digest in record[part].items()} for part in ("inputs", "outputs"))
    return Manifest(path, record["step"], inputs, outputs, record["settings"])


def seal(record: dict[str, Any]) -> str:
    """The digest that a manifest carries of its own other parts."""
    return text_digest(canonical_json({key: value for key, value in record.items() if key != SEAL}))


def manifest_files(root: Path) -> list[Path]:
    """Every manifest below a folder, sorted."""
    # The pattern alone would also take `mymanifest.json`.
    return sorted(path for path in root.rglob(f"*{SUFFIX}") if path.is_file() and is_manifest(path))


def digests(paths: Iterable[Path]) -> dict[Path, str | None]:
    """SHA-256 of each file, None where there is no such file; two at a time, with progress on what takes long."""
    wanted = sorted(set(paths))
    found: dict[Path, str | None] = {}
    last = time.monotonic()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for number, (path, digest) in enumerate(zip(wanted, pool.map(_digest, wanted), strict=True), 1):
            found[path] = digest
            if time.monotonic() - last > PROGRESS_SECONDS:
                last = time.monotonic()
                log.info("digests: %d of %d files", number, len(wanted))
    return found


def _digest(path: Path) -> str | None:
    return file_digest(path) if path.is_file() else None
