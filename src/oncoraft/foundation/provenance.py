"""Digests and manifests.

Every step leaves a manifest: what went in (digests), with which settings, code and versions, and what was counted.
Manifests carry no time and no absolute path, so that two equal runs leave equal manifests.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from oncoraft import __version__
from oncoraft.foundation.publishing import publishing

__all__ = ["canonical_json", "file_digest", "manifest", "publishing", "sealed", "text_digest", "versions", "write_json"]

RECORDED_PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "lifelines", "torch", "transformers", "peft")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spare spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def write_json(path: Path, value: object) -> None:
    """Write JSON for people: indented, keys in the given order, final newline."""
    # NaN is no JSON (RFC 8259); the standard library would write it.
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of this package, Python, and the scientific packages that are installed."""
    found = {"oncoraft": __version__, "python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def manifest(
    step: str,
    *,
    inputs: Iterable[Path],
    outputs: Mapping[Path, Path],
    settings: Mapping[str, Any],
    counts: Mapping[str, Any],
    beside: Path,
    digests: Mapping[Path, str] | None = None,
) -> dict[str, Any]:
    """What a step read, wrote and counted.

    The last entry is the digest of all others, so that an edited manifest is seen.

    Args:
        step: the command's name.
        inputs: files read; a folder stands for the files in it.
        outputs: final path -> where the content is now (a temporary sibling before publishing).
        settings: from `edge.settings_record`.
        counts: whatever the step counted (rows, cases, refusals).
        beside: the manifest's own final path; paths are recorded relative to its folder.
        digests: of input files of which the step has them already.
    """
    home, known = beside.resolve().parent, digests or {}

    def relative(path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), home)).as_posix()

    files = sorted({file for path in inputs for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file()})
    record: dict[str, Any] = {
        "step": step,
        "inputs": {relative(file): known.get(file) or file_digest(file) for file in sorted(files, key=relative)},
        "outputs": {relative(final): file_digest(now) for final, now in sorted(outputs.items())},
        "settings": dict(settings),
        "counts": dict(counts),
        "versions": versions(),
    }
    return sealed(record)


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest closed by the digest of everything else in it; a step that adds to its manifest seals it again."""
    rest = {key: value for key, value in record.items() if key != "digest"}
    return rest | {"digest": text_digest(canonical_json(rest))}
